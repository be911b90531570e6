"""Statements that are run later: what they come to together, and how they are written down meanwhile."""

import pytest

from agent_sim.server.put_off import in_portions, read_again, together, whole, written_down

UPDATE = ("j", "running", 1, 0)
BEGUN = (1, "j", 5, 0, 2, None, "", 0)
ENDED = (1, 4, 3, 9, "disk full", 0)


def test_a_run_that_began_and_ended_meanwhile_is_inserted_as_it_ended_and_its_job_updated_once():
    gone = ("j", "gone", 0, 0)
    steps = [("job_update", UPDATE), ("run_add", BEGUN), ("job_update", gone), ("run_end", ENDED)]

    assert together(steps) == [("job_update", [gone]), ("run_add", [(1, "j", 5, 4, 3, 9, "disk full", 0)])]


def test_a_run_that_ended_makes_room_for_the_next_one_of_its_job_whatever_began_before():
    steps = [("run_add", (2, "k", *BEGUN[2:])), ("run_end", ENDED), ("run_add", (3, *BEGUN[1:]))]

    assert [name for name, _ in together(steps)] == ["run_end", "run_add"]


def test_what_happened_stays_in_order_and_comes_after_what_it_refers_to():
    told = [("transition_add", (1, kind, "j", 1)) for kind in "cab"]
    data = ("run_data_add", (1, "d"))

    assert together([*told, data, ("run_add", BEGUN)]) == [
        ("run_add", [BEGUN]),
        ("run_data_add", [data[1]]),
        ("transition_add", [(1, "c", "j", 1), (1, "a", "j", 1), (1, "b", "j", 1)]),
    ]


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (7, [1] * 7), (8, [8]), (75, [64, 8, 1, 1, 1]), (128, [64, 64]), (0, [])]
)
def test_many_records_are_written_by_few_statements_of_few_sizes_each_once_and_in_order(count, sizes):
    portions = list(in_portions([(number, f"m{number}") for number in range(count)]))

    assert [rows.count("(?, ?)") for rows, _ in portions] == sizes
    assert [value for _, values in portions for value in values[::2]] == list(range(count))


def test_what_is_written_down_by_several_requests_is_read_again_in_order():
    steps = [("run_end", ENDED), ("job_update", UPDATE), ("transition_add", (1, 'é"\n', "j", None))]

    assert read_again(whole([written_down(steps[:2]), written_down(steps[2:])])) == steps


@pytest.mark.parametrize("value", ["\ud800", 2**63, 2**64, -(2**64)])
def test_what_no_database_takes_cannot_be_written_down(value):
    with pytest.raises((UnicodeEncodeError, OverflowError)):
        written_down([("transition_add", (value,))])
