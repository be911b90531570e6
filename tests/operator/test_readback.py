"""Readings of what the server says, driven by hand: one reply for each operation."""

from dataclasses import replace

import pytest

from agent_sim.errors import TargetError
from agent_sim.operator import readback
from agent_sim.protocol import command
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Immediate, Interval


def drive(reading, *replies):
    """The operations that a reading asks for, and what it comes to."""
    asked = [next(reading)]
    for reply in replies:
        try:
            asked.append(reading.send(reply))
        except StopIteration as end:
            return asked, end.value
    raise AssertionError(f"asked for more: {asked[-1]}")


def ok(*records):
    return command.CommandReply(200, records, len(records))


def run(audit, status=Status.COMPLETED):
    return command.JobHistoryRecord(audit, "agentsim-x-lab-00000", f"job-{audit}", "FetchLogs", Result.SUCCESS, status)


def job(schedule):
    return command.ScheduledJobRecord("job", "agentsim-x-lab-00000", 0, "FetchLogs", schedule=schedule)


def test_runs_are_read_page_by_page_within_the_scope_and_after_earlier_runs():
    first = tuple(run(n) for n in range(40))  # the server gives shorter pages than it was asked for

    asked, found = drive(
        readback.runs("agentsim-x-", since=41),
        command.CommandReply(200, first, 41),
        command.CommandReply(200, (run(40),), 41),
    )

    assert found == [*first, run(40)]
    assert [(operation.page.number, operation.page.query) for operation in asked] == [
        (1, 'Agent -startswith "agentsim-x-" AND JobHistoryId -gt 41'),
        (2, 'Agent -startswith "agentsim-x-" AND JobHistoryId -gt 41'),
    ]


def test_without_a_total_an_empty_page_is_the_end():
    page = command.CommandReply(200, (run(1),))

    assert drive(readback.runs("x"), page, command.CommandReply(200, ()))[1] == [run(1)]


@pytest.mark.parametrize(
    ("replies", "drained"),
    [
        ([ok(run(1, Status.IN_PROCESS))], False),  # a run is in process
        ([ok(), ok(job(Immediate()))], False),  # a job waits to run now
        ([ok(), ok(job(None))], False),  # so does one without a schedule
        ([ok(), ok(job(Interval(60))), ok()], True),  # recurring jobs wait for ever
        ([ok(), ok(), ok()], True),
    ],
)
def test_a_fleet_is_drained_when_only_recurring_jobs_wait(replies, drained):
    asked, found = drive(readback.is_drained("agentsim-x-"), ok(run(7)), *replies)

    assert found is drained
    assert (asked[0].page.query, asked[0].page.limit) == ("", 1)  # nothing to search for: it is asked twice a second


@pytest.mark.parametrize(
    ("job_id", "schedule", "drained"),
    [
        ("job", None, True),  # known to recur from the list of waiting jobs
        ("other", Interval(60), True),  # the run itself says so
        ("other", Immediate(), False),
        ("other", None, False),
    ],
)
def test_a_job_that_began_between_the_two_readings_is_in_neither_and_not_overlooked(job_id, schedule, drained):
    began = replace(run(8, Status.IN_PROCESS), job_id=job_id, schedule=schedule)

    asked, found = drive(readback.is_drained("agentsim-x-"), ok(run(7)), ok(), ok(job(Interval(60))), ok(began))

    assert found is drained
    assert asked[-1].page.query == 'Agent -startswith "agentsim-x-" AND JobHistoryId -gt 7'


@pytest.mark.parametrize(("records", "newest"), [((run(7),), 7), ((), 0)])
def test_the_newest_run_is_the_first_of_the_last(records, newest):
    asked, found = drive(readback.newest_run("agentsim-x-"), ok(*records))

    assert found == newest
    assert (asked[0].page.limit, asked[0].page.descending) == (1, True)


def test_a_target_that_will_not_be_read_says_why():
    reading = readback.waiting("agentsim-x-")
    next(reading)

    with pytest.raises(TargetError, match=r"status 403\): not you"):
        reading.send(command.CommandReply(403, command.ApiError("0xA0140002", "not you")))


# --- all of it --------------------------------------------------------------------------------


def agent(name):
    return command.AgentRecord(f"id-of-{name}", name, "agent", 5, "25.4", AgentStatus.APPROVED)


def moved(seq):
    return command.Transition(seq, 0, "queued", f"job-{seq}")


def shown(last, *transitions):
    return command.CommandReply(200, command.Transitions(last, transitions))


MISSING = command.CommandReply(404, command.ApiError("0xA0110004", "no such path"))


def test_everything_is_read_from_the_mark_on_and_the_feed_page_by_page():
    said = []
    asked, _ = drive(
        readback.everything("agentsim-x-", readback.Mark(run=41, transition=7), said.append),
        ok(run(42)),
        ok(job(None)),
        shown(9, moved(8)),
        shown(9, moved(9)),
        command.CommandReply(200, (agent("a"),), 3),  # it counts more than it lists
        command.CommandReply(200, (), 3),
    )

    assert said == [
        readback.Said(runs=[run(42)]),
        readback.Said(waiting=[job(None)]),
        readback.Said(transitions=(moved(8),)),
        readback.Said(transitions=(moved(9),)),
        readback.Said(agents=[agent("a")]),
        readback.Said(agents=[]),
        readback.Said(census=readback.Census(3, shows_transitions=True)),
    ]
    assert [operation.after for operation in asked[2:4]] == [7, 8]


def test_a_target_that_is_not_ours_shows_no_transitions():
    said = []
    drive(readback.everything("agentsim-x-", readback.Mark(), said.append), ok(), ok(), MISSING, ok())

    assert said[-1].census == readback.Census(0, shows_transitions=False)


@pytest.mark.parametrize(("feed", "transition"), [(shown(9), 9), (MISSING, 0)])
def test_the_mark_is_the_newest_run_and_the_newest_transition(feed, transition):
    assert drive(readback.mark("agentsim-x-"), ok(run(7)), feed)[1] == readback.Mark(7, transition)
