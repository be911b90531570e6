"""Stations at a real Mosquitto that misbehaves: requests end, stale statuses are mended, duplicates are counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent_sim.cli.mosquitto import Mosquitto
from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, ReplyTimeout, TransportError, UsageError
from agent_sim.instants import MILLISECOND, MINUTE, SECOND
from agent_sim.link import trust
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, OK, AgentReply, AgentRequest, Heartbeat, HeartbeatReply
from agent_sim.protocol.mqtt import Broker, Life, Link, Packet, Place, Status, Topics
from agent_sim.transports.base import Stations
from agent_sim.transports.mqtt import opened
from agent_sim.transports.stations import MqttPool
from tests.transports.brokers import AGENT, OTHER, SERVER, a_mosquitto
from tests.transports.certificates import self_signed
from tests.transports.openings import FarEnd, answering_at
from tests.transports.peers import free_port

pytestmark = pytest.mark.slow

TOPICS = Topics()
BEATEN = AgentReply(200, HeartbeatReply(1, True, OK))
PATIENT = Stations(gateways=1, connect_timeout=20 * SECOND, request_timeout=20 * SECOND)
HASTY = Stations(gateways=1, connect_timeout=500 * MILLISECOND, request_timeout=2 * SECOND)
STATION = Place(AGENT.username, "gateway-0")


def beat(machine: str = "m0") -> AgentRequest:
    return AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, machine, "token"))


def pool_at(broker: Broker, how: Stations = PATIENT, login: Credentials = AGENT, life: int = 7, **more) -> MqttPool:
    return MqttPool(broker, login, how, Life(life), "gateway", **more)


def ignored(packet: Packet) -> None:
    pass


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # a condition of somebody else's has no event
            await asyncio.sleep(0.01)


async def answered(pool: MqttPool, machine: str = "m0") -> AgentReply:
    """Asked again until there is an answer, as an agent does."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(TransportError):
                return await pool.agent(0, machine).send(beat(machine))
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def a_world(*more: str) -> AsyncIterator[Mosquitto]:
    """A broker with somebody at it who answers all heartbeats."""
    async with a_mosquitto(*more) as mosquitto, answering_at(FarEnd(lambda request: BEATEN), mosquitto.broker, "5"):
        yield mosquitto


@contextlib.asynccontextmanager
async def listening(mosquitto: Mosquitto) -> AsyncIterator[list[Packet]]:
    """What anybody says below our prefix."""
    got: list[Packet] = []
    async with opened(mosquitto.broker, SERVER, None, Link("listener"), 10 * SECOND, got.append) as connection:
        await connection.subscribe(("agent-sim/#",))
        yield got


# --- losses -----------------------------------------------------------------------------------


async def test_a_broker_that_restarts_ends_what_was_on_its_way_and_is_found_again():
    silent = FarEnd(lambda request: BEATEN)
    async with a_mosquitto() as mosquitto, pool_at(mosquitto.broker) as pool:
        waiting = asyncio.create_task(pool.agent(0, "m0").send(beat()))  # nobody answers here
        await until(lambda: pool.stations and pool.counts.connections == 1)
        await asyncio.sleep(0.2)
        await mosquitto.stop()
        with pytest.raises(ReplyTimeout, match="broke off"):
            await waiting
        await mosquitto.start()
        async with answering_at(silent, mosquitto.broker, "5"):
            assert await answered(pool) == BEATEN
        assert (pool.counts.connections, pool.counts.losses) == (2, 1)


async def test_a_station_whose_name_is_taken_over_comes_back_under_it():
    async with a_world() as mosquitto, pool_at(mosquitto.broker) as pool:
        assert await answered(pool) == BEATEN
        [station] = pool.stations

        await station.be_taken_over()

        await until(lambda: pool.counts.connections == 2)
        assert await answered(pool) == BEATEN


async def test_a_station_that_leaves_says_goodbye_and_stays_away_for_so_long():
    async with a_world() as mosquitto, pool_at(mosquitto.broker, HASTY) as pool:
        assert await answered(pool) == BEATEN
        [station] = pool.stations

        station.leave(MINUTE)
        await until(lambda: pool.counts.losses == 1)

        with pytest.raises(ConnectFailed):
            await pool.agent(0, "m0").send(beat())


async def test_a_broker_that_hangs_costs_each_request_its_own_timeout_and_no_more():
    async with a_world() as mosquitto, pool_at(mosquitto.broker, replace(HASTY, connect_timeout=20 * SECOND)) as pool:
        assert await answered(pool) == BEATEN
        mosquitto.pause()
        started = asyncio.get_running_loop().time()

        with pytest.raises(ReplyTimeout, match="no answer in time"):
            await pool.agent(0, "m0").send(beat())

        assert asyncio.get_running_loop().time() - started < 15
        mosquitto.resume()
        assert await answered(pool) == BEATEN


async def test_without_a_broker_each_request_ends_in_connect_failed_when_its_patience_does():
    async with pool_at(Broker("127.0.0.1", free_port()), HASTY) as pool:
        with pytest.raises(ConnectFailed, match="no connection"):
            await pool.agent(0, "m0").send(beat())


# --- refusals ---------------------------------------------------------------------------------


async def test_wrong_credentials_are_answered_401_as_over_http():
    async with a_world() as mosquitto, pool_at(mosquitto.broker, login=Credentials(AGENT.username, "wrong")) as pool:
        assert await pool.agent(0, "m0").send(beat()) == AgentReply(401, None)


