"""What a threshold can measure: one row of `METRICS` for each metric.

| metric         | is                                                       | labels        | stat             |
|----------------|----------------------------------------------------------|---------------|------------------|
| latency        | seconds from begin to answer; of open storms: from when  | op, storm     | p50, p99.9, ..., |
|                | the request was due                                      |               | max, mean        |
| throughput     | requests that ended well, per second                     | op, storm     |                  |
| error_rate     | requests that failed, as a share of all that ended       | op, storm     |                  |
| ids_per_second | ids that storms had accepted, per second                 | op, storm     |                  |
| poll_latency   | seconds of agents' polls while a herd storm lasted       | storm         | as latency       |
| poll_slowdown  | the same, divided by what it was in the minute before    | storm         | as latency       |
| jobs           | runs that agents completed and the server accepted       | type, outcome |                  |

`op` is an operation of agents and operator (register, heartbeat, configure, upload, complete, operator) or of storms
(reschedule, acknowledge, ...); without a label a metric takes all requests (pool_wait, which is none, goes by name).
Requests that met a declared fault can be left out; of a storm's, nobody knows which did. Phases bound what is measured;
a storm belongs to the phase in which it began, whole. A saturated generator says
nothing about its target: latencies of such a storm are void, and its rates are lower bounds (load-testing 3.7).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from agent_sim.histogram import SAMPLES_BEHIND_A_PERCENTILE, Histogram
from agent_sim.results import wording
from agent_sim.results.checks import Threshold
from agent_sim.results.figures import Herd, OperationTraffic, Storm, Window
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.storm import StormResult


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured, in base units, and of how much; `value` is None if it could not be, for the reason `of`."""

    value: float | None
    of: str
    saturated: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """`read` measures, `say` puts a value into words, `when_saturated` tells what a value is then worth."""

    labels: frozenset[str]
    takes_stat: bool
    when_saturated: Literal["void", "lower bound", "stands"]
    say: Callable[[float], str]
    read: Callable[["_Scope", str], Reading]


@dataclass(frozen=True, slots=True)
class _Scope:
    windows: tuple[Window, ...]
    operations: tuple[OperationTraffic, ...]
    storms: tuple[StormResult, ...]
    herds: tuple[Herd, ...]
    labels: Mapping[str, str]

    @property
    def saturated(self) -> bool:
        return any(storm.generator.saturated for storm in self.storms)

    @property
    def seconds(self) -> float:
        if self.operations:
            return sum(window.seconds for window in self.windows)
        return sum(storm.seconds for storm in self.storms)

    @property
    def ended(self) -> int:
        return sum(traffic.ended for traffic in self.operations) + sum(storm.ended for storm in self.storms)

    @property
    def failed(self) -> int:
        return sum(traffic.failed for traffic in self.operations) + sum(storm.failed for storm in self.storms)

    def reading(self, value: float | None, of: str) -> Reading:
        return Reading(value, of, self.saturated)


class Measured(Protocol):
    """What metrics are read off: a summary, or a run that is still going on."""

    @property
    def whole(self) -> Window: ...
    @property
    def phases(self) -> tuple[Window, ...]: ...
    @property
    def storms(self) -> tuple[Storm, ...]: ...


def read_metric(summary: Measured, threshold: Threshold) -> Reading:
    """Measure what a threshold is about. A metric, label or stat that is not in the table is not measured."""
    metric = METRICS.get(threshold.metric)
    if metric is None:
        return Reading(None, f"there is no metric {threshold.metric!r}; there are {', '.join(METRICS)}")
    if strange := sorted(set(threshold.labels) - metric.labels):
        return Reading(None, f"{threshold.metric} has no label {strange[0]!r}; it takes {_listed(metric.labels)}")
    begun = {phase.name for phase in summary.phases}
    if missing := [name for name in threshold.during if name not in begun]:
        return Reading(None, f"phase {missing[0]!r} did not begin")
    return metric.read(_scope(summary, threshold), threshold.stat)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _scope(summary: Measured, threshold: Threshold) -> _Scope:
    during, labels = threshold.during, threshold.labels
    windows = tuple(phase for phase in summary.phases if phase.name in during) if during else (summary.whole,)
    tables = (window.calm if threshold.exclude_faults else window.operations for window in windows)
    operations = (traffic for table in tables for traffic in table.values())
    storms = [
        storm
        for storm in summary.storms
        if (not during or any(window.start <= storm.at < window.end for window in windows))
        and labels.get("storm", storm.name) == storm.name
        and labels.get("op", storm.operation) == storm.operation
    ]
    return _Scope(
        windows=windows,
        operations=tuple(
            traffic for traffic in operations if "storm" not in labels and _is_wanted(traffic.operation, labels)
        ),
        storms=tuple(storm.result for storm in storms if storm.result is not None),
        herds=tuple(storm.herd for storm in storms if storm.herd is not None),
        labels=labels,
    )


def _is_wanted(operation: str, labels: Mapping[str, str]) -> bool:
    """Waiting for a connection of our own is no request: it must be asked for by name."""
    return labels["op"] == operation if "op" in labels else operation != POOL_WAIT


