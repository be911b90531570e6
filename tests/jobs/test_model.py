import pytest

from agent_sim.draws import key, unit
from agent_sim.errors import IllegalTransition
from agent_sim.jobs.model import (
    STATE,
    STATUS,
    Job,
    Run,
    acknowledge,
    end,
    new_job,
    reschedule,
    take,
    time_out,
    unschedule,
)
from agent_sim.protocol.enums import FETCH_LOGS, STORE_JOBS, Category, Result
from agent_sim.protocol.schedule import ExactlyOnce, Immediate, Interval, Weekly
from agent_sim.states import JOB, RUN, JobState, RunState

MANAGEMENT = STORE_JOBS["PEM", Category.MANAGEMENT]
INVENTORY = STORE_JOBS["PEM", Category.INVENTORY]


NOW = Immediate()


def job(kind=MANAGEMENT, schedule=NOW):
    return new_job("j", "a", kind, schedule, at=1)


def run(audit_id=1):
    return Run(audit_id, "j", "a", started=5)


def test_an_immediate_job_waits_and_is_wanted_at_once():
    assert job() == Job("j", "a", MANAGEMENT, Immediate(), requested=1, at_once=True)


def test_a_one_time_job_is_gone_after_its_run():
    ended, after = end(run(), take(job()), Result.SUCCESS, "fine", at=9, retries=5)

    assert ended == Run(1, "j", "a", 5, RunState.COMPLETED, Result.SUCCESS, 9, "fine")
    assert after.state is JobState.GONE


def test_a_recurring_job_waits_again_with_its_schedule():
    _, after = end(run(), take(job(INVENTORY, Interval(5))), Result.FAILURE, "", at=9, retries=5)

    assert (after.state, after.at_once, after.wire_schedule) == (JobState.WAITING, False, "I_5")


def test_a_failure_with_retries_left_waits_to_be_run_at_once_whatever_its_schedule():
    ended, after = end(run(), take(job(schedule=ExactlyOnce(10**18))), Result.FAILURE, "", at=9, retries=1)

    assert ended.state is RunState.WILL_RETRY
    assert (after.state, after.wire_schedule, after.failures) == (JobState.WAITING, None, 1)


def test_two_retries_make_three_runs_and_the_last_is_final():
    current, states = job(), []
    while current.state is JobState.WAITING:
        ended, current = end(run(), take(current), Result.FAILURE, "", at=9, retries=2)
        states.append(ended.state)

    assert states == [RunState.WILL_RETRY, RunState.WILL_RETRY, RunState.COMPLETED]


def test_the_next_occurrence_has_its_retries_anew():
    current = job(FETCH_LOGS, Weekly((1,), 0))
    for _ in range(2):
        _, current = end(run(), take(current), Result.FAILURE, "", at=9, retries=1)

    assert (current.state, current.failures, current.wire_schedule) == (JobState.WAITING, 0, "W_2_00:00")


def test_a_timeout_is_a_failure_that_is_remembered_as_one():
    ended, after = time_out(run(), take(job()), at=9, retries=1)

    assert ended == Run(1, "j", "a", 5, RunState.WILL_RETRY, Result.FAILURE, 9, "timed out", timed_out=True)
    assert after.state is JobState.WAITING


def test_a_rescheduled_job_waits_with_its_retries_anew():
    gone = job()._replace(state=JobState.GONE, at_once=False, failures=2)

    assert reschedule(gone) == job()


def test_a_recurring_job_that_waits_can_be_wanted_at_once():
    assert reschedule(job(FETCH_LOGS, Weekly((1,), 0))).wire_schedule is None


def test_a_job_unscheduled_while_it_runs_is_gone_and_its_run_ends_in_its_own_time():
    gone = unschedule(take(job(INVENTORY, Interval(5))))

    ended, after = end(run(), gone, Result.FAILURE, "", at=9, retries=5)

    assert (ended.state, after.state) == (RunState.COMPLETED, JobState.GONE)


def test_an_acknowledged_run_keeps_its_result():
    ended, _ = end(run(), take(job()), Result.WARNING, "hm", at=9, retries=0)

    assert acknowledge(ended) == ended._replace(state=RunState.ACKNOWLEDGED)


@pytest.mark.parametrize(
    "deed",
    [
        lambda: take(take(job())),  # two runs at once
        lambda: reschedule(take(job())),  # it runs already
        lambda: unschedule(unschedule(job())),
        lambda: acknowledge(run()),  # still in process
        lambda: end(end(run(), take(job()), Result.SUCCESS, "", 9, 0)[0], take(job()), Result.SUCCESS, "", 9, 0),
    ],
)
def test_what_has_no_row_is_refused(deed):
    with pytest.raises(IllegalTransition):
        deed()


def test_states_and_statuses_are_two_names_for_the_same():
    assert {STATUS[state]: state for state in RunState} == STATE


_RESULTS = (Result.SUCCESS, Result.WARNING, Result.FAILURE)
_SCHEDULES = (Immediate(), Interval(5), ExactlyOnce(10**18), Weekly((1,), 0))
_KINDS = (MANAGEMENT, INVENTORY, FETCH_LOGS)


@pytest.mark.parametrize("seed", range(200))
def test_no_random_walk_leaves_the_tables(seed):
    def pick(options, step, purpose):
        return options[int(unit(key(seed, step), purpose) * len(options))]

    current = job(pick(_KINDS, -1, "kind"), pick(_SCHEDULES, -1, "schedule"))
    runs = []
    for step in range(40):
        before, open_before = current, [item for item in runs if item.state is RunState.IN_PROCESS]
        try:
            match pick(("take", "end", "time out", "reschedule", "unschedule", "acknowledge"), step, "deed"):
                case "take":
                    current = take(current)
                    runs.append(run(len(runs) + 1))
                case "end" if open_before:
                    ended, current = end(runs[-1], current, pick(_RESULTS, step, "result"), "", step, retries=2)
                    runs[-1] = ended
                case "time out" if open_before:
                    runs[-1], current = time_out(runs[-1], current, step, retries=2)
                case "reschedule" if not open_before:  # the server leaves jobs with a run in process alone
                    current = reschedule(current)
                case "unschedule":
                    current = unschedule(current)
                case "acknowledge" if runs:
                    runs[0] = acknowledge(runs[0])
        except IllegalTransition:
            assert current == before
        moves = {after for (state, _), after in JOB.items() if state is before.state} | {before.state}

        assert current.state in moves
        assert sum(item.state is RunState.IN_PROCESS for item in runs) <= 1
        assert all(item.state in {RunState.IN_PROCESS, *RUN.values()} for item in runs)
        assert current.failures <= 2
