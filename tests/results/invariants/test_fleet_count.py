import pytest

from agent_sim.results.journal import SendFailed
from tests.results.invariants.judging import judged, said
from tests.results.journals import census, registered, server_agent

LAW = "fleet_count"
TWO = [registered("agent-1"), registered("agent-2"), server_agent("agent-1"), server_agent("agent-2")]

KEPT = {
    "each is listed once": [*TWO, census(2)],
    "the server does not say how many there are": [*TWO, census(None)],
    "an agent of an earlier run is still listed": [*TWO, server_agent("agent-9", seen=-3600.0), census(3)],
    "one that was never heard of is listed": [*TWO, server_agent("agent-9", seen=None), census(3)],
    "an agent's registration went unanswered": [
        *(*TWO, SendFailed(1.0, "lab", "agent-3", "register", "no answer"), server_agent("agent-3"), census(3)),
    ],
    "an agent that never got through is not listed": [
        *(*TWO, SendFailed(1.0, "lab", "agent-3", "register", "no answer"), census(2)),
    ],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines).answer == "kept"


BROKEN = {
    "one is missing": ([*TWO[:3], census(1)], "1 agent registered and not listed by the server", "agent-2"),
    "one is there twice": ([*TWO, server_agent("agent-2"), census(3)], "1 agent listed more than once", "agent-2"),
    "a stranger is there": (
        [*TWO, server_agent("agent-9"), census(3)],
        "1 agent listed by the server and not of this fleet",
        "agent-9",
    ),
    "the server counts otherwise than it lists": (
        [*TWO, census(3)],
        "1 count that is not that of its own list",
        "counted 3, listed 2",
    ),
}


@pytest.mark.parametrize(("lines", "detail", "who"), BROKEN.values(), ids=BROKEN)
def test_broken_if(lines, detail, who):
    assert said(judged(LAW, *lines)) == ("broken", detail, (who,))


def test_unknown_without_the_servers_list():
    assert judged(LAW, *TWO).answer == "unknown"
