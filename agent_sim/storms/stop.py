"""When a storm stops itself: at the first 401 or 403, or when a fifth of the answers say that the target suffers.

Ours protects somebody's server, so it errs towards stopping: a request without any answer counts like a timeout.
Time is an argument, in nanoseconds on any steady clock.
"""

from collections import deque
from math import inf
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

_SPELL: Final = WINDOW // 1000
_BAD: Final = UNANSWERED | {ErrorKind.HTTP_5XX}


class StopRule:
    """Sees every answer and says when it is enough."""

    __slots__ = ("_answers", "_bad", "_spell", "_spells", "_until")

    def __init__(self) -> None:
        # A spell is [its first instant, answers, bad ones]: a fleet has half a million answers in a window.
        self._spells: deque[list[int]] = deque()
        self._spell: list[int] = []  # the last of them, and until when it goes on
        self._until: float = -inf
        self._answers = self._bad = 0

    def see(self, error: ErrorKind | None, now: Instant) -> str | None:
        """Count an answer; the reason to stop, or None."""
        if error is not None and error is ErrorKind.HTTP_401_403:
            return REFUSED
        if now >= self._until:
            self._begin(now)
        self._answers += 1
        self._spell[1] += 1
        if error is not None and error in _BAD:
            self._bad += 1
            self._spell[2] += 1
        if self._bad and self._answers >= MINIMUM and self._bad >= SHARE * self._answers:
            return SUFFERS
        return None

    def _begin(self, now: Instant) -> None:
        self._forget(now)
        self._spell, self._until = [now, 0, 0], now + _SPELL
        self._spells.append(self._spell)

    def _forget(self, now: Instant) -> None:
        while self._spells and self._spells[0][0] <= now - WINDOW:
            _, answers, bad = self._spells.popleft()
            self._answers -= answers
            self._bad -= bad


def broke_a_rule(stopped: str | None) -> bool:
    """True if the storm was ended by one of the two rules, not by a person or by its plan."""
    return stopped in (REFUSED, SUFFERS)
