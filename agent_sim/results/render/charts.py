"""What the report's charts draw, as plain data: panels of series over one shared time axis.

Times are seconds since the run started; every series has a value (or null) per bucket of the timeline. Storms tell
their own seconds, which are put on the same axis: sums as sums, percentiles as means weighted by requests, since a
storm leaves no histogram for each second. Nothing here draws: `report.js` does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

from agent_sim.protocol.enums import Result
from agent_sim.results.figures import Storm
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.plain import Json
from agent_sim.results.render.rows import WAITING, in_order, storm_name
from agent_sim.results.storm import StormSecond
from agent_sim.results.summary import Summary
from agent_sim.results.timeline import Point

_COLOURS: Final[Mapping[Result, str]] = {Result.SUCCESS: "good", Result.WARNING: "warn", Result.FAILURE: "bad"}

_Values = Sequence[float | None]


def chart_data(summary: Summary) -> dict[str, Json]:
    """`x` (the middles of buckets), `width`, `phases`, `faults` and `storms` as stretches, and `panels` of series."""
    length = _length(summary)
    return {
        "width": summary.timeline.width,
        "x": [(place + 0.5) * summary.timeline.width for place in range(length)],
        "phases": [_stretch(phase.name, phase.start, phase.end) for phase in summary.phases],
        "faults": [_stretch(fault.name, *stretch) for fault in summary.faults for stretch in fault.stretches],
        "storms": [_stretch(storm.name, storm.at, storm_end(storm)) for storm in summary.storms],
        "panels": [panel for panel in _panels(summary, length) if panel["series"]],
    }


def _length(summary: Summary) -> int:
    series = (*summary.timeline.operations.values(), *summary.timeline.outcomes.values())
    return max(map(len, series), default=0)


def axis_seconds(summary: Summary) -> float:
    """How long the common time axis is."""
    return float(_length(summary) * summary.timeline.width)


def _stretch(name: str, start: float, end: float) -> Json:
    return {"name": name, "start": round(start, 3), "end": round(end, 3)}


def storm_end(storm: Storm) -> float:
    """When it ended, in seconds since the run started; when it began if it left no result."""
    return storm.at + (0.0 if storm.result is None else storm.result.seconds)


# --- panels -----------------------------------------------------------------------------------


def _panels(summary: Summary, length: int) -> Iterator[dict[str, Json]]:
    width = summary.timeline.width
    operations = {name: summary.timeline.operations[name] for name in in_order(summary.timeline.operations)}
    storms = {storm_name(storm): _buckets(storm, width, length) for storm in summary.storms if storm.result is not None}
    requests = [_series(name, _rates(buckets, width, lambda each: each.completed)) for name, buckets in storms.items()]
    requests += [
        _series(name, [_rate(point, width) for point in points])
        for name, points in operations.items()
        if name != POOL_WAIT
    ]
    yield _panel("Requests per second", "lines", requests)
    ids = [_series(name, _rates(buckets, width, lambda each: each.ids)) for name, buckets in storms.items()]
    yield _panel("Ids accepted per second, by storm", "area", ids)
    outcomes = [
        _series(result.name.lower(), [count / width for count in counts], _COLOURS.get(result, ""))
        for result, counts in summary.timeline.outcomes.items()
    ]
    yield _panel("Runs completed per second, by outcome", "stack", outcomes)
    for name, buckets in storms.items():
        p50, p95 = (_means(buckets, read) for read in (lambda s: s.response_p50_us, lambda s: s.response_p95_us))
        yield _latency(name, p50, p95)
    for name, points in operations.items():
        p50, p95 = zip(*[(None, None) if p is None else (p.p50_us, p.p95_us) for p in points], strict=True)
        yield _latency(WAITING if name == POOL_WAIT else name, p50, p95)


def _panel(title: str, kind: Literal["lines", "area", "stack", "band"], series: Sequence[Json]) -> dict[str, Json]:
    return {"title": title, "kind": kind, "unit": "ms" if kind == "band" else "/s", "series": list(series)}


def _series(label: str, values: _Values, colour: str = "") -> Json:
    """Rounded: a report has no use for more, and files are smaller."""
    return {"label": label, "colour": colour, "values": [None if v is None else round(v, 3) for v in values]}


def _latency(name: str, p50: _Values, p95: _Values) -> dict[str, Json]:
    return _panel(name, "band", [_series("p50", _milliseconds(p50)), _series("p95", _milliseconds(p95))])


def _milliseconds(values: _Values) -> _Values:
    return [None if value is None else value / 1000 for value in values]


def _rate(point: Point | None, width: int) -> float:
    return 0.0 if point is None else (point.ok + point.failed) / width


# --- storms on the run's time axis ------------------------------------------------------------

_Buckets = Sequence[Sequence[StormSecond]]


def _buckets(storm: Storm, width: int, length: int) -> _Buckets:
    """The storm's seconds by the bucket that each falls into."""
    made: list[list[StormSecond]] = [[] for _ in range(length)]
    for second in storm.result.series if storm.result is not None else ():
        place = int((storm.at + max(second.t - 0.5, 0)) // width)  # `t` is the second's end
        if 0 <= place < length:
            made[place].append(second)
    return made


def _rates(buckets: _Buckets, width: int, read: Callable[[StormSecond], float]) -> _Values:
    return [sum(map(read, bucket)) / width if bucket else None for bucket in buckets]


def _means(buckets: _Buckets, read: Callable[[StormSecond], float]) -> _Values:
    return [_mean(bucket, read) for bucket in buckets]


def _mean(bucket: Sequence[StormSecond], read: Callable[[StormSecond], float]) -> float | None:
    requests = sum(second.completed for second in bucket)
    return sum(read(second) * second.completed for second in bucket) / requests if requests else None
