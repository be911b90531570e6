"""What can be seen of a target, by its transitions or by its final state."""

import pytest

from agent_sim.instants import SECOND
from agent_sim.protocol.command import AgentRecord, ScheduledJobRecord, Transition
from agent_sim.protocol.enums import AgentStatus, Status
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.observe import Mark, mark, observe, was_busy
from agent_sim.storms.operations import OPERATIONS
from agent_sim.storms.pool import Pool, Token
from agent_sim.storms.taxonomy import Outcome, Violation
from tests.storms.examples import FakeReader, event, run, tokens

RESCHEDULE, ACKNOWLEDGE = OPERATIONS["reschedule"], OPERATIONS["acknowledge"]


def accepted(size: int, *, now: int) -> Ledger:
    """A ledger in which every id was accepted, one after the other."""
    pool, ledger = Pool(tokens(size)), Ledger(size)
    while batch := pool.take(1):
        ledger.settle(ledger.send(batch, now), Outcome.ACCEPTED, now)
    return ledger


def test_the_mark_is_the_newest_transition():
    assert mark(FakeReader(events=[event(1, "queued", 1), event(2, "configured", 1)])) == Mark(2, 0)


def test_without_transitions_the_mark_is_the_newest_run():
    assert mark(FakeReader(runs=[run(3), run(8), run(5)])) == Mark(None, 8)
    assert mark(FakeReader()) == Mark(None, 0)


def test_transitions_after_the_mark_are_counted_by_job_for_reschedule():
    events = [event(1, "rescheduled", 1), event(2, "rescheduled", 1), event(3, "rescheduled", 2), event(4, "queued", 3)]

    observed = observe(RESCHEDULE, tokens(3), accepted(3, now=0), Mark(1, 0), FakeReader(events=events))

    assert list(observed.transitions) == [1, 1, 0]
    assert observed.not_checkable == {}


def test_transitions_are_counted_by_run_for_acknowledge():
    events = [event(1, "acknowledged", 2), event(2, "acknowledged", 2), event(3, "rescheduled", 1)]

    observed = observe(ACKNOWLEDGE, tokens(2), accepted(2, now=0), Mark(0, 0), FakeReader(events=events))

    assert list(observed.transitions) == [0, 2]


def test_an_accepted_job_that_waited_already_is_a_no_op():
    events = [event(1, "completed", 1), event(2, "queued", 1, audit=None), event(3, "completed", 2)]

    observed = observe(RESCHEDULE, tokens(2), accepted(2, now=9 * SECOND), Mark(3, 0), FakeReader(events=events))

    assert observed.no_ops == {0}


def test_the_long_story_is_read_only_if_something_is_in_doubt():
    reader = FakeReader(events=[event(1, "completed", 1), event(2, "rescheduled", 1)])

    observe(RESCHEDULE, tokens(1), accepted(1, now=SECOND), Mark(1, 0), reader)

    assert reader.read_from == [1]


def test_a_run_s_own_life_explains_nothing():
    # The job ran until a moment before the request, which is what made it eligible.
    events = [event(1, "configured", 1, at=SECOND), event(2, "completed", 1, at=5 * SECOND)]

    observed = observe(RESCHEDULE, tokens(1), accepted(1, now=5 * SECOND + 1), Mark(2, 0), FakeReader(events=events))

    assert observed.no_ops == frozenset()


def test_an_accepted_run_that_was_acknowledged_before_is_a_no_op():
    reader = FakeReader(events=[event(1, "acknowledged", 1)])

    observed = observe(ACKNOWLEDGE, tokens(2), accepted(2, now=9 * SECOND), Mark(1, 0), reader)

    assert observed.no_ops == {0}


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([], False),
        ([("queued", 1)], True),  # and still waits
        ([("queued", 1), ("completed", 2)], False),  # over long before
        ([("queued", 1), ("completed", 50)], True),  # over during the request
        ([("queued", 1), ("completed", 90)], True),  # over after it
        ([("queued", 50)], True),  # while the request was under way
        ([("queued", 90)], False),  # only later
        ([("queued", 1), ("unscheduled", 2)], False),
        ([("configured", 1), ("timed_out", 2)], False),  # over for good
        ([("queued", 1), ("acknowledged", 2)], True),  # says nothing about waiting
        ([("completed", 1), ("acknowledged", 2)], False),
    ],
)
def test_a_job_is_busy_from_queued_to_completed(story, expected):
    events = [event(seq, kind, 1, at=at * SECOND) for seq, (kind, at) in enumerate(story, 1)]

    assert was_busy((), events, began=40 * SECOND, ended=60 * SECOND) is expected


def test_a_job_whose_run_will_be_retried_is_busy_all_along():
    # Run 2 of job 1 failed and waits to be tried again; the token is an older run, so the target does nothing.
    events = [event(1, "completed", 1), event(2, "rescheduled", 1), event(3, "configured", 1)]
    events.append(Transition(4, 4 * SECOND, "completed", "job-1", 2))
    retried = run(2, job_id="job-1", status=Status.COMPLETED_WILL_RETRY)

    for runs, expected in (([run(1), retried], {0}), ([run(1), run(2, job_id="job-1")], set())):
        reader = FakeReader(events=events, runs=runs)
        observed = observe(RESCHEDULE, tokens(1), accepted(1, now=60 * SECOND), Mark(4, 0), reader)
        assert observed.no_ops == expected


