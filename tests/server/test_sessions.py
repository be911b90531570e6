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


def test_of_many_agents_some_are_looked_at_at_a_time_and_none_before_one_can_have_expired():
    sessions = Sessions()
    for number in range(10):
        sessions.open(Session(f"t{number}", f"a{number}", "user", 100 + number % 2, BEAT))

    assert not sessions.drop_expired(100, 4)
    told = []
    while sessions.drop_expired(101, 4):
        told.append(sum(sessions.of_agent(f"a{number}") is not None for number in range(10)))
        sessions.open(Session("new", "new", "user", 200, BEAT))
        sessions.close("a1")
    assert told == [8, 5]
    assert [number for number in range(10) if sessions.of_agent(f"a{number}")] == [3, 5, 7, 9]
    assert not sessions.drop_expired(101, 4)
    assert not sessions.drop_expired(102)
    assert not sessions.drop_expired(200)
    assert sessions.of_agent("new") is not None
    assert not sessions.drop_expired(201)
    assert sessions.of_agent("new") is None
