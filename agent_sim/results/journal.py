"""What happened in a run, one event a line: frozen values.

A journal is written by the shell that sees the events and read by `results.summary`; its text is made and read by
`results.journal_text`.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from agent_sim.histogram import HistogramJson
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.results.plain import Counts, JsonObject
from agent_sim.values import value

# --- the run ----------------------------------------------------------------------------------


@value
class RunStarted:
    """The first line. `prefix` begins every simulated ClientMachine; `connections` is the mode (load-testing)."""

    t: float
    scenario: str
    seed: int
    target: str
    embedded: bool
    agents: int
    prefix: str
    started_at: str
    version: str
    connections: str


@value
class FleetDeclared:
    """A fleet that takes part: how many agents, and what they can do in the scenario's words."""

    t: float
    fleet: str
    agents: int
    capabilities: tuple[str, ...]


@value
class PhaseStarted:
    """A phase of the scenario begins, planned to last `seconds`."""

    t: float
    phase: str
    seconds: float


@value
class RunEnded:
    """The last line. `reason` is "finished", "interrupted" or "aborted: why".

    `drained` is true if all work in flight ended before the drain did; `offline` names the machines that the
    scenario itself had taken offline.
    """

    t: float
    reason: str
    drained: bool
    offline: tuple[str, ...]


# --- agents -----------------------------------------------------------------------------------


@value
class AgentRegistered:
    """A session began with `jobs` jobs listed; `first` is false for a registration again."""

    t: float
    fleet: str
    agent: str
    first: bool
    jobs: int


@value
class AgentRefused:
    """The server refused a registration."""

    t: float
    fleet: str
    agent: str
    code: str
    message: str


@value
class SessionLost:
    """The server no longer knew the agent's session."""

    t: float
    fleet: str
    agent: str


@value
class AgentCrashed:
    """An agent's process died; it starts again at `restart`, in seconds since the run started, with its AgentId or as
    one that never had any."""

    t: float
    fleet: str
    agent: str
    restart: float
    keeps_identity: bool


@value
class AgentOffline:
    """The scenario took the agent offline."""

    t: float
    fleet: str
    agent: str


@value
class AgentOnline:
    """The agent is back."""

    t: float
    fleet: str
    agent: str


@value
class SendFailed:
    """A request of an agent ended without an answer."""

    t: float
    fleet: str
    agent: str
    operation: str
    error: str


# --- jobs -------------------------------------------------------------------------------------


@value
class JobPosted:
    """The server accepted a job; `job` is None if its answer named none (a store's inventory: command-api 9)."""

    t: float
    posting: str
    type: str
    machine: str
    job: str | None


@value
class PostFailed:
    """The server did not accept a job; `status` is that of HTTP, 0 if there was no answer.

    Without a `machine` it is a step of the operator's preparations that failed, and `type` says which.
    """

    t: float
    posting: str
    type: str
    machine: str
    status: int
    message: str


@value
class AgentApproved:
    """The operator approved an orchestrator."""

    t: float
    agent: str


@value
class JobConfigured:
    """An agent was handed the run `audit` of `job`."""

    t: float
    fleet: str
    agent: str
    job: str
    audit: int
    type: str
    store: str
    occurrence: int
    attempt: int


@value
class JobCancelled:
    """An agent was told that the job is cancelled."""

    t: float
    fleet: str
    agent: str
    job: str


@value
class JobsUnscheduled:
    """Somebody of ours asked the server to take these jobs off the schedule, by `t` at the latest: a storm or the
    operator (`by`). It said yes to the `accepted` ones; of the `unanswered` ones nobody knows.
    """

    t: float
    by: str
    accepted: tuple[str, ...]
    unanswered: tuple[str, ...]


@value
class JobRefused:
    """The server would not configure a job that it had listed for the agent."""

    t: float
    fleet: str
    agent: str
    job: str
    message: str


@value
class JobLeft:
    """An agent leaves this run open though its work is over, as the scenario has it; `why` is the word for that,
    such as "hang". A job that is never started has no run: `audit` is 0 then.
    """

    t: float
    fleet: str
    agent: str
    job: str
    audit: int
    type: str
    store: str
    occurrence: int
    attempt: int
    why: str


@value
class JobCompleted:
    """An agent reported how a run ended after `seconds` of work, and was told whether that was `accepted`."""

    t: float
    fleet: str
    agent: str
    job: str
    audit: int
    type: str
    store: str
    occurrence: int
    attempt: int
    outcome: Result
    accepted: bool
    seconds: float


@value
class CompletionRepeated:
    """An agent sent a completion once more that had been acknowledged; `accepted` says how that was answered."""

    t: float
    fleet: str
    agent: str
    job: str
    audit: int
    type: str
    store: str
    occurrence: int
    attempt: int
    accepted: bool


# --- faults -----------------------------------------------------------------------------------


@value
class FaultArmed:
    """A window of a fault begins; `until` is when it ends, None for no end of its own.

    `agents` is how many it may meet, None if it is about storms' requests.
    """

    t: float
    fault: str
    window: int
    until: float | None
    agents: int | None


@value
class FaultStruck:
    """A fault did more than slow down a request about `job`, which the agent made."""

    t: float
    fault: str
    fleet: str
    agent: str
    operation: str
    job: str


