"""Whether the generator kept up: if it did not, its latencies say more about us than about the target.

A saturated generator makes the result a lower bound, never a verdict about the target (load-testing 3.7).
"""

from dataclasses import dataclass
from typing import Final

from agent_sim.histogram import SAMPLES_BEHIND_A_PERCENTILE, Histogram

MAX_CPU_PERCENT: Final = 85.0
MAX_LATE_US: Final = 10_000


@dataclass(frozen=True, slots=True)
class Health:
    """The busiest second's CPU in percent of one core, and how late requests were started."""

    cpu_percent_max: float
    late_p99_ms: float
    saturated: bool


def health(cpu_percent_max: float, lateness: Histogram) -> Health:
    """Judge by CPU, and by the lateness's 99th percentile or the highest one that has enough samples behind it."""
    judged = lateness.percentile(deciding_percentile(lateness.count))
    saturated = cpu_percent_max > MAX_CPU_PERCENT or judged > MAX_LATE_US
    return Health(cpu_percent_max, lateness.percentile(0.99) / 1000, saturated)


def deciding_percentile(samples: int) -> float:
    """0.99, or the highest that so many samples support (load-testing 3.9); never less than the median."""
    return min(max(1 - SAMPLES_BEHIND_A_PERCENTILE / max(samples, 1), 0.5), 0.99)
