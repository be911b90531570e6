import pytest

from agent_sim.protocol.enums import AgentStatus
from agent_sim.results.journal import AgentRefused, ServerStory
from tests.results.invariants.judging import judged, said
from tests.results.journals import census, completed, done_job, registered, run, server_agent, story

LAW = "no_result_from_unapproved"


def standing(*steps):
    return ServerStory(60.0, "ID-OF-AGENT-1", tuple((kind, at, None) for kind, at in steps))


def refused(t, code="A0100"):
    return AgentRefused(t, "lab", "agent-1", code, "not approved")


KEPT = {
    "everybody is approved": [*done_job(), server_agent()],
    "it completed before it was disapproved": [*done_job(), server_agent(), standing(("disapproved", 9.0))],
    "it was approved again before": [*done_job(), server_agent(), standing(("disapproved", 1.0), ("approved", 2.0))],
    "what it completed since was refused": [
        *(completed(accepted=False, t=9.0), run(end=9.0), server_agent(), standing(("disapproved", 5.0))),
    ],
    "the server timed it out meanwhile": [
        *(completed(t=40.0), run(end=9.0), server_agent(), standing(("disapproved", 5.0), ("approved", 20.0))),
        story("queued", ("configured", 1), ("timed_out", 1, 9.0)),
    ],
    "it was turned away and then let in": [refused(1.0), registered(t=2.0), *done_job(), server_agent()],
    "the answer to a result that was taken before was long on its way": [
        *(refused(5.0), completed(t=9.0), run(end=4.0), server_agent()),
    ],
    "it could not register for another reason": [refused(1.0, code=""), *done_job(), server_agent()],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines, census()).answer == "kept"


def test_broken_if_a_result_was_taken_after_the_server_had_disapproved_the_agent():
    lines = [completed(t=4.0), run(end=4.0), server_agent(), standing(("disapproved", 3.0), ("approved", 30.0))]

    verdict = judged(LAW, *lines, census())

    assert said(verdict) == ("broken", "1 result taken from a disapproved agent", ("job-1 (run 1)",))


def test_broken_if_a_result_was_taken_while_the_agent_was_turned_away_on_any_server():
    lines = [refused(3.0), completed(t=9.0), run(end=9.0), server_agent()]

    verdict = judged(LAW, *lines, census(shows_transitions=False))

    assert said(verdict) == ("broken", "1 result taken from an agent turned away", ("job-1 (run 1)",))


def test_not_checkable_if_nobody_says_since_when_an_agent_is_disapproved():
    lines = [*done_job(), server_agent(status=AgentStatus.DISAPPROVED)]

    assert judged(LAW, *lines, census(shows_transitions=False)).answer == "unknown"
    assert judged(LAW, *done_job(), server_agent(), census(shows_transitions=False)).answer == "kept"
