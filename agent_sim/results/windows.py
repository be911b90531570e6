"""A run cut into windows: the whole of it and its phases, each with the requests and outcomes that fell into it.

Folded line by line, so that it can be looked at while the run goes on. Requests that met a declared fault are counted
with all others and, besides, the rest without them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import Result
from agent_sim.results import journal
from agent_sim.results.figures import OperationTraffic, Window

_LAG: Final = 0.5


def middle_of(line: journal.Traffic) -> float:
    """Where a traffic line is counted: it stands for the second before it, so at that second's middle."""
    return max(line.t - _LAG, 0.0)


class WindowsFold:
    """Gathers the windows, one line at a time; phases must begin before what is in them."""

    def __init__(self) -> None:
        self._whole = _WindowFold("", 0.0, float("inf"))
        self._phases: list[_WindowFold] = []

    def begin(self, line: journal.PhaseStarted) -> None:
        """A phase begins, and the one before it is over."""
        if self._phases:
            self._phases[-1].end = min(self._phases[-1].end, line.t)
        self._phases.append(_WindowFold(line.phase, line.t, line.t + (line.seconds or float("inf"))))

    def traffic(self, line: journal.Traffic, latency: Histogram) -> None:
        """Count requests; `latency` is that of the line, read."""
        for window in self._at(middle_of(line)):
            window.traffic(line, latency)

    def completed(self, line: journal.JobCompleted) -> None:
        """Count an accepted completion."""
        for window in self._at(line.t):
            window.outcomes[line.type, line.outcome] += 1

    def finish(self, seconds: float) -> tuple[Window, tuple[Window, ...]]:
        """The whole of a run of so many seconds, and its phases."""
        return self._whole.finish(seconds), tuple(phase.finish(seconds) for phase in self._phases)

    def _at(self, at: float) -> Iterable["_WindowFold"]:
        yield self._whole
        yield from (phase for phase in self._phases if phase.start <= at < phase.end)


class _WindowFold:
    def __init__(self, name: str, start: float, end: float) -> None:
        self.name, self.start, self.end = name, start, end
        self.all: dict[str, _OperationFold] = {}
        self.calm: dict[str, _OperationFold] = {}
        self.is_calm = True
        self.outcomes: Counter[tuple[str, Result]] = Counter()

    def traffic(self, line: journal.Traffic, latency: Histogram) -> None:
        self.all.setdefault(line.operation, _OperationFold()).add(line, latency)
        if line.faults:
            self.is_calm = False
        else:
            self.calm.setdefault(line.operation, _OperationFold()).add(line, latency)

    def finish(self, seconds: float) -> Window:
        found = dict(_finished(self.all))
        calm = found if self.is_calm else dict(_finished(self.calm))
        return Window(
            self.name, self.start, min(self.end, seconds), found, dict(sorted(self.outcomes.items())), calm=calm
        )


def _finished(operations: Mapping[str, "_OperationFold"]) -> Iterator[tuple[str, OperationTraffic]]:
    for name, counts in sorted(operations.items()):
        errors = dict(sorted(counts.errors.items()))
        yield name, OperationTraffic(name, counts.ok, counts.failed, errors, counts.latency)


class _OperationFold:
    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.errors: Counter[str] = Counter()
        self.latency = Histogram()

    def add(self, line: journal.Traffic, latency: Histogram) -> None:
        self.ok += line.ok
        self.failed += line.failed
        self.errors.update(line.errors)
        self.latency.merge(latency)
