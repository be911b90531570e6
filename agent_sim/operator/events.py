"""What can happen to the operator, and what it reports to have happened."""

from agent_sim.errors import TransportError
from agent_sim.operator.rounds import Due
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.protocol.enums import JobType
from agent_sim.values import value


@value
class Order:
    """An operation to send; `due` names the work that it posts, None for all else."""

    operation: Operation
    due: Due | None = None


# --- events -----------------------------------------------------------------------------------


@value
class Woken:
    """It is `next_wake` or later."""


@value
class Answered:
    """`order` was answered."""

    order: Order
    reply: CommandReply


@value
class SendFailed:
    """`order` ended without an answer; whether the server acted is unknown."""

    order: Order
    error: TransportError


@value
class StopRequested:
    """Post nothing more."""


Event = Woken | Answered | SendFailed | StopRequested


# --- facts ------------------------------------------------------------------------------------


@value
class JobTypeKnown:
    """The server has this custom job type, under this GUID."""

    type: JobType


@value
class AgentApproved:
    """The server accepted the approval of this orchestrator: it should register now."""

    machine: str


@value
class JobPosted:
    """The server accepted work; `job_id` is "" where the API names none (inventory schedules)."""

    posting: str
    type: str
    machine: str
    job_id: str


@value
class PostFailed:
    """Work was refused, or its fate is unknown (`status` 0)."""

    posting: str
    type: str
    machine: str
    status: int
    message: str


@value
class SetupFailed:
    """Something the fleet needs could not be made ready; the run goes on without it."""

    what: str
    status: int
    message: str


Fact = JobTypeKnown | AgentApproved | JobPosted | PostFailed | SetupFailed
