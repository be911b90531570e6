"""Statements that are run later: what they come to together, and how they are written down meanwhile."""

import pytest

from agent_sim.server.put_off import read_again, together, whole, written_down

UPDATE = {"job_id": "j", "state": "running", "at_once": True, "failures": 0}
BEGUN = {"job_history_id": 1, "job_id": "j", "status": 2, "result": 0, "operation_end": None, "message": ""}
ENDED = {"job_history_id": 1, "status": 3, "result": 4, "operation_end": 9, "message": "disk full"}


def test_a_run_that_began_and_ended_meanwhile_is_inserted_as_it_ended_and_its_job_updated_once():
    gone = {**UPDATE, "state": "gone"}
    steps = [("job_update", UPDATE), ("run_add", BEGUN), ("job_update", gone), ("run_end", ENDED)]

    assert together(steps) == [("job_update", [gone]), ("run_add", [BEGUN | ENDED])]


def test_a_run_that_ended_makes_room_for_the_next_one_of_its_job_whatever_began_before():
    steps = [("run_add", {**BEGUN, "job_history_id": 2, "job_id": "k"}), ("run_end", ENDED)]
    steps += [("run_add", {**BEGUN, "job_history_id": 3})]

    assert [name for name, _ in together(steps)] == ["run_end", "run_add"]


def test_what_happened_stays_in_order_and_comes_after_what_it_refers_to():
    told = [("transition_add", {"kind": kind}) for kind in "cab"]
    data = ("run_data_add", {"job_history_id": 1, "data": "d"})

    assert together([*told, data, ("run_add", BEGUN)]) == [
        ("run_add", [BEGUN]),
        ("run_data_add", [data[1]]),
        ("transition_add", [{"kind": "c"}, {"kind": "a"}, {"kind": "b"}]),
    ]


def test_what_is_written_down_by_several_requests_is_read_again_in_order():
    steps = [("run_end", ENDED), ("job_update", UPDATE), ("transition_add", {"kind": 'é"\n', "audit_id": None})]

    assert read_again(whole([written_down(steps[:2]), written_down(steps[2:])])) == steps


@pytest.mark.parametrize("value", ["\ud800", 2**63, 2**64, -(2**64)])
def test_what_no_database_takes_cannot_be_written_down(value):
    with pytest.raises((UnicodeEncodeError, OverflowError)):
        written_down([("transition_add", {"kind": value})])
