"""Every transport there is, each with a far end that is scripted with values: the contract's test bench.

An opening takes what the far end answers and gives the way there: straight for `direct`, as bytes over a real socket
for the others.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from agent_sim.draws import key, unit
from agent_sim.errors import ReplyTimeout
from agent_sim.instants import SECOND
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.transports.base import AgentTransport, CommandTransport, ConnectionMode, Connections
from agent_sim.transports.direct import DirectAgents, DirectCommand
from agent_sim.transports.http import HttpCommand, HttpPool, HttpSession
from tests.transports.peers import Wire, listening, response

NOW: Final = 1_000 * SECOND
PATIENT: Final = Connections()


class Odd(Enum):
    """What a far end may do instead of answering."""

    UNREADABLE = "an answer that is no JSON"
    EMPTY = "an answer without a body"
    SILENCE = "no answer at all"


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
            case Odd.SILENCE:
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
    far: FarEnd, how: Connections = PATIENT, *, mode: ConnectionMode
) -> AsyncIterator[Callable[[int], AgentTransport]]:
    async def script(wire: Wire) -> None:
        while received := await wire.request():
            path = received.path.removeprefix("/KeyfactorAgents")
            await _answer(wire, far.take(codec.read_agent_request(path, received.body)), received.body)

    async with listening(script) as peer, HttpPool(peer.target, None, replace(how, mode=mode)) as pool:
        yield pool.agent


async def _answer(wire: Wire, reply: AgentReply | Odd, request: bytes) -> None:
    # Answers overtake each other: each waits up to 20 ms, by a draw.
    await asyncio.sleep(unit(key("contract", request.decode()), "delay") / 50)
    match reply:
        case Odd.SILENCE:
            await asyncio.Event().wait()
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
