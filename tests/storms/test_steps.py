"""A storm cut into steps."""

import pytest

from agent_sim.instants import SECOND
from agent_sim.storms.plan import Stage
from agent_sim.storms.steps import Step, is_steady, steps
from tests.storms.examples import plan

JUMP_HOLD_RAMP = (Stage(10, 0), Stage(10, 4 * SECOND), Stage(20, 4 * SECOND))


def test_each_stage_that_lasts_is_a_step():
    assert steps(plan(stages=JUMP_HOLD_RAMP)) == (
        Step(0, 4 * SECOND, 10, 10),
        Step(4 * SECOND, 8 * SECOND, 10, 20),
    )


@pytest.mark.parametrize(
    ("warm_up", "expected"),
    [
        (1, [(0, 1, True), (1, 4, False), (4, 8, False)]),
        (4, [(0, 4, True), (4, 8, False)]),  # a whole stage
        (6, [(0, 4, True), (4, 6, True), (6, 8, False)]),
    ],
)
def test_the_warm_up_is_cut_off(warm_up, expected):
    found = steps(plan(stages=JUMP_HOLD_RAMP, warm_up=warm_up * SECOND))

    assert [(step.begins / SECOND, step.ends / SECOND, step.warm_up) for step in found] == expected


def test_the_rate_goes_on_where_the_warm_up_ends():
    found = steps(plan(stages=JUMP_HOLD_RAMP, warm_up=6 * SECOND))

    assert [(step.from_rate, step.to_rate) for step in found] == [(10, 10), (10, 15), (15, 20)]


@pytest.mark.parametrize(
    ("medians", "steady"),
    [
        ([], False),
        ([5, 5, 5], False),  # too short to say
        ([90, 30, 10, 10, 10.5, 10.5], True),
        ([90, 30, 10, 10, 12, 12], False),
        ([10, 10, 10, 0], False),  # no answer in the last second
    ],
)
def test_a_warm_up_is_steady_once_two_windows_agree(medians, steady):
    assert is_steady(medians) is steady
