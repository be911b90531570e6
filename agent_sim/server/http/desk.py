"""What every side of the HTTP shell does with a request: who asks, what it says, what the core replies, the commit.

The loop's thread is the writer and handles requests one by one. A request that takes long, such as a storm at ten
thousand ids, is handled and committed in a thread of its own; until it is done all others wait, except heartbeats,
which need no database: SQLite lets the interpreter go while it works. Neither side's paths, headers or JSON are known
here.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar, overload

from aiohttp import web

from agent_sim.credentials import Credentials
from agent_sim.instants import Instant
from agent_sim.protocol.agent import AgentReply, AgentRequest, Heartbeat
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.server.auth import Accounts, Verdict, basic
from agent_sim.server.callers import Caller
from agent_sim.server.http.bearers import Bearers
from agent_sim.server.http.committer import CommitFailed, Committer
from agent_sim.server.http.meter import Meter
from agent_sim.server.http.refusals import (
    FORGED,
    LATE_BODY,
    NO_TOKENS,
    SIGN_IN,
    TOO_LARGE,
    TWO_PROOFS,
    UNAUTHENTICATED,
    UNAUTHENTICATED_OR_TOKEN,
    Refused,
)
from agent_sim.server.http.tls import UNKNOWN_CERTIFICATE, client_certificate
from agent_sim.server.web.browsers import COOKIE, Browsers, proves
from agent_sim.settings import ServerSettings

BODY_SECONDS: Final = 60.0
"""How long the body of a request may take to arrive; our choice."""

_TURNS: Final = 8

SWEPT_AT_ONCE: Final = 100
"""Runs that time out or are forgotten in one turn of the loop: for these a heartbeat waits a few milliseconds."""

_logger = logging.getLogger(__name__)

Done = TypeVar("Done")


class Core(Protocol):
    """The server, as the shell needs it. A call that raises has changed nothing."""

    @overload
    def handle(self, request: AgentRequest, caller: Caller, now: Instant) -> AgentReply: ...
    @overload
    def handle(self, request: Operation, caller: Caller, now: Instant) -> CommandReply: ...

    def with_certificate(self, der: bytes, account: Caller | None, now: Instant) -> Caller | None:
        """Who an account, if any, and a client certificate are together; None if they prove nobody."""

    def sweep(self, now: Instant, at_once: int) -> Instant:
        """Do what is due by now, so much of each kind at once; returns when there is more to do."""

    def store_seen(self, now: Instant) -> Instant:
        """Store when some agents were last heard of; returns when to go on with the next ones."""

    def store_all_seen(self) -> None:
        """Store when each agent was last heard of, as far as only memory knows."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The core with what stands around it."""

    core: Core
    accounts: Accounts
    settings: ServerSettings
    clock: Callable[[], Instant]
    committer: Committer
    bearers: Bearers | None = None
    browsers: Browsers | None = None
    meter: Meter = field(default_factory=Meter)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by whoever has the store while others may run
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="at length"))

    async def person(self, request: web.Request) -> Caller:
        """Who sent this to the management API: as `caller`, or signed in with a browser. Raises Refused."""
        if self.browsers is None or "Authorization" in request.headers or "X-CSRF-Token" not in request.headers:
            return await self.caller(request)
        signed = self.browsers.find(request.cookies.get(COOKIE, ""))
        if signed is None:
            raise Refused(SIGN_IN)
        # Asked of reads as well: only our page's own script can set this header.
        if not proves(signed, request.headers["X-CSRF-Token"]):
            raise Refused(FORGED)
        return signed.caller

    async def by_user(self, username: str, password: str) -> Caller:
        """Who a user name and a password prove. Raises Refused."""
        return await self.by_password(basic(Credentials(username, password)))

    async def caller(self, request: web.Request) -> Caller:
        """Who sent this. Raises Refused."""
        headers = request.headers.getall("Authorization", [""])
        if len(headers) > 1:
            raise Refused(TWO_PROOFS)
        scheme, _, token = headers[0].strip().partition(" ")
        if scheme.lower() == "bearer":
            return await self._by_token(token.strip())
        return await self.by_password(headers[0])

    async def agent(self, request: web.Request) -> Caller:
        """Who sent this to the agents' side: by account, by client certificate, or by both. Raises Refused."""
        shown = client_certificate(request, believe_header=self.settings.trust_certificate_header)
        if shown is None:
            return await self.caller(request)
        account = await self.caller(request) if "Authorization" in request.headers else None
        async with self.turn:
            caller = self.core.with_certificate(shown, account, self.clock())
        if caller is None:
            raise Refused(UNKNOWN_CERTIFICATE)
        return caller

    async def _by_token(self, token: str) -> Caller:
        if not self.takes_tokens or self.bearers is None:
            raise Refused(NO_TOKENS)
        return await self.bearers.caller(token)

    @property
    def takes_tokens(self) -> bool:
        """True if there is anybody whose bearer tokens are believed."""
        return self.bearers is not None and not self.bearers.judge.is_idle

    async def by_password(self, header: str) -> Caller:
        """Who a Basic header proves. Raises Refused."""
        verdict = self.accounts.recall(header) or await self._verify(header)
        if verdict.caller is None:
            raise Refused(UNAUTHENTICATED_OR_TOKEN if self.takes_tokens else UNAUTHENTICATED)
        return verdict.caller

    async def _verify(self, header: str) -> Verdict:
        # Off the loop, because a password takes long to check; and one by one, because a fleet that
        # starts together sends one new header a thousand times.
        async with self._one_at_a_time:
            verdict = self.accounts.recall(header)
            return verdict if verdict else await asyncio.to_thread(self.accounts.verify, header)

    @overload
    async def ask(self, question: AgentRequest, caller: Caller) -> AgentReply: ...
    @overload
    async def ask(self, question: Operation, caller: Caller) -> CommandReply: ...
    async def ask(self, question: AgentRequest | Operation, caller: Caller) -> AgentReply | CommandReply:
        """The core's reply, once everything that it tells is committed."""
        if isinstance(question, AgentRequest) and isinstance(question.body, Heartbeat):
            return self.beat(question, caller)
        begun = time.perf_counter()
        if not isinstance(question, AgentRequest):
            await self._what_was_put_off()
        async with self.turn:
            reply = self.core.handle(question, caller, self.clock())
        await self.committer.settled()
        self._measure(question, reply.status, begun)
        return reply

    def ask_soon(self, question: AgentRequest, caller: Caller, told: Callable[[AgentReply | Exception], None]) -> bool:
        """The same without a task: `told` hears the reply, or why there is none. False if it must wait for its turn."""
        if self.turn.locked():
            return False
        begun = time.perf_counter()
        try:
            reply = self.core.handle(question, caller, self.clock())
        except Exception as error:  # noqa: BLE001  told to whoever waits, as `ask` raises it
            told(error)
            return True

        def settled(failure: str) -> None:
            if failure:
                told(CommitFailed(failure))
                return
            self._measure(question, reply.status, begun)
            told(reply)

        self.committer.when_settled(settled)
        return True

    def beat(self, question: AgentRequest, caller: Caller) -> AgentReply:
        """The reply to a heartbeat: it changes nothing, and never waits."""
        begun = time.perf_counter()
        reply = self.core.handle(question, caller, self.clock())
        self._measure(question, reply.status, begun)
        return reply

    def _measure(self, question: AgentRequest | Operation, status: int, begun: float) -> None:
        operation = type(question.body if isinstance(question, AgentRequest) else question).__name__
        self.meter.answered(operation, status, time.perf_counter() - begun)

    async def ask_at_length(self, question: Operation, caller: Caller) -> CommandReply:
        """The same for what takes long, while heartbeats go on."""
        # Once begun it must end, also if nobody waits for the answer any more: the core is not free before that.
        begun = time.perf_counter()
        reply = await self.apart(partial(self._handle_and_commit, question, caller))
        self._measure(question, reply.status, begun)
        return reply

    async def apart(self, work: Callable[[], Done]) -> Done:
        """What `work` returns, done with the store to itself in a thread of its own, while heartbeats go on."""
        return await asyncio.shield(asyncio.create_task(self._done_apart(work), name="at length"))

    async def _done_apart(self, work: Callable[[], Done]) -> Done:
        async with self.turn:
            self.committer.flush()  # what others wait for must not wait for this
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _handle_and_commit(self, question: Operation, caller: Caller) -> CommandReply:
        with _no_collections():
            reply = self.core.handle(question, caller, self.clock())
            self.committer.commit()
        return reply

    async def sweep(self) -> Instant:
        """Let the core do what is due, and commit that; returns when it wants to be called again."""
        await self._what_was_put_off()
        async with self.turn:
            wanted = self.core.sweep(self.clock(), SWEPT_AT_ONCE)
            self.committer.flush()
        return wanted

    async def _what_was_put_off(self) -> None:
        """See most of it done, a little in each turn of the loop, before somebody has all of it done at once."""
        for _ in range(_TURNS):  # not for as long as there is more: agents may bring as much in each turn
            async with self.turn:
                if not self.committer.settle_some():
                    return
            await asyncio.sleep(0)

    async def store_seen(self) -> Instant:
        """Let the core store some of when agents were last heard of; returns when it wants to be called again."""
        async with self.turn:
            wanted = self.core.store_seen(self.clock())
        self.committer.when_settled(_nobody_waits)  # with what others change: no commit of its own
        return wanted

    async def close(self) -> None:
        """Wait for what takes long, and commit what is open."""
        async with self.turn:
            try:
                self.core.store_all_seen()
            except Exception:  # whatever it dies of, what else is open must not be lost for it
                _logger.exception("when agents were last heard of could not be stored")
            self.committer.flush()
        self._thread.shutdown()


def _nobody_waits(failure: str) -> None:
    """The committer has told the log what went wrong, if anything did."""


@contextmanager
def _no_collections() -> Iterator[None]:
    """Ten thousand rows at once are no garbage: to look through them for some would hold up heartbeats meanwhile."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, of `limit` bytes at most. Raises Refused."""
    if (request.content_length or 0) > limit:
        raise Refused(TOO_LARGE)
    if request.content.is_eof():  # it came with the headers, as most do
        return _within(limit, request.content.read_nowait())
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                body += _within(limit - len(body), chunk)
    except TimeoutError:
        raise Refused(LATE_BODY) from None
    return bytes(body)


def _within(limit: int, data: bytes) -> bytes:
    if len(data) > limit:
        raise Refused(TOO_LARGE)
    return data
