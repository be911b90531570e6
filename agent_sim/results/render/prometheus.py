"""Measures as Prometheus reads them, by its own library."""

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from agent_sim.results.measures import BOUNDS, Family, Sample, Spread

_BOUNDS: Final = (*map(floatToGoString, BOUNDS), "+Inf")


class _Measures(Collector):
    def __init__(self, read: Callable[[], Iterable[Family]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return [_metric(family) for family in self._read()]


def registry_of(read: Callable[[], Iterable[Family]]) -> CollectorRegistry:
    """A registry that shows what `read` returns whenever somebody asks."""
    made = CollectorRegistry()
    made.register(_Measures(read))
    return made


def _metric(family: Family) -> Metric:
    told = family.instrument
    if told.kind == "histogram":
        return _histogram(family)
    kind = CounterMetricFamily if told.kind == "counter" else GaugeMetricFamily
    made = kind(told.name, told.help, labels=told.labels)
    for sample in family.samples:
        if isinstance(sample, Sample):
            made.add_metric(sample.labels, sample.value)
    return made


def _histogram(family: Family) -> Metric:
    told = family.instrument
    made = HistogramMetricFamily(told.name, told.help, labels=told.labels)
    for spread in family.samples:
        if isinstance(spread, Spread):
            buckets = list(zip(_BOUNDS, accumulate(spread.counts), strict=True))
            made.add_metric(spread.labels, buckets, spread.total)
    return made
