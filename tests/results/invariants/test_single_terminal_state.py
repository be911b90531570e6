import pytest

from agent_sim.protocol.enums import Result
from tests.results.invariants.judging import judged, said
from tests.results.journals import census, completed, done_job, registered, run, story

LAW = "single_terminal_state"

KEPT = {
    "each run ended once": [*done_job(1), *done_job(2)],
    "the same report was sent again": [completed(t=4.0), completed(t=5.0), run()],
    "another report was refused": [completed(), completed(outcome=Result.FAILURE, accepted=False), run()],
    "it timed out, and the late report was refused": [
        story("queued", ("configured", 1), ("timed_out", 1)),
        completed(t=9.0, accepted=False),
        run(result=Result.FAILURE),
    ],
    "two runs of a job ended once each": [
        story("queued", ("configured", 1), ("completed", 1), "queued", ("configured", 2), ("completed", 2)),
        run(audit=1),
        run(audit=2),
    ],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines, census()).answer == "kept"


BROKEN = {
    "two different reports were accepted": (
        [completed(t=4.0), completed(t=5.0, outcome=Result.FAILURE), run()],
        "1 run completed with two results",
    ),
    "a report was accepted after the timeout": (
        [story("queued", ("configured", 1), ("timed_out", 1)), completed(t=9.0), run()],
        "1 run completed after the server had timed it out",
    ),
    "the server itself tells of two ends": (
        [story("queued", ("configured", 1), ("timed_out", 1), ("completed", 1)), run()],
        "1 run ended twice by the server's own account",
    ),
}


@pytest.mark.parametrize(("lines", "detail"), BROKEN.values(), ids=BROKEN)
def test_broken_if(lines, detail):
    assert said(judged(LAW, *lines, census())) == ("broken", detail, ("job-1 (run 1)",))


def test_unknown_without_the_servers_history():
    assert judged(LAW, completed()).answer == "unknown"


def test_kept_if_nothing_was_asked_for():
    assert judged(LAW, registered()).answer == "kept"
