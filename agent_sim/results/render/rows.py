"""The table of figures, in words: one row per storm and per operation, the same in the terminal and in the report.

A percentile that too few samples stand behind is not printed (load-testing 3.9).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.histogram import Histogram
from agent_sim.results import wording
from agent_sim.results.figures import Fault, Herd, OperationTraffic, Storm
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.metrics import felt
from agent_sim.results.summary import Summary

COLUMNS: Final = ("operation", "offered", "achieved", "ids/s", "p50", "p95", "p99", "max", "errors")

NOTHING: Final = "–"

WAITING: Final = "(connection wait)"
"""What `POOL_WAIT` is called: the part of an agent's wait that is ours, not the server's."""

_ORDER: Final = ("register", "heartbeat", "configure", "upload", "complete", "operator")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `cells` stand under `COLUMNS` and begin with the name."""

    section: Literal["storms", "agents"]
    cells: tuple[str, ...]
    errors: int


def rows(summary: Summary) -> tuple[Row, ...]:
    """Storms in time, then what agents and the operator asked for, in the order of an agent's life."""
    return tuple(_rows(summary))


def _rows(summary: Summary) -> Iterator[Row]:
    for storm in summary.storms:
        yield _storm(storm)
    seconds = summary.whole.seconds
    for name in in_order(summary.whole.operations):
        yield _operation(summary.whole.operations[name], seconds)


def in_order(operations: Iterable[str]) -> list[str]:
    """Operations in the order of an agent's life, unknown ones last."""
    return sorted(operations, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def _storm(storm: Storm) -> Row:
    if storm.result is None:
        return Row("storms", (storm_name(storm), *[NOTHING] * (len(COLUMNS) - 1)), 0)
    result = storm.result
    rates = (_rate(result.offered_rate), _rate(result.achieved_rate), wording.digits(result.ids_per_second))
    cells = (storm_name(storm), *rates, *_latencies(felt(result)), f"{result.failed:,}")
    return Row("storms", cells, result.failed)


def storm_name(storm: Storm) -> str:
    """Its name, and its operation where the name does not tell."""
    return storm.name if storm.operation in storm.name else f"{storm.name} ({storm.operation})"


def _operation(traffic: OperationTraffic, seconds: float) -> Row:
    if traffic.operation == POOL_WAIT:
        return Row("agents", (WAITING, *[NOTHING] * 3, *_latencies(traffic.latency), NOTHING), 0)
    offered, achieved = (_rate(count / seconds if seconds else 0) for count in (traffic.ended, traffic.ok))
    cells = (traffic.operation, offered, achieved, NOTHING, *_latencies(traffic.latency), f"{traffic.failed:,}")
    return Row("agents", cells, traffic.failed)


def _rate(per_second: float) -> str:
    return wording.rate(per_second)


def _latencies(histogram: Histogram) -> Iterator[str]:
    for q in (0.5, 0.95, 0.99):
        yield percentile(histogram, q)
    yield wording.latency(histogram.max_us) if histogram.count else NOTHING


def percentile(histogram: Histogram, q: float) -> str:
    """A percentile, or how many samples there were instead of enough."""
    if histogram.supports(q):
        return wording.latency(histogram.percentile(q))
    return f"n/a (n={histogram.count})"


def headline(summary: Summary) -> str:
    """What ran, in one line."""
    run = summary.run
    parts = [f"{run.scenario} against {run.target}, seed {run.seed}"] if run is not None else []
    scheduler = _scheduler_runs(summary)
    agents = [] if scheduler and not summary.agents.registered else [_agents(summary)]
    runs = [] if scheduler and not summary.whole.outcomes else [_runs(summary)]
    return wording.visible(" · ".join([*parts, *agents, wording.duration(summary.whole.seconds), *runs, *scheduler]))


def _agents(summary: Summary) -> str:
    return wording.counted(summary.agents.registered, "agent")


def _scheduler_runs(summary: Summary) -> list[str]:
    """How the runs of Oracle's scheduler ended; nothing if it took no part."""
    facts = summary.oig
    if facts.is_idle:
        return []
    ends = Counter(run.status.lower() for runs in facts.runs.values() for run in runs)
    parts = ", ".join(f"{count:,} {_ENDS.get(status, status)}" for status, count in sorted(ends.items()))
    told = f" ({parts})" if parts else ""
    return [
        f"{wording.counted(sum(ends.values()), 'run')} of {wording.counted(len(facts.jobs), 'scheduler job')}{told}"
    ]


_ENDS: Final = {"stopped": "done"}
"""A run that ended well is STOPPED in the scheduler's history: people would take it for one that was stopped."""


def _runs(summary: Summary) -> str:
    outcomes: dict[str, int] = {}
    for (_, result), count in sorted(summary.whole.outcomes.items(), key=lambda each: each[0][1]):
        outcomes[result.name.lower()] = outcomes.get(result.name.lower(), 0) + count
    parts = ", ".join(f"{count:,} {name}" for name, count in outcomes.items())
    return wording.counted(sum(outcomes.values()), "run") + (f" ({parts})" if parts else "")


def herd_words(herd: Herd) -> str:
    """What a storm did to the agents that polled meanwhile, at the highest of a few percentiles that both have."""
    both = (herd.before, herd.meanwhile)
    q = next((q for q in (0.99, 0.95, 0.5) if all(each.supports(q) for each in both)), None)
    counts = f"{herd.before.count:,} polls before, {herd.meanwhile.count:,} meanwhile"
    if q is None:
        return f"too few polls to compare: {counts}"
    before, meanwhile = (each.percentile(q) for each in both)
    times = wording.digits(meanwhile / max(before, 1.0))
    said = f"{wording.latency(before)} before, {wording.latency(meanwhile)} meanwhile: {times} times as long"
    return f"agents' polls at p{100 * q:g} {said} ({counts})"


def fault_words(fault: Fault) -> str:
    """What a declared fault came to, in a few words."""
    met = f"armed {wording.counted(fault.windows, 'time')}, met {wording.counted(fault.requests, 'request')}"
    return f"{met} of {wording.counted(fault.agents, 'agent')}" if fault.agents else met
