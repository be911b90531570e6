"""Distributions as scenarios write them, as the lower layers take them."""

from pathlib import Path

import pytest

from agent_sim import distributions
from agent_sim.distributions import Distribution
from agent_sim.instants import SECOND
from agent_sim.scenario.fields import MOST_STORES
from agent_sim.scenario.plan import plan
from agent_sim.scenario.spreads import check_total, distribution
from tests.scenario.files import LAB, loaded

S = float(SECOND)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("2s", distributions.Constant(2 * S)),
        ("{dist: constant, value: 2s}", distributions.Constant(2 * S)),
        ("{dist: uniform, min: 1s, max: 4s}", distributions.Uniform(S, 4 * S)),
        ("{dist: lognormal, median: 3s, p95: 20s}", distributions.Lognormal(3 * S, 20 * S)),
        ("{dist: lognormal, median: 3s, p95: 20s, max: 5m}", distributions.Lognormal(3 * S, 20 * S, 300 * S)),
        ("{dist: exponential, mean: 1s}", distributions.Exponential(S)),
        ("{dist: pareto, median: 5s, p95: 1m, max: 2m}", distributions.Pareto(5 * S, 60 * S, 120 * S)),
        ("{dist: discrete, values: {1s: 70%, 5s: 30%}}", distributions.Discrete(((S, 0.7), (5 * S, 0.3)))),
        (
            (
                "{dist: mixture, parts: [{weight: 90%, of: {dist: constant, value: 1s}},"
                " {weight: 10%, of: {dist: exponential, mean: 9s}}, {weight: 0%, of: {dist: constant, value: 1h}}]}"
            ),
            distributions.Mixture(((distributions.Constant(S), 0.9), (distributions.Exponential(9 * S), 0.1))),
        ),
    ],
)
def test_each_kind_becomes_the_value_of_its_name(written: str, made: Distribution, tmp_path: Path):
    text = f"behaviours:\n  - name: default\n    jobs:\n      - {{type: LOGS, duration: {written}}}\n"
    scenario = loaded(LAB + text, tmp_path)

    assert distribution(scenario.behaviours[0].jobs[0].duration) == made


@pytest.mark.parametrize(
    "shares",
    [
        (1.0,),
        (0.333, 0.333, 0.334),
        tuple([0.1] * 10),
        (0.965, 0.02, 0.015),
        (1 / 3, 1 / 3, 1 / 3),
        (0.99999999999999,),
    ],
)
def test_shares_that_total_one_are_taken(shares: tuple[float, ...]):
    check_total(shares, "shares")


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 0.51), (0.9999999998,)])
def test_shares_that_do_not_total_one_are_refused(shares: tuple[float, ...]):
    with pytest.raises(ValueError, match=r"found shares that total [0-9.]+%, expected 100%"):
        check_total(shares, "shares")


def test_numbers_that_are_drawn_keep_the_bounds_of_those_that_are_written(tmp_path: Path):
    spread = "{dist: lognormal, median: 1, p95: 10000}"
    text = LAB.replace("count: 10,", f"count: 500, stores: {{per_agent: {spread}}},")

    (need,) = plan(loaded(text, tmp_path), 0).operator.fleets

    assert max(need.stores) == MOST_STORES
