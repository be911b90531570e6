"""Measures as OpenTelemetry's SDK exports them. Needs the extra `otel`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agent_sim.results.measures import BOUNDS, Family, Sample, Spread

_SCOPE: Final = InstrumentationScope("agent_sim")
_SECONDS: Final = "_seconds"


def metrics_data(families: Iterable[Family], began: int, now: int) -> MetricsData:
    """All of them, counted since `began` and as they are `now`, in nanoseconds since the epoch."""
    metrics = [_metric(family, began, now) for family in families if family.samples]
    resource = Resource.create({"service.name": "agent-sim"})
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])


def was_sent(result: MetricExportResult) -> bool:
    """True if the collector took it."""
    return result is MetricExportResult.SUCCESS


def _metric(family: Family, began: int, now: int) -> Metric:
    told = family.instrument
    unit = "s" if told.name.endswith(_SECONDS) else "1"
    return Metric(told.name, told.help, unit, _data(family, began, now))


def _data(family: Family, began: int, now: int) -> Gauge | Sum | Histogram:
    kind = family.instrument.kind
    if kind == "histogram":
        spreads = [each for each in family.samples if isinstance(each, Spread)]
        points = [_spread(family, each, began, now) for each in spreads]
        return Histogram(points, AggregationTemporality.CUMULATIVE)
    samples = [each for each in family.samples if isinstance(each, Sample)]
    numbers = [NumberDataPoint(_attributes(family, each.labels), began, now, float(each.value)) for each in samples]
    return Gauge(numbers) if kind == "gauge" else Sum(numbers, AggregationTemporality.CUMULATIVE, True)


def _spread(family: Family, spread: Spread, began: int, now: int) -> HistogramDataPoint:
    attributes, counts = _attributes(family, spread.labels), spread.counts
    point = HistogramDataPoint(attributes, began, now, sum(counts), spread.total, counts, BOUNDS, 0.0, 0.0)
    # Nobody kept the shortest and the longest. The wire can leave both out, which the type does not know.
    return replace(point, min=None, max=None)  # type: ignore[arg-type]


def _attributes(family: Family, labels: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(family.instrument.labels, labels, strict=True))
