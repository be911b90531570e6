"""What only the fast HTTP transport has: callbacks, many addresses of our own, any event loop."""

import asyncio

import pytest
import uvloop

from agent_sim.errors import ConnectFailed, ReplyTimeout
from agent_sim.instants import MILLISECOND
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, OK, AgentReply, AgentRequest, Heartbeat, HeartbeatReply
from agent_sim.protocol.codec import agent_body
from agent_sim.protocol.command import ListAgents, Page
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.fast_agents import FastPool
from agent_sim.transports.fast_command import FastCommand
from agent_sim.transports.fast_http import FastSession
from tests.transports.calls import BEAT, BEATEN, LOGIN
from tests.transports.certificates import self_signed
from tests.transports.peers import Wire, answering, free_port, listening, response

pytestmark = pytest.mark.slow

ANSWER = response(agent_body(BEATEN))


async def started(agent, request=BEAT):
    """Start a request and wait for what its callback is told."""
    ended = asyncio.get_running_loop().create_future()
    agent.start(request, "whose", lambda whose, what, *told: ended.set_result(told))
    return await asyncio.wait_for(ended, 60)


async def test_a_callback_is_told_the_reply_and_how_long_it_took_and_waited():
    async def script(wire: Wire) -> None:
        while await wire.request():
            await asyncio.sleep(0.05)
            await wire.say(ANSWER)

    async with listening(script) as peer, FastPool(peer.target, LOGIN, Connections(limit=1)) as pool:
        first, second = await asyncio.gather(started(pool.agent(0)), started(pool.agent(1)))

    assert (first[0], second[0]) == (AgentReply(200, BEATEN), AgentReply(200, BEATEN))
    assert min(first[1], second[1]) >= 45 * MILLISECOND
    assert first[2] < second[2]
    assert second[2] >= 45 * MILLISECOND


async def test_a_callback_is_told_of_failures_too():
    target = Target.at(f"http://127.0.0.1:{free_port()}")
    async with FastPool(target, LOGIN, Connections()) as pool:
        assert isinstance((await started(pool.agent(0)))[0], ConnectFailed)
        unspeakable = AgentRequest("\ud800", BEAT.body)
        assert isinstance((await started(pool.agent(0), unspeakable))[0], ConnectFailed)


async def test_an_operation_by_callback_comes_to_what_a_call_comes_to():
    bodies = (b'["x"]', b"[]", b'[{"AgentId": 1}]', b'{"Message": "no"}')
    answers = [response(body, "200 -", "X-TOTAL-COUNT: 7") for body in bodies] + [response(b"", "500 -")]

    async def script(wire: Wire) -> None:
        for number in range(2 * len(answers)):
            await wire.request()
            await wire.say(answers[number // 2])
        await wire.request()  # and no answer

    operation = ListAgents(Page(query="AgentId -eq 1"))
    async with listening(script) as peer, FastSession(peer.target, LOGIN, Connections(limit=1)) as session:
        api = FastCommand(session, peer.target)
        for _ in answers:
            called = await api.call(operation)
            told = await asked(api, operation)
            assert told[:2] == ("order", called)
        assert isinstance((await asked(api, operation))[1], ReplyTimeout)
        assert isinstance(
            (await asked(FastCommand(session, Target.at("http://127.0.0.2:1")), operation))[1], ConnectFailed
        )


async def asked(api, operation):
    """Ask for an operation and wait for what the callback is told."""
    ended = asyncio.get_running_loop().create_future()
    api.start(operation, "order", "whose", lambda whose, *told: ended.set_result(told))
    return await asyncio.wait_for(ended, 60)


async def test_a_fleet_of_connections_over_loopback_comes_from_many_addresses():
    seen = set()

    async def script(wire: Wire) -> None:
        seen.add(wire.writer.get_extra_info("peername")[0])
        while await wire.request():
            await wire.say(ANSWER)

    async with listening(script) as peer, FastPool(peer.target, LOGIN, Connections("per_agent")) as pool:
        for number in range(16):
            assert await pool.agent(number).send(BEAT) == AgentReply(200, BEATEN)

    assert seen == {f"127.0.0.{number}" for number in range(1, 9)}


async def test_heartbeats_that_are_answered_alike_are_still_each_their_own():
    """The answer is read once and remembered: for the bytes that it was, and for nothing else."""
    other = HeartbeatReply(7, False, OK)

    async def script(wire: Wire) -> None:
        while received := await wire.request():
            await wire.say(response(agent_body(other if b"other" in received.body else BEATEN)))

    odd = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "m", "other"))
    async with listening(script) as peer, FastPool(peer.target, LOGIN, Connections()) as pool:
        said = [(await pool.agent(0).send(request)).body for request in (BEAT, odd, BEAT, odd)]

    assert said == [BEATEN, other, BEATEN, other]


async def test_closing_the_pool_ends_what_is_on_its_way():
    arrived = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        arrived.set()
        await wire.reader.read()

    async with listening(script) as peer:
        async with FastPool(peer.target, LOGIN, Connections(limit=1)) as pool:
            waiting = [asyncio.create_task(pool.agent(0).send(BEAT)) for _ in range(3)]
            await arrived.wait()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        await peer.all_closed()

    assert [type(end) for end in ends] == [ReplyTimeout, ConnectFailed, ConnectFailed]


@pytest.mark.parametrize("mode", ["shared", "per_agent", "per_request"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_runs_on_uvloop_too(tmp_path, mode, scheme):
    local = self_signed(tmp_path, "127.0.0.1")

    async def run():
        tls = local.context if scheme == "https" else None
        async with listening(answering(ANSWER), tls) as peer:
            target = Target.at(peer.url, ca=local.pem if tls else None)
            async with FastPool(target, LOGIN, Connections(mode, limit=3)) as pool:
                for _ in range(2):
                    said = await asyncio.gather(*(pool.agent(number % 5).send(BEAT) for number in range(15)))
                    assert said == [AgentReply(200, BEATEN)] * 15
            await peer.all_closed()
        return peer.connections

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == {"shared": 3, "per_agent": 5, "per_request": 30}[mode]