# --- the metrics ------------------------------------------------------------------------------


def _latency(scope: _Scope, stat: str) -> Reading:
    merged = _merged([*(each.latency for each in scope.operations), *map(felt, scope.storms)])
    return scope.reading(*_stat(merged, stat, "request"))


def _stat(histogram: Histogram, stat: str, what: str) -> tuple[float | None, str]:
    """A stat in seconds, and of how many; or why there is none."""
    if histogram.count == 0:
        return None, f"no {what} ended"
    of = f"of {wording.counted(histogram.count, what)}"
    if stat in ("max", "mean"):
        return (histogram.max_us if stat == "max" else histogram.mean_us) / 1e6, of
    q = quantile(stat)
    if q is None:
        return None, f"latency has no stat {stat!r}; it takes p50, p95, p99.9, max, mean and the like"
    if not histogram.supports(q):
        needed = round(SAMPLES_BEHIND_A_PERCENTILE / (1 - q))
        return None, f"{stat} needs {needed:,} {what}s, there were {histogram.count:,}"
    return histogram.percentile(q) / 1e6, of


def _polls(scope: _Scope, stat: str) -> Reading:
    meanwhile = _merged(herd.meanwhile for herd in scope.herds)
    if not scope.herds:
        return scope.reading(None, _NO_HERD)
    return scope.reading(*_stat(meanwhile, stat, "poll"))


def _slowdown(scope: _Scope, stat: str) -> Reading:
    if not scope.herds:
        return scope.reading(None, _NO_HERD)
    before, of_before = _stat(_merged(herd.before for herd in scope.herds), stat, "poll")
    meanwhile, of = _stat(_merged(herd.meanwhile for herd in scope.herds), stat, "poll")
    if before is None or meanwhile is None:
        return scope.reading(None, f"before the storm: {of_before}" if before is None else f"meanwhile: {of}")
    return scope.reading(meanwhile / max(before, 1e-6), f"{of}, beside {of_before.removeprefix('of ')} before")


_NO_HERD: Final = "no herd storm ran whose agents' polls are known"


def _merged(histograms: Iterable[Histogram]) -> Histogram:
    whole = Histogram()
    for each in histograms:
        whole.merge(each)
    return whole


def felt(storm: StormResult) -> Histogram:
    """What a caller felt: from the due time where there was one (load-testing 3.6)."""
    return storm.response if storm.response.count else storm.service


def quantile(stat: str) -> float | None:
    """The share that "p99.9" names, or None."""
    try:
        q = float(stat.removeprefix("p")) / 100
    except ValueError:
        return None
    return q if stat.startswith("p") and 0 < q < 1 else None


def _throughput(scope: _Scope, _: str) -> Reading:
    if not scope.ended or not scope.seconds:
        return scope.reading(None, "no request ended")
    well = scope.ended - scope.failed
    return scope.reading(max(well, 0) / scope.seconds, f"over {wording.duration(scope.seconds)}")


def _error_rate(scope: _Scope, _: str) -> Reading:
    if not scope.ended:
        return scope.reading(None, "no request ended")
    return scope.reading(scope.failed / scope.ended, f"of {wording.counted(scope.ended, 'request')}")


def _ids_per_second(scope: _Scope, _: str) -> Reading:
    seconds = sum(storm.seconds for storm in scope.storms)
    if not seconds:
        return scope.reading(None, "no such storm ran")
    ids = sum(storm.ids_per_second * storm.seconds for storm in scope.storms)
    return scope.reading(ids / seconds, f"over {wording.duration(seconds)}")


def _jobs(scope: _Scope, _: str) -> Reading:
    wanted = scope.labels
    found = sum(
        count
        for window in scope.windows
        for (kind, result), count in window.outcomes.items()
        if wanted.get("type", kind) == kind and wanted.get("outcome", result.name.lower()) == result.name.lower()
    )
    return Reading(found, f"of {wording.counted(sum(sum(w.outcomes.values()) for w in scope.windows), 'run')}")


_BY_REQUEST: Final = frozenset({"op", "storm"})
_BY_STORM: Final = frozenset({"storm"})

METRICS: Final[Mapping[str, Metric]] = {
    "latency": Metric(_BY_REQUEST, True, "void", lambda value: wording.latency(value * 1e6), _latency),
    "throughput": Metric(_BY_REQUEST, False, "lower bound", wording.rate, _throughput),
    "error_rate": Metric(_BY_REQUEST, False, "stands", wording.share, _error_rate),
    "ids_per_second": Metric(_BY_REQUEST, False, "lower bound", wording.rate, _ids_per_second),
    "poll_latency": Metric(_BY_STORM, True, "void", lambda value: wording.latency(value * 1e6), _polls),
    "poll_slowdown": Metric(_BY_STORM, True, "void", lambda value: f"{wording.digits(value)} times", _slowdown),
    "jobs": Metric(frozenset({"type", "outcome"}), False, "stands", lambda value: f"{value:,.0f}", _jobs),
}
