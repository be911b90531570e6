"""Every transport there is, each with a far end that is scripted with values: the contract's test bench.

An opening takes what the far end answers and gives the way there: straight for `direct`, as bytes over a real socket
for the others.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, Literal

from agent_sim.draws import key, unit
from agent_sim.errors import ReplyTimeout
from agent_sim.instants import SECOND
from agent_sim.protocol import codec
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.protocol.mqtt import Broker, Life, Link, Packet, Topics, Version
from agent_sim.server.mqtt import opened
from agent_sim.transports.aiohttp_pool import HttpSession
from agent_sim.transports.base import AgentTransport, CommandTransport, ConnectionMode, Connections, Stations
from agent_sim.transports.direct import DirectAgents, DirectCommand
from agent_sim.transports.http import HttpCommand
from agent_sim.transports.stations import MqttPool
from tests.transports.brokers import AGENT, SERVER
from tests.transports.clients import CLIENTS
from tests.transports.peers import Wire, listening, response

NOW: Final = 1_000 * SECOND
PATIENT: Final = Connections()


class Odd(Enum):
    """What a far end may do instead of answering."""

    UNREADABLE = "an answer that is no JSON"
    EMPTY = "an answer without a body"
    SILENCE = "no answer at all"
    BREAK = "the connection ends instead"


BrokerAt = Callable[[], contextlib.AbstractAsyncContextManager[tuple[Broker, Version]]]
Answer = Callable[[AgentRequest], AgentReply | Odd]


@dataclass
class FarEnd:
    """The scripted side; `seen` is every request that reached it."""

    answer: Answer
    seen: list[AgentRequest] = field(default_factory=list)

    def take(self, request: AgentRequest) -> AgentReply | Odd:
        self.seen.append(request)
        return self.answer(request)


# --- as values --------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def direct_agents(far: FarEnd, how: Connections = PATIENT) -> AsyncIterator[Callable[[int], AgentTransport]]:
    def handle(request: AgentRequest, now: int) -> AgentReply:
        match far.take(request):
            case Odd.SILENCE | Odd.BREAK:
                raise ReplyTimeout("the answer was dropped")  # how a shell without sockets says it
            case Odd():
                return AgentReply(200, None)
            case reply:
                return reply

    agents = DirectAgents(handle, lambda: NOW)
    yield lambda number: agents


@contextlib.asynccontextmanager
async def direct_command(reply: CommandReply) -> AsyncIterator[CommandTransport]:
    yield DirectCommand(lambda operation, now: reply, lambda: NOW)


# --- as bytes ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def http_agents(
    far: FarEnd, how: Connections = PATIENT, *, mode: ConnectionMode, client: str = "aiohttp"
) -> AsyncIterator[Callable[[int], AgentTransport]]:
    async def script(wire: Wire) -> None:
        while received := await wire.request():
            path = received.path.removeprefix("/KeyfactorAgents")
            await _answer(wire, far.take(codec.read_agent_request(path, received.body)), received.body)

    async with listening(script) as peer, CLIENTS[client].pool(peer.target, None, replace(how, mode=mode)) as pool:
        yield pool.agent


def _pause(request: bytes) -> float:
    """Answers overtake each other: each waits up to 20 ms, by a draw."""
    return unit(key("contract", request.decode()), "delay") / 50


async def _answer(wire: Wire, reply: AgentReply | Odd, request: bytes) -> None:
    await asyncio.sleep(_pause(request))
    match reply:
        case Odd.SILENCE:
            await asyncio.Event().wait()
        case Odd.BREAK:
            wire.reset()
        case Odd.UNREADABLE:
            await wire.say(response(b'{"Session": 7'))
        case Odd.EMPTY:
            await wire.say(response(b""))
        case AgentReply(status, body):
            await wire.say(response(codec.agent_body(body) if body else b"", f"{status} -"))


@contextlib.asynccontextmanager
async def http_command(reply: CommandReply, *, mode: ConnectionMode) -> AsyncIterator[CommandTransport]:
    total = () if reply.total is None else (f"X-Total-Count: {reply.total}",)
    answer = response(body_of(reply), f"{reply.status} -", *total)

    async def script(wire: Wire) -> None:
        while await wire.request():
            await wire.say(answer)

    connections = replace(PATIENT, mode=mode)
    async with listening(script) as peer, HttpSession(peer.target, None, connections) as session:
        yield HttpCommand(session, peer.target)


def body_of(reply: CommandReply) -> bytes:
    """A reply's JSON, as plainly as can be."""
    return b"" if reply.body is None else json.dumps(codec.to_json(reply.body, omit_none=False)).encode()


def read_back(operation: Operation, reply: CommandReply) -> CommandReply:
    """The reply after a journey as bytes."""
    return codec.read_reply(operation, reply.status, body_of(reply), reply.total)


# --- through a broker -------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def mqtt_agents(
    far: FarEnd, how: Connections = PATIENT, *, at: BrokerAt, mode: Literal["shared", "per_agent"]
) -> AsyncIterator[Callable[[int], AgentTransport]]:
    async with contextlib.AsyncExitStack() as stack:
        broker, version = await stack.enter_async_context(at())
        await stack.enter_async_context(answering_at(far, broker, version))
        stations = Stations(
            mode, version=version, connect_timeout=how.connect_timeout, request_timeout=how.request_timeout
        )
        pool = await stack.enter_async_context(MqttPool(broker, AGENT, stations, Life(1), "gateway"))
        yield lambda number: pool.agent(number, f"agentsim-lab-{number:05}")


@contextlib.asynccontextmanager
async def answering_at(
    far: FarEnd, broker: Broker, version: Version, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """The far end as a server at a broker."""
    topics, tasks, waiting = Topics(broker.prefix), set[asyncio.Task[None]](), asyncio.Queue[Packet]()
    link = Link("far-end", version)
    async with opened(broker, SERVER, tls, link, 10 * SECOND, waiting.put_nowait) as connection:
        await connection.subscribe((topics.requests(),))

        async def answer(packet: Packet) -> None:
            request = codec.read_agent_request(packet.headers.endpoint, packet.payload)
            odd = far.take(request)
            await asyncio.sleep(_pause(packet.payload))
            match odd:
                case Odd.SILENCE:
                    return
                case Odd.BREAK:
                    found = topics.read(packet.topic)
                    assert found is not None
                    link = Link(found[0].station, version)  # whoever takes a name throws out who has it
                    async with opened(broker, SERVER, None, link, 10 * SECOND, lambda packet: None):
                        return
                case Odd.UNREADABLE:
                    reply = replace(contract.answer(packet.headers, AgentReply(200, None)), payload=b'{"Session": 7')
                case Odd.EMPTY:
                    reply = contract.answer(packet.headers, AgentReply(200, None))
                case AgentReply() as told:
                    reply = contract.answer(packet.headers, told)
            await connection.publish(reply)

        async def serve() -> None:
            while True:
                task = asyncio.create_task(answer(await waiting.get()))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        serving = asyncio.create_task(serve())
        try:
            yield
        finally:
            for task in (serving, *tasks):
                task.cancel()