def test_without_transitions_a_rescheduled_job_waits_or_has_a_newer_run():
    reader = FakeReader(
        runs=[run(1), run(2), run(3), run(4, job_id="job-1")],
        jobs=[ScheduledJobRecord("JOB-2", "m", 0, "PEMManagement")],
    )

    observed = observe(RESCHEDULE, tokens(3), Ledger(3), Mark(None, 3), reader)

    assert list(observed.transitions) == [1, 1, 0]
    assert set(observed.not_checkable) == {Violation.DOUBLE_TRANSITION, Violation.PHANTOM_TRANSITION}


def test_without_transitions_an_acknowledged_run_shows_its_status():
    reader = FakeReader(runs=[run(1, status=Status.ACKNOWLEDGED), run(2)])

    observed = observe(ACKNOWLEDGE, tokens(2), Ledger(2), Mark(None, 2), reader)

    assert list(observed.transitions) == [1, 0]
    assert set(observed.not_checkable) == {Violation.DOUBLE_TRANSITION}


def test_two_changes_with_nothing_between_that_would_allow_it_are_seen():
    events = [event(1, "rescheduled", 1), event(2, "rescheduled", 1)]
    events += [event(3, "rescheduled", 2), event(4, "completed", 2), event(5, "rescheduled", 2)]

    observed = observe(RESCHEDULE, tokens(2), accepted(2, now=0), Mark(0, 0), FakeReader(events=events))

    assert list(observed.transitions) == [2, 2]
    assert observed.doubled == {0}


def test_what_changed_before_it_was_asked_for_is_no_phantom_of_a_refusal():
    pool, ledger = Pool(tokens(1)), Ledger(1)
    ledger.settle(ledger.send(pool.take(1), 9 * SECOND), Outcome.REFUSED, 9 * SECOND)
    reader = FakeReader(events=[event(1, "acknowledged", 1, at=2 * SECOND)])

    assert list(observe(ACKNOWLEDGE, tokens(1), ledger, Mark(0, 0), reader).transitions) == [0]


def test_rescheduling_that_acknowledges_as_well_is_nobodys_acknowledging():
    events = [event(1, "rescheduled", 1, at=SECOND), event(2, "acknowledged", 1, at=SECOND)]

    assert list(observe(ACKNOWLEDGE, tokens(1), Ledger(1), Mark(0, 0), FakeReader(events=events)).transitions) == [0]


def test_an_acknowledged_run_that_is_not_so_in_the_end_is_told():
    reader = FakeReader(events=[event(1, "acknowledged", 1)], runs=[run(1)])

    assert observe(ACKNOWLEDGE, tokens(1), accepted(1, now=0), Mark(0, 0), reader).illegal == {0}


JOBS = tuple(Token(number, f"job-{number}", by_guid=True) for number in range(1, 4))


def test_an_unscheduled_job_that_is_still_listed_is_told_unless_somebody_scheduled_it_again():
    events = [event(1, "unscheduled", 1), event(2, "unscheduled", 2), event(3, "queued", 2)]
    reader = FakeReader(events=events, jobs=[ScheduledJobRecord(f"job-{n}", "m", 0, "PEMManagement") for n in (1, 2)])

    observed = observe(OPERATIONS["unschedule"], JOBS, accepted(3, now=0), Mark(0, 0), reader)
    assert (list(observed.transitions), observed.illegal) == ([1, 1, 0], {0})


def test_a_job_that_is_scheduled_again_while_the_list_is_read_is_in_no_illegal_state():
    class Late(FakeReader):
        def scheduled(self, query=""):
            self.events.append(event(9, "rescheduled", 1))
            return [ScheduledJobRecord("JOB-1", "m", 0, "PEMManagement")]

    reader = Late(events=[event(1, "unscheduled", 1)])

    assert observe(OPERATIONS["unschedule"], JOBS[:1], accepted(1, now=0), Mark(0, 0), reader).illegal == frozenset()
    assert reader.read_from == [0, 1]


@pytest.mark.parametrize(("stays", "expected"), [(False, {0}), (True, set())])
def test_a_job_that_its_agent_took_was_not_there_to_be_unscheduled_unless_it_recurs(stays, expected):
    job = (Token(1, "job-1", stays=stays, by_guid=True),)
    reader = FakeReader(events=[event(1, "queued", 1), event(2, "configured", 1)])

    assert observe(OPERATIONS["unschedule"], job, accepted(1, now=9 * SECOND), Mark(2, 0), reader).no_ops == expected


def test_without_transitions_an_unscheduled_job_is_not_listed_and_an_approved_orchestrator_is_approved():
    reader = FakeReader(jobs=[ScheduledJobRecord("JOB-2", "m", 0, "PEMManagement")])
    off = observe(OPERATIONS["unschedule"], JOBS, Ledger(3), Mark(None, 0), reader)
    statuses = ((1, AgentStatus.APPROVED), (2, AgentStatus.NEW))
    agents = [AgentRecord(f"job-{number}", "m", "u", 7, "1", status) for number, status in statuses]
    let_in = observe(OPERATIONS["approve"], JOBS, Ledger(3), Mark(None, 0), FakeReader(orchestrators=agents))

    assert list(off.transitions) == [1, 0, 1]
    assert set(off.not_checkable) == {Violation.DOUBLE_TRANSITION, Violation.PHANTOM_TRANSITION}
    assert list(let_in.transitions) == [1, 0, 0]
    assert set(let_in.not_checkable) == {Violation.DOUBLE_TRANSITION}
