"""The agents' wire over the fast transport: callbacks instead of tasks, and answers that are read once.

What a request says is put into bytes when there is a connection for it.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from agent_sim.credentials import Credentials
from agent_sim.errors import TransportError
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest, CompletionReply, HeartbeatReply
from agent_sim.transports.answers import Answer
from agent_sim.transports.base import Connections, Target, Told
from agent_sim.transports.fast_http import FastSession, whole
from agent_sim.transports.line import Call, Line, Outcome

_REPLIES: Final = 256
"""Answers that are remembered; beyond that it starts anew."""


class FastPool:
    """Every agent's way to the server, as the mode says; open it with `async with`.

    Ask `limits.check_limits` first. Raises UsageError as FastSession does.
    """

    def __init__(self, target: Target, login: Credentials | None, connections: Connections) -> None:
        self._session, self._base = FastSession(target, login, connections), target.agents_url
        self._shared: FastAgents | None = None

    async def __aenter__(self) -> Self:
        self._session.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def agent(self, number: int) -> "FastAgents":
        """The transport of one agent; the same connections whenever it is asked for again."""
        if self._session.how.mode == "per_agent":
            return FastAgents(self._session, self._base, self._session.pool(number))
        if self._shared is None:
            self._shared = FastAgents(self._session, self._base, self._session.pool(0))
        return self._shared


class FastAgents:
    """The agents' wire over a pool (AgentTransport, CallbackTransport)."""

    __slots__ = ("_base", "_line", "_session")

    def __init__(self, session: FastSession, base: str, line: Line) -> None:
        self._session, self._base, self._line = session, base, line

    async def send(self, request: AgentRequest) -> AgentReply:
        """POST one request. Raises TransportError."""
        url, head = self._session.addressed(request.endpoint, self._base)
        return _reply(request, await self._session.ask(self._line, head, codec.agent_body(request.body), url))

    def start(self, request: AgentRequest, whose: object, told: Told) -> None:
        """POST one request; `told` is called once, later."""
        try:
            url, head = self._session.addressed(request.endpoint, self._base)
        except TransportError as error:
            asyncio.get_running_loop().call_soon(told, whose, request, error, 0, 0)
            return
        self._session.begin(_Told(self._line, url, head, request, whose, told))


class _Told(Call):
    """A call of an agent that nobody waits for."""

    __slots__ = ("head", "request", "told", "whose")

    def __init__(self, pool: Line, url: str, head: bytes, request: AgentRequest, whose: object, told: Told) -> None:
        Call.__init__(self, pool, url)  # one for every request of a fleet, and super() is an object of its own
        self.head, self.request, self.whose, self.told = head, request, whose, told

    def data(self) -> bytes:
        return whole(self.head, codec.agent_body(self.request.body))

    def done(self, outcome: Outcome) -> None:
        request = self.request
        end = _reply(request, outcome) if isinstance(outcome, Answer) else outcome
        wire, waited = self.took()
        self.told(self.whose, request, end, wire, waited)


def _reply(request: AgentRequest, answer: Answer) -> AgentReply:
    # A fleet hears one and the same answer to nearly all it says: it is read once.
    known = _KNOWN.get(answer.body)
    if known is not None and known[0] is type(request.body) and known[1].status == answer.status:
        return known[1]
    if answer.status >= 300:
        return AgentReply(answer.status, None)
    reply = AgentReply(answer.status, codec.read_agent_reply(request, answer.body))
    if isinstance(reply.body, HeartbeatReply | CompletionReply):
        if len(_KNOWN) >= _REPLIES:
            _KNOWN.clear()
        _KNOWN[answer.body] = type(request.body), reply
    return reply


_KNOWN: Final[dict[bytes, tuple[type, AgentReply]]] = {}
