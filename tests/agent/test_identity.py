"""What an agent's heartbeats are made of is remembered for some, and the same for all."""

from dataclasses import replace

from agent_sim.agent.identity import Stock
from agent_sim.agent.papers import papers
from agent_sim.draws import guid, root

STOCK = Stock("lab", "m-", (), root("test"), jitter=0.1)


def kept(number: int) -> object:
    return papers(number, guid(STOCK.key(number), "id"), guid(STOCK.key(number), "token"))


def test_a_heartbeat_is_the_same_whether_it_is_remembered_or_not():
    first = [STOCK.beat(kept(number)) for number in range(3000)]

    assert first == [STOCK.beat(kept(number)) for number in range(3000)]
    assert (first[7].client_machine, first[7].session_token) == ("m-00007", guid(STOCK.key(7), "token"))
    assert len(STOCK.beats) <= 2048


def test_a_session_that_is_over_makes_room_for_another():
    stock = replace(STOCK, jitter=0.0)
    for number in range(3000):
        stock.beat(kept(number))
    stock.forget_beat(kept(1))
    stock.forget_beat(kept(2999))  # never was remembered

    assert stock.beat(kept(2999)) is stock.beat(kept(2999))
    assert stock.beat(kept(1)) is not stock.beat(kept(1))


def test_jitter_is_drawn_by_fleet_life_agent_and_time_and_lies_within_what_is_declared():
    drawn = [STOCK.drawn_jitter(number, now) for number in range(100) for now in (0, 1, 10**18)]

    assert all(0 <= share < 0.1 for share in drawn)
    assert len(set(drawn)) == 300
    assert replace(STOCK, jitter=0.0).drawn_jitter(1, 0) == 0.0


def test_another_life_of_a_fleet_has_chances_of_its_own():
    before = STOCK.drawn_jitter(1, 0)

    assert replace(STOCK, life="before").drawn_jitter(1, 0) != before
