"""The one table of what a storm can do: how to ask, whom to ask for, and what counts as having happened.

A new storm is a new row. A row says where its candidates are listed (runs of the job history, scheduled jobs,
orchestrators), which of them are eligible, what is sent for some of them, and which transition an accepted one must
show. Asking, counting and judging happen elsewhere. Sources: the seeds for queries and eligibility, command-api 2.2 to
2.9 and 3.1, load-testing 3.4 for what a transition is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from agent_sim.protocol import agent_commands, command, job_commands
from agent_sim.protocol.command import AgentRecord, JobHistoryRecord, ScheduledJobRecord
from agent_sim.protocol.enums import FETCH_LOGS, AgentStatus, Category, Result, Status
from agent_sim.protocol.schedule import Monthly, Weekly

if TYPE_CHECKING:
    from agent_sim.storms.plan import StormPlan
    from agent_sim.storms.pool import Token

Candidate = JobHistoryRecord | ScheduledJobRecord | AgentRecord


class Source(Enum):
    """Where candidates are listed."""

    RUNS = "job history"
    JOBS = "scheduled jobs"
    AGENTS = "orchestrators"


class Subject(Enum):
    """Whose transitions are counted, and of whom an id is the newest to be asked for."""

    JOB = "job"  # by JobId: one token per job, its newest failed run
    RUN = "run"  # by audit id: every run is a token
    AGENT = "orchestrator"  # by AgentId
    NEW_JOB = "new job"  # of an orchestrator, which is asked again and again


@dataclass(frozen=True, slots=True)
class StormOperation:
    """One row. `effect` is the kind of transition that an accepted id must show exactly once.

    `request` is what is sent, `ask` builds it for some tokens and `by_query` for a query, None where the API has none;
    `largest` is how many ids one request can carry, None for as many as the target takes. `again`: whether a subject
    may rightly change once more after its state changed back, so that several requests may each change it once.
    `accepts` and `means` are for people: which states accept the call, and what is counted.
    """

    name: str
    title: str
    request: type[command.Operation]
    ask: "Callable[[Sequence[Token], StormPlan], command.Operation]"
    by_query: Callable[[str], command.Operation] | None
    largest: int | None
    source: Source
    candidates: str
    is_eligible: Callable[[Candidate, str], bool]
    subject: Subject
    effect: str
    again: bool
    accepts: str
    means: str

    @property
    def creates(self) -> bool:
        """True if accepted requests make jobs, so that nothing is used up."""
        return self.subject is Subject.NEW_JOB


# --- who is eligible --------------------------------------------------------------------------


def is_reschedulable(run: Candidate, job_type: str = "") -> bool:
    """Failed, completed or acknowledged, of a type and schedule that may be rescheduled (seed, command-api 2.7)."""
    if not isinstance(run, JobHistoryRecord) or run.result is not Result.FAILURE:
        return False
    if run.status not in (Status.COMPLETED, Status.ACKNOWLEDGED):
        return False
    category = category_of(run.job_type)
    if category is Category.CUSTOM:
        return isinstance(run.schedule, Weekly | Monthly)
    return category in (Category.MANAGEMENT, Category.REENROLLMENT, Category.DISCOVERY)


def is_acknowledgeable(run: Candidate, job_type: str = "") -> bool:
    """Failed or warned, completed with or without a retry to come (seed)."""
    return (
        isinstance(run, JobHistoryRecord)
        and run.result in (Result.FAILURE, Result.WARNING)
        and run.status in (Status.COMPLETED, Status.COMPLETED_WILL_RETRY)
    )


_UNSCHEDULABLE: Final = frozenset(
    {Category.MANAGEMENT, Category.REENROLLMENT, Category.DISCOVERY, Category.FETCH_LOGS, Category.CUSTOM}
)


def is_unschedulable(job: Candidate, job_type: str = "") -> bool:
    """Scheduled, and of a type that may be unscheduled (seed, command-api 2.8)."""
    return isinstance(job, ScheduledJobRecord) and category_of(job.job_type) in _UNSCHEDULABLE


def can_run(agent: Candidate, job_type: str) -> bool:
    """Approved, and able to do jobs of this type (command-api 2.2); of any type if none is given."""
    if not isinstance(agent, AgentRecord) or agent.status is not AgentStatus.APPROVED:
        return False
    word = FETCH_LOGS.capability if job_type.casefold() == FETCH_LOGS.history.casefold() else job_type
    return not word or word.casefold() in {name.casefold() for name in agent.capabilities}


def is_waiting(agent: Candidate, job_type: str = "") -> bool:
    """New: it waits for its approval (command-api 3.1)."""
    return isinstance(agent, AgentRecord) and agent.status is AgentStatus.NEW


_SUFFIXES: Final = sorted(
    (category for category in Category if category not in (Category.CUSTOM, Category.FETCH_LOGS)),
    key=lambda category: -len(category.value),
)


def category_of(job_type: str) -> Category:
    """The category of a history record's JobType: its longest documented suffix, else custom (command-api 4.6)."""
    if job_type == FETCH_LOGS.history:
        return Category.FETCH_LOGS
    return next((category for category in _SUFFIXES if job_type.endswith(category.value)), Category.CUSTOM)


