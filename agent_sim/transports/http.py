"""HTTP through aiohttp: the compatible transport, for agents and for the operator.

It never follows redirects, never sends anything twice (an agent decides that) and verifies TLS. The agents' headers
are those of the vendor's agent and no others (agent-protocol 1).
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping
from types import SimpleNamespace, TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, MalformedMessage, ReplyTimeout, TransportError, UsageError
from agent_sim.instants import SECOND
from agent_sim.protocol import codec, oig, oig_calls
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.transports.answers import LARGEST_ANSWER
from agent_sim.transports.base import AgentTransport, ConnectionMode, Connections, Target
from agent_sim.transports.bearer import Bearer

Trust = ssl.SSLContext | bool
"""What TLS checks servers against; True for the system's certificates."""

SignIn = Credentials | Bearer | None
"""Who one is: by Basic authentication, by a bearer token that is kept fresh, or not at all."""

JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_API: Final = JSON | {"x-keyfactor-requested-with": "APIClient", "x-keyfactor-api-version": "1"}
_OIG: Final = JSON | {oig.REQUESTED_BY: "agent-sim"}
_LONGEST_REASON: Final = 200
_TOTAL: Final = re.compile(r"[0-9]{1,15}")
IDLE_SECONDS: Final[Mapping[ConnectionMode, float]] = {
    "shared": 75,
    "per_agent": 86_400,  # an agent's own connection is there to be held; the server decides when it has enough
    "per_request": 75,  # never idle
}


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


# --- both wires -------------------------------------------------------------------------------


class HttpAgents:
    """The agents' wire over HTTP (AgentTransport)."""

    def __init__(self, session: HttpSession, target: Target) -> None:
        self._session, self._base = session, target.agents_url

    async def send(self, request: AgentRequest) -> AgentReply:
        """POST one request. Raises TransportError."""
        url = codec.agent_path(request.endpoint, self._base)
        status, _, body = await self._session.exchange("POST", url, codec.agent_body(request.body), JSON)
        return AgentReply(status, codec.read_agent_reply(request, body) if status < 300 else None)


class HttpCommand:
    """The management API over HTTP (CommandTransport)."""

    def __init__(self, session: HttpSession, target: Target) -> None:
        self._session, self._target = session, target
        self.product_version = ""  # as the last answer had it

    async def call(self, operation: Operation) -> CommandReply:
        """Ask for one operation. Raises TransportError; an unreadable answer counts as status 502."""
        call = codec.api_call(operation)
        base = self._target.sim_url if call.path.startswith("/sim/") else self._target.api_url
        url = f"{base}{call.path}" + (f"?{call.query}" if call.query else "")
        status, answered, body = await self._session.exchange(call.method, url, call.body, _API)
        self.product_version = answered.get("X-Keyfactor-Product-Version", "")[:_LONGEST_REASON]
        total = answered.get("X-Total-Count", "").strip()
        try:
            return codec.read_reply(operation, status, body, int(total) if _TOTAL.fullmatch(total) else None)
        except MalformedMessage as error:
            return codec.unreadable(error)


class HttpOig:
    """The scheduler's API over HTTP (OigTransport)."""

    def __init__(self, session: HttpSession, target: Target) -> None:
        self._session, self._base = session, target.oig_url

    async def call(self, operation: oig.Operation) -> oig.Reply:
        """Ask for one operation. Raises TransportError; an unreadable answer counts as status 502."""
        call = oig_calls.call_of(operation)
        url = URL(f"{self._base}{call.path}{'?' * bool(call.query)}{call.query}", encoded=True)
        status, _, body = await self._session.exchange(call.method, url, call.body, _OIG)
        try:
            return oig_calls.read_reply(operation, status, body)
        except MalformedMessage as error:
            return oig.Reply(502, oig.Failure(f"the answer cannot be read: {error}"))


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


# --- credentials and trust --------------------------------------------------------------------


def authorization(login: Credentials) -> str:
    """The header of Basic authentication, UTF-8 (RFC 7617). Raises UsageError for a name that cannot be sent."""
    if ":" in login.username:
        raise UsageError(f"the user name {login.username!r} holds a colon, which Basic authentication cannot carry")
    try:
        pair = f"{login.username}:{login.password}".encode()
    except UnicodeEncodeError:
        pair = None
    if pair is None:  # raised out here: the other error holds the password
        raise UsageError(f"the user name {login.username!r} or its password is not text that UTF-8 can carry")
    return f"Basic {base64.b64encode(pair).decode()}"


def trust(target: Target) -> Trust:
    """What TLS trusts: the system's certificates and the target's CA file. Raises UsageError for a bad file."""
    if target.ca is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=target.ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{target.ca}: not a file of PEM certificates that can be read ({error})") from error
    return context
