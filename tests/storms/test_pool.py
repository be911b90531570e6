"""Ids as tokens: in scope, eligible, one per subject, each handed out once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.protocol.enums import Status
from agent_sim.storms.operations import OPERATIONS
from agent_sim.storms.pool import Batch, Harvest, Pool, Token, harvest, in_scope
from tests.storms.examples import run, tokens

RESCHEDULE, ACKNOWLEDGE = OPERATIONS["reschedule"], OPERATIONS["acknowledge"]


def token(number, job="", **more):
    """The token of a failed run."""
    return Token(number, job or f"job-{number}", "agentsim-demo-1", **{"job_type": "PEMManagement", **more})


def test_only_machines_in_scope_are_harvested_and_the_others_counted():
    runs = [run(1), run(2, agent_machine="web01"), run(3, agent_machine="not-agentsim-1"), run(4)]

    assert harvest(RESCHEDULE, runs, "agentsim-") == Harvest((token(1), token(4)), 2, 0)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("agentsim-demo-1", True), ("AGENTSIM-DEMO-1", True), ("agentsim", False), ("xagentsim-", False), ("", False)],
)
def test_scope_is_a_prefix_in_any_case(machine, expected):
    assert in_scope(machine, "agentsim-") is expected


def test_what_cannot_be_asked_for_is_left_out_whatever_the_target_answered():
    runs = [run(1), run(2, status=Status.IN_PROCESS), run(3, job_type="PEMInventory")]

    assert harvest(RESCHEDULE, runs, "agentsim-") == Harvest((token(1),), 0, 2)


def test_rescheduling_takes_the_newest_failed_run_of_each_job():
    runs = [run(5, job_id="a"), run(9, job_id="A"), run(7, job_id="a"), run(6, job_id="b")]

    assert harvest(RESCHEDULE, runs, "").tokens == (token(6, "b"), token(9, "A"))


def test_acknowledging_takes_every_run():
    runs = [run(5, job_id="a"), run(9, job_id="a")]

    assert harvest(ACKNOWLEDGE, runs, "").tokens == (token(5, "a"), token(9, "a"))


def test_the_last_batch_holds_what_is_left_and_then_there_is_none():
    pool = Pool(tokens(5))

    assert [pool.take(2) for _ in range(4)] == [Batch(range(2)), Batch(range(2, 4)), Batch(range(4, 5)), None]
    assert pool.used == 5
    assert pool.is_exhausted


@given(st.integers(0, 60), st.lists(st.integers(1, 9), max_size=40))
def test_no_id_is_handed_out_twice(size, takes):
    pool = Pool(tokens(size))
    batches = [batch for take in takes if (batch := pool.take(take))]
    handed_out = [position for batch in batches for position in batch.positions]

    assert handed_out == list(range(len(handed_out)))
    assert len(handed_out) == pool.used == min(size, sum(takes))
