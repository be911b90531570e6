"""A run over time, for charts: at most a thousand or so buckets of equal width, however long the run was.

Buckets begin one second wide; when there would be too many, neighbours are merged and the width doubles. Merging
loses nothing but resolution, and does not depend on the order of the lines.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import Result
from agent_sim.results.heat import Heat, heat_of

LIMIT: Final = 1_200
"""More buckets than a chart has pixels are of no use to anybody."""


@dataclass(frozen=True, slots=True)
class Point:
    """One operation in one bucket: requests, and latencies in microseconds from those that were measured.

    `p99_us` is None where too few requests stand behind it.
    """

    ok: int
    failed: int
    p50_us: float
    p95_us: float
    p99_us: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """`width` in seconds; every series has a member per bucket, None (or 0) where nothing happened.

    `heat` is the same latencies by how long they took, over fewer and wider buckets.
    """

    width: int
    operations: Mapping[str, tuple[Point | None, ...]]
    outcomes: Mapping[Result, tuple[int, ...]]
    heat: Mapping[str, Heat] = field(default_factory=dict)


class _Cell:
    __slots__ = ("failed", "latency", "ok")

    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.latency = Histogram()

    def absorb(self, other: "_Cell") -> None:
        self.ok += other.ok
        self.failed += other.failed
        self.latency.merge(other.latency)


class TimelineFold:
    """Gathers a timeline, one fact at a time."""

    def __init__(self) -> None:
        self._width = 1
        self._operations: dict[str, dict[int, _Cell]] = {}
        self._outcomes: dict[Result, Counter[int]] = {}

    def traffic(self, at: float, operation: str, ok: int, failed: int, latency: Histogram) -> None:
        """Count requests that ended around `at` seconds."""
        place = self._bucket(at)  # first: it may replace the rows
        cell = self._operations.setdefault(operation, {}).setdefault(place, _Cell())
        cell.ok += ok
        cell.failed += failed
        cell.latency.merge(latency)

    def outcome(self, at: float, result: Result) -> None:
        """Count a job that ended at `at` seconds."""
        place = self._bucket(at)
        self._outcomes.setdefault(result, Counter())[place] += 1

    def finish(self, seconds: float) -> Timeline:
        """The timeline of a run of so many seconds."""
        self._bucket(seconds)
        places = [int(seconds // self._width) - 1]  # a bucket that the run's end cuts is shown if something is in it
        places += [place for rows in self._operations.values() for place in rows]
        places += [place for tally in self._outcomes.values() for place in tally]
        length = max(places) + 1
        return Timeline(
            width=self._width,
            operations={
                name: tuple(_point(rows.get(place)) for place in range(length))
                for name, rows in sorted(self._operations.items())
            },
            outcomes={
                result: tuple(rows[place] for place in range(length)) for result, rows in sorted(self._outcomes.items())
            },
            heat={
                name: heat_of({place: cell.latency for place, cell in rows.items()}, length, self._width)
                for name, rows in sorted(self._operations.items())
            },
        )

    def _bucket(self, at: float) -> int:
        while (place := int(max(at, 0) // self._width)) >= LIMIT:
            self._widen()
        return place

    def _widen(self) -> None:
        self._width *= 2
        self._operations = {name: _halved(rows) for name, rows in self._operations.items()}
        for result, tally in self._outcomes.items():
            halved: Counter[int] = Counter()
            for place, count in tally.items():
                halved[place // 2] += count
            self._outcomes[result] = halved


def _halved(rows: dict[int, _Cell]) -> dict[int, _Cell]:
    made: dict[int, _Cell] = {}
    for place, cell in rows.items():
        made.setdefault(place // 2, _Cell()).absorb(cell)
    return made


def _point(cell: _Cell | None) -> Point | None:
    if cell is None:
        return None
    latency = cell.latency
    p99 = latency.percentile(0.99) if latency.supports(0.99) else None
    return Point(cell.ok, cell.failed, latency.percentile(0.5), latency.percentile(0.95), p99)
