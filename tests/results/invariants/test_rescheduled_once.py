import pytest

from agent_sim.protocol.enums import Result
from agent_sim.results.journal import AgentOnline, JobCancelled
from tests.results.invariants.judging import judged, said
from tests.results.journals import (
    armed,
    census,
    done_job,
    fleet,
    left,
    registered,
    run,
    server_agent,
    storm,
    story,
    waiting,
)

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
        armed(),  # which may set a clock wrong
    ],
    "nobody rescheduled anything": done_job(),
}


def comes_round(*starts, begin=10.0, schedule="I_1"):
    """A recurring job that failed and was rescheduled at `begin`: what ran after that."""
    runs = [run(audit=n, start=at, end=at + 1, schedule=schedule) for n, at in enumerate((1.0, *starts), 1)]
    told = [("queued", 0, 0.5), ("configured", 1, 1.0), ("completed", 1, 2.0), ("rescheduled", 1, begin)]
    told += [
        (kind, n, at + late) for n, at in enumerate(starts, 2) for kind, late in (("configured", 0), ("completed", 1))
    ]
    return [registered(), fleet(), server_agent(), story(*told), *runs, waiting(schedule=schedule)]


GOES_ON = {
    "it ran at once, and then when it was due": comes_round(12.0, 72.0, 132.0),
    "clocks are a little apart": comes_round(12.0, 71.5),
    "it was due in between": comes_round(52.0, 56.0, begin=50.0, schedule="D_03:05"),
    "its agent was away": [*comes_round(190.0), AgentOnline(150.0, "lab", "agent-1")],
    "its agent was busy": [*comes_round(190.0), run("job-2", 9, 20.0, 180.0)],
    "its agent was told to leave it": [*comes_round(), left(audit=0, why="never_start")],
    "there was not much time": comes_round(begin=150.0),
    "its heartbeats are far apart": comes_round(begin=90.0),
}


@pytest.mark.parametrize("lines", GOES_ON.values(), ids=GOES_ON)
def test_a_recurring_job_may_go_on_if(lines):
    # The scenario begins at 03:04:05.
    assert judged(LAW, *lines, census(), until=200.0, heartbeat=30.0).answer == "kept"


ASTRAY = {
    "it ran twice at once": (comes_round(12.0, 15.0), "1 job rescheduled once and run twice before the next was due"),
    "it waited for its next time": (comes_round(190.0), "1 job rescheduled and left to wait for the next time"),
    "it waits still": (comes_round(), "1 job rescheduled and left to wait for the next time"),
}


@pytest.mark.parametrize(("lines", "detail"), ASTRAY.values(), ids=ASTRAY)
def test_a_recurring_job_is_not_rescheduled_once_if(lines, detail):
    assert said(judged(LAW, *lines, census(), until=200.0, heartbeat=30.0)) == ("broken", detail, ("job-1",))


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
