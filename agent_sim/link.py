"""A connection to a broker that is kept: made, begun, and made again after every loss, with pauses that grow.

Both ends of the MQTT contract stand on it, the agents' stations and the server's bridge. It knows no MQTT library:
each end brings its own way to open a connection.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, Protocol

from agent_sim.draws import key, unit
from agent_sim.errors import BrokerRefused, ConnectFailed, TransportError, UsageError
from agent_sim.instants import SECOND, Span
from agent_sim.protocol.mqtt import Packet

_FIRST_PAUSE: Final[Span] = SECOND // 10
_LONGEST_PAUSE: Final[Span] = 10 * SECOND

_logger = logging.getLogger(__name__)


class Client(Protocol):
    """An open connection. Every call ends, in the connection's own time if nothing else."""

    async def publish(self, packet: Packet) -> None:
        """Return once the broker has it. Raises TransportError: ConnectFailed if it never left."""

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Return once the broker has agreed. Raises TransportError."""

    async def lost(self) -> None:
        """Return when the connection is over."""


class LettingGo:
    """Goes before aiomqtt's client, which on uvloop may never hear that its socket was reset, and then waits for ever.

    That loop ends its poll of a socket that broke and tells nobody, and refuses what is asked of the poll from then on
    (uvloop 0.23). So once a second, when aiomqtt looks after its pings, we look for ourselves whether the socket reads.
    """

    async def _misc_loop(self) -> None:
        client = self._client  # type: ignore[attr-defined]  # aiomqtt's: paho's client
        while not client.loop_misc() and self._reads(client):  # noqa: ASYNC110  # nobody sets an event
            await asyncio.sleep(1)

    def _reads(self, client: Any) -> bool:
        """False if the socket is of no use any more; what reading it raises ends the connection, as for aiomqtt."""
        try:
            return not client.loop_read()
        except Exception as error:  # noqa: BLE001  # whatever it is, whoever waits for the connection is told of it
            over: asyncio.Future[None] = self._disconnected  # type: ignore[attr-defined]  # aiomqtt's
            if not over.done():
                over.set_exception(error)
            return False

    def _on_socket_unregister_write(self, *about: object) -> None:
        with contextlib.suppress(RuntimeError):
            super()._on_socket_unregister_write(*about)  # type: ignore[misc]  # aiomqtt's


class Kept:
    """One connection that is there whenever it can be; `keep` is its task.

    `open_nth` opens the n-th connection, from 1. `begin` says on each what must be said before it counts as there.
    `down` is told whenever one is over.
    """

    def __init__(
        self,
        name: str,
        open_nth: Callable[[int], AbstractAsyncContextManager[Client]],
        begin: Callable[[Client, int], Awaitable[None]],
        down: Callable[[TransportError], None],
    ) -> None:
        self.name = name
        self.client: Client | None = None
        self.connections = 0
        self._open_nth, self._begin, self._down = open_nth, begin, down
        self._failures = 0
        self._why: TransportError = ConnectFailed("not connected yet")
        self._news = asyncio.Event()  # set once there is a connection, or the first refusal to have one
        self._leaving: asyncio.Future[None] | None = None
        self._away: Span = 0

    async def keep(self) -> None:
        """Connect, and again after every loss, for ever."""
        while True:
            try:
                await self._once()
                error: TransportError = ConnectFailed("the connection broke off")
            except TransportError as problem:
                error = problem
            self._lose(error)
            away, self._away = self._away, 0
            await asyncio.sleep(max(away, self._pause()) / SECOND)

    async def _once(self) -> None:
        self.connections += 1
        async with self._open_nth(self.connections) as client:
            await self._begin(client, self.connections)
            self.client, self._failures = client, 0
            self._news.set()
            _logger.info("%s: connected", self.name, extra={"connection": self.connections})
            await self._until_over(client)

    async def _until_over(self, client: Client) -> None:
        self._leaving = asyncio.get_running_loop().create_future()
        lost = asyncio.create_task(client.lost(), name=f"{self.name} lost")
        try:
            await asyncio.wait({lost, self._leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            self._leaving = None

    def stay_away(self, span: Span, *, now: bool) -> None:
        """Once this connection is over, make no other for so long; `now`: end it, with a goodbye."""
        self._away = span
        if now and self._leaving is not None and not self._leaving.done():
            self._leaving.set_result(None)

    def _lose(self, error: TransportError) -> None:
        was_there = self.client is not None
        if was_there or type(error) is not type(self._why):
            _logger.info("%s: %s", self.name, error)
        self.client, self._why = None, error if isinstance(error, ConnectFailed) else ConnectFailed(str(error))
        self._failures += 1
        if isinstance(error, BrokerRefused):
            self._news.set()  # whoever waits need not wait any longer
        else:
            self._news.clear()
        if was_there:
            self._down(error)

    def _pause(self) -> Span:
        """0.1 s, 0.2 s, 0.4 s ... up to 10 s, each cut by up to half, so that stations do not come back in step."""
        longest = min(_FIRST_PAUSE << min(self._failures, 10), _LONGEST_PAUSE)
        return round(longest * (1 - unit(key("link", self.name), "pause", self.connections) / 2))

    async def connected(self, patience: Span) -> Client:
        """The connection, waited for if need be. Raises BrokerRefused at once, ConnectFailed after `patience`."""
        if self.client is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), patience / SECOND)
            if self.client is None:
                raise type(self._why)(str(self._why))  # anew: each caller gets its own traceback
        return self.client


def trust(ca: Path | None, certificate: Path | None, private_key: Path | None) -> ssl.SSLContext:
    """What TLS to a broker trusts besides the system's authorities, and who we are there. Raises UsageError."""
    context = ssl.create_default_context()
    try:
        if ca is not None:
            context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{ca}: not a file of PEM certificates that can be read ({error})") from error
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, private_key, password=_no_passphrase)
    except (OSError, ssl.SSLError) as error:
        where = f"{certificate}" + (f" with {private_key}" if private_key is not None else "")
        raise UsageError(f"{where}: not a PEM certificate with its key that can be read ({error})") from error
    return context


def _no_passphrase() -> str:
    raise UsageError("the client certificate's key has a passphrase: give one without, in a file of mode 0600")
