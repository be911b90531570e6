"""Requests counted by operation and status as they are answered, for `/metrics`.

Counted where every way in passes (`desk.Desk`), so that a new front needs nothing for it. Plain numbers, made into
metrics only when somebody asks for them: a message of an agent costs little more than a metric of the library would.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BOUNDS: Final = (*map(floatToGoString, _SECONDS), "+Inf")


class Meter(Collector):
    """Counts answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._answers: dict[tuple[str, int], int] = {}
        self._durations: dict[str, list[int]] = {}  # by bucket
        self._seconds: dict[str, float] = {}
        self.registry.register(self)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """One request was answered, and what it changed is committed."""
        key = (operation, status)
        self._answers[key] = self._answers.get(key, 0) + 1
        if operation not in self._durations:
            self._durations[operation] = [0] * len(_BOUNDS)
        self._durations[operation][bisect_left(_SECONDS, seconds)] += 1
        self._seconds[operation] = self._seconds.get(operation, 0.0) + seconds

    def collect(self) -> Iterable[Metric]:
        """All that was counted."""
        requests = CounterMetricFamily("agent_sim_requests", "Requests answered.", labels=("operation", "status"))
        for (operation, status), count in self._answers.items():
            requests.add_metric((operation, str(status)), count)
        yield requests
        durations = HistogramMetricFamily(
            "agent_sim_request_duration_seconds",
            "Time from a request's arrival at the core to its commit.",
            labels=("operation",),
        )
        for operation, counts in self._durations.items():
            buckets = list(zip(_BOUNDS, accumulate(counts), strict=True))
            durations.add_metric((operation,), buckets, self._seconds[operation])
        yield durations
