"""The door of the server: plain messages of agents are answered here, all else goes on to aiohttp as it came.

A heartbeat costs the core a few microseconds and aiohttp a hundred, so what agents mostly send - a POST under the
agents' base, whole and small, with headers that every agent sends, from an account with a password - is parsed by
httptools and answered without it. At the first byte that is not as plain as that the connection is handed over, with
all that was not answered yet, and stays with aiohttp: what is refused, and how, is written once, over there. The head
of a message that was answered here once is known from then on (`heads`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast

import httptools
from aiohttp import web

from agent_sim.errors import MalformedMessage
from agent_sim.protocol.agent import AgentReply, AgentRequest, Heartbeat
from agent_sim.protocol.codec import agent_reader
from agent_sim.server.auth import Verdict
from agent_sim.server.callers import AGENT_SESSION, Caller
from agent_sim.server.http.agents import FIXED, log
from agent_sim.server.http.answers import answered
from agent_sim.server.http.desk import Desk
from agent_sim.server.http.heads import Head, Heads
from agent_sim.server.http.refusals import UNEXPECTED, Refused, reason_of

LARGEST_HERE: Final = 64 * 1024
"""Bytes of a message, its head included; a longer one is for aiohttp."""

WHOLE_SECONDS: Final = 10.0
"""How long a message may take to come whole; a slower one is for aiohttp, with its own patience."""

_PLAIN: Final = frozenset(
    b"host authorization connection content-type content-length accept accept-encoding user-agent".split()
)
"""Headers that mean nothing to us, or that are looked at here."""

_PATH_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/")

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Message:
    """What httptools found so far; it calls these methods."""

    path: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False
    is_odd: bool = False

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        ends = lowered == b"connection" and value.lower() != b"keep-alive"
        if ends or lowered not in _PLAIN or lowered in self.headers:
            self.is_odd = True
        self.headers[lowered] = value

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_begin(self) -> None:
        self.is_odd = self.is_odd or self.is_whole  # a second one came along: nobody but tests does that

    def on_message_complete(self) -> None:
        self.is_whole = True


class Door(asyncio.Protocol):
    """One connection, for as long as it is plain."""

    def __init__(
        self, desk: Desk, bases: tuple[bytes, ...], heads: Heads, others: Callable[[], asyncio.Protocol]
    ) -> None:
        self._desk, self._bases, self._heads, self._others = desk, bases, heads, others
        self._transport: asyncio.Transport | None = None
        self._held = b""  # of the message that is being read, all of it
        self._ahead = b""  # what came while the last one is not answered
        self._task: asyncio.Task[None] | None = None
        self._is_waiting = False  # for an answer without a task
        self._patience: asyncio.TimerHandle | None = None
        self._fresh()

    def _fresh(self) -> None:
        self._held, self._message = b"", _Message()
        self._parser = httptools.HttpRequestParser(self._message)

    # --- what asyncio calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        secured = transport.get_extra_info("ssl_object")
        if secured is not None and secured.getpeercert(binary_form=True):
            self._hand_over()  # whose certificate that is, aiohttp's side asks

    def data_received(self, data: bytes) -> None:
        if self._task is not None or self._is_waiting:
            self._ahead += data
            if len(self._ahead) > LARGEST_HERE and self._transport is not None:
                self._transport.pause_reading()
            return
        known = None if self._held else self._heads.find(data)
        if known is None:
            self._read(data)
        else:
            self._take_known(*known, data)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._be_patient(False)

    def close(self) -> None:
        """End the connection; what was written still goes out."""
        if self._transport is not None:
            self._transport.close()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What is being answered."""
        return self._task

    # --- reading ------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        self._held += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._message.is_odd = True
        if self._message.is_odd or len(self._held) > LARGEST_HERE:
            self._hand_over()
        elif self._message.is_whole:
            self._be_patient(False)
            self._take()
        elif self._patience is None:
            self._be_patient(True)

    def _be_patient(self, wanted: bool) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if wanted:
            self._patience = asyncio.get_running_loop().call_later(WHOLE_SECONDS, self._hand_over)

    def _take(self) -> None:
        """Answer the message that is whole now, if it is a plain one."""
        account = self._message.headers.get(b"authorization", b"").decode("latin-1")
        verdict = self._desk.accounts.recall(account)
        if verdict is None and account[:6].lower() == "basic ":
            self._task = asyncio.create_task(self._introduce(account), name="agent's account")
            return
        head = self._understood(verdict)
        if head is None:
            self._hand_over()
            return
        message, body = self._held, self._message.body
        self._fresh()
        if self._take_known(head, body, message):
            self._heads.keep(message, head)

    def _take_known(self, head: Head, body: bytes, message: bytes) -> bool:
        """Answer what has such a head, unless its body is nothing that is answered here."""
        try:
            request = head.read(body)
        except MalformedMessage:
            self._held = message
            self._hand_over()
            return False
        if isinstance(request.body, Heartbeat):
            self._answer_at_once(request, head.caller)
            return True
        self._is_waiting = True
        if not self._desk.ask_soon(request, head.caller, partial(self._told, request)):
            self._is_waiting = False
            self._task = asyncio.create_task(self._answer(request, head.caller), name="agent's message")
        return True

    async def _introduce(self, account: str) -> None:
        """Have an account verified that nobody has come with yet, and go on."""
        with suppress(Refused):  # which is remembered, and said by aiohttp's side
            await self._desk.by_password(account)
        self._task = None
        self._take()
        if self._task is None and not self._is_waiting:
            self._read_ahead()

    def _understood(self, verdict: Verdict | None) -> Head | None:
        """What the head of this message means, if it is one for us."""
        message, parser = self._message, self._parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        path = self._below_base(message.path)
        if path is None or verdict is None or verdict.caller is None or not verdict.caller.may(AGENT_SESSION):
            return None
        try:
            return Head(verdict.caller, agent_reader(FIXED.get(path.lower(), path)), len(message.body))
        except MalformedMessage:
            return None

    def _below_base(self, path: bytes) -> str | None:
        if b"//" in path or path.endswith(b"/") or not _PATH_LETTERS.issuperset(path):
            return None
        lowered = path.lower()
        for base in self._bases:
            if lowered.startswith(base):
                return path[len(base) - 1 :].decode()
        return None

    def _hand_over(self) -> None:
        """From here on the connection is aiohttp's, beginning with what is not answered."""
        self._be_patient(False)
        transport, self._transport = self._transport, None
        if transport is None or transport.is_closing():
            return
        other = self._others()
        transport.set_protocol(other)
        other.connection_made(transport)
        if self._held or self._ahead:
            transport.resume_reading()
            other.data_received(self._held + self._ahead)

    # --- answering ----------------------------------------------------------------------------

    def _answer_at_once(self, request: AgentRequest, caller: Caller) -> None:
        try:
            reply = self._desk.beat(request, caller)
        except Exception as error:  # noqa: BLE001  the rim, as in `app`: logged there if it is a bug
            self._write(_failed(error))
            return
        log(request, reply)
        self._write(reply)

    async def _answer(self, request: AgentRequest, caller: Caller) -> None:
        try:
            reply = await self._desk.ask(request, caller)
            log(request, reply)
        except Exception as error:  # noqa: BLE001  the same
            reply = _failed(error)
        self._task = None
        self._write(reply)
        self._read_ahead()

    def _told(self, request: AgentRequest, reply: AgentReply | Exception) -> None:
        self._is_waiting = False
        if isinstance(reply, Exception):
            reply = _failed(reply)
        log(request, reply)
        self._write(reply)
        self._read_ahead()

    def _read_ahead(self) -> None:
        ahead, self._ahead = self._ahead, b""
        if ahead and self._transport is not None:
            self._transport.resume_reading()
            self._read(ahead)

    def _write(self, reply: AgentReply) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answered(reply))


