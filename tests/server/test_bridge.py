"""The server at a real Mosquitto: answers, duplicates, notifications, presence; agents' stations at the other end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest

from agent_sim.cli.mosquitto import Mosquitto
from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.protocol import command
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, REGISTER, AgentReply, AgentRequest, Heartbeat, Register
from agent_sim.protocol.mqtt import Kind, Life, Link, Packet, Place, Topics
from agent_sim.server.auth import Accounts
from agent_sim.server.bridge import AtBroker, serving
from agent_sim.server.core import Server
from agent_sim.server.http.committer import Committer
from agent_sim.server.http.desk import Desk
from agent_sim.server.presence import Presence
from agent_sim.transports.base import Stations
from agent_sim.transports.mqtt import opened
from agent_sim.transports.stations import MqttPool
from tests.server.bench import OPERATOR, Bench
from tests.transports.brokers import AGENT, OTHER, SERVER, a_mosquitto

pytestmark = pytest.mark.slow

TOPICS = Topics()
STATIONS = Stations(gateways=1, request_timeout=5 * SECOND)


def registration(machine: str) -> AgentRequest:
    return AgentRequest(REGISTER, Register(5, 1, NO_TENANT, machine, None, "", ("Custom.FetchLogs",)))


@dataclass
class World:
    """A broker with a server at it."""

    mosquitto: Mosquitto
    bench: Bench
    desk: Desk

    @property
    def server(self) -> Server:
        return self.bench.server

    @property
    def presence(self) -> Presence:
        return self.server.presence

    def pool(self, login: Credentials = AGENT, how: Stations = STATIONS, **more: object) -> MqttPool:
        return MqttPool(self.mosquitto.broker, login, how, Life(time.time_ns() // MILLISECOND), "gateway", **more)

    async def operate(self, operation: command.Operation) -> None:
        reply = await self.desk.ask(operation, OPERATOR)
        assert reply.status < 300, reply


async def until(condition: Callable[[], object]) -> None:
    """Wait for it; a loaded machine may take its time."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # a condition of somebody else's has no event
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def a_world(*more: str, connections: int = 1) -> AsyncIterator[World]:
    bench = Bench(auto_approve=True)
    desk = Desk(bench.server, Accounts(OTHER, AGENT), bench.settings, time.time_ns, Committer(bench.store))
    async with a_mosquitto(*more) as mosquitto:
        how = AtBroker(mosquitto.broker, SERVER, connections=connections)
        async with serving(how, desk, bench.server, desk.committer.after):
            yield World(mosquitto, bench, desk)


@contextlib.asynccontextmanager
async def by_hand(world: World, login: Credentials = AGENT, name: str = "by-hand") -> AsyncIterator[tuple]:
    """A bare connection, and what arrived at it."""
    got: list[Packet] = []
    async with opened(world.mosquitto.broker, login, None, Link(name), 5 * SECOND, got.append) as connection:
        yield connection, got


async def test_agents_register_over_the_broker_as_the_account_that_the_topic_names():
    async with a_world() as world, world.pool() as pool:
        replies = await asyncio.gather(*(pool.agent(n, f"m{n}").send(registration(f"m{n}")) for n in range(20)))

        assert {reply.status for reply in replies} == {200}
        agents = world.server.handle(command.ListAgents(), OPERATOR, 0).body
        assert {(one.client_machine, one.username) for one in agents} == {(f"m{n}", AGENT.username) for n in range(20)}


async def test_a_user_that_the_server_does_not_know_is_answered_401():
    nobody = Credentials("nobody", "x")
    async with a_mosquitto() as mosquitto:
        bench = Bench()
        desk = Desk(bench.server, Accounts(OTHER, nobody), bench.settings, time.time_ns, Committer(bench.store))
        async with (
            serving(AtBroker(mosquitto.broker, SERVER), desk, bench.server, []),
            MqttPool(mosquitto.broker, AGENT, STATIONS, Life(1), "gateway") as pool,
        ):
            assert await pool.agent(0, "m0").send(registration("m0")) == AgentReply(401, None)
        assert bench.server.presence.refused == 1


async def test_a_new_job_is_told_to_its_agent_at_once_and_to_no_other():
    told: list[str] = []
    async with a_world() as world, world.pool(notified=told.append) as pool:
        replies = [await pool.agent(n, f"m{n}").send(registration(f"m{n}")) for n in range(3)]
        await world.operate(command.ScheduleJob(replies[1].body.session.agent_id, "FetchLogs"))

        await until(lambda: told)
        beats = [
            await pool.agent(n, f"m{n}").send(
                AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, f"m{n}", reply.body.session.token))
            )
            for n, reply in enumerate(replies)
        ]

    assert told == ["m1"]
    assert [beat.body.session_valid for beat in beats] == [True, False, True]


