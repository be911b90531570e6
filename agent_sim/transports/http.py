"""HTTP through aiohttp: the compatible transport, for agents and for the operator.

It never follows redirects, never retries (an agent decides that) and verifies TLS. The agents' headers are those of
the vendor's agent and no others (agent-protocol 1).
"""

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.helpers import BasicAuth

from agent_sim.errors import ConnectFailed, MalformedMessage, ReplyTimeout, UsageError
from agent_sim.instants import SECOND
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, ListTransitions, Operation
from agent_sim.transports.base import Connections, Login, Target

_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_KEEP_ALIVE_SECONDS: Final = 75.0
_LARGEST_ANSWER: Final = 32 * 1024 * 1024
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class HttpSession:
    """A pool of connections to one server; open it with `async with`."""

    def __init__(self, target: Target, login: Login | None, connections: Connections) -> None:
        self._limits = connections
        self._tls = trust(target)
        self._authorization = (
            {"Authorization": BasicAuth(login.username, login.password, "utf-8").encode()} if login else {}
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A connection per request is the vendor's agent (agent-protocol 1); else connections are kept.
        per_request = self._limits.mode == "per_request"
        limit = 1 if self._limits.mode == "per_agent" else self._limits.limit
        connector = (
            aiohttp.TCPConnector(limit=limit, ssl=self._tls, force_close=True)
            if per_request
            else aiohttp.TCPConnector(limit=limit, ssl=self._tls, keepalive_timeout=_KEEP_ALIVE_SECONDS)
        )
        timeout = aiohttp.ClientTimeout(
            total=self._limits.request_timeout / SECOND, connect=self._limits.connect_timeout / SECOND
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request and its answer (status, headers, body). Raises TransportError."""
        assert self._session is not None, "use `async with`"
        try:
            async with self._session.request(
                method, url, data=body, headers={**self._authorization, **headers}, allow_redirects=False
            ) as response:
                return response.status, response.headers, await _read(response)
        except _NOT_SENT as error:
            raise ConnectFailed(f"no connection to {url}: {error}") from error
        except TimeoutError as error:
            raise ReplyTimeout(f"no answer from {url} in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ReplyTimeout(f"{url} broke off before answering: {type(error).__name__}") from error


def _basic(login: Login) -> dict[str, str]:
    return {"Authorization": BasicAuth(login.username, login.password, "utf-8").encode()}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError("the answer is larger than 32 MiB")
    return bytes(body)


class HttpAgents:
    """The agents' wire over HTTP (AgentTransport)."""

    def __init__(self, session: HttpSession, target: Target) -> None:
        self._session, self._base = session, target.agents_url

    async def send(self, request: AgentRequest) -> AgentReply:
        """POST one request. Raises TransportError."""
        url = codec.agent_path(request.endpoint, self._base)
        status, _, body = await self._session.exchange("POST", url, codec.agent_body(request.body), _JSON)
        return AgentReply(status, codec.read_agent_reply(request, body) if status < 300 else None)


class HttpCommand:
    """The management API over HTTP (CommandTransport)."""

    def __init__(self, session: HttpSession, target: Target) -> None:
        self._session, self._target = session, target

    async def call(self, operation: Operation) -> CommandReply:
        """Ask for one operation. Raises TransportError; an unreadable answer counts as status 502."""
        call = codec.api_call(operation)
        base = self._target.sim_url if isinstance(operation, ListTransitions) else self._target.api_url
        url = f"{base}{call.path}" + (f"?{call.query}" if call.query else "")
        headers = {**_JSON, "x-keyfactor-requested-with": "APIClient", "x-keyfactor-api-version": "1"}
        status, answered, body = await self._session.exchange(call.method, url, call.body, headers)
        total = answered.get("X-Total-Count", "")
        try:
            return codec.read_reply(operation, status, body, int(total) if total.isdecimal() else None)
        except MalformedMessage as error:
            return codec.unreadable(error)


def trust(target: Target) -> ssl.SSLContext | bool:
    """What TLS trusts: the system's certificates and the target's CA file. Raises UsageError for a bad file."""
    if target.ca is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=target.ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{target.ca}: not a file of PEM certificates that can be read ({error})") from error
    return context