def _failed(error: Exception) -> AgentReply:
    reason = reason_of(error)
    if reason is UNEXPECTED:
        _logger.error("request failed", exc_info=error)
    return AgentReply(reason.problem.status, None)


# --- listening --------------------------------------------------------------------------------


@asynccontextmanager
async def listening(runner: web.AppRunner, desk: Desk, drain: float, **where: object) -> AsyncIterator[asyncio.Server]:
    """Listen inside the block; `where` as for `loop.create_server`. At the end, what is asked is answered first."""
    assert runner.server is not None
    others = cast(Callable[[], asyncio.Protocol], runner.server)
    bases = tuple(f"/{base.strip('/')}/".lower().encode() for base in desk.settings.agents_bases)
    doors: set[Door] = set()
    heads = Heads()

    def made() -> Door:
        door = _Kept(desk, bases, heads, others, doors)
        doors.add(door)
        return door

    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, backlog=1024, **where)  # type: ignore[call-overload]
    try:
        yield server
    finally:
        server.close()
        if not desk.turn.locked():  # whoever holds it commits for all who wait
            desk.committer.flush()
        tasks = [door.task for door in doors if door.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=drain)
        for door in list(doors):
            door.close()


class _Kept(Door):
    """A door that leaves the set of doors when its connection is over, or not its own any more."""

    def __init__(
        self,
        desk: Desk,
        bases: tuple[bytes, ...],
        heads: Heads,
        others: Callable[[], asyncio.Protocol],
        doors: "set[Door]",
    ) -> None:
        super().__init__(desk, bases, heads, others)
        self._doors = doors

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._doors.discard(self)

    def _hand_over(self) -> None:
        self._doors.discard(self)
        super()._hand_over()