# --- what is sent -----------------------------------------------------------------------------


def _runs(tokens: "Sequence[Token]") -> tuple[int, ...]:
    return tuple(token.audit_id for token in tokens)


def _ids(tokens: "Sequence[Token]") -> tuple[str, ...]:
    return tuple(token.job_id for token in tokens)


def _custom(tokens: "Sequence[Token]", plan: "StormPlan") -> command.Operation:
    return command.ScheduleJob(tokens[0].job_id, plan.job_type, None, plan.fields)


def _bulk(tokens: "Sequence[Token]", plan: "StormPlan") -> command.Operation:
    return job_commands.ScheduleBulkJob(_ids(tokens), plan.job_type, None, plan.fields)


# --- the table --------------------------------------------------------------------------------

_APPROVED: Final = "Status -eq 2"
_NEW: Final = "Status -eq 1"
_ABLE: Final = "approved orchestrators in scope that can do such jobs, one after the other and again from the first"
_MADE: Final = "their orchestrator has exactly one such job more"

OPERATIONS: Final[Mapping[str, StormOperation]] = {
    row.name: row
    for row in (
        StormOperation(
            name="reschedule",
            title="Reschedule",
            request=command.Reschedule,
            ask=lambda tokens, plan: command.Reschedule(job_audit_ids=_runs(tokens)),
            by_query=lambda query: command.Reschedule(query=query),
            largest=None,
            source=Source.RUNS,
            candidates=command.RESCHEDULABLE_QUERY,
            is_eligible=is_reschedulable,
            subject=Subject.JOB,
            effect="rescheduled",
            again=True,
            accepts="Result Failure, Status Completed or Acknowledged, of Management, Reenrollment, Discovery"
            " and weekly or monthly custom jobs; the newest such run of each job",
            means="the job is queued again exactly once",
        ),
        StormOperation(
            name="acknowledge",
            title="Acknowledge",
            request=command.Acknowledge,
            ask=lambda tokens, plan: command.Acknowledge(job_audit_ids=_runs(tokens)),
            by_query=lambda query: command.Acknowledge(query=query),
            largest=None,
            source=Source.RUNS,
            candidates=command.ACKNOWLEDGEABLE_QUERY,
            is_eligible=is_acknowledgeable,
            subject=Subject.RUN,
            effect="acknowledged",
            again=False,
            accepts="Result Failure or Warning, Status Completed or CompletedWillRetry",
            means="the run's Status becomes Acknowledged exactly once",
        ),
        StormOperation(
            name="unschedule",
            title="Unschedule",
            request=command.Unschedule,
            ask=lambda tokens, plan: command.Unschedule(job_ids=_ids(tokens)),
            by_query=lambda query: command.Unschedule(query=query),
            largest=None,
            source=Source.JOBS,
            candidates=command.UNSCHEDULABLE_QUERY,
            is_eligible=is_unschedulable,
            subject=Subject.JOB,
            effect="unscheduled",
            again=True,
            accepts="scheduled jobs of Management, Reenrollment, Discovery, Fetch Logs and custom types",
            means="the job leaves the schedule exactly once",
        ),
        StormOperation(
            name="custom",
            title="Custom",
            request=command.ScheduleJob,
            ask=_custom,
            by_query=None,
            largest=1,
            source=Source.AGENTS,
            candidates=_APPROVED,
            is_eligible=can_run,
            subject=Subject.NEW_JOB,
            effect="queued",
            again=False,
            accepts=_ABLE,
            means=_MADE,
        ),
        StormOperation(
            name="custom_bulk",
            title="CustomBulk",
            request=job_commands.ScheduleBulkJob,
            ask=_bulk,
            by_query=None,
            largest=None,
            source=Source.AGENTS,
            candidates=_APPROVED,
            is_eligible=can_run,
            subject=Subject.NEW_JOB,
            effect="queued",
            again=False,
            accepts=_ABLE,
            means=_MADE,
        ),
        StormOperation(
            name="fetch_logs",
            title="FetchLogs",
            request=agent_commands.FetchLogs,
            ask=lambda tokens, plan: agent_commands.FetchLogs(tokens[0].job_id),
            by_query=None,
            largest=1,
            source=Source.AGENTS,
            candidates=command.APPROVED_LOGS_QUERY,
            is_eligible=lambda agent, job_type: can_run(agent, FETCH_LOGS.history),
            subject=Subject.NEW_JOB,
            effect="queued",
            again=False,
            accepts=_ABLE,
            means=_MADE,
        ),
        StormOperation(
            name="approve",
            title="Approve",
            request=command.ApproveAgents,
            ask=lambda tokens, plan: command.ApproveAgents(_ids(tokens)),
            by_query=None,
            largest=None,
            source=Source.AGENTS,
            candidates=_NEW,
            is_eligible=is_waiting,
            subject=Subject.AGENT,
            effect="approved",
            again=True,
            accepts="orchestrators with Status New",
            means="the orchestrator's Status becomes Approved exactly once",
        ),
    )
}
