import pytest

from agent_sim.protocol.enums import Result, Status
from tests.results.invariants.judging import judged, said
from tests.results.journals import completed, configured, done_job, in_process, registered, run, story

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
