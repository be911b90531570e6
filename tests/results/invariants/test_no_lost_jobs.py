from typing import Any

import pytest

from agent_sim.instants import SECOND
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.invariants.no_lost_jobs import no_lost_jobs
from agent_sim.results.journal import JobCancelled, PostFailed
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict
from tests.results.journals import (
    armed,
    census,
    completed,
    configured,
    done_job,
    ended,
    in_process,
    posted,
    registered,
    run,
    server_agent,
    started,
    storm,
    story,
    unscheduled,
    waiting,
)


def judged(*lines, settle: int = 0) -> Verdict:
    return no_lost_jobs(summarise([started(), *lines]), InvariantCheck("no_lost_jobs", settle))


FAILED: dict[str, Any] = {"result": Result.FAILURE}
WILL_RETRY: dict[str, Any] = {"result": Result.FAILURE, "status": Status.COMPLETED_WILL_RETRY}

KEPT = {
    "it ended": [posted(), run()],
    "it failed, which is an end too": [posted(), run(**FAILED)],
    "it was acknowledged": [posted(), run(**FAILED, status=Status.ACKNOWLEDGED)],
    "it was retried and then ended": [posted(), run(audit=1, **WILL_RETRY), run(audit=2, start=5.0, end=6.0)],
    "it waits for its next occurrence": [posted(), run(), waiting(schedule="D_02:00")],
    "it recurs and never ran yet": [posted(), waiting(schedule="I_30"), *done_job(2)],
    "it is due after the end of the run": [posted(), waiting(schedule="O_2026-01-02T05:00"), *done_job(2)],
    "it was unscheduled because somebody asked for that": [
        *(posted(), story("queued", "unscheduled", "unschedule_asked"), *done_job(2)),
    ],
    "a storm had it unscheduled": [posted(), unscheduled("JOB-1"), *done_job(2)],
    "a storm asked to unschedule it and got no answer": [posted(), unscheduled(unanswered=["job-1"]), *done_job(2)],
    "its agent is not approved": [posted(), waiting(), server_agent(status=AgentStatus.DISAPPROVED), *done_job(2)],
    "its result is another one, which is for another law to say": [posted(), completed(outcome=Result.WARNING), run()],
    "a recurring one was unscheduled after a run": [posted(), run(schedule="I_5"), unscheduled("job-1")],
    "its agent reported what the server has": [posted(), configured(), completed(), run()],
    "a store's inventory left a trace": [posted(None, kind="Inventory"), run(kind="PEMInventory")],
    "a store's inventory still recurs": [posted(None, kind="LOGS"), waiting("x", "I_15"), *done_job(2)],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_a_job_is_not_lost_if(lines):
    verdict = judged(*lines, ended())

    assert (verdict.answer, verdict.offenders) == ("kept", ())


CANCELLED = JobCancelled(2.0, "lab", "a", "JOB-1")

BROKEN = {
    "the server unscheduled it on its own": (
        [posted(), story("queued", "unscheduled"), *done_job(2)],
        "1 taken off the schedule though nobody asked for that",
    ),
    "the server unscheduled it on its own after somebody wanted it again": (
        [posted(), run(**WILL_RETRY), story("queued", "unschedule_asked", "rescheduled", "unscheduled"), *done_job(2)],
        "1 taken off the schedule though nobody asked for that",
    ),
    "a storm had unscheduled it before it was wanted again": (
        [posted(), run(**WILL_RETRY), story("queued", "rescheduled", "unscheduled"), unscheduled("job-1", t=1.5)],
        "1 taken off the schedule though nobody asked for that",
    ),
    "an agent was told that it is cancelled, and nobody asked for that": (
        [posted(), CANCELLED, story("queued"), census(), *done_job(2)],
        "1 taken off the schedule though nobody asked for that",
    ),
    "a recurring one ran and is no longer scheduled": (
        [posted(), run(schedule="I_5")],
        "1 recurring and no longer scheduled though nobody asked for that",
    ),
    "it is gone": ([posted(), *done_job(2)], "1 gone (neither run nor scheduled)"),
    "it still waits for an online agent": ([posted(), waiting(), *done_job(2)], "1 still waiting"),
    "it was due before the end of the run": (
        [posted(), waiting(schedule="O_2026-01-02T03:04"), *done_job(2)],
        "1 still waiting",
    ),
    "it is still in process": ([posted(), in_process()], "1 still in process"),
    "a recurring one is still in process": (
        [posted(), in_process(), waiting(schedule="I_1")],
        "1 still in process",
    ),
    "it should have been retried and is gone": ([posted(), run(**WILL_RETRY)], "1 failed, said to be retried"),
    "an agent was handed it, and then it is gone": ([configured(), *done_job(2)], "1 gone"),
    "its completion is not in the history": (
        [posted(), completed(audit=7), run(audit=1)],
        "1 completed by their agent but not so in the server's history",
    ),
    "its completion was taken, and then the server timed it out": (
        [
            *(posted(), completed(t=4.0), run(result=Result.FAILURE)),
            story("queued", ("configured", 1), ("timed_out", 1), begin=10.0),
        ],
        "1 completed by their agent but not so",
    ),
}


@pytest.mark.parametrize(("lines", "said"), BROKEN.values(), ids=BROKEN)
def test_a_job_is_lost_if(lines, said):
    verdict = judged(*lines, ended())

    assert (verdict.answer, verdict.offenders) == ("broken", ("job-1",))
    assert said in verdict.detail


def test_a_store_inventory_without_a_trace_is_lost_and_named_by_machine():
    verdict = judged(posted(None, kind="Inventory"), *done_job(2), ended())

    assert (verdict.answer, verdict.offenders) == ("broken", ("agent-1, Inventory",))


def test_a_completion_that_was_turned_away_need_not_be_in_the_history():
    assert judged(posted(), completed(audit=7, accepted=False), run(), ended()).answer == "kept"


def test_posts_that_named_no_job_are_counted_apart():
    verdict = judged(posted(None, kind="Inventory"), run(kind="PEMInventory"), *done_job(2), ended())

    assert verdict.detail == "1 accepted job and 1 post that named no job: 1 ended, 1 left a trace"


# --- agents that the scenario took offline ----------------------------------------------------


def test_a_job_may_wait_for_an_agent_that_was_taken_offline():
    verdict = judged(posted(), waiting(), *done_job(2), ended(offline=["agent-1"]))

    assert verdict.answer == "kept"
    assert "1 waiting for an agent that was taken offline" in verdict.detail


def test_a_job_in_process_on_such_an_agent_is_unknown():
    verdict = judged(posted(), in_process(), ended(offline=["agent-1"]))

    assert (verdict.answer, verdict.offenders) == ("unknown", ("job-1",))


def test_a_store_inventory_of_such_an_agent_need_leave_no_trace():
    assert judged(posted(None, kind="Inventory"), *done_job(2), ended(offline=["agent-1"])).answer == "kept"


# --- what cannot be known ---------------------------------------------------------------------


@pytest.mark.parametrize("open_job", [waiting(), in_process()], ids=["waiting", "in process"])
def test_an_open_job_is_unknown_if_the_run_was_cut_short(open_job):
    verdict = judged(posted(), open_job, *done_job(2), ended(reason="interrupted"))

    assert (verdict.answer, verdict.offenders) == ("unknown", ("job-1",))
    assert "1 open when the run was cut short" in verdict.detail


AT_WORK: dict[str, list[Any]] = {
    "it waits behind a run that is not over": [waiting(), in_process("job-2", 2, start=5.0)],
    "it waits behind others that came one after the other": [
        *(waiting(), run("job-2", 2, start=5.0, end=30.0), run("job-3", 3, start=30.0, end=50.0)),
    ],
    "its agent is doing it": [registered(t=0.5), configured(audit=9, t=50.0), in_process(audit=9, start=50.0)],
}


@pytest.mark.parametrize("lines", AT_WORK.values(), ids=AT_WORK)
def test_an_open_job_is_unknown_if_the_drain_ended_while_its_agent_was_at_work(lines):
    verdict = judged(posted(), *lines, ended(drained=False))

    assert verdict.answer == "unknown", verdict
    assert "open when the drain ended, for its agent was still at work" in verdict.detail
    assert "give it less to do, or a longer stop.drain" in verdict.detail


IDLE: dict[str, list[Any]] = {
    "it waits while its agent idles": [waiting(), run("job-2", 2, start=5.0, end=20.0)],
    "it waits while another agent is busy": [waiting(), in_process("job-2", 2, start=5.0, machine="agent-2")],
    "its agent was never handed it": [registered(t=0.5), in_process(audit=9, start=50.0)],
    "its agent has reported it": [
        *(registered(t=0.5), configured(audit=9, t=50.0), completed(audit=9, t=55.0, accepted=False)),
        in_process(audit=9, start=50.0),
    ],
    "its agent was away since": [registered(t=55.0), configured(audit=9, t=50.0), in_process(audit=9, start=50.0)],
}


@pytest.mark.parametrize("lines", IDLE.values(), ids=IDLE)
def test_an_open_job_is_lost_if_nobody_was_at_work_on_it_though_the_drain_ended_early(lines):
    assert judged(posted(), *lines, *done_job(7), ended(drained=False)).answer == "broken"


def test_a_job_that_is_gone_is_lost_even_if_the_run_was_cut_short():
    assert judged(posted(), *done_job(2), ended(reason="interrupted")).answer == "broken"


def test_nothing_is_known_without_the_servers_history():
    assert judged(posted(), completed(), ended()).answer == "unknown"


def test_a_cancelled_job_is_unknown_where_the_target_does_not_show_who_asked():
    verdict = judged(posted(), CANCELLED, *done_job(2), ended())

    assert (verdict.answer, verdict.offenders) == ("unknown", ("job-1",))
    assert "1 said to be cancelled, and whether somebody asked for that the target does not show" in verdict.detail


def test_nothing_is_known_if_no_job_was_accepted():
    verdict = judged(PostFailed(1.0, "fetch", "LOGS", "a", 503, "busy"), run(), ended())

    assert (verdict.answer, verdict.detail) == ("unknown", "no job was accepted (1 post failed)")


def test_nothing_is_lost_if_nothing_was_asked_for():
    assert judged(registered(), ended()).answer == "kept"


def test_an_open_job_that_is_younger_than_its_time_to_settle_is_unknown():
    young = [posted(t=55.0), waiting(), *done_job(2), ended(60.0)]

    assert judged(*young, settle=10 * SECOND).answer == "unknown"
    assert judged(*young, settle=4 * SECOND).answer == "broken"
    assert judged(*young).answer == "broken"


# --- storms -----------------------------------------------------------------------------------


def test_an_accepted_reschedule_that_changed_nothing_is_a_lost_job():
    lost: dict[str, Any] = {
        "reconciliation__violations": {"lost_update": 2},
        "reconciliation__examples": [{"id": 17, "rule": "lost_update", "detail": "changed 0 times"}],
    }

    verdict = judged(*done_job(), *storm(**lost), ended())

    assert (verdict.answer, verdict.offenders) == ("broken", ("audit id 17", "one more of storm again"))
    assert "2 accepted for reschedule but not run again" in verdict.detail


def test_that_is_the_reschedule_storms_alone():
    verdict = judged(
        *done_job(), *storm(operation="acknowledge", reconciliation__violations={"lost_update": 2}), ended()
    )

    assert verdict.answer == "kept"


def test_what_a_storm_unscheduled_excuses_no_other_job():
    lines = [posted(), posted("job-3"), *done_job(2), *storm(operation="unschedule"), unscheduled("job-1")]

    verdict = judged(*lines, ended())

    assert (verdict.answer, verdict.offenders) == ("broken", ("job-3",))


def test_a_job_lost_after_a_fault_that_the_scenario_allows_is_unknown_and_does_not_count():
    check = InvariantCheck("no_lost_jobs", allow_after=("cut",))
    lines = [started(), posted(), *done_job(2)]

    verdict = no_lost_jobs(summarise([*lines, armed("cut"), ended()]), check)
    assert (verdict.answer, verdict.is_declared, verdict.offenders) == ("unknown", True, ("job-1",))
    assert verdict.detail.endswith("1 gone (neither run nor scheduled), after fault cut, as the scenario allows")
    assert no_lost_jobs(summarise([*lines, armed("other"), ended()]), check).answer == "broken"


def test_what_was_lost_long_before_that_fault_is_lost():
    check = InvariantCheck("no_lost_jobs", allow_after=("cut",))
    lines = [started(), posted(), *done_job(2), armed("cut", t=100.0), ended(120.0)]

    assert no_lost_jobs(summarise(lines), check).answer == "broken"
    settles = InvariantCheck("no_lost_jobs", 100 * SECOND, allow_after=("cut",))
    assert no_lost_jobs(summarise(lines), settles).is_declared


def test_what_is_unknown_for_another_reason_than_the_fault_counts():
    check = InvariantCheck("no_lost_jobs", allow_after=("cut",))
    lines = [started(), posted(), posted("job-3"), in_process("job-3"), armed("cut"), ended(offline=["agent-1"])]

    verdict = no_lost_jobs(summarise(lines), check)

    assert (verdict.answer, verdict.is_declared, verdict.offenders) == ("unknown", False, ("job-3",))


# --- the verdict ------------------------------------------------------------------------------


def test_the_worst_fate_settles_it_and_ten_jobs_are_named():
    lost = [posted(f"job-{number:02d}") for number in range(12)]

    verdict = judged(*lost, posted("job-99"), in_process("job-99"), *done_job(77), ended(offline=["agent-1"]))

    assert verdict.answer == "broken"
    assert verdict.offenders == tuple(f"job-{number:02d}" for number in range(10))
    assert verdict.detail == "14 accepted jobs: 12 gone (neither run nor scheduled)"
