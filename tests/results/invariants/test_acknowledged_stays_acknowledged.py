import pytest

from agent_sim.protocol.enums import Result, Status
from tests.results.invariants.judging import judged, said
from tests.results.journals import census, done_job, run, storm, story

LAW = "acknowledged_stays_acknowledged"
DONE = ("queued", ("configured", 1), ("completed", 1))


def failed(status):
    return run(result=Result.FAILURE, status=status)


def test_kept_if_it_is_so_in_the_end():
    lines = [story(*DONE, ("acknowledged", 1)), failed(Status.ACKNOWLEDGED), *done_job(2), census()]

    assert said(judged(LAW, *lines)) == ("kept", "1 run acknowledged, and still so", ())


def test_kept_if_an_earlier_run_of_ours_acknowledged_it():
    assert judged(LAW, failed(Status.ACKNOWLEDGED), census()).answer == "kept"


BROKEN = {
    "it was acknowledged and is not so now": (
        [story(*DONE, ("acknowledged", 1)), failed(Status.COMPLETED)],
        "1 run acknowledged and now completed",
    ),
    "it is acknowledged and nobody asked": (
        [story(*DONE), failed(Status.ACKNOWLEDGED)],
        "1 run acknowledged that nobody asked for",
    ),
}


@pytest.mark.parametrize(("lines", "detail"), BROKEN.values(), ids=BROKEN)
def test_broken_if(lines, detail):
    assert said(judged(LAW, *lines, census())) == ("broken", detail, ("audit id 1",))


@pytest.mark.parametrize(
    ("rule", "how"), [("lost_update", "accepted and not done"), ("phantom_transition", "done that was not accepted")]
)
def test_broken_if_a_storm_found_so(rule, how):
    verdict = judged(LAW, *storm(operation="acknowledge", reconciliation__violations={rule: 2}), census())

    assert said(verdict) == ("broken", f"2 ids of storm again {how}", ("one more of storm again",))


def test_not_checkable_where_the_server_shows_no_transitions():
    assert judged(LAW, *done_job(), census(shows_transitions=False)).answer == "unknown"
