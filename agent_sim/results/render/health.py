"""Whether those who made the load kept up with it: a row for the fleet and one for each storm, in words.

A generator that is late or short of processor time measures itself and not its target (load-testing 3.7).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.results import wording
from agent_sim.results.figures import Storm
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.render.rows import NOTHING, percentile
from agent_sim.results.summary import Summary

CLIENT_COLUMNS: Final = ("generator", "processor", "late", "its own wait", "what that means")

_BUSY: Final = 0.85
"""The share of a core above which a generator's own figures are in doubt (load-testing 3.7)."""


@dataclass(frozen=True, slots=True)
class Generator:
    """One row: `cells` stand under `CLIENT_COLUMNS`."""

    cells: tuple[str, ...]
    tone: Literal["good", "warn", "bad"]


def generators(summary: Summary, environment: Mapping[str, str]) -> tuple[Generator, ...]:
    """The fleet first, if it measured itself, then storms in time."""
    return (*_fleet(summary, environment), *map(_storm, (each for each in summary.storms if each.result is not None)))


def _fleet(summary: Summary, environment: Mapping[str, str]) -> Iterator[Generator]:
    used = _number(environment.get("fleet_cpu_seconds", ""))
    if used is None or not summary.whole.seconds:
        return
    share = used / summary.whole.seconds
    waits = summary.whole.operations.get(POOL_WAIT)
    wait = NOTHING if waits is None or not waits.latency.count else f"p99 {percentile(waits.latency, 0.99)}"
    is_busy = share > _BUSY
    said = "short of processor time: latencies may be its own" if is_busy else "kept up"
    yield Generator(
        ("agents and operator", f"{wording.share(share)} of a core on average", NOTHING, wait, said),
        "bad" if is_busy else "good",
    )


def _storm(storm: Storm) -> Generator:
    assert storm.result is not None
    found = storm.result.generator
    cells = (
        f"storm {storm.name}",
        f"up to {wording.digits(found.cpu_percent_max)} % of a core",
        f"{wording.digits(found.late_p99_ms)} ms at p99, {storm.result.late_starts:,} late starts",
        f"{storm.result.dropped:,} dropped",
        "saturated: latencies are void, rates are lower bounds" if found.saturated else "kept up",
    )
    return Generator(cells, "bad" if found.saturated else "good")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
