"""The one table of what a storm can do: how to ask, whom to ask for, and what counts as having happened.

A new storm is a new row. Rows speak of runs of the job history; asking, counting and judging happen elsewhere.
Sources: the seeds for queries and eligibility, command-api 2.7 and 2.9 for the kinds of jobs, load-testing 3.4
for what a transition is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent_sim.protocol import command
from agent_sim.protocol.command import JobHistoryRecord
from agent_sim.protocol.enums import FETCH_LOGS, Category, Result, Status
from agent_sim.protocol.schedule import Monthly, Weekly


class Subject(Enum):
    """Whose transitions are counted, and of whom an id is the newest to be asked for."""

    JOB = "job"  # by JobId: one token per job, its newest failed run
    RUN = "run"  # by audit id: every run is a token


@dataclass(frozen=True, slots=True)
class StormOperation:
    """One row. `effect` is the kind of transition that an accepted id must show exactly once.

    `again`: whether a subject may rightly change once more after another run, so that several queries may each
    change it once. `accepts` and `means` are for people: which states accept the call, and what is counted.
    """

    name: str
    title: str
    by_ids: Callable[[tuple[int, ...]], command.Operation]
    by_query: Callable[[str], command.Operation]
    candidates: str
    is_eligible: Callable[[JobHistoryRecord], bool]
    subject: Subject
    effect: str
    again: bool
    accepts: str
    means: str


def is_reschedulable(run: JobHistoryRecord) -> bool:
    """Failed, completed or acknowledged, of a type and schedule that may be rescheduled (seed, command-api 2.7)."""
    if run.result is not Result.FAILURE or run.status not in (Status.COMPLETED, Status.ACKNOWLEDGED):
        return False
    category = category_of(run.job_type)
    if category is Category.CUSTOM:
        return isinstance(run.schedule, Weekly | Monthly)
    return category in (Category.MANAGEMENT, Category.REENROLLMENT, Category.DISCOVERY)


def is_acknowledgeable(run: JobHistoryRecord) -> bool:
    """Failed or warned, completed with or without a retry to come (seed)."""
    return run.result in (Result.FAILURE, Result.WARNING) and run.status in (
        Status.COMPLETED,
        Status.COMPLETED_WILL_RETRY,
    )


_SUFFIXES: Final = sorted(
    (category for category in Category if category not in (Category.CUSTOM, Category.FETCH_LOGS)),
    key=lambda category: -len(category.value),
)


def category_of(job_type: str) -> Category:
    """The category of a history record's JobType: its longest documented suffix, else custom (command-api 4.6)."""
    if job_type == FETCH_LOGS.history:
        return Category.FETCH_LOGS
    return next((category for category in _SUFFIXES if job_type.endswith(category.value)), Category.CUSTOM)


OPERATIONS: Final[Mapping[str, StormOperation]] = {
    row.name: row
    for row in (
        StormOperation(
            name="reschedule",
            title="Reschedule",
            by_ids=lambda ids: command.Reschedule(job_audit_ids=ids),
            by_query=lambda query: command.Reschedule(query=query),
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
            by_ids=lambda ids: command.Acknowledge(job_audit_ids=ids),
            by_query=lambda query: command.Acknowledge(query=query),
            candidates=command.ACKNOWLEDGEABLE_QUERY,
            is_eligible=is_acknowledgeable,
            subject=Subject.RUN,
            effect="acknowledged",
            again=False,
            accepts="Result Failure or Warning, Status Completed or CompletedWillRetry",
            means="the run's Status becomes Acknowledged exactly once",
        ),
    )
}
