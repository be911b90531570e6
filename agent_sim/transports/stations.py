"""The agents' wire over a broker, as `protocol.mqtt` writes it down: stations, and the agents that they carry.

A station is one connection: a gateway that carries many agents, or the only one of a single agent. Requests and replies
find each other by correlation data; a request ends in its reply, in the loss of the connection or at its own timeout,
and is never sent twice from here (an agent decides that). What a broker refuses is answered as HTTP would: 401 for
credentials, 403 for topics, 413 for what is too large.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from agent_sim.credentials import Credentials
from agent_sim.errors import BrokerRefused, MalformedMessage, ReplyTimeout, TransportError
from agent_sim.instants import SECOND, Span
from agent_sim.link import Client, Kept
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.mqtt import Broker, Kind, Life, Link, Packet, Place, Status, Topics
from agent_sim.transports.base import AgentTransport, Stations
from agent_sim.transports.mqtt import Connection, opened

_REMEMBERED: Final = 4096
"""Answered requests that each station can tell a duplicate reply by."""


# --- all of them ------------------------------------------------------------------------------


@dataclass(slots=True)
class Counts:
    """What at-least-once brought besides the replies asked for."""

    duplicate_replies: int = 0
    late_replies: int = 0
    unreadable: int = 0
    connections: int = 0
    losses: int = 0


class MqttPool:
    """Every agent's way to the server through one broker; open it with `async with`.

    `account` is the broker's user, also when it is proved by a certificate in `tls`. `notified` is told the machine
    whose work changed. Stations are called `name` and a number, or like their agent. Ask `limits.check_limits` first.
    """

    def __init__(
        self,
        broker: Broker,
        login: Credentials,
        how: Stations,
        life: Life,
        name: str,
        tls: ssl.SSLContext | None = None,
        notified: Callable[[str], None] = lambda machine: None,
    ) -> None:
        contract.check_account(login.username)
        self.counts = Counts()
        self.notified = notified
        self.deliveries: Callable[[str], int] = lambda machine: 1  # how often a message to an agent is delivered
        self._through: dict[str, _Station] = {}
        self._setup = _Setup(broker, login, how, life, tls if tls or not broker.tls else ssl.create_default_context())
        self._name = name
        self._stations: dict[str, _Station] = {}
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await asyncio.gather(*(station.close() for station in self._stations.values()))

    def agent(self, number: int, machine: str) -> AgentTransport:
        """The transport of one agent; the same station whenever it is asked for again."""
        assert self._is_open, "use `async with`"
        how = self._setup.how
        name = machine if how.mode == "per_agent" else f"{self._name}-{number % how.gateways}"
        station = self._stations.get(name)
        if station is None:
            station = self._stations[name] = _Station(self._setup, name, self)
        self._through[machine] = station
        return MqttAgent(station, machine)

    def station_of(self, machine: str) -> "_Station | None":
        """The station of an agent; None if it has none here."""
        return self._through.get(machine)

    @property
    def stations(self) -> tuple["_Station", ...]:
        """Those in use."""
        return tuple(self._stations.values())


@dataclass(frozen=True, slots=True)
class MqttAgent:
    """The agents' wire over one station (AgentTransport)."""

    station: "_Station"
    machine: str

    async def send(self, request: AgentRequest) -> AgentReply:
        """Ask, and wait for the reply. Raises TransportError."""
        return await self.station.ask(self.machine, request)


# --- one connection ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Setup:
    """What all stations of a pool share."""

    broker: Broker
    login: Credentials
    how: Stations
    life: Life
    tls: ssl.SSLContext | None


@dataclass(slots=True)
class _Pending:
    """A request whose reply is awaited; `until` can be brought forward when its connection is lost."""

    until: asyncio.Timeout
    reply: "asyncio.Future[Packet]"
    why: str = "no answer in time"


