"""HTTP through aiohttp: the compatible transport, for whoever signs in by token or certificate, or asks for it.

It never follows redirects, never sends anything twice (an agent decides that) and verifies TLS. It stands apart from
`transports.http` because aiohttp takes a process 12 MB and a quarter of a second to import: who has the fast transport
needs neither.
"""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace, TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, ReplyTimeout, TransportError
from agent_sim.instants import SECOND
from agent_sim.transports.answers import LARGEST_ANSWER
from agent_sim.transports.base import AgentTransport, Connections, Target
from agent_sim.transports.bearer import Bearer
from agent_sim.transports.http import IDLE_SECONDS, HttpAgents, SignIn, Trust, authorization, trust

_LONGEST_REASON: Final = 200


# --- one pool ---------------------------------------------------------------------------------


class HttpSession:
    """A pool of connections to one server, for one login; open it with `async with`.

    `tls` is what `trust(target)` gave, for many sessions to share. Raises UsageError for a login or a CA file that
    cannot be used.
    """

    def __init__(self, target: Target, login: SignIn, connections: Connections, tls: Trust | None = None) -> None:
        self._connections = connections
        self._tls = trust(target) if tls is None else tls
        self._bearer = login if isinstance(login, Bearer) else None
        self._authorization = {"Authorization": authorization(login)} if isinstance(login, Credentials) else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def open(self) -> None:
        """Be ready to connect; must be called where the event loop runs, and `close` after it."""
        how = self._connections
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=1 if how.mode == "per_agent" else how.limit,
                ssl=self._tls,
                keepalive_timeout=IDLE_SECONDS[how.mode],
                timeout_ceil_threshold=float("inf"),
            ),
            response_class=_LastAnswer if how.mode == "per_request" else aiohttp.ClientResponse,
            timeout=aiohttp.ClientTimeout(
                total=how.request_timeout / SECOND,
                sock_connect=how.connect_timeout / SECOND,
                ceil_threshold=float("inf"),  # else aiohttp rounds up to whole seconds
            ),
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
            auto_decompress=False,  # nothing compressed was asked for
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_only_once,),
            trace_configs=[_tracing()],
        )

    async def close(self) -> None:
        """Close all connections; what is on its way fails."""
        if self._session is not None:
            await self._session.close()

    async def exchange(
        self, method: str, url: str | URL, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request and its answer (status, headers, body). Raises TransportError."""
        assert self._session is not None, "use `async with`"
        progress = _Progress()
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers={**self._signed(), **headers},
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                return response.status, response.headers, await _read(response)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host that is no name
            failure = _failure(str(url), progress, error)
        # Raised out here: aiohttp's errors hold the request's headers, and so the password, in their reprs.
        raise failure

    def _signed(self) -> Mapping[str, str]:
        return self._authorization if self._bearer is None else {"Authorization": self._bearer.header}


class _Progress:
    """How far a request got."""

    __slots__ = ("is_sent",)

    def __init__(self) -> None:
        self.is_sent = False


def _tracing() -> aiohttp.TraceConfig:
    async def note(session: aiohttp.ClientSession, call: SimpleNamespace, sent: object) -> None:
        call.trace_request_ctx.is_sent = True

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(note)
    return tracing


class _LastAnswer(aiohttp.ClientResponse):
    """An answer after which the connection is closed.

    The vendor's agent does so without a word; aiohttp's own way (`force_close`) would announce it in a header.
    """

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if connection.protocol is not None:
            connection.protocol.force_close()
        return await super().start(connection)


class _BrokenOff(aiohttp.ClientError):
    """The connection ended before the answer did."""


async def _only_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends a GET again by itself if a kept connection breaks off; an error it does not know it lets through.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokenOff(str(error)) from error


class _TooLarge(aiohttp.ClientError):
    """More than anybody should hold in memory."""

    def __str__(self) -> str:
        return f"larger than {LARGEST_ANSWER >> 20} MiB"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    if (response.content_length or 0) > LARGEST_ANSWER:
        raise _TooLarge
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise _TooLarge
    return bytes(body)


def _failure(url: str, progress: _Progress, error: Exception) -> TransportError:
    if progress.is_sent:
        return ReplyTimeout(f"no answer from {url}: {_reason(error)}")
    return ConnectFailed(f"no connection to {url}: {_reason(error)}")


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            text = str(error.certificate_error)
        case aiohttp.ClientConnectorError():
            text = str(error.os_error)
        case aiohttp.ClientResponseError():
            text = f"not HTTP: {error.message}"
        case TimeoutError():
            text = "timed out"
        case _:
            text = str(error) or type(error).__name__
    # The first line: aiohttp shows what it could not parse in those below, which may be anything.
    return text.partition("\n")[0].rstrip(": ")[:_LONGEST_REASON]


class HttpPool:
    """Every agent's way to the server, as the mode says; open it with `async with`.

    `per_agent` gives each agent one connection of its own, the other modes give all of them one pool. Ask
    `limits.check_limits` first. Raises UsageError as HttpSession does.
    """

    def __init__(self, target: Target, login: SignIn, connections: Connections) -> None:
        self._target, self._login, self._connections = target, login, connections
        self._tls = trust(target)
        self._sessions: dict[int, HttpSession] = {}
        self._agents: dict[int, HttpAgents] = {}
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    def agent(self, number: int) -> AgentTransport:
        """The transport of one agent; the same connections whenever it is asked for again."""
        assert self._is_open, "use `async with`"
        place = number if self._connections.mode == "per_agent" else 0
        agents = self._agents.get(place)
        if agents is None:
            session = self._sessions[place] = HttpSession(self._target, self._login, self._connections, self._tls)
            session.open()
            agents = self._agents[place] = HttpAgents(session, self._target)
        return agents
