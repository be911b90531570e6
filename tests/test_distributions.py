import pytest

from agent_sim.distributions import (
    Constant,
    Discrete,
    Exponential,
    Lognormal,
    Mixture,
    Pareto,
    Uniform,
    choose,
    sample_span,
)
from agent_sim.draws import key, unit
from agent_sim.instants import MILLISECOND, SECOND

DRAWS = [unit(key("draws"), n) for n in range(20_000)]


def quantile(distribution, q):
    values = sorted(distribution.sample(draw) for draw in DRAWS)
    return values[int(q * len(values))]


@pytest.mark.parametrize("distribution", [Lognormal(3.0, 20.0), Pareto(3.0, 20.0)])
def test_skewed_distributions_have_the_median_and_p95_they_are_named_by(distribution):
    assert quantile(distribution, 0.5) == pytest.approx(3.0, rel=0.05)
    assert quantile(distribution, 0.95) == pytest.approx(20.0, rel=0.08)


def test_an_exponential_has_its_mean():
    values = [Exponential(4.0).sample(draw) for draw in DRAWS]

    assert sum(values) / len(values) == pytest.approx(4.0, rel=0.03)


@pytest.mark.parametrize(
    "distribution", [Lognormal(3, 20, limit=30), Exponential(9, limit=30), Pareto(3, 20, limit=30)]
)
def test_nothing_is_above_the_limit(distribution):
    assert max(distribution.sample(draw) for draw in (*DRAWS, 1 - 2**-53)) == 30


def test_the_smallest_and_largest_draws_give_finite_values():
    for distribution in (Constant(1), Uniform(1, 2), Lognormal(1, 2), Exponential(1), Pareto(1, 2)):
        for draw in (0.0, 1 - 2**-53):
            assert 0 <= distribution.sample(draw) < 1e12


def test_weights_are_shares_of_the_draws():
    discrete = Discrete(((1, 0.7), (5, 0.25), (40, 0.05)))
    values = [discrete.sample(draw) for draw in DRAWS]

    assert values.count(1) / len(values) == pytest.approx(0.7, abs=0.01)
    assert values.count(40) / len(values) == pytest.approx(0.05, abs=0.01)


def test_a_mixture_draws_from_its_parts_by_weight():
    mixture = Mixture(((Constant(1), 0.25), (Uniform(10, 20), 0.75)))
    values = [mixture.sample(draw) for draw in DRAWS]

    assert values.count(1) / len(values) == pytest.approx(0.25, abs=0.01)
    assert {value for value in values if value != 1} <= {value for value in values if 10 <= value <= 20}


def test_weights_that_fall_short_by_rounding_give_the_last_value():
    assert choose((("a", 0.1), ("b", 0.8999999)), 1 - 2**-53) == "b"


def test_spans_are_whole_milliseconds_and_never_negative():
    assert sample_span(Constant(1.4 * MILLISECOND), 0.5) == MILLISECOND
    assert sample_span(Uniform(-SECOND, -SECOND), 0.5) == 0
