"""HTTP for fleets: a bounded pool of kept connections, callbacks instead of tasks, heads of requests written once.

What it says on the wire is what `transports.http` says, to the byte; one suite holds both to that. It costs a small
part of aiohttp's time because it can less: Basic authentication or none, one server, no proxy. A request that waits
costs a small object, no task, no future, no timer: all deadlines of a pool are swept by one timer.

    begin ──┬─ an idle connection ──────────────── sent ── answer, or why there is none ── done
            ├─ room for one more: connect ───────── sent
            └─ neither: wait in line ────────────── sent
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from yarl import URL

from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, TransportError
from agent_sim.instants import MILLISECOND, SECOND, Span
from agent_sim.protocol import codec
from agent_sim.transports.answers import Answer
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.connection import Connection, Tls
from agent_sim.transports.http import IDLE_SECONDS, JSON, authorization, trust
from agent_sim.transports.limits import sources
from agent_sim.transports.line import Call, Line, Outcome, failure

_HEADS: Final = 4096
_OVER: Final = object()
"""Heads of requests that a pool remembers; beyond that it starts anew."""
_BIND_ADDRESS_NO_PORT: Final = 24  # Linux: choose the port when connecting, when the destination is known


class FastSession:
    """Connections to the server of `target.agents_url`, for one login; open it with `async with`.

    `pool` gives the line in which an agent stands: its own in per_agent, else everybody's. Raises UsageError for a
    login or a CA file that cannot be used.
    """

    def __init__(self, target: Target, login: Credentials | None, connections: Connections) -> None:
        self.how = connections
        self._origin = URL(target.agents_url).origin()
        self._tls: ssl.SSLContext | None = None
        if self._origin.scheme == "https":
            found = trust(target)
            self._tls = found if isinstance(found, ssl.SSLContext) else ssl.create_default_context()
        self._signed = {"Authorization": authorization(login)} if login is not None else {}
        self._heads: dict[tuple[str, str], bytes] = {}
        self._pools: dict[int, Line] = {}
        self._addressed: dict[str, tuple[str, bytes]] = {}
        self._calls: dict[Call, None] = {}  # in the order in which they began
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connected = 0

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def open(self) -> None:
        """Be ready to connect; must be called where the event loop runs, and `close` after it."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close all connections; what is on its way fails."""
        connecting = [call.connecting for call in self._calls if call.connecting is not None]
        for call in list(self._calls):
            self.end(call, failure(call, "the pool was closed"))
        for pool in self._pools.values():
            pool.close()
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        await asyncio.gather(*connecting, return_exceptions=True)
        await asyncio.sleep(0)  # the loop itself closes sockets in its next turn

    def pool(self, number: int) -> Line:
        """The line of one agent."""
        place = number if self.how.mode == "per_agent" else 0
        found = self._pools.get(place)
        if found is None:
            found = self._pools[place] = self._line()
        return found

    def _line(self) -> Line:
        mode, idle = self.how.mode, round(IDLE_SECONDS[self.how.mode] * SECOND)
        return Line(self, 1 if mode == "per_agent" else self.how.limit, idle, is_kept=mode != "per_request")

    # --- requests -----------------------------------------------------------------------------

    def begin(self, call: Call) -> None:
        """Send a whole request as soon as there is a connection; `call.done` is called once, later."""
        self._calls[call] = None
        if self._timer is None:
            self._sweep_in(self.how.request_timeout)
        call.pool.take(call)

    def end(self, call: Call, outcome: Outcome) -> None:
        """A call is over, whoever says so first."""
        if self._calls.pop(call, _OVER) is _OVER:
            return
        if call.connection is not None or call.connecting is not None:
            call.pool.leave(call)
        call.done(outcome)

    def waits(self, call: Call) -> bool:
        """True until a call is over."""
        return call in self._calls

    async def exchange(
        self, method: str, url: str | URL, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request and its answer (status, headers, body). Raises TransportError."""
        answer = await self.ask(self.pool(0), self.head(method, url, headers, body is not None), body, str(url))
        told = {name.decode("latin1").title(): value.decode("latin1") for name, value in answer.headers}
        return answer.status, told, answer.body

    async def ask(self, pool: Line, head: bytes, body: bytes | None, url: str) -> Answer:
        """The same in parts. Raises TransportError."""
        assert self._loop is not None, "use `async with`"
        call = _Awaited(pool, url, whole(head, body), self._loop.create_future())
        self.begin(call)
        try:
            end = await call.outcome
        finally:
            self.end(call, ConnectFailed("given up"))  # if it is not over, its caller was cancelled
        if isinstance(end, TransportError):
            raise end
        return end

    def head(self, method: str, url: str | URL, headers: Mapping[str, str], has_body: bool) -> bytes:
        """All of a request before the value of its Content-Length. Raises ConnectFailed for what is no address here."""
        found = self._heads.get((method, str(url)))
        if found is None:
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            found = self._heads[method, str(url)] = _head(method, url, self._origin, {**self._signed, **headers})
        return found if has_body else found.removesuffix(_CONTENT_LENGTH)

    def addressed(self, endpoint: str, base: str) -> tuple[str, bytes]:
        """URL and head of an agent's POST. Raises ConnectFailed for what is no address here."""
        found = self._addressed.get(endpoint)
        if found is None:
            if len(self._addressed) >= _HEADS:
                self._addressed.clear()
            url = codec.agent_path(endpoint, base)
            found = self._addressed[endpoint] = url, self.head("POST", url, JSON, has_body=True)
        return found

    def _sweep(self) -> None:
        """Give up what is due, and come back for the next."""
        began = time.monotonic_ns() + MILLISECOND - self.how.request_timeout  # the loop's own resolution
        self._timer = None
        for call in list(self._calls):
            if call.began > began:
                self._sweep_in(call.began - began)
                return
            self.end(call, failure(call, "timed out"))

    def _sweep_in(self, span: Span) -> None:
        assert self._loop is not None, "use `async with`"
        self._timer = self._loop.call_later(span / SECOND, self._sweep)

    # --- connections --------------------------------------------------------------------------

    def connect(self, call: Call) -> "asyncio.Task[None]":
        """Make a connection for a call."""
        assert self._loop is not None
        return self._loop.create_task(self._connect(call), name="connect")

    async def _connect(self, call: Call) -> None:
        pool = call.pool
        try:
            made = await self._made(call)
        except TransportError as error:
            pool.lose()
            call.connecting = None
            self.end(call, error)
            pool.refill()
        except BaseException:
            pool.lose()
            pool.refill()
            raise
        else:
            call.connecting = None
            pool.adopt(made, call)

    async def _made(self, call: Call) -> Connection:
        try:
            async with asyncio.timeout(self.how.connect_timeout / SECOND):
                made = await self._connected_for(call.pool)
        except TimeoutError:
            reason = "timed out"
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no name
            reason = (str(error) or type(error).__name__).partition("\n")[0][:200]
        else:
            if made.is_open:
                return made
            reason = "it ended at once"
        raise ConnectFailed(f"no connection to {call.url}: {reason}")

    async def _connected_for(self, pool: Line) -> Connection:
        host, port = self._origin.host or "", self._origin.port or 80
        tls = None if self._tls is None else Tls(self._tls, host)
        make = partial(Connection, pool.ended, pool.lost, tls)
        loop = asyncio.get_running_loop()
        source = self._source(host)
        if source is None:
            _, connection = await loop.create_connection(make, host, port)
        else:
            _, connection = await loop.create_connection(make, sock=await _from(source, host, port, loop))
        if tls is not None:
            try:
                await connection.secure()
            except BaseException:
                connection.close()
                raise
        return connection

    def _source(self, host: str) -> str | None:
        """An address of our own to connect from, where there are many: each has all local ports once more."""
        many = sources(host, self.how)
        if many == 1:
            return None
        self._connected += 1
        return f"127.0.0.{1 + self._connected % many}"


async def _from(source: str, host: str, port: int, loop: asyncio.AbstractEventLoop) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        made.bind((source, 0))
        await loop.sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


class _Awaited(Call):
    """A call that a task waits for."""

    __slots__ = ("outcome", "said")

    def __init__(self, pool: Line, url: str, said: bytes, outcome: "asyncio.Future[Outcome]") -> None:
        super().__init__(pool, url)
        self.said, self.outcome = said, outcome

    def data(self) -> bytes:
        return self.said

    def done(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


# --- bytes ------------------------------------------------------------------------------------

_CONTENT_LENGTH: Final = b"Content-Length: "


def whole(head: bytes, body: bytes | None) -> bytes:
    """A request: its head, and its body if it may have one."""
    if body is None:
        return head + b"\r\n"
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


def _head(method: str, url: str | URL, origin: URL, headers: Mapping[str, str]) -> bytes:
    try:
        address = URL(url)
        path = address.raw_path_qs.encode("ascii")
        is_ours = address.origin() == origin
    except (ValueError, UnicodeError):
        is_ours, path = False, b""
    if not is_ours or any(byte <= 0x20 for byte in path):
        raise ConnectFailed(f"no connection to {str(url)[:200]!r}: it is not an address of {origin}")
    lines = [f"Host: {origin.host_port_subcomponent}", *(f"{name}: {value}" for name, value in headers.items())]
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method.encode(), path, "\r\n".join(lines).encode("ascii"), _CONTENT_LENGTH)
