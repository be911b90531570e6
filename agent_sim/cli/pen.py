"""What a run has to say, told to all who listen, some dozens of lines at a time.

At low rates a line by itself finds what writes, counts and watches it out of the processor's cache, and costs twice as
much as among others.
"""

from collections.abc import Callable
from typing import Final

from agent_sim.results.journal import Line

_AT_ONCE: Final = 64
_WAITS: Final = 0.1
"""Lines, or seconds of the run, that are kept back at most while more are written."""


class Pen:
    """Tells each line to every listener, in order; `settle` says when nothing more may be kept back."""

    __slots__ = ("_fresh", "_listeners")

    def __init__(self, *listeners: Callable[[Line], object]) -> None:
        self._listeners = listeners
        self._fresh: list[Line] = []

    def write(self, line: Line) -> None:
        """Tell it, now or with those that follow. Raises what listeners raise."""
        fresh = self._fresh
        fresh.append(line)
        if len(fresh) >= _AT_ONCE or line.t - fresh[0].t >= _WAITS:
            self.settle()

    def settle(self) -> None:
        """Tell what was kept back. Raises the first of what listeners raise, when all has been told."""
        fresh, self._fresh = self._fresh, []
        wrong: Exception | None = None
        for hear in self._listeners:
            for line in fresh:
                try:
                    hear(line)
                except Exception as error:  # noqa: BLE001  # one line is to cost no other
                    wrong = wrong or error
        if wrong is not None:
            raise wrong
