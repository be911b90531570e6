"""How many requests took how long, over time: the counts behind a latency heat map.

Columns are stretches of time, rows are bounds of latency in steps of 1, 2 and 5; counting loses nothing that a map
could show. Nothing here draws.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.histogram import Histogram

COLUMNS: Final = 120
"""More columns than this are thinner than an eye can tell apart."""

BOUNDS_US: Final = tuple(step * 10**power for power in range(2, 8) for step in (1, 2, 5))
"""Upper bounds of the rows in microseconds, 100 us to 50 s; one more row has what took longer."""


@dataclass(frozen=True, slots=True)
class Heat:
    """`counts` has a row for each bound and one above, each with a count per column of `width` seconds."""

    width: int
    counts: tuple[tuple[int, ...], ...]


def heat_of(latencies: Mapping[int, Histogram], length: int, width: int) -> Heat:
    """The map of `length` buckets of `width` seconds, of which those that have any latencies are given."""
    together = max(-(-length // COLUMNS), 1)
    rows = [[0] * -(-length // together) for _ in (*BOUNDS_US, None)]
    for place, latency in latencies.items():
        for value, times in latency.values():
            rows[bisect_left(BOUNDS_US, value)][place // together] += times
    return Heat(width * together, tuple(map(tuple, rows)))
