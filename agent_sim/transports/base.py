"""What a shell needs of a transport: carry one request, bring back its answer, and always end.

A call ends in a reply, in ConnectFailed (never sent) or in ReplyTimeout (sent, fate unknown); it never hangs longer
than its own timeout and never sends anything twice. `tests/transports/test_contract.py` holds every transport to that.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from agent_sim.instants import SECOND, Span
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation

ConnectionMode = Literal["shared", "per_agent", "per_request"]


class AgentTransport(Protocol):
    """Carries agents' requests."""

    async def send(self, request: AgentRequest) -> AgentReply:
        """Send one request. Raises TransportError."""
        ...


class CommandTransport(Protocol):
    """Carries the operator's operations."""

    async def call(self, operation: Operation) -> CommandReply:
        """Ask for one operation. Raises TransportError."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """A user and password; never shown."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.username!r}, password not shown)"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server is: base addresses without a trailing slash; `ca` a PEM file that TLS trusts besides the system's.

    `sim_url` is the root that our own /sim/ endpoints hang under, on our own server.
    """

    agents_url: str
    api_url: str
    sim_url: str
    ca: Path | None = None

    @classmethod
    def at(
        cls, address: str, agents_url: str | None = None, api_url: str | None = None, ca: Path | None = None
    ) -> "Target":
        """A server by its address; the vendor's default paths unless overridden (command-api 1.1)."""
        root = address.rstrip("/")
        return cls(
            agents_url=(agents_url or f"{root}/KeyfactorAgents").rstrip("/"),
            api_url=(api_url or f"{root}/KeyfactorAPI").rstrip("/"),
            sim_url=root,
            ca=ca,
        )


@dataclass(frozen=True, slots=True)
class Connections:
    """How connections are used, and for how long a call may take."""

    mode: ConnectionMode = "shared"
    limit: int = 100
    connect_timeout: Span = 5 * SECOND
    request_timeout: Span = 30 * SECOND
