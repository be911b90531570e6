"""The server at a broker: requests in, replies out, notifications pushed, statuses heard; the same desk as over HTTP.

A loop around the core and nothing more. One bridge holds one connection or several, which share the requests by a
shared subscription; a fixed number of workers at each answers them, so that a flood waits in a queue of bounded length
and not in tasks. A request that was delivered twice is answered as the first time, from memory, and counted.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from agent_sim.credentials import Credentials
from agent_sim.errors import MalformedMessage, TransportError, UsageError
from agent_sim.instants import MINUTE, SECOND, Instant, Span
from agent_sim.link import Client, Kept
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.mqtt import Broker, Kind, Link, Packet, Place, Topics, Version
from agent_sim.server.callers import AGENT_SESSION, Caller
from agent_sim.server.core import Notification
from agent_sim.server.mqtt import Connection, opened
from agent_sim.server.presence import Presence

_WORKERS: Final = 16
"""Requests that one connection has in hand at once; they share commits."""
_WAITING: Final = 20_000
"""Requests that may wait for a worker; more are dropped, and their agents ask again."""
_REMEMBERED: Final = 4096
"""Requests whose replies are kept, to tell and answer a second delivery."""

_logger = logging.getLogger(__name__)


class Accounts(Protocol):
    """Whom the server knows."""

    def known(self, name: str) -> Caller | None: ...


class Desk(Protocol):
    """What answers: see `server.http.desk`."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def clock(self) -> Callable[[], Instant]: ...

    async def ask(self, question: AgentRequest, caller: Caller) -> AgentReply: ...


class News(Protocol):
    """Where notifications come from; take and clear."""

    @property
    def presence(self) -> Presence: ...

    def notifications(self) -> Sequence[Notification]: ...


@dataclass(frozen=True, slots=True)
class AtBroker:
    """How the server connects; `connections` of them share the requests (version 5 only)."""

    broker: Broker
    login: Credentials
    tls: ssl.SSLContext | None = None
    version: Version = "5"
    connections: int = 1
    clean_start: bool = False
    session_expiry: Span = 5 * MINUTE
    patience: Span = 10 * SECOND


class Bridge:
    """The server's connections to one broker; `serving` is how to have one."""

    def __init__(self, how: AtBroker, desk: Desk, news: News) -> None:
        if how.version != "5" and how.connections > 1:
            raise UsageError("several connections share requests by MQTT 5 only: use version 5, or one connection")
        self._how, self._desk, self._news = how, desk, news
        self._loop = asyncio.get_running_loop()
        self._topics = Topics(how.broker.prefix)
        self._presence = news.presence
        self._answered: OrderedDict[tuple[str, str, bytes], Packet | None] = OrderedDict()
        self._lines = [_Line(how, number, self._take, self._work) for number in range(1, how.connections + 1)]

    async def connected(self) -> None:
        """Return when every connection is there. Raises TransportError."""
        for line in self._lines:
            await line.kept.connected(self._how.patience)

    async def close(self) -> None:
        """Disconnect; requests that wait are forgotten, and their agents ask again."""
        await asyncio.gather(*(line.close() for line in self._lines))

    # --- what comes in ------------------------------------------------------------------------

    def _take(self, line: "_Line", packet: Packet) -> None:
        """Every message, as the loop reads it; nothing here waits."""
        found = self._topics.read(packet.topic)
        match found:
            case (place, Kind.REQUEST) if packet.retain:
                self._presence.stale += 1  # somebody had it retained: whenever it was meant, it is not now
                _logger.debug("retained request ignored", extra={"machine": place.machine})
            case (place, Kind.REQUEST):
                self._presence.requests += 1
                line.put((place, packet), self._presence)
            case (place, Kind.STATUS):
                self._take_status(place, packet)
            case _:
                self._presence.refused += 1

    def _take_status(self, place: Place, packet: Packet) -> None:
        try:
            self._presence.heard(place, contract.read_status(packet), self._desk.clock())
        except MalformedMessage:
            self._presence.refused += 1

    async def _work(self, line: "_Line", client: Client) -> None:
        """One worker of one connection."""
        while True:
            item = place, packet = await line.inbox.get()
            try:
                outgoing = packet if place is None else await self._answer(place, packet)
                if outgoing is not None:
                    item = None, outgoing  # answered: from here on only this must not be lost
                    await client.publish(outgoing)
            except (asyncio.CancelledError, TransportError):
                line.put(item, self._presence)  # for the next connection
                raise

    # --- requests -----------------------------------------------------------------------------

    async def _answer(self, place: Place, packet: Packet) -> Packet | None:
        name = place.account, place.station, packet.headers.correlation
        if name in self._answered:
            self._presence.duplicates += 1
            return self._answered[name]  # None while the first delivery is being answered
        self._answered[name] = None
        while len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)
        try:
            asked = contract.read_asked(self._topics, packet, place)
            reply = await self._ask(asked)
        except asyncio.CancelledError:
            self._answered.pop(name, None)
            raise
        except contract.NoReplyTopic:
            self._presence.refused += 1
            return None
        except MalformedMessage:
            self._presence.refused += 1
            reply = AgentReply(400, None)
        except Exception:  # the rim: a bug is one 500 and the server goes on
            _logger.exception("request failed", extra={"machine": place.machine})
            reply = AgentReply(500, None)
        answer = self._answered[name] = contract.answer(packet.headers, reply)
        return answer

    async def _ask(self, asked: contract.Asked) -> AgentReply:
        """The desk's reply. The topic says who asks: the broker has authenticated it (`protocol.mqtt`)."""
        caller = self._desk.accounts.known(asked.place.account)
        if caller is None or not caller.may(AGENT_SESSION):
            self._presence.refused += 1
            return AgentReply(401 if caller is None else 403, None)
        self._presence.asked(asked.place, self._desk.clock())
        reply = await self._desk.ask(asked.request, caller)
        _logger.debug("agent: %s %d", asked.request.endpoint, reply.status)
        return reply

    # --- notifications ------------------------------------------------------------------------

    def push(self) -> None:
        """Tell agents that are reached here of their work; called after each commit, in any thread."""
        try:
            changed = self._news.notifications()
        except Exception:  # the rim: what was committed stays so, and agents find out by themselves
            _logger.exception("notifications failed")
            return
        if changed:
            self._loop.call_soon_threadsafe(self._tell, changed)

    def _tell(self, changed: Sequence[Notification]) -> None:
        told = 0
        for news in changed:
            place = self._presence.place_of(news.username, news.client_machine)
            if place is not None:
                line = self._lines[told % len(self._lines)]
                told += line.put((None, contract.notification(self._topics, place)), self._presence)
        self._presence.notified += told


