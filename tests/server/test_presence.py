"""Who is there over MQTT: a gateway speaks for its agents, and what is stale changes nothing."""

from agent_sim.protocol.mqtt import Life, Place, Status
from agent_sim.server.presence import Presence

STATION = Place("agent", "gateway-0")
AGENTS = [Place("agent", "gateway-0", f"m{number}") for number in range(3)]


def online(life: int = 1, connection: int = 1) -> Status:
    return Status(Life(life), connection, online=True)


def offline(life: int = 1, connection: int = 1) -> Status:
    return Status(Life(life), connection, online=False)


def a_gateway_with_agents() -> Presence:
    presence = Presence()
    presence.heard(STATION, online(), 10)
    for agent in AGENTS:
        presence.heard(agent, online(), 11)
        presence.asked(agent, 12)
    return presence


def there(presence: Presence) -> list[bool]:
    return [presence.is_online("agent", agent.machine) for agent in AGENTS]


def test_a_gateways_will_marks_all_its_agents_offline():
    presence = a_gateway_with_agents()
    assert there(presence) == [True, True, True]

    presence.heard(STATION, offline(), 20)

    assert there(presence) == [False, False, False]
    assert [agent.since for agent in presence.state().agents] == [20, 20, 20]


def test_an_agent_that_says_goodbye_is_gone_alone():
    presence = a_gateway_with_agents()

    presence.heard(AGENTS[1], offline(), 20)

    assert there(presence) == [True, False, True]


def test_a_will_that_fires_after_the_next_connection_is_stale():
    presence = a_gateway_with_agents()
    presence.heard(STATION, online(connection=2), 20)

    presence.heard(STATION, offline(connection=1), 21)

    assert there(presence) == [True, True, True]
    assert presence.state().stale == 1


def test_an_agent_retained_from_an_earlier_life_of_its_gateway_is_not_there():
    presence = Presence()
    presence.heard(AGENTS[0], online(life=1), 10)
    presence.heard(STATION, online(life=2), 11)

    assert not presence.is_online("agent", "m0")

    presence.heard(AGENTS[0], online(life=2), 12)

    assert presence.is_online("agent", "m0")


def test_an_agent_that_moves_to_another_gateway_is_reached_there():
    presence = a_gateway_with_agents()
    moved = Place("agent", "gateway-1", "m0")

    presence.asked(moved, 30)
    presence.heard(STATION, offline(), 31)

    assert presence.place_of("agent", "m0") == moved
    assert there(presence) == [True, False, False]


def test_with_a_connection_of_its_own_an_agents_will_is_its_own():
    presence = Presence()
    for machine in ("m0", "m1"):
        presence.heard(Place("agent", machine), online(), 10)
        presence.asked(Place("agent", machine, machine), 11)

    presence.heard(Place("agent", "m0"), offline(), 12)

    assert [presence.is_online("agent", machine) for machine in ("m0", "m1")] == [False, True]


def test_who_never_used_mqtt_is_not_reached_through_it():
    presence = a_gateway_with_agents()

    assert presence.place_of("agent", "over-http") is None
    assert presence.place_of("other", "m0") is None
