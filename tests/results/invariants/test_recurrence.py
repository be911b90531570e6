"""What a schedule says of how often its job ran, and of how long it waited."""

import pytest

from agent_sim.protocol.enums import AgentStatus, Result
from agent_sim.results.journal import AgentCrashed, AgentOffline, AgentOnline, SessionLost
from tests.results.invariants.judging import judged
from tests.results.journals import (
    armed,
    fleet,
    left,
    posted,
    registered,
    run,
    server_agent,
    story,
    waiting,
)

EVERY_MINUTE = "I_1"


def ran(*starts, result=Result.SUCCESS, schedule=EVERY_MINUTE):
    return [run(audit=n, start=at, end=at + 1, result=result, schedule=schedule) for n, at in enumerate(starts, 1)]


TOO_OFTEN = {
    "its story is known": [story("queued"), *ran(61.0, 63.0, 65.0, 122.0, 124.0)],
    "its story is not": ran(61.0, 63.0, 65.0),
    "it is daily": ran(61.0, 63.0, 65.0, schedule="D_03:05"),
}


@pytest.mark.parametrize("lines", TOO_OFTEN.values(), ids=TOO_OFTEN)
def test_a_recurring_job_that_runs_more_often_than_due_runs_without_a_reason(lines):
    verdict = judged("at_most_once", *lines)

    assert (verdict.answer, verdict.offenders) == ("broken", ("job-1",))
    assert verdict.detail == "1 job run more often than due"


OFTEN_ENOUGH = {
    "it ran when it was due": [story("queued"), *ran(61.0, 122.0, 183.0)],
    "once more may be at the edge": ran(61.0, 63.0, 124.0),
    "it was retried": [story("queued", "queued", "queued"), *ran(61.0, 63.0, 65.0)],
    "it was rescheduled": [story("queued", "rescheduled", "rescheduled"), *ran(61.0, 63.0, 65.0)],
    "it failed, and nobody tells whether that is why": ran(61.0, 63.0, 65.0, 67.0, result=Result.FAILURE),
    "a fault may set a clock wrong": [armed(), *ran(61.0, 63.0, 65.0, 67.0)],
    "its schedule was changed": [*ran(61.0, 63.0, 65.0), run(audit=9, start=70.0, end=71.0, schedule="I_9")],
}


@pytest.mark.parametrize("lines", OFTEN_ENOUGH.values(), ids=OFTEN_ENOUGH)
def test_it_may_run_again_if(lines):
    assert judged("at_most_once", *lines).answer == "kept"


WAITS = (registered(), fleet(), server_agent(), posted(), waiting(schedule=EVERY_MINUTE))


def test_a_recurring_job_that_was_due_twice_and_never_ran_is_lost():
    verdict = judged("no_lost_jobs", *WAITS, until=130.0)

    assert (verdict.answer, verdict.offenders) == ("broken", ("job-1",))
    assert verdict.detail == "1 accepted job: 1 due twice and not run by an agent that is online"


PATIENT = {
    "it was due once": {"until": 110.0},
    "it ran meanwhile": {"more": ran(61.0)},
    "it was wanted anew": {"more": [story("queued", ("unscheduled", 1), "rescheduled", begin=40.0)]},
    "its agent was offline": {"more": [AgentOffline(50.0, "lab", "agent-1"), AgentOnline(60.0, "lab", "agent-1")]},
    "its agent crashed": {"more": [AgentCrashed(10.0, "lab", "agent-1", 60.0, keeps_identity=True)]},
    "its agent lost its session": {"more": [SessionLost(50.0, "lab", "agent-1")]},
    "its agent is offline": {"offline": ["agent-1"]},
    "its agent is not approved": {"more": [server_agent(status=AgentStatus.DISAPPROVED)]},
    "its agent cannot do it": {"more": [fleet(capabilities=["PEM"])]},
    "its agent does not start it": {"more": [left(audit=0)]},
    "its agent was busy": {"more": [run("job-2", 2, start=3.0, end=100.0)]},
    "a fault was there": {"more": [armed()]},
    "the run was cut short": {"reason": "interrupted"},
}


@pytest.mark.parametrize("case", PATIENT.values(), ids=PATIENT)
def test_it_may_wait_if(case):
    case = dict(case)

    assert judged("no_lost_jobs", *WAITS, *case.pop("more", ()), **{"until": 130.0, **case}).answer == "kept"