class _Line:
    """One connection with its queue and its workers."""

    def __init__(
        self,
        how: AtBroker,
        number: int,
        take: Callable[["_Line", Packet], None],
        work: Callable[["_Line", Client], Coroutine[None, None, None]],
    ) -> None:
        self._how, self._number, self._take, self._work = how, number, take, work
        self._workers: list[asyncio.Task[None]] = []
        self.inbox: asyncio.Queue[tuple[Place | None, Packet]] = asyncio.Queue(_WAITING)
        self.kept = Kept(f"bridge {number}", self._open_nth, self._begin, self._down)
        self._keeping = asyncio.create_task(self.kept.keep(), name=self.kept.name)

    def put(self, item: tuple[Place | None, Packet], presence: Presence) -> bool:
        """True if there was room; what finds none is dropped and counted."""
        try:
            self.inbox.put_nowait(item)
        except asyncio.QueueFull:
            presence.dropped += 1
            return False
        return True

    async def close(self) -> None:
        """Stop working and disconnect."""
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        self._dismiss()

    @contextlib.asynccontextmanager
    async def _open_nth(self, number: int) -> AsyncIterator[Connection]:
        how = self._how
        name = f"{how.broker.prefix.replace('/', '-')}-server-{self._number}"
        link = Link(name, how.version, how.clean_start, how.session_expiry)
        take = partial(self._take, self)
        async with opened(how.broker, how.login, how.tls, link, how.patience, take) as connection:
            yield connection

    async def _begin(self, client: Client, number: int) -> None:
        topics = Topics(self._how.broker.prefix)
        # A group of one needs no share, and only a plain subscription works at brokers of version 3.1.1.
        share = "servers" if self._how.connections > 1 else ""
        await client.subscribe((topics.requests(share), *(topics.statuses() if self._number == 1 else ())))
        self._workers = [
            asyncio.create_task(self._worker(client), name=f"{self.kept.name} worker {n}") for n in range(_WORKERS)
        ]

    async def _worker(self, client: Client) -> None:
        with contextlib.suppress(TransportError):  # the connection is over, and so are its workers
            await self._work(self, client)

    def _down(self, error: TransportError) -> None:
        _logger.warning("%s: %s", self.kept.name, error)
        self._dismiss()

    def _dismiss(self) -> None:
        for worker in self._workers:
            worker.cancel()
        self._workers = []


@contextlib.asynccontextmanager
async def serving(how: AtBroker, desk: Desk, news: News, after_commit: list[Callable[[], None]]) -> AsyncIterator[None]:
    """Serve at a broker inside the block. Raises UsageError if the broker cannot be reached, or refuses us."""
    bridge = Bridge(how, desk, news)
    after_commit.append(bridge.push)
    try:
        try:
            await bridge.connected()
        except TransportError as error:
            raise UsageError(f"cannot serve at the broker: {error}") from error
        yield
    finally:
        after_commit.remove(bridge.push)
        await bridge.close()
