"""Whether the generator kept up."""

import pytest

from agent_sim.histogram import Histogram
from agent_sim.storms.health import deciding_percentile, health


def late(counts: dict[int, int]) -> Histogram:
    """So many starts late by so many microseconds."""
    histogram = Histogram()
    for microseconds, times in counts.items():
        histogram.record(microseconds, times)
    return histogram


@pytest.mark.parametrize(
    ("cpu", "lateness", "saturated"),
    [
        (85.0, {100: 1000}, False),
        (85.1, {100: 1000}, True),
        (10.0, {100: 980, 20_000: 20}, True),  # p99 is 20 ms
        (10.0, {100: 995, 20_000: 5}, False),  # p99 is not
        (10.0, {100: 59, 20_000: 1}, False),  # one hiccup in a minute's storm proves nothing
        (10.0, {100: 40, 20_000: 20}, True),  # a third does
        (10.0, {}, False),
    ],
)
def test_a_generator_is_saturated_by_cpu_or_by_lateness(cpu, lateness, saturated):
    assert health(cpu, late(lateness)).saturated is saturated


@pytest.mark.parametrize(("samples", "q"), [(0, 0.5), (10, 0.5), (100, 0.9), (1000, 0.99), (10**6, 0.99)])
def test_the_percentile_that_decides_has_ten_samples_above_it(samples, q):
    assert deciding_percentile(samples) == pytest.approx(q)
