"""What can happen to an agent, and what an agent reports to have happened.

Events go in through `Agent.handle`; facts come out through `Agent.take_facts`, for the journal. Both are values;
neither knows a transport.
"""

from dataclasses import dataclass

from agent_sim.agent.behaviour import Occasion
from agent_sim.errors import TransportError
from agent_sim.instants import Span
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.enums import Result

# --- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Woken:
    """It is `next_wake` or later."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`request` was answered."""

    request: AgentRequest
    reply: AgentReply


@dataclass(frozen=True, slots=True)
class SendFailed:
    """`request` ended without an answer; whether the server acted is unknown unless it never connected."""

    request: AgentRequest
    error: TransportError


@dataclass(frozen=True, slots=True)
class Notified:
    """Somebody says that work or standing changed: look now instead of at the next heartbeat."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Finish what is running, start nothing new."""


Event = Woken | Answered | SendFailed | Notified | StopRequested


# --- facts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Registered:
    """A session was opened; `first` for the first one of this agent's life."""

    first: bool
    jobs: int


@dataclass(frozen=True, slots=True)
class RegistrationRefused:
    """No session: not approved, or an error."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The server no longer honours the session."""


@dataclass(frozen=True, slots=True)
class JobConfigured:
    """A run began: the server minted its audit id."""

    job_id: str
    audit_id: int
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """The server took a listed job back."""

    job_id: str


@dataclass(frozen=True, slots=True)
class JobRefused:
    """The server would not configure a job that it had listed."""

    job_id: str
    message: str


@dataclass(frozen=True, slots=True)
class JobCompleted:
    """A run ended here; `accepted` says whether the server took the result."""

    job_id: str
    audit_id: int
    occasion: Occasion
    result: Result
    accepted: bool
    worked: Span


Fact = Registered | RegistrationRefused | SessionLost | JobConfigured | JobCancelled | JobRefused | JobCompleted