async def test_an_acl_that_keeps_us_from_our_topics_is_answered_403():
    async with a_mosquitto() as mosquitto:
        await mosquitto.stop()
        mosquitto.acl = "pattern read agent-sim/%u/#\n"
        await mosquitto.start()
        async with pool_at(mosquitto.broker, replace(PATIENT, connect_timeout=SECOND)) as pool:
            assert await answered(pool) == AgentReply(403, None)


async def test_what_is_larger_than_any_body_is_answered_413_and_not_sent(monkeypatch):
    monkeypatch.setattr(contract, "LARGEST_BODY", 1000)
    far = FarEnd(lambda request: BEATEN)
    async with a_mosquitto() as mosquitto, answering_at(far, mosquitto.broker, "5"), pool_at(mosquitto.broker) as pool:
        large = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "m0", "t" * 1000))
        assert await pool.agent(0, "m0").send(large) == AgentReply(413, None)
        assert await pool.agent(0, "m0").send(beat()) == BEATEN
    assert far.seen == [beat()]


# --- what comes twice, late or stale ----------------------------------------------------------


async def test_a_reply_delivered_twice_is_taken_once_and_counted():
    async with a_world() as mosquitto, pool_at(mosquitto.broker) as pool:
        pool.deliveries = lambda machine: 2

        assert await answered(pool) == BEATEN
        assert (pool.counts.duplicate_replies, pool.counts.late_replies) == (1, 0)


async def test_a_reply_to_a_request_that_was_given_up_is_late():
    async with a_world() as mosquitto, pool_at(mosquitto.broker) as pool:
        assert await answered(pool) == BEATEN
        async with opened(mosquitto.broker, SERVER, None, Link("late"), 5 * SECOND, ignored) as connection:
            topic = TOPICS.of(replace(STATION, machine="m0"), contract.Kind.REPLY)
            await connection.publish(contract.answer(contract.Headers(b"7.999", topic), BEATEN))
        await until(lambda: pool.counts.late_replies == 1)


async def test_a_stale_status_that_the_broker_retained_is_mended():
    stale = contract.status(TOPICS, STATION, Status(Life(3), 9, online=False))
    async with a_world() as mosquitto, listening(mosquitto) as said:
        async with opened(
            mosquitto.broker, AGENT, None, Link("earlier"), 5 * SECOND, lambda packet: None
        ) as connection:
            await connection.publish(stale)
        async with pool_at(mosquitto.broker) as pool:
            assert await answered(pool) == BEATEN
            async with opened(
                mosquitto.broker, AGENT, None, Link("late-will"), 5 * SECOND, lambda p: None
            ) as connection:
                await connection.publish(stale)  # as a will of an earlier life that comes late
            here = Status(Life(7), 1, online=True)
            statuses = lambda: [contract.read_status(one) for one in said if one.topic == stale.topic]  # noqa: E731
            await until(lambda: statuses()[-1] == here and statuses().count(here) == 2)


async def test_a_will_waits_as_long_as_it_was_told_to():
    how = replace(PATIENT, will_delay=SECOND)
    gone = Status(Life(7), 1, online=False)
    async with a_world() as mosquitto, listening(mosquitto) as said, pool_at(mosquitto.broker, how) as pool:
        assert await answered(pool) == BEATEN
        [station] = pool.stations
        station.break_off(MINUTE)
        await until(lambda: any(packet.payload == contract.status(TOPICS, STATION, gone).payload for packet in said))


# --- TLS --------------------------------------------------------------------------------------


@pytest.fixture
def tls_lines(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    made = self_signed(tmp_path, "127.0.0.1")
    return made.pem, (f"certfile {made.pem}", f"keyfile {tmp_path / 'server.key'}")


async def test_over_tls_the_broker_is_verified_by_the_file_that_is_given(tls_lines):
    pem, lines = tls_lines
    async with a_mosquitto(*lines) as mosquitto:
        broker = replace(mosquitto.broker, tls=True)
        far = FarEnd(lambda request: BEATEN)
        async with answering_at(far, broker, "5", trust(pem, None, None)):
            async with pool_at(broker, tls=trust(pem, None, None)) as pool:
                assert await answered(pool) == BEATEN
            async with pool_at(broker, HASTY) as pool:
                with pytest.raises(ConnectFailed, match="certificate verify failed"):
                    await pool.agent(0, "m0").send(beat())


async def test_a_client_certificate_is_a_login_without_a_password(tls_lines, tmp_path):
    pem, lines = tls_lines
    # The broker takes the certificate's common name for the user: the account in the topics must be the same.
    who = Credentials("agent-sim test", "")
    demands = (*lines, f"cafile {pem}", "require_certificate true", "use_identity_as_username true")
    shown = trust(pem, pem, tmp_path / "server.key")
    async with a_mosquitto(*demands) as mosquitto:
        broker = replace(mosquitto.broker, tls=True)
        async with pool_at(broker, replace(PATIENT, request_timeout=2 * SECOND), who, tls=shown) as pool:
            with pytest.raises(ReplyTimeout, match="no answer in time"):  # let in, and nobody there who answers
                await pool.agent(0, "m0").send(beat())
            assert pool.counts.connections == 1
        async with pool_at(broker, HASTY, OTHER, tls=trust(pem, None, None)) as pool:
            with pytest.raises(TransportError):
                await pool.agent(0, "m0").send(beat())


def test_a_ca_file_that_is_none_is_refused_with_its_name(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match=r"ca\.pem"):
        trust(tmp_path / "ca.pem", None, None)
    with pytest.raises(UsageError, match=r"client\.pem"):
        trust(None, tmp_path / "client.pem", None)
