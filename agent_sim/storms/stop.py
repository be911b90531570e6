"""When a storm stops itself: at the first 401 or 403, or when a fifth of the answers say that the target suffers.

Ours protects somebody's server, so it errs towards stopping: a request without any answer counts like a timeout.
Time is an argument, in nanoseconds on any steady clock.
"""

from collections import deque
from typing import Final

from agent_sim.instants import SECOND, Instant, Span
from agent_sim.storms.taxonomy import UNANSWERED, ErrorKind

WINDOW: Final[Span] = 10 * SECOND
SHARE: Final = 0.2
MINIMUM: Final = 10
"""Fewer answers than this in the window prove nothing (our choice)."""

REFUSED: Final = "first 401/403"
SUFFERS: Final = "20 % 5xx or timeouts in 10 s"
INTERRUPTED: Final = "interrupted"

_BAD: Final = UNANSWERED | {ErrorKind.HTTP_5XX}


class StopRule:
    """Sees every answer and says when it is enough."""

    __slots__ = ("_answers", "_bad")

    def __init__(self) -> None:
        self._answers: deque[tuple[Instant, bool]] = deque()
        self._bad = 0

    def see(self, error: ErrorKind | None, now: Instant) -> str | None:
        """Count an answer; the reason to stop, or None."""
        if error is ErrorKind.HTTP_401_403:
            return REFUSED
        is_bad = error in _BAD
        self._answers.append((now, is_bad))
        self._bad += is_bad
        while self._answers[0][0] <= now - WINDOW:
            self._bad -= self._answers.popleft()[1]
        if len(self._answers) >= MINIMUM and self._bad >= SHARE * len(self._answers):
            return SUFFERS
        return None


def broke_a_rule(stopped: str | None) -> bool:
    """True if the storm was ended by one of the two rules, not by a person or by its plan."""
    return stopped in (REFUSED, SUFFERS)