class _Station:
    """One connection with the agents that it carries."""

    def __init__(self, setup: _Setup, name: str, pool: MqttPool) -> None:
        self.name = name
        self._setup, self._pool, self._counts = setup, pool, pool.counts
        self._topics = Topics(setup.broker.prefix)
        self.place = Place(setup.login.username, name)
        self._here = Status(setup.life, 0, online=True)
        self._pending: dict[bytes, _Pending] = {}
        self._asked = 0
        self._answered: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._announced: set[str] = set()
        self._echo: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept = Kept(f"station {name}", self._open_nth, self._begin, self._down)
        self._keeping = asyncio.create_task(self._kept.keep(), name=f"station {name}")
        self._mending: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    async def close(self) -> None:
        """Say goodbye, so that nobody waits for the will, and disconnect."""
        if (client := self._kept.client) is not None:
            self._here = Status(self._here.life, self._here.connection, online=False)
            with contextlib.suppress(TransportError, TimeoutError):
                async with asyncio.timeout(self._setup.how.connect_timeout / SECOND):  # it may be lost just now
                    await client.publish(contract.status(self._topics, self.place, self._here))
        for task in filter(None, (self._mending, self._keeping)):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # --- a connection begins and ends ---------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _open_nth(self, number: int) -> AsyncIterator[Connection]:
        how, topics = self._setup.how, self._topics
        self._here = Status(self._setup.life, number, online=True)
        self._echo = asyncio.get_running_loop().create_future()
        link = Link(
            name=self.place.station,
            version=how.version,
            clean_start=how.clean_start,
            session_expiry=how.session_expiry,
            keepalive=how.keepalive,
            will=contract.status(topics, self.place, Status(self._setup.life, number, online=False)),
            will_delay=how.will_delay,
        )
        setup = self._setup
        async with opened(setup.broker, setup.login, setup.tls, link, how.connect_timeout, self._take) as connection:
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

    async def _begin(self, client: Client, number: int) -> None:
        """Subscribe, say that we are here, and hear it: only then may we both write and read our topics."""
        await client.subscribe(self._topics.to_station(self.place))
        await client.publish(contract.status(self._topics, self.place, self._here))
        try:
            async with asyncio.timeout(self._setup.how.connect_timeout / SECOND):
                await self._echo
        except TimeoutError:
            account, prefix = self.place.account, self._setup.broker.prefix
            raise BrokerRefused(
                f"{self._setup.broker.url} does not give us back our own status: its ACL must let user {account!r}"
                f" read and write {prefix}/{account}/#"
            ) from None
        self._announced.clear()  # the broker may have forgotten what was retained
        self._counts.connections += 1

    def _down(self, error: TransportError) -> None:
        self._counts.losses += 1
        now = asyncio.get_running_loop().time()
        for pending in self._pending.values():
            pending.why = str(error)
            pending.until.reschedule(now)

    def leave(self, away: Span) -> None:
        """Say goodbye to the broker and come back after a while."""
        self._kept.stay_away(away, now=True)

    def break_off(self, away: Span) -> None:
        """Lose the connection without a goodbye, so that the broker says our will; come back after a while."""
        self._kept.stay_away(away, now=False)
        if self._connection is not None:
            self._connection.cut()

    async def be_taken_over(self) -> None:
        """Somebody else connects under our name, and goes: the broker throws us out, and what it had for us is gone."""
        setup, how = self._setup, self._setup.how
        link = Link(self.name, how.version, session_expiry=how.session_expiry)
        with contextlib.suppress(TransportError):
            async with opened(setup.broker, setup.login, setup.tls, link, how.connect_timeout, lambda packet: None):
                pass

    # --- requests -----------------------------------------------------------------------------

    async def ask(self, machine: str, request: AgentRequest) -> AgentReply:
        """One request of an agent and its reply. Raises TransportError."""
        how = self._setup.how
        self._asked += 1
        correlation = b"%x.%x" % (self._setup.life, self._asked)
        place = Place(self.place.account, self.place.station, machine)
        packet = contract.ask(self._topics, place, request, correlation, how.request_timeout)
        if len(packet.payload) > contract.LARGEST_BODY:
            return AgentReply(413, None)
        pending: _Pending | None = None
        try:
            async with asyncio.timeout(how.request_timeout / SECOND) as until:
                client = await self._kept.connected(how.connect_timeout)
                pending = self._pending[correlation] = _Pending(until, asyncio.get_running_loop().create_future())
                await self._announce(client, place)
                await client.publish(packet)
                reply = await pending.reply
        except BrokerRefused as error:
            return AgentReply(403 if "ACL" in str(error) else 401, None)
        except TimeoutError:
            why = pending.why if pending is not None else "no connection in time"
            raise ReplyTimeout(f"no answer through {self._setup.broker.url}: {why}") from None
        finally:
            if self._pending.pop(correlation, None) is not None:
                self._answered.append(correlation)
        return contract.read_answer(request, reply)

    async def _announce(self, client: Client, place: Place) -> None:
        """Before an agent's first word on a connection: that it is there."""
        if self._setup.how.mode == "shared" and place.machine not in self._announced:
            self._announced.add(place.machine)
            await client.publish(contract.status(self._topics, place, self._here))

    # --- what comes in ------------------------------------------------------------------------

    def _take(self, packet: Packet) -> None:
        """Every message of this connection, as the loop reads it; nothing here waits."""
        found = self._topics.read(packet.topic)
        match found:
            case (place, Kind.REPLY):
                for _ in range(self._pool.deliveries(place.machine)):
                    self._take_reply(packet)
            case (place, Kind.NOTIFY):
                for _ in range(self._pool.deliveries(place.machine)):
                    self._pool.notified(place.machine)
            case (place, Kind.STATUS) if place == self.place:
                self._take_status(packet)
            case _:
                self._counts.unreadable += 1

    def _take_reply(self, packet: Packet) -> None:
        correlation = packet.headers.correlation
        pending = self._pending.get(correlation)
        if pending is not None and not pending.reply.done():
            pending.reply.set_result(packet)
        elif pending is not None or correlation in self._answered:
            self._counts.duplicate_replies += 1
        else:
            self._counts.late_replies += 1

    def _take_status(self, packet: Packet) -> None:
        """Our own status, as the broker has it; an older one (a late will, a stale retained message) is mended."""
        try:
            said = contract.read_status(packet)
        except MalformedMessage:
            self._counts.unreadable += 1
            said = None
        if said == self._here:
            if not self._echo.done():
                self._echo.set_result(None)
        elif (said is None or said.age <= self._here.age) and self._kept.client is not None:
            client = self._kept.client
            self._mending = asyncio.create_task(self._mend(client), name=f"mend {self.place.station}")

    async def _mend(self, client: Client) -> None:
        with contextlib.suppress(TransportError):
            await client.publish(contract.status(self._topics, self.place, self._here))
