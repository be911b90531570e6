"""Whether the machine was ours while something was measured: a bench shows its figures anyway, but judges none if not.

`Watch` reads the counters around what is measured (they are `agent_sim.cli.quiet`), and `measured` does so for each
round by itself: over all of them, a burst that spoils one round comes to nothing much.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise, starmap
from threading import Event, Thread
from types import TracebackType
from typing import Final, Generic, Protocol, TypeVar

from agent_sim.cli.quiet import Reading, others, read
from agent_sim.results.paired import FOREIGN

__all__ = ["MOST", "Reading", "Rounds", "Watch", "is_quiet", "measured", "most", "others", "read"]

T = TypeVar("T")

MOST = FOREIGN
"""What other processes may take of one core before a figure says nothing."""


def is_quiet(share: float) -> bool:
    """True if figures taken beside others with this share of a core may be judged."""
    return share <= MOST


class Watch:
    """What others took while the block ran: `with Watch() as watch: ...`, then `watch.share`.

    With a `window` in seconds it is the most that they took in one of these: of minutes, a burst is a small part.
    """

    def __init__(self, window: float | None = None) -> None:
        self.share = 0.0
        self._window, self._over, self._readings = window, Event(), list[Reading]()

    def __enter__(self) -> "Watch":
        self._readings.append(read())
        if self._window is not None:
            self._looking = Thread(target=self._look, args=(self._window,), daemon=True)
            self._looking.start()
        return self

    def _look(self, window: float) -> None:
        while not self._over.wait(window):
            self._readings.append(read())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._window is not None:
            self._looking.join()
        if kind is None:
            self.share = most(self._readings, read())


def most(readings: Sequence[Reading], last: Reading) -> float:
    """The most that others took between two readings; what is left of a window at the end belongs to the one before."""
    *early, begin = readings
    return max([*starmap(others, pairwise(early)), others(early[-1] if early else begin, last)])


# --- in rounds ----------------------------------------------------------------------------------

AGAIN: Final = 2
"""So many rounds more are measured at most, where others were in the way of some."""


@dataclass(frozen=True, slots=True)
class Rounds(Generic[T]):
    """What the rounds found that count, the most that others took in one of them, and how many others spoilt."""

    found: tuple[T, ...]
    share: float
    spoilt: int = 0


class Shared(Protocol):
    """What a watch has seen."""

    share: float


def measured(
    rounds: int, measure: Callable[[], T], watch: Callable[[], AbstractContextManager[Shared]] = Watch
) -> Rounds[T]:
    """Measure until so many rounds were quiet, or the attempts are used up; those that others spoilt are left out.

    If there is no quiet one they all count, and the share says that nothing may be judged by them.
    """
    found: list[T] = []
    shares: list[float] = []
    wanted = max(rounds, 1)
    while len(found) < wanted + AGAIN and sum(map(is_quiet, shares)) < wanted:
        with watch() as seen:
            found.append(measure())
        shares.append(seen.share)
    return chosen(found, shares)


def chosen(found: Sequence[T], shares: Sequence[float]) -> Rounds[T]:
    """The rounds that were quiet; all of them, if none was."""
    quiet = [number for number, share in enumerate(shares) if is_quiet(share)]
    kept = quiet or range(len(found))
    return Rounds(tuple(found[n] for n in kept), max(shares[n] for n in kept), len(found) - len(quiet))
