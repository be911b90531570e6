import pytest

from agent_sim.protocol.enums import Result, Status
from agent_sim.results.journal import SendFailed, SessionLost
from tests.results.invariants.judging import judged, said
from tests.results.journals import armed, completed, configured, done_job, in_process, registered, run, story

LAW = "status_agrees"

KEPT = {
    "both say the same": done_job(),
    "it was acknowledged since": [
        completed(outcome=Result.FAILURE),
        run(result=Result.FAILURE, status=Status.ACKNOWLEDGED),
    ],
    "the report was refused": [completed(outcome=Result.FAILURE, accepted=False), run()],
    "the server has no end for it: it is lost, not contradicted": [completed(), in_process()],
    "the server timed it out: it is lost, not contradicted": [
        *(completed(), run(result=Result.FAILURE)),
        story("queued", ("configured", 1), ("timed_out", 1)),
    ],
    "the answer to its agent was lost": [configured(), run()],
}


ITS_END = (story("queued", ("configured", 1, 2.0), ("completed", 1, 4.0)), configured(), run())

EXCUSED = {
    "its agent said the same": [*ITS_END, completed()],
    "its agent had no answer": [*ITS_END, SendFailed(5.0, "lab", "agent-1", "complete", "timeout")],
    "its agent lost its session": [*ITS_END, SessionLost(5.0, "lab", "agent-1")],
    "a fault was there": [*ITS_END, armed()],
    "no agent of ours had it": [ITS_END[0], ITS_END[2]],
}


@pytest.mark.parametrize("lines", EXCUSED.values(), ids=EXCUSED)
def test_a_run_that_was_completed_is_well_if(lines):
    assert judged(LAW, *lines, until=200.0).answer == "kept"


def test_an_answer_may_be_on_its_way_when_the_run_ends():
    assert judged(LAW, *ITS_END, until=60.0).answer == "kept"


def test_broken_if_the_server_ended_a_run_that_nobody_reported():
    verdict = judged(LAW, *ITS_END, until=200.0)

    assert said(verdict) == ("broken", "1 run ended without a report of its agent", ("job-1 (run 1)",))


def test_broken_if_the_report_was_refused_and_the_run_ended_all_the_same():
    verdict = judged(LAW, *ITS_END, completed(outcome=Result.FAILURE, accepted=False), until=60.0)

    assert said(verdict) == (
        "broken",
        "1 run reported failure, refused, and recorded success",
        ("job-1 (run 1)",),
    )


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines).answer == "kept"


def test_broken_if_the_server_has_another_result():
    verdict = judged(LAW, completed(outcome=Result.WARNING), run(), *done_job(2))

    assert said(verdict) == ("broken", "1 run reported warning and recorded success", ("job-1 (run 1)",))


def test_unknown_without_the_servers_history():
    assert judged(LAW, completed()).answer == "unknown"


def test_kept_if_nothing_was_asked_for():
    assert judged(LAW, registered()).answer == "kept"
