"""When requests are due, as tables and as laws."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.arrivals import arrivals_before, due_offsets, expected_arrivals
from agent_sim.storms.plan import Stage
from tests.storms.examples import plan

HOLD = (Stage(4, 0), Stage(4, SECOND))


@pytest.mark.parametrize(
    ("stages", "milliseconds"),
    [
        (HOLD, [0, 250, 500, 750]),  # a constant rate: i / rate
        ((Stage(4, SECOND),), [0, 707]),  # a ramp from 0: the integral is 2 t^2, so it reaches 1 at sqrt(1/2)
        ((Stage(4, 0), Stage(0, SECOND)), [0, 293]),  # a ramp down: 4 t - 2 t^2 = 1
        ((Stage(2, 0), Stage(2, SECOND), Stage(4, 0), Stage(4, SECOND)), [0, 500, 1000, 1250, 1500, 1750]),  # a step
        ((Stage(0, SECOND), Stage(2, 0), Stage(2, SECOND)), [1000, 1500]),  # nothing, then something
        ((Stage(0.5, 0), Stage(0.5, SECOND)), [0]),  # less than one arrival: the one at the beginning
        ((Stage(0, SECOND),), []),  # no rate at all
    ],
)
def test_uniform_arrivals_lie_where_the_integral_of_the_rate_is_whole(stages, milliseconds):
    offsets = list(due_offsets(plan(stages=stages)))

    assert [round(offset / MILLISECOND) for offset in offsets] == milliseconds


def test_an_hour_at_a_constant_rate_is_exact_to_the_nanosecond():
    offsets = list(due_offsets(plan(stages=(Stage(20, 0), Stage(20, 3600 * SECOND)))))

    assert offsets == [number * 50 * MILLISECOND for number in range(72_000)]


def test_rounding_adds_no_arrival_at_the_very_end():
    storm = plan(stages=(Stage(1.1, 0), Stage(1.1, 50 * SECOND)))

    assert expected_arrivals(storm) > 55  # by a rounding error
    assert len(list(due_offsets(storm))) == 55


def test_poisson_arrivals_depend_on_the_seed_alone():
    poisson = plan(arrivals="poisson")

    assert list(due_offsets(poisson)) == list(due_offsets(poisson))
    assert list(due_offsets(poisson)) != list(due_offsets(plan(arrivals="poisson", seed=2)))


def test_poisson_gaps_have_the_mean_and_the_spread_of_an_exponential():
    offsets = list(due_offsets(plan(arrivals="poisson", stages=(Stage(100, 0), Stage(100, 200 * SECOND)))))
    gaps = [(after - before) / SECOND for before, after in pairwise(offsets)]
    mean = math.fsum(gaps) / len(gaps)
    deviation = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / len(gaps))

    assert len(offsets) == pytest.approx(20_000, rel=0.03)
    assert mean == pytest.approx(0.01, rel=0.03)
    assert deviation == pytest.approx(mean, rel=0.05)


stages = st.lists(
    st.builds(Stage, st.floats(0, 200) | st.just(0.0), st.integers(0, 5 * SECOND) | st.just(0)), min_size=1, max_size=5
).map(tuple)


@given(stages, st.sampled_from(["uniform", "poisson"]))
def test_arrivals_are_in_order_and_within_the_plan(stages, arrivals):
    storm = plan(stages=stages, arrivals=arrivals)
    offsets = list(due_offsets(storm))

    assert all(before <= after for before, after in pairwise(offsets))
    assert all(0 <= offset < storm.span for offset in offsets)


@given(stages)
def test_as_many_arrive_as_the_rate_integrates_to(stages):
    storm = plan(stages=stages)
    offsets = list(due_offsets(storm))

    assert abs(len(offsets) - expected_arrivals(storm)) <= 1 + 1e-6
    assert arrivals_before(storm, storm.span) == pytest.approx(expected_arrivals(storm))
    for number, offset in enumerate(offsets):
        assert arrivals_before(storm, offset) == pytest.approx(number, abs=1e-3)
