import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.histogram import Histogram

values = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=300)


def filled(microseconds):
    histogram = Histogram()
    for value in microseconds:
        histogram.record(value)
    return histogram


@given(values, st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_a_thousandth_of_the_exact_one(sample, q):
    exact = sorted(sample)[max(-int(-q * len(sample) // 1) - 1, 0)]

    assert filled(sample).percentile(q) == pytest.approx(exact, rel=0.001, abs=0.5)


@given(values, values)
def test_merging_is_the_same_as_recording_everything_in_one(first, second):
    merged = filled(first)
    merged.merge(filled(second))

    assert merged.to_json() == filled(first + second).to_json()


@given(st.lists(st.integers(-5, 2000), max_size=300), values)
def test_recording_many_at_once_is_the_same_as_recording_each(many, before):
    at_once = filled(before)
    at_once.record_all(many)

    assert at_once.to_json() == filled(before + many).to_json()


@given(values)
def test_nothing_is_lost_on_the_way_through_json(sample):
    histogram = filled(sample)

    assert Histogram.from_json(histogram.to_json()).to_json() == histogram.to_json()


@given(values)
def test_extremes_and_mean_are_exact(sample):
    histogram = filled(sample)

    assert (histogram.min_us, histogram.max_us, histogram.count) == (min(sample), max(sample), len(sample))
    assert histogram.mean_us == sum(sample) / len(sample)


def test_an_empty_histogram_answers_zero():
    assert Histogram().percentile(0.99) == 0.0
    assert Histogram().mean_us == 0.0


@pytest.mark.parametrize(("count", "q", "stands"), [(999, 0.99, False), (1000, 0.99, True), (20, 0.5, True)])
def test_a_percentile_stands_only_on_enough_samples(count, q, stands):
    histogram = Histogram()
    histogram.record(5, times=count)

    assert histogram.supports(q) is stands
