"""What the report's charts draw, as plain data: panels of series over one shared time axis, and heat maps.

Times are seconds since the run started; every series has a value (or null) per bucket of the timeline, of which those
before `from` and after the last are left out. Storms tell
their own seconds, which are put on the same axis: sums as sums, percentiles as means weighted by requests, since a
storm leaves no histogram for each second. Nothing here draws: `report.js` does.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from agent_sim.protocol.enums import Result
from agent_sim.results.figures import Storm
from agent_sim.results.heat import BOUNDS_US, Heat
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.plain import Json
from agent_sim.results.render.rows import WAITING, in_order, storm_name
from agent_sim.results.storm import StormSecond
from agent_sim.results.summary import Summary
from agent_sim.results.timeline import Point

_COLOURS: Final[Mapping[Result, str]] = {Result.SUCCESS: "good", Result.WARNING: "warn", Result.FAILURE: "bad"}

_Values = Sequence[float | None]

_FINEST: Final = 500
"""Into how many parts the axis can be cut before marks on it run into each other."""


def chart_data(summary: Summary) -> dict[str, Json]:
    """`x` (the middles of buckets), `width`, `phases`, `faults` and `storms` as stretches, `panels`, and `heat`."""
    length = _length(summary)
    return {
        "width": summary.timeline.width,
        "x": [(place + 0.5) * summary.timeline.width for place in range(length)],
        "phases": [_stretch(phase.name, phase.start, phase.end) for phase in summary.phases],
        "faults": [
            _stretch(fault.name, *each) for fault in summary.faults for each in joined(fault.stretches, summary)
        ],
        "storms": [_stretch(storm.name, storm.at, storm_end(storm)) for storm in summary.storms],
        "panels": [panel for panel in _panels(summary, length) if panel["series"]],
        "heat": _heat(summary),
    }


def _length(summary: Summary) -> int:
    series = (*summary.timeline.operations.values(), *summary.timeline.outcomes.values())
    return max(map(len, series), default=0)


def axis_seconds(summary: Summary) -> float:
    """How long the common time axis is."""
    return float(_length(summary) * summary.timeline.width)


def joined(stretches: Iterable[tuple[float, float]], summary: Summary) -> list[tuple[float, float]]:
    """The same stretches of time, those that cannot be told apart on the axis made one: a report stays small."""
    finest = axis_seconds(summary) / _FINEST
    made: list[tuple[float, float]] = []
    for start, end in stretches:
        if made and start - made[-1][1] < finest:
            made[-1] = made[-1][0], max(end, made[-1][1])
        else:
            made.append((start, end))
    return made


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
        of = [(None, None, None) if each is None else (each.p50_us, each.p95_us, each.p99_us) for each in points]
        yield _latency(WAITING if name == POOL_WAIT else name, *zip(*of, strict=True))


def _panel(title: str, kind: Literal["lines", "area", "stack", "band"], series: Sequence[Json]) -> dict[str, Json]:
    return {"title": title, "kind": kind, "unit": "ms" if kind == "band" else "/s", "series": list(series)}


def _series(label: str, values: _Values, colour: str = "") -> Json:
    """Rounded and without the nulls around it: a report has no use for more, and files are smaller."""
    told = [place for place, value in enumerate(values) if value is not None]
    first, after = (told[0], told[-1] + 1) if told else (0, 0)
    rounded: list[Json] = [None if value is None else round(value, 3) for value in values[first:after]]
    return {"label": label, "colour": colour, "from": first, "values": rounded}


def _latency(name: str, p50: _Values, p95: _Values, p99: _Values = ()) -> dict[str, Json]:
    """A band of p50 and p95; the line of p99 only where one stands."""
    lines = [_series("p50", _milliseconds(p50)), _series("p95", _milliseconds(p95))]
    if any(value is not None for value in p99):
        lines.append(_series("p99", _milliseconds(p99)))
    return _panel(name, "band", lines)


def _milliseconds(values: _Values) -> _Values:
    return [None if value is None else value / 1000 for value in values]


def _rate(point: Point | None, width: int) -> float:
    return 0.0 if point is None else (point.ok + point.failed) / width


# --- heat maps --------------------------------------------------------------------------------

ALL: Final = "all requests of agents and operator"


def _heat(summary: Summary) -> Json:
    """A map of all requests, then one an operation; only the rows in which any of them has something."""
    maps = {name: summary.timeline.heat[name] for name in in_order(summary.timeline.heat) if name != POOL_WAIT}
    if not maps:
        return None
    whole = _added(list(maps.values()))
    used = [place for place, row in enumerate(whole.counts) if any(row)]
    if not used:
        return None
    first, after = used[0], used[-1] + 1
    return {
        "width": whole.width,
        "bounds": [bound / 1000 for bound in BOUNDS_US[first:after]],  # the last row of all has none
        "columns": len(whole.counts[0]),
        "maps": [
            {"label": name, "rows": [list(row) for row in heat.counts[first:after]]}
            for name, heat in ({ALL: whole} | (maps if len(maps) > 1 else {})).items()
        ],
    }


def _added(maps: Sequence[Heat]) -> Heat:
    rows = zip(*(heat.counts for heat in maps), strict=True)
    return Heat(maps[0].width, tuple(tuple(map(sum, zip(*row, strict=True))) for row in rows))


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
