"""What can happen to an agent, and what an agent reports to have happened.

Events go in through `Agent.handle`; facts come out through `Agent.take_facts`, for the journal. Both are values;
neither knows a transport.
"""

from agent_sim.agent.behaviour import Occasion
from agent_sim.errors import TransportError
from agent_sim.instants import Instant, Span
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.enums import Result
from agent_sim.values import value

# --- events -----------------------------------------------------------------------------------


@value
class Woken:
    """It is `next_wake` or later."""


@value
class Answered:
    """`request` was answered."""

    request: AgentRequest
    reply: AgentReply


@value
class SendFailed:
    """`request` ended without an answer; whether the server acted is unknown unless it never connected."""

    request: AgentRequest
    error: TransportError


@value
class Notified:
    """Somebody says that work or standing changed: look now instead of at the next heartbeat.

    It ends whatever keeps the agent from asking: the wait for the next beat, and the back-off after a registration
    that failed or was refused. If the agent is asking just now, it asks once more: that answer may be older.
    """


@value
class Crashed:
    """The process dies now and is started again at `restart_at`, with its AgentId or as one that never had any.

    Session, list of jobs and the run under way are gone; answers to what it asked before reach nobody.
    """

    restart_at: Instant
    keeps_identity: bool = True


@value
class WentOffline:
    """Nothing gets through any more, either way; the process goes on."""


@value
class CameOnline:
    """The way is free again: what fell due meanwhile leaves at once."""


@value
class ClockSet:
    """The machine's clock is now so far ahead, and gains `drift` seconds each second; zeros: it is right again."""

    offset: Span
    drift: float = 0.0


@value
class StopRequested:
    """Finish what is running, start nothing new."""


Event = Woken | Answered | SendFailed | Notified | Crashed | WentOffline | CameOnline | ClockSet | StopRequested


# --- facts ------------------------------------------------------------------------------------


@value
class Registered:
    """A session was opened; `first` for the first one of this agent's life."""

    first: bool
    jobs: int


@value
class RegistrationRefused:
    """No session: not approved, or an error."""

    code: str
    message: str


@value
class SessionLost:
    """The server no longer honours the session."""


@value
class AgentCrashed:
    """The process died; it is started again at `restart_at`."""

    restart_at: Instant
    keeps_identity: bool


@value
class AgentOffline:
    """The agent is cut off."""


@value
class AgentOnline:
    """The agent is back."""


@value
class JobConfigured:
    """A run began: the server minted its audit id."""

    job_id: str
    audit_id: int
    occasion: Occasion


@value
class JobCancelled:
    """The server took a listed job back."""

    job_id: str


@value
class JobRefused:
    """The server would not configure a job that it had listed."""

    job_id: str
    message: str


@value
class JobLeft:
    """A run that stays open though its work is over: for good, or until it is completed late.

    `why` is "hang", "late", "crash", "malformed", "oversize" or "never_start"; a job that is never started has no run,
    and its audit id is 0.
    """

    job_id: str
    audit_id: int
    occasion: Occasion
    why: str


@value
class JobCompleted:
    """A run ended here; `accepted` says whether the server took the result."""

    job_id: str
    audit_id: int
    occasion: Occasion
    result: Result
    accepted: bool
    worked: Span


@value
class CompletionRepeated:
    """A completion that was acknowledged was sent once more; `accepted` says what the server made of it."""

    job_id: str
    audit_id: int
    occasion: Occasion
    accepted: bool


Fact = (
    Registered
    | RegistrationRefused
    | SessionLost
    | AgentCrashed
    | AgentOffline
    | AgentOnline
    | JobConfigured
    | JobCancelled
    | JobRefused
    | JobLeft
    | JobCompleted
    | CompletionRepeated
)