@value
class FaultOver:
    """A window that began at `began` is over: it met so many of the agents' `requests`, or agents, which are named.

    A fleet in several processes has a line of each, which may come when the next window has begun: they are summed.
    What it does to storms' requests, the storms tell in their results.
    """

    t: float
    fault: str
    window: int
    began: float
    requests: int
    agents: tuple[str, ...]


# --- measurements -----------------------------------------------------------------------------

POOL_WAIT: Final = "pool_wait"
"""The operation of a traffic line that counts no requests, but waits for one of our own connections."""


@value
class Traffic:
    """The requests of one operation that ended since the line before (a second ago in a live run).

    `errors` counts `failed` by kind. `faults` are the declared faults that met all of these requests, none of others.
    """

    t: float
    operation: str
    ok: int
    failed: int
    errors: Counts
    latency: HistogramJson
    faults: tuple[str, ...] = ()


@value
class StormStarted:
    """A storm's process was started."""

    t: float
    storm: str
    operation: str


@value
class StormEnded:
    """A storm is over; `result` is its result object as the storm wrote it (read by `results.storm`)."""

    t: float
    storm: str
    result: JsonObject


# --- read back from the server, after the drain -----------------------------------------------


@value
class ServerRun:
    """A record of the job history. `start` and `end` are seconds since the run started, possibly negative."""

    t: float
    audit: int
    job: str
    type: str
    machine: str
    result: Result
    status: Status
    start: float | None
    end: float | None
    schedule: str | None


@value
class ServerJob:
    """A job that is still scheduled; `schedule` in the wire's spelling, None for now."""

    t: float
    job: str
    type: str
    machine: str
    schedule: str | None


Step: TypeAlias = tuple[str, float, int | None]
"""One transition: its kind, seconds since the run started, and the run concerned (command, `Transition`)."""

Steps: TypeAlias = tuple[Step, ...]


@value
class ServerStory:
    """What became of a job, in order, as the server's feed of transitions tells it; of an orchestrator, by its id.

    A long feed is read in pages: a job may have several stories, each of which goes on with the one before it.
    """

    t: float
    job: str
    steps: Steps


@value
class ServerAgent:
    """An orchestrator as the server lists it; `seen` is when the server last heard of it, possibly negative."""

    t: float
    id: str
    machine: str
    status: AgentStatus
    seen: float | None


@value
class ServerCensus:
    """How many orchestrators the server says it has listed, None if it does not, and whether it has a feed."""

    t: float
    agents: int | None
    shows_transitions: bool


@value
class NotReadBack:
    """The reading broke off: what the server is said to have said before this is not all, and counts for nothing."""

    t: float


# --- the second target's scheduler --------------------------------------------------------------


@value
class OigAsked:
    """The operator asked for something of a job: create, trigger, run, stop, enable, disable or delete.

    `status` is that of HTTP, 0 if there was no answer.
    """

    t: float
    what: str
    job: str
    status: int
    message: str


@value
class OigJob:
    """A job as it was in the end; `next_fire` in seconds since the run started."""

    t: float
    job: str
    task: str
    retries: int
    concurrent: bool
    enabled: bool
    status: str
    trigger: str
    next_fire: float | None


@value
class OigRun:
    """A record of a job's history, its times to the second as the wire has them."""

    t: float
    id: int
    job: str
    status: str
    start: float
    end: float | None
    error: str


Line: TypeAlias = (
    RunStarted
    | FleetDeclared
    | PhaseStarted
    | RunEnded
    | AgentRegistered
    | AgentRefused
    | SessionLost
    | AgentCrashed
    | AgentOffline
    | AgentOnline
    | SendFailed
    | JobPosted
    | PostFailed
    | AgentApproved
    | JobConfigured
    | JobCancelled
    | JobsUnscheduled
    | JobRefused
    | JobLeft
    | JobCompleted
    | CompletionRepeated
    | FaultArmed
    | FaultStruck
    | FaultOver
    | Traffic
    | StormStarted
    | StormEnded
    | ServerRun
    | ServerJob
    | OigAsked
    | OigJob
    | OigRun
    | ServerStory
    | ServerAgent
    | ServerCensus
    | NotReadBack
)

EVENTS: Final[Mapping[str, type[Line]]] = {
    "run_started": RunStarted,
    "fleet_declared": FleetDeclared,
    "phase_started": PhaseStarted,
    "agent_registered": AgentRegistered,
    "agent_refused": AgentRefused,
    "session_lost": SessionLost,
    "agent_crashed": AgentCrashed,
    "agent_offline": AgentOffline,
    "agent_online": AgentOnline,
    "job_posted": JobPosted,
    "post_failed": PostFailed,
    "agent_approved": AgentApproved,
    "job_configured": JobConfigured,
    "job_cancelled": JobCancelled,
    "jobs_unscheduled": JobsUnscheduled,
    "job_refused": JobRefused,
    "job_left": JobLeft,
    "job_completed": JobCompleted,
    "completion_repeated": CompletionRepeated,
    "send_failed": SendFailed,
    "fault_armed": FaultArmed,
    "fault_struck": FaultStruck,
    "fault_over": FaultOver,
    "traffic": Traffic,
    "storm_started": StormStarted,
    "storm_ended": StormEnded,
    "server_run": ServerRun,
    "server_job": ServerJob,
    "oig_asked": OigAsked,
    "oig_job": OigJob,
    "oig_run": OigRun,
    "server_story": ServerStory,
    "server_agent": ServerAgent,
    "server_census": ServerCensus,
    "not_read_back": NotReadBack,
    "run_ended": RunEnded,
}
