"""The token budget that is shown before a storm."""

from agent_sim.instants import SECOND
from agent_sim.storms.budget import Budget, budget
from agent_sim.storms.plan import Stage
from tests.storms.examples import PLAN, plan


def test_a_storm_needs_a_batch_for_each_arrival_and_a_second_in_reserve():
    assert budget(PLAN, 5_000) == Budget(needed=3_000, reserve=1_000, available=5_000, lasts=None)


def test_a_pool_that_is_too_small_runs_out_at_the_first_arrival_without_ids():
    # 1,010 ids are 21 batches, so the arrival number 21 (at 21 / 20 s) finds nothing.
    assert budget(PLAN, 1_010).lasts == 21 * SECOND // 20


def test_a_pool_that_is_just_enough_does_not_run_out():
    assert budget(PLAN, 3_000).lasts is None
    assert budget(PLAN, 2_950).lasts == 59 * SECOND // 20


def test_ramps_count_by_their_area():
    assert budget(plan(stages=(Stage(10, 4 * SECOND),), batch=1), 100).needed == 20


def test_the_sentence_says_when_the_pool_runs_out():
    assert "runs out after about 1.1 s" in budget(PLAN, 1_010).sentence()
    assert "runs out" not in budget(PLAN, 3_000).sentence()
