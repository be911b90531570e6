"""Who may be rescheduled, acknowledged and unscheduled, and why not: one table and three questions.

Each question answers None for yes, else the reason, to stand behind the job's id and a colon.
Sources: the seeds for results and statuses, command-api 2.7 to 2.9 for the kinds of jobs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from agent_sim.protocol.enums import Category, Result, Status
from agent_sim.protocol.schedule import Daily, Interval, Monthly, Schedule, Weekly

RESCHEDULABLE_RESULTS: Final = frozenset({Result.FAILURE})
RESCHEDULABLE_STATUSES: Final = frozenset({Status.COMPLETED, Status.ACKNOWLEDGED})
ACKNOWLEDGEABLE_RESULTS: Final = frozenset({Result.FAILURE, Result.WARNING})
ACKNOWLEDGEABLE_STATUSES: Final = frozenset({Status.COMPLETED, Status.COMPLETED_WILL_RETRY})

ANY_SCHEDULE: Final[frozenset[type[Schedule]]] = frozenset(get_args(Schedule))
NO_SCHEDULE: Final[frozenset[type[Schedule]]] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One category: with which schedules it can be rescheduled and whether it can be unscheduled."""

    reschedule: frozenset[type[Schedule]]
    unschedule: bool
    advice: str = ""  # what to do instead


_BY_STORE: Final = "use POST /CertificateStores/Schedule"
_NEW_ONE: Final = "schedule a new one with POST /OrchestratorJobs/Custom"
_SERVER: Final = "the server plans these itself"

RULES: Final[Mapping[Category, Rule]] = {
    Category.MANAGEMENT: Rule(ANY_SCHEDULE, unschedule=True),
    Category.REENROLLMENT: Rule(ANY_SCHEDULE, unschedule=True),
    Category.DISCOVERY: Rule(ANY_SCHEDULE, unschedule=True),
    Category.CUSTOM: Rule(frozenset({Weekly, Monthly}), unschedule=True, advice=_NEW_ONE),
    Category.FETCH_LOGS: Rule(NO_SCHEDULE, unschedule=True, advice=_NEW_ONE),
    Category.INVENTORY: Rule(NO_SCHEDULE, unschedule=False, advice=_BY_STORE),
    Category.SSL_DISCOVERY: Rule(NO_SCHEDULE, unschedule=False, advice=_SERVER),
    Category.MONITORING: Rule(NO_SCHEDULE, unschedule=False, advice=_SERVER),
    Category.SYNC: Rule(NO_SCHEDULE, unschedule=False, advice=_SERVER),
    Category.SSH_SYNC: Rule(NO_SCHEDULE, unschedule=False, advice=_SERVER),
}


def why_not_reschedule(category: Category, schedule: Schedule, result: Result, status: Status) -> str | None:
    """Why a run cannot be rescheduled. `schedule` is its job's own, retries and reschedules aside."""
    if result not in RESCHEDULABLE_RESULTS or status not in RESCHEDULABLE_STATUSES:
        return f"{_stands(result, status)}, rescheduling needs Failure and Completed or Acknowledged"
    rule = RULES[category]
    if type(schedule) in rule.reschedule:
        return None
    if category is Category.CUSTOM and isinstance(schedule, Interval | Daily):
        return "it is a custom job that recurs by itself"
    return f"{_name(category, schedule)} cannot be rescheduled, {rule.advice}"


def why_not_acknowledge(result: Result, status: Status) -> str | None:
    """Why a run cannot be acknowledged."""
    if result in ACKNOWLEDGEABLE_RESULTS and status in ACKNOWLEDGEABLE_STATUSES:
        return None
    return f"{_stands(result, status)}, acknowledging needs Failure or Warning and Completed or CompletedWillRetry"


def why_not_unschedule(category: Category) -> str | None:
    """Why a scheduled job cannot be unscheduled."""
    rule = RULES[category]
    return None if rule.unschedule else f"{category.value} jobs cannot be unscheduled, {rule.advice}"


def _stands(result: Result, status: Status) -> str:
    return f"its result is {_title(result.name)} and its status {_title(status.name)}"


def _title(name: str) -> str:
    return name.title().replace("_", "")


def _name(category: Category, schedule: Schedule) -> str:
    if category is Category.CUSTOM:
        return f"custom jobs scheduled {type(schedule).__name__}"
    return "Fetch Logs jobs" if category is Category.FETCH_LOGS else f"{category.value} jobs"
