from agent_sim.protocol.agent import AgentReply
from agent_sim.server.sessions import Session, Sessions

BEAT = AgentReply(200, None)


def opened(*tokens: str, expires: int = 100) -> Sessions:
    sessions = Sessions()
    for token in tokens:
        sessions.open(Session(token, "a", "user", expires, BEAT))
    return sessions


def test_a_session_holds_up_to_the_instant_it_expires():
    sessions = opened("t")

    assert sessions.holding("t", "user", 99) is sessions.of_agent("a")
    assert sessions.holding("t", "user", 100) is None


def test_an_older_session_does_not_hold_but_still_says_whose_it_was():
    sessions = opened("old", "new")

    assert sessions.holding("old", "user", 1) is None
    assert sessions.owner("old", "user") == sessions.owner("new", "user") == "a"
    assert sessions.owner("old", "other") is None


def test_of_many_older_sessions_the_oldest_are_forgotten():
    sessions = opened(*(f"t{number}" for number in range(18)))

    known = [number for number in range(18) if sessions.owner(f"t{number}", "user")]
    assert known == list(range(1, 18))


def test_a_closed_agent_has_no_session_old_or_new():
    sessions = opened("old", "new")
    sessions.close("a")
    sessions.close("a")

    assert sessions.owner("old", "user") is None
    assert sessions.owner("new", "user") is None
    assert sessions.of_agent("a") is None


def test_agents_whose_newest_session_expired_are_forgotten():
    sessions = opened("t")

    sessions.drop_expired(before=100)
    assert sessions.owner("t", "user") == "a"
    sessions.drop_expired(before=101)
    assert sessions.owner("t", "user") is None
