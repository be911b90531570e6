"""How connections are used: who shares one, who waits for one, and what a connection's end does to requests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from agent_sim.errors import ConnectFailed, ReplyTimeout
from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.protocol import command
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, OK, AgentReply, AgentRequest, Heartbeat, HeartbeatReply
from agent_sim.protocol.codec import agent_body
from agent_sim.protocol.command import CommandReply
from agent_sim.transports.aiohttp_pool import HttpPool
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import HttpCommand
from tests.transports.clients import agents_of, pool_of, session_of
from tests.transports.peers import Peer, Script, Wire, answering, listening, response

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("client")]

MODES = ["shared", "per_agent", "per_request"]
BEATEN = AgentReply(200, HeartbeatReply(1, True, OK))
ANSWER = response(agent_body(BEATEN.body))
LATE = AgentReply(200, HeartbeatReply(99, True, OK))


def beat(token: str = "token-1") -> AgentRequest:
    return AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", token))


@contextlib.asynccontextmanager
async def pooled(script: Script, how: Connections) -> AsyncIterator[tuple[Peer, HttpPool]]:
    async with listening(script) as peer, pool_of(peer.target, None, how) as pool:
        yield peer, pool


async def slowly(wire: Wire) -> None:
    while await wire.request():
        await asyncio.sleep(0.3)
        await wire.say(ANSWER)


# --- modes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "connections"), [("shared", 1), ("per_agent", 3), ("per_request", 12)])
async def test_one_after_the_other_agents_use_the_connections_of_their_mode(mode, connections):
    async with pooled(answering(ANSWER), Connections(mode)) as (peer, pool):
        for _ in range(4):
            for number in range(3):
                assert await pool.agent(number).send(beat()) == BEATEN

        assert peer.connections == connections


@pytest.mark.parametrize(("mode", "most"), [("shared", 4), ("per_agent", 10), ("per_request", 4)])
async def test_all_at_once_agents_keep_to_the_limit_of_their_mode(mode, most):
    async with pooled(slowly, Connections(mode, limit=4)) as (peer, pool):
        answers = await asyncio.gather(*(pool.agent(number % 10).send(beat()) for number in range(30)))

        assert answers == [BEATEN] * 30
        assert peer.most_open == most


async def test_an_agent_with_its_own_connection_sends_one_request_at_a_time():
    async with pooled(slowly, Connections("per_agent")) as (peer, pool):
        await asyncio.gather(*(pool.agent(7).send(beat()) for _ in range(5)))

        assert (peer.connections, len(peer.received)) == (1, 5)


async def test_one_agents_silence_holds_up_nobody_with_a_connection_of_their_own():
    async def script(wire: Wire) -> None:
        while received := await wire.request():
            if b"silent" not in received.body:
                await wire.say(ANSWER)

    async with pooled(script, Connections("per_agent", request_timeout=SECOND)) as (_, pool):
        silent = asyncio.create_task(pool.agent(0).send(beat("silent")))
        for number in range(1, 20):
            assert await pool.agent(number).send(beat()) == BEATEN
        assert not silent.done()
        with pytest.raises(ReplyTimeout):
            await silent


async def test_per_request_closes_the_connection_after_the_answer_although_the_server_would_keep_it():
    async with pooled(answering(ANSWER), Connections("per_request")) as (peer, pool):
        for _ in range(3):
            await pool.agent(0).send(beat())
            await peer.all_closed()


@pytest.mark.parametrize("mode", MODES)
async def test_leaving_the_pool_closes_every_connection(mode):
    async with listening(answering(ANSWER)) as peer:
        async with pool_of(peer.target, None, Connections(mode)) as pool:
            await asyncio.gather(*(pool.agent(number).send(beat()) for number in range(60)))
        await peer.all_closed()


@pytest.mark.parametrize("mode", MODES)
async def test_leaving_the_pool_by_an_error_closes_every_connection_too(mode):
    async with listening(answering(ANSWER)) as peer:
        with contextlib.suppress(ZeroDivisionError):
            async with pool_of(peer.target, None, Connections(mode)) as pool:
                await pool.agent(0).send(beat())
                raise ZeroDivisionError
        await peer.all_closed()


async def test_a_pool_that_nobody_used_opens_and_closes_without_a_server():
    async with pool_of(Target.at("http://127.0.0.1:1"), None, Connections("per_agent")) as pool:
        pool.agent(0)


async def test_ipv6_works():
    async with listening(answering(ANSWER), host="::1") as peer, pool_of(peer.target, None, Connections()) as pool:
        assert await pool.agent(0).send(beat()) == BEATEN

    assert [received.header("Host") for received in peer.received] == [f"[::1]:{peer.port}"]


# --- waiting for a connection -----------------------------------------------------------------


async def test_waiting_for_a_free_connection_may_take_longer_than_connecting():
    how = Connections(limit=1, connect_timeout=SECOND)  # five answers take 1.5 s

    async with pooled(slowly, how) as (_, pool):
        assert await asyncio.gather(*(pool.agent(0).send(beat()) for _ in range(5))) == [BEATEN] * 5


@pytest.fixture
def deaf() -> Iterator[Target]:
    """A server that listens and does not accept: its queue is full, and the kernel drops what knocks."""
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            knocking = sockets.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(server.getsockname())
        yield Target.at(f"http://127.0.0.1:{server.getsockname()[1]}")


async def test_a_server_that_does_not_accept_is_given_up_within_the_connect_timeout(deaf):
    loop = asyncio.get_running_loop()
    async with session_of(deaf, None, Connections(connect_timeout=300 * MILLISECOND)) as session:
        started = loop.time()
        with pytest.raises(ConnectFailed, match="timed out"):
            await agents_of(session, deaf).send(beat())

        assert 0.25 < loop.time() - started < 15


async def test_a_request_that_found_no_connection_in_all_its_time_was_never_sent_and_says_so(deaf):
    """One of them is connecting when time is up, the others wait for its connection."""
    async with session_of(deaf, None, Connections(limit=1, request_timeout=300 * MILLISECOND)) as session:
        agents = agents_of(session, deaf)
        ends = await asyncio.gather(*(agents.send(beat()) for _ in range(3)), return_exceptions=True)

    assert [type(end) for end in ends] == [ConnectFailed] * 3


# --- a connection ends ------------------------------------------------------------------------


async def test_a_connection_that_the_server_announced_to_close_is_not_used_again():
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.say(response(agent_body(BEATEN.body), "200 OK", "Connection: close"))
        assert await wire.reader.read() == b""

    async with pooled(script, Connections()) as (peer, pool):
        for _ in range(3):
            assert await pool.agent(0).send(beat()) == BEATEN

    assert (peer.connections, len(peer.received)) == (3, 3)


@pytest.mark.parametrize("mode", ["shared", "per_agent"])
async def test_a_kept_connection_that_the_server_closed_meanwhile_is_replaced(mode):
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.say(ANSWER)

    async with pooled(script, Connections(mode)) as (peer, pool):
        for _ in range(3):
            assert await pool.agent(0).send(beat()) == BEATEN
            await peer.all_closed()
            await asyncio.sleep(0.05)  # the news arrives

    assert (peer.connections, len(peer.received)) == (3, 3)


async def close_on_the_second(wire: Wire) -> None:
    await wire.request()
    await wire.say(response(b"[]"))
    await wire.request()


async def reset_on_the_second(wire: Wire) -> None:
    await close_on_the_second(wire)
    wire.reset()


@pytest.mark.parametrize("script", [close_on_the_second, reset_on_the_second])
@pytest.mark.parametrize(("operation", "method"), [(command.Acknowledge((1,)), "POST"), (command.ListAgents(), "GET")])
async def test_a_request_on_a_kept_connection_that_then_closes_is_never_sent_again(script, operation, method):
    """aiohttp by itself would send the GET twice."""
    async with listening(script) as peer, session_of(peer.target, None, Connections()) as session:
        api = HttpCommand(session, peer.target)
        assert await api.call(command.GetEndpoints()) == CommandReply(200, ())
        with pytest.raises(ReplyTimeout):
            await api.call(operation)
        await peer.all_closed()

        assert [received.line.split()[0] for received in peer.received] == ["GET", method]
        assert peer.connections == 1


@pytest.mark.parametrize(("operation", "method"), [(command.Acknowledge((1,)), "POST"), (command.ListAgents(), "GET")])
async def test_a_request_that_crosses_the_servers_close_is_unknown_and_not_sent_again(operation, method):
    """The server closes in the very moment in which the client, who cannot know yet, sends."""
    wires: list[Wire] = []

    async def script(wire: Wire) -> None:
        wires.append(wire)
        while await wire.request():
            await wire.say(response(b"[]"))

    async with listening(script) as peer, session_of(peer.target, None, Connections()) as session:
        api = HttpCommand(session, peer.target)
        assert await api.call(command.GetEndpoints()) == CommandReply(200, ())
        wires[0].writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # and no loop runs until it is sent
        with pytest.raises(ReplyTimeout):
            await api.call(operation)
        await asyncio.sleep(0.05)

        assert len(peer.received) == 1
        assert peer.connections == 1
        assert await api.call(command.GetEndpoints()) == CommandReply(200, ())


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(mode):
    async def script(wire: Wire) -> None:
        while received := await wire.request():
            if b"slow" in received.body:
                await asyncio.sleep(2.5)
                await wire.say(response(agent_body(LATE.body)))
            else:
                await wire.say(ANSWER)

    async with pooled(script, Connections(mode, limit=1, request_timeout=2 * SECOND)) as (_, pool):
        with pytest.raises(ReplyTimeout):
            await pool.agent(0).send(beat("slow"))
        for _ in range(4):
            assert await pool.agent(0).send(beat()) == BEATEN
            await asyncio.sleep(0.08)


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_ones(mode):
    async def script(wire: Wire) -> None:
        while await wire.request():
            await wire.say(ANSWER, response(agent_body(LATE.body)))

    async with pooled(script, Connections(mode)) as (_, pool):
        for _ in range(5):
            assert await pool.agent(0).send(beat()) == BEATEN


async def test_a_cancelled_call_ends_its_connection_and_frees_its_place():
    async def script(wire: Wire) -> None:
        while received := await wire.request():
            if b"silent" not in received.body:
                await wire.say(ANSWER)

    async with pooled(script, replace(Connections(), limit=1)) as (peer, pool):
        waiting = asyncio.create_task(pool.agent(0).send(beat("silent")))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await peer.all_closed()
        assert await pool.agent(0).send(beat()) == BEATEN

    assert len(peer.received) == 2