async def test_a_request_delivered_twice_is_answered_twice_done_once_and_counted():
    async with a_world() as world, by_hand(world) as (connection, got):
        place = Place(AGENT.username, "by-hand", "m0")
        await connection.subscribe(TOPICS.to_station(place))
        packet = contract.ask(TOPICS, place, registration("m0"), b"1.1", 0)

        await connection.publish(packet)
        await until(lambda: len(got) == 1)
        await connection.publish(packet)
        await until(lambda: len(got) == 2)

        assert got[0] == got[1]
        assert (world.presence.requests, world.presence.duplicates) == (2, 1)


async def test_a_retained_request_is_stale_and_does_nothing():
    async with a_mosquitto() as mosquitto:
        bench = Bench()
        desk = Desk(bench.server, Accounts(OTHER, AGENT), bench.settings, time.time_ns, Committer(bench.store))
        place = Place(AGENT.username, "by-hand", "m0")
        stale = replace(contract.ask(TOPICS, place, registration("m0"), b"1.1", 0), retain=True)
        async with opened(
            mosquitto.broker, AGENT, None, Link("by-hand"), 5 * SECOND, lambda packet: None
        ) as connection:
            await connection.publish(stale)
        async with serving(AtBroker(mosquitto.broker, SERVER), desk, bench.server, []):
            await until(lambda: bench.server.presence.stale)

        assert bench.server.handle(command.ListAgents(), OPERATOR, 0).body == ()


async def test_a_gateway_that_crashes_takes_its_agents_offline_by_its_will():
    async with a_world() as world, world.pool() as pool:
        await asyncio.gather(*(pool.agent(n, f"m{n}").send(registration(f"m{n}")) for n in range(5)))
        assert world.presence.state().online == 5

        [station] = pool.stations
        station.break_off(away=60 * SECOND)

        await until(lambda: world.presence.state().online == 0)


async def test_a_gateway_that_says_goodbye_is_gone_at_once():
    async with a_world() as world:
        async with world.pool() as pool:
            await pool.agent(0, "m0").send(registration("m0"))
        await until(lambda: world.presence.state().online == 0)


async def test_several_connections_share_the_requests_of_one_server():
    async with a_world(connections=3) as world, world.pool() as pool:
        replies = await asyncio.gather(*(pool.agent(n, f"m{n}").send(registration(f"m{n}")) for n in range(60)))

        assert {reply.status for reply in replies} == {200}
        assert world.presence.requests == 60  # each went to one of them and to no other


async def test_the_acl_binds_a_user_to_its_own_topics():
    async with a_world() as world, by_hand(world, OTHER) as (connection, got):
        place = Place(AGENT.username, "gateway-0", "m0")
        await connection.subscribe((*TOPICS.to_station(place), "agent-sim/#"))
        await connection.publish(contract.ask(TOPICS, place, registration("m0"), b"1.1", 0))
        async with world.pool() as pool:
            assert (await pool.agent(0, "m0").send(registration("m0"))).status == 200  # whatever came before is done

        assert world.presence.requests == 1
        assert got == []


async def test_a_server_that_the_broker_refuses_says_so_and_does_not_start():
    bench = Bench()
    desk = Desk(bench.server, Accounts(OTHER, AGENT), bench.settings, time.time_ns, Committer(bench.store))
    async with a_mosquitto() as mosquitto:
        wrong = AtBroker(mosquitto.broker, Credentials(SERVER.username, "wrong"))
        with pytest.raises(UsageError, match="refuses us"):
            async with serving(wrong, desk, bench.server, []):
                pass


async def test_a_notification_goes_to_the_topic_of_the_agent_alone():
    async with a_world() as world, by_hand(world) as (connection, got):
        place = Place(AGENT.username, "by-hand", "m0")
        await connection.subscribe(TOPICS.to_station(place))
        await connection.publish(contract.ask(TOPICS, place, registration("m0"), b"1.1", 0))
        await until(lambda: got)
        agent_id = contract.read_answer(registration("m0"), got[0]).body.session.agent_id
        await world.operate(command.ScheduleJob(agent_id, "FetchLogs"))
        await until(lambda: len(got) == 2)

        assert got[1].topic == TOPICS.of(place, Kind.NOTIFY)
