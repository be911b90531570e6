import pytest

from tests.results.invariants.judging import judged, said
from tests.results.journals import census, configured, done_job, posted, run, storm, story

LAW = "no_job_after_unschedule"

KEPT = {
    "nothing was unscheduled": done_job(),
    "it was never handed out": [posted(), story("queued", "unscheduled")],
    "it was in process at the time": [story("queued", ("configured", 1), "unscheduled"), configured(t=2.0), run()],
    "it was handed out in the same millisecond": [story("queued", "unscheduled"), run(start=2.0)],
    "its agent got the answer long after": [
        story("queued", ("configured", 1), "unscheduled"),
        *(configured(t=9.0), run(start=2.0, end=10.0)),
    ],
    "somebody wanted it again": [
        story("queued", ("configured", 1), ("completed", 1), "unscheduled", ("rescheduled", 1), ("configured", 2)),
        run(audit=1),
        run(audit=2, start=6.0, end=7.0),
    ],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines, census()).answer == "kept"


BROKEN = {
    "the server's history has a later run": [story("queued", "unscheduled"), run(start=9.0, end=10.0)],
    "the server's feed has a later hand-out": [story("queued", "unscheduled", ("configured", 1))],
    "an agent was handed it": [story("queued", "unscheduled"), configured(t=9.0)],
}


@pytest.mark.parametrize("lines", BROKEN.values(), ids=BROKEN)
def test_broken_if(lines):
    verdict = judged(LAW, *lines, census())

    assert said(verdict) == ("broken", "1 job handed out after being unscheduled", ("job-1",))


def test_there_is_a_time_of_grace():
    lines = [story("queued", "unscheduled"), run(start=5.0, end=6.0), census()]

    assert judged(LAW, *lines, grace=2.0).answer == "broken"
    assert judged(LAW, *lines, grace=4.0).answer == "kept"


def test_what_a_storm_had_accepted_and_the_server_did_not_do_breaks_it():
    lost = {"lost_update": 1}
    verdict = judged(LAW, *storm(operation="unschedule", reconciliation__violations=lost), census())

    assert said(verdict) == ("broken", "1 id of storm again accepted and not done", ("one more of storm again",))


def test_not_checkable_where_the_server_shows_no_transitions():
    verdict = judged(LAW, *done_job(), census(shows_transitions=False))

    assert said(verdict) == ("unknown", "not checkable: the target shows no transitions", ())
