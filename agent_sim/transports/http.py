"""What agents and the operator say over HTTP, whoever carries it: a session of `aiohttp_pool` or of `fast_http`.

The agents' headers are those of the vendor's agent and no others (agent-protocol 1).
"""

import base64
import re
import ssl
from collections.abc import Mapping
from typing import Final, Protocol

from yarl import URL

from agent_sim.credentials import Credentials
from agent_sim.errors import MalformedMessage, UsageError
from agent_sim.protocol import codec, oig, oig_calls
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.transports.base import ConnectionMode, Target
from agent_sim.transports.bearer import Bearer

Trust = ssl.SSLContext | bool
"""What TLS checks servers against; True for the system's certificates."""

SignIn = Credentials | Bearer | None
"""Who one is: by Basic authentication, by a bearer token that is kept fresh, or not at all."""

JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
API: Final = JSON | {"x-keyfactor-requested-with": "APIClient", "x-keyfactor-api-version": "1"}
_OIG: Final = JSON | {oig.REQUESTED_BY: "agent-sim"}
_LONGEST_REASON: Final = 200
_TOTAL: Final = re.compile(r"[0-9]{1,15}")
IDLE_SECONDS: Final[Mapping[ConnectionMode, float]] = {
    "shared": 75,
    "per_agent": 86_400,  # an agent's own connection is there to be held; the server decides when it has enough
    "per_request": 75,  # never idle
}


# --- both wires -------------------------------------------------------------------------------


class Session(Protocol):
    """Connections to one server, for one login."""

    async def exchange(
        self, method: str, url: str | URL, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request and its answer (status, headers, body). Raises TransportError."""


class HttpAgents:
    """The agents' wire over HTTP (AgentTransport)."""

    def __init__(self, session: Session, target: Target) -> None:
        self._session, self._base = session, target.agents_url

    async def send(self, request: AgentRequest) -> AgentReply:
        """POST one request. Raises TransportError."""
        url = codec.agent_path(request.endpoint, self._base)
        status, _, body = await self._session.exchange("POST", url, codec.agent_body(request.body), JSON)
        return AgentReply(status, codec.read_agent_reply(request, body) if status < 300 else None)


class HttpCommand:
    """The management API over HTTP (CommandTransport)."""

    def __init__(self, session: Session, target: Target) -> None:
        self._session, self._target = session, target
        self.product_version = ""  # as the last answer had it

    async def call(self, operation: Operation) -> CommandReply:
        """Ask for one operation. Raises TransportError; an unreadable answer counts as status 502."""
        method, url, sent = self.asked(operation)
        status, answered, body = await self._session.exchange(method, url, sent, API)
        self.product_version = answered.get("X-Keyfactor-Product-Version", "")[:_LONGEST_REASON]
        return self.reply(operation, status, answered.get("X-Total-Count", ""), body)

    def asked(self, operation: Operation) -> tuple[str, str, bytes | None]:
        """Method, address and body of the request for an operation."""
        call = codec.api_call(operation)
        base = self._target.sim_url if call.path.startswith("/sim/") else self._target.api_url
        return call.method, f"{base}{call.path}" + (f"?{call.query}" if call.query else ""), call.body

    def reply(self, operation: Operation, status: int, total: str, body: bytes) -> CommandReply:
        """What an answer says; one that cannot be read counts as status 502."""
        counted = total.strip()
        try:
            return codec.read_reply(operation, status, body, int(counted) if _TOTAL.fullmatch(counted) else None)
        except MalformedMessage as error:
            return codec.unreadable(error)


class HttpOig:
    """The scheduler's API over HTTP (OigTransport)."""

    def __init__(self, session: Session, target: Target) -> None:
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
