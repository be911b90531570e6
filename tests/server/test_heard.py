"""When agents were last heard of: taken a few at a time, none lost."""

from agent_sim.server.heard import Heard


def met(*agent_ids: str) -> Heard:
    heard = Heard()
    for agent_id in agent_ids:
        heard.meet(agent_id, 1)
    return heard


def test_who_was_heard_of_is_told_once_with_the_last_time():
    heard = met("a")
    heard.hear("a", 2)

    assert heard.take() == {"a": 2}
    assert heard.take() == {}


def test_one_agent_can_be_taken_alone():
    heard = met("a", "b")

    assert heard.take_one("b") == {"b": 1}
    assert heard.take_one("b") == heard.take_one("nobody") == {}
    assert heard.take() == {"a": 1}


def test_a_round_takes_so_many_at_most_in_the_order_in_which_they_came_whenever_they_spoke():
    heard = met(*"abcde")
    for now, agent_id in enumerate("ecadb", 10):
        heard.hear(agent_id, now)
    heard.begin_round()

    assert heard.take_some(2) == {"a": 12, "b": 14}
    heard.hear("a", 20)
    assert [heard.take_some(2) for _ in range(3)] == [{"c": 11, "d": 13}, {"e": 10}, None]
    heard.begin_round()
    assert [heard.take_some(2) for _ in range(2)] == [{"a": 20}, None]


def test_a_round_looks_at_few_agents_at_a_time_also_if_most_said_nothing():
    heard = met(*(f"{number:02}" for number in range(25)))
    heard.take()
    heard.hear("24", 2)
    heard.begin_round()

    assert [heard.take_some(1) for _ in range(4)] == [{}, {}, {"24": 2}, None]


def test_who_comes_during_a_round_is_taken_in_the_next():
    heard = met("a")
    heard.begin_round()
    heard.meet("b", 2)

    assert [heard.take_some(5) for _ in range(2)] == [{"a": 1}, None]
    heard.begin_round()
    assert heard.take_some(5) == {"b": 2}
