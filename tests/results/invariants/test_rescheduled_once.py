import pytest

from agent_sim.protocol.enums import Result
from agent_sim.results.journal import JobCancelled
from tests.results.invariants.judging import judged, said
from tests.results.journals import census, done_job, run, storm, story, waiting

LAW = "rescheduled_once"
FAILED = ("queued", ("configured", 1), ("completed", 1), ("rescheduled", 1))
FIRST = run(audit=1, result=Result.FAILURE)
AGAIN = run(audit=2, start=5.0, end=6.0)

KEPT = {
    "it ran again once": [story(*FAILED, ("configured", 2), ("completed", 2)), FIRST, AGAIN],
    "it ran again, and once more as a retry": [
        story(*FAILED, ("configured", 2), ("completed", 2), "queued", ("configured", 3), ("completed", 3)),
        *(FIRST, AGAIN, run(audit=3, start=7.0, end=8.0)),
    ],
    "it waits for its agent": [story(*FAILED), FIRST, waiting()],
    "it was unscheduled instead": [story(*FAILED, "unscheduled"), FIRST],
    "its agent was told that it is cancelled": [story(*FAILED), FIRST, JobCancelled(9.0, "lab", "agent-1", "job-1")],
    "it recurs, and goes on by itself": [
        story(*FAILED, ("configured", 2), ("completed", 2), ("configured", 3), ("completed", 3)),
        *(run(audit=audit, start=2.0 * audit, end=2.0 * audit + 1, schedule="I_1") for audit in (1, 2, 3)),
    ],
    "nobody rescheduled anything": done_job(),
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines, census()).answer == "kept"


BROKEN = {
    "it ran twice": (
        [story(*FAILED, ("configured", 2), ("completed", 2), ("configured", 3)), FIRST],
        "1 job rescheduled once and run 2 times",
    ),
    "it ran once more than the feed tells of": (
        [story(*FAILED, ("configured", 2), ("completed", 2)), FIRST, AGAIN, run(audit=3, start=7.0, end=8.0)],
        "1 job rescheduled and run too often",
    ),
    "it did not run": ([story(*FAILED), FIRST], "1 job rescheduled and not run again"),
}


@pytest.mark.parametrize(("lines", "detail"), BROKEN.values(), ids=BROKEN)
def test_broken_if(lines, detail):
    assert said(judged(LAW, *lines, census())) == ("broken", detail, ("job-1",))


@pytest.mark.parametrize("rule", ["lost_update", "double_transition", "phantom_transition"])
def test_broken_if_a_storm_found_so(rule):
    assert judged(LAW, *storm(reconciliation__violations={rule: 1}), census()).answer == "broken"


def test_a_storm_of_another_kind_does_not_count():
    assert judged(
        LAW, *storm(operation="acknowledge", reconciliation__violations={"lost_update": 1}), census()
    ).answer == ("kept")


def test_not_checkable_where_the_server_shows_no_transitions():
    assert judged(LAW, *done_job(), census(shows_transitions=False)).answer == "unknown"
