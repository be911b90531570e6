"""What a storm did to the agents that poll meanwhile: their polls before it and while it lasted (load-testing 3.3).

Compared are the polls of the last minute before the storm, as far as no other storm was under way then, and those from
its first request to its last. Folded line by line: polls of more than a minute ago are forgotten while no storm is
under way, and kept by tens of seconds once one is well under way.
"""

from collections.abc import Iterable
from typing import Final

from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND, Instant, from_iso
from agent_sim.results import journal
from agent_sim.results.figures import Herd
from agent_sim.results.windows import middle_of

CALM: Final = 60.0
"""Seconds before a storm that count as without it, at most (our choice)."""

POLL: Final = "heartbeat"

_FINE: Final = 2 * CALM
_COARSE: Final = 10.0
"""A storm's process is there some seconds before its first request: until then each second is kept by itself."""


class HerdFold:
    """Gathers the polls; a storm must begin before the polls that it is to be compared with are a minute old."""

    def __init__(self) -> None:
        self._polls: list[tuple[float, Histogram]] = []
        self._under_way: dict[str, float] = {}
        self._calm_since = 0.0

    def traffic(self, line: journal.Traffic, latency: Histogram) -> None:
        """Count polls; `latency` is that of the line, read."""
        if line.operation != POLL:
            return
        at = middle_of(line)
        if self._polls and self._is_together(self._polls[-1][0], at):
            self._polls[-1][1].merge(latency)
            return
        fresh = Histogram()
        fresh.merge(latency)
        self._polls.append((at, fresh))
        if not self._under_way and self._polls[0][0] < at - 2 * CALM:
            self._polls = [(then, polls) for then, polls in self._polls if then >= at - CALM]

    def begin(self, storm: str, at: float) -> None:
        """A storm's process was started."""
        self._under_way[storm] = at

    def end(self, storm: str, began: float, until: float) -> Herd:
        """The storm is over: it sent from `began` to `until`."""
        self._under_way.pop(storm, None)
        calm_since = max(began - CALM, self._calm_since)
        self._calm_since = max(self._calm_since, until)
        before, meanwhile = Histogram(), Histogram()
        for at, polls in self._polls:
            if calm_since <= at < began:
                before.merge(polls)
            elif began <= at < until:
                meanwhile.merge(polls)
        return Herd(before, meanwhile)

    def _is_together(self, last: float, at: float) -> bool:
        since = max(self._under_way.values(), default=at)
        return at > since + _FINE and int(last / _COARSE) == int(at / _COARSE)


def herd_of(lines: Iterable[journal.Line], began: Instant, until: Instant) -> Herd | None:
    """The same for a storm beside the run whose journal it is; None if the journal does not say when that began."""
    fold, start = HerdFold(), None
    for line in lines:
        match line:
            case journal.RunStarted():
                start = from_iso(line.started_at)
                fold.begin("", (began - start) / SECOND - CALM)
            case journal.Traffic() if start is not None and _concerns(line, start, began, until):
                fold.traffic(line, Histogram.from_json(line.latency))
            case _:
                pass
    return None if start is None else fold.end("", (began - start) / SECOND, (until - start) / SECOND)


def _concerns(line: journal.Traffic, start: Instant, began: Instant, until: Instant) -> bool:
    return (began - start) / SECOND - CALM <= middle_of(line) < (until - start) / SECOND
