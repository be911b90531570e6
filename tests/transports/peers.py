"""Raw servers that tests script byte by byte, on free loopback ports: what no decent HTTP server would do."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.transports.base import Connections, Target

QUICK = Connections(connect_timeout=30 * SECOND, request_timeout=2 * SECOND)
"""For tests that wait for an answer that never comes, and for others meanwhile: a busy machine answers in this time."""
HASTY = Connections(connect_timeout=30 * SECOND, request_timeout=500 * MILLISECOND)
"""For tests in which nothing is ever answered."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split()[1]

    def header(self, name: str) -> str | None:
        return next((value for found, value in self.headers if found.lower() == name.lower()), None)


@dataclass
class Wire:
    """One connection, from the server's side. `number` counts from 0."""

    peer: "Peer"
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> Received | None:
        """The next request, which the peer notes; None when the client has closed."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin1")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        line, *rest = head.strip().split("\r\n")
        headers = tuple((name, value.strip()) for name, _, value in (text.partition(":") for text in rest))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        received = Received(line, headers, await self.reader.readexactly(length))
        self.peer.received.append(received)
        return received

    async def say(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Wire], Awaitable[None]]


@dataclass
class Peer:
    """A server that listens; `connections` counts those it accepted, `open` those whose script still runs."""

    script: Script
    scheme: str
    host: str
    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def target(self) -> Target:
        return Target.at(self.url)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(self, self.connections, reader, writer)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.idle.clear()
        try:
            with contextlib.suppress(ConnectionError):
                await self.script(wire)
        finally:
            writer.close()
            self.open -= 1
            if not self.open:
                self.idle.set()

    async def all_closed(self) -> None:
        """Wait until every script has ended: for one that reads until the client closes, until it has."""
        await asyncio.wait_for(self.idle.wait(), 30)


@contextlib.asynccontextmanager
async def listening(script: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """A peer that behaves as scripted, once for each connection; everything of it is gone afterwards."""
    peer = Peer(script, "https" if tls else "http", host)
    tasks: set[asyncio.Task[None]] = set()
    mistakes: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (mistake := task.exception()) is not None:
            mistakes.append(mistake)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(peer.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(ended)

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert not mistakes, mistakes  # a script's own mistake must not pass for misbehaviour


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with a Content-Length."""
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


def answering(*parts: bytes) -> Script:
    """Answer every request of a connection with these bytes."""

    async def script(wire: Wire) -> None:
        while await wire.request():
            await wire.say(*parts)

    return script


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
