"""What a shell needs of a transport: carry one request, bring back its answer, and always end.

A call ends in a reply, in ConnectFailed (never sent) or in ReplyTimeout (sent, fate unknown); it never takes longer
than its own timeout and never sends anything twice. `tests/transports/test_contract.py` holds every transport to that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable
from urllib.parse import SplitResult, urlsplit

from agent_sim.errors import UsageError
from agent_sim.instants import MINUTE, SECOND, Span
from agent_sim.protocol import oig
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.protocol.mqtt import Version

ConnectionMode = Literal["shared", "per_agent", "per_request"]
HttpClient = Literal["fast", "aiohttp"]
"""`fast` is for agents that sign in by Basic authentication or not at all; all others go by aiohttp anyway."""


class AgentTransport(Protocol):
    """Carries agents' requests."""

    async def send(self, request: AgentRequest) -> AgentReply:
        """Send one request. Raises TransportError."""
        ...


Told: TypeAlias = Callable[[Any, Any, Any, Span, Span], None]
"""Told whose request ended, the request, its reply or error, nanoseconds on the wire, and nanoseconds waited before."""


@runtime_checkable
class CallbackTransport(Protocol):
    """Carries agents' requests without a task for each."""

    def start(self, request: AgentRequest, whose: object, told: Told) -> None:
        """Send one request; `told` is called once, later."""
        ...


class CommandTransport(Protocol):
    """Carries the operator's operations."""

    async def call(self, operation: Operation) -> CommandReply:
        """Ask for one operation. Raises TransportError."""
        ...


class OigTransport(Protocol):
    """Carries the operations of the second target's operator."""

    async def call(self, operation: oig.Operation) -> oig.Reply:
        """Ask for one operation. Raises TransportError."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server is: base addresses without a trailing slash; `ca` a PEM file that TLS trusts besides the system's.

    `sim_url` is the root that our own /sim/ endpoints hang under, on our own server; `oig_url` the base of Oracle's
    scheduler. Raises UsageError for what is no address, and for one with a password in it.
    """

    agents_url: str
    api_url: str
    sim_url: str
    ca: Path | None = None
    oig_url: str = ""

    def __post_init__(self) -> None:
        for address in (self.agents_url, self.api_url, self.sim_url, *filter(None, [self.oig_url])):
            _check(address)

    @classmethod
    def at(
        cls,
        address: str,
        agents_url: str | None = None,
        api_url: str | None = None,
        ca: Path | None = None,
        oig_url: str | None = None,
    ) -> "Target":
        """A server by its address; the vendor's default paths unless overridden (command-api 1.1)."""
        root = address.rstrip("/")
        return cls(
            agents_url=(agents_url or f"{root}/KeyfactorAgents").rstrip("/"),
            api_url=(api_url or f"{root}/KeyfactorAPI").rstrip("/"),
            sim_url=root,
            ca=ca,
            oig_url=(oig_url or f"{root}{oig.BASE}").rstrip("/"),
        )


@dataclass(frozen=True, slots=True)
class Connections:
    """How connections are used, and for how long a call may take.

    `limit` is the most connections at once (one for each agent in per_agent). `connect_timeout` is for making a
    connection, TLS included; `request_timeout` for the whole call, waiting for a free connection included.
    """

    mode: ConnectionMode = "shared"
    limit: int = 100
    connect_timeout: Span = 5 * SECOND
    request_timeout: Span = 30 * SECOND
    client: HttpClient = "fast"


@dataclass(frozen=True, slots=True)
class Stations:
    """How agents use a broker: a few gateways that carry them all, or (`per_agent`) a connection for each.

    The spans are those of `protocol.mqtt.Link`, and the two timeouts those of `Connections`.
    """

    mode: Literal["shared", "per_agent"] = "shared"
    gateways: int = 4
    version: Version = "5"
    clean_start: bool = False
    session_expiry: Span = 5 * MINUTE
    keepalive: Span = 30 * SECOND
    will_delay: Span = 0
    connect_timeout: Span = 5 * SECOND
    request_timeout: Span = 30 * SECOND


def _check(address: str) -> None:
    shown = address.rpartition("@")[2]  # what stands before an @ may be a password
    try:
        problem = _problem(urlsplit(address))
    except ValueError as error:
        problem = str(error) if shown == address else "cannot be read"
    if problem is not None:
        raise UsageError(f"the address {shown!r} {problem}")


def _problem(parts: SplitResult) -> str | None:
    if "@" in parts.netloc:
        return "came with a user or password; credentials go into the environment or a credentials file"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is not one; expected http://HOST[:PORT] or https://HOST[:PORT]"
    if parts.port == 0:
        return "names port 0; expected 1 to 65535"
    if parts.query or parts.fragment:
        return "has a query or fragment; expected scheme, host, port and path only"
    return None
