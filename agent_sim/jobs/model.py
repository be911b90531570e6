"""A job and a run as values, and what each event makes of them. Tuples: each request makes two new ones.

Every change goes through the tables of `states`, so an illegal one raises IllegalTransition. Whether a
caller may ask for a change is `eligibility`; whether a failure is tried again is `retries`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from agent_sim.errors import IllegalTransition
from agent_sim.instants import Instant
from agent_sim.jobs.retries import will_retry
from agent_sim.protocol.enums import JobType, Result, Status
from agent_sim.protocol.schedule import Immediate, Schedule, recurs, to_wire
from agent_sim.states import JOB, RUN, JobEvent, JobState, RunEvent, RunState

STATUS: Final[Mapping[RunState, Status]] = {
    RunState.IN_PROCESS: Status.IN_PROCESS,
    RunState.COMPLETED: Status.COMPLETED,
    RunState.WILL_RETRY: Status.COMPLETED_WILL_RETRY,
    RunState.ACKNOWLEDGED: Status.ACKNOWLEDGED,
}
"""A run's state as the job history shows it (command-api 4.4)."""

STATE: Final[Mapping[Status, RunState]] = {status: state for state, status in STATUS.items()}

ENDINGS: Final = frozenset({Result.SUCCESS, Result.WARNING, Result.FAILURE})
"""Results that a run can end with: what an agent may say in its completion (agent-protocol 6.2)."""


# Looked up once: in Python 3.11 a member of an enumeration costs as much as a small function does.
_RUNNING: Final = JobState.RUNNING
_CONFIGURED, _RETRIED, _RECURRED, _FINISHED = (
    JobEvent.CONFIGURED,
    JobEvent.RETRIED,
    JobEvent.RECURRED,
    JobEvent.FINISHED,
)
_ENDED, _ENDED_WILL_RETRY = RunEvent.ENDED, RunEvent.ENDED_WILL_RETRY

_NO_DETAILS: Final[Mapping[str, str]] = MappingProxyType({})


class Job(NamedTuple):
    """Work that an agent is to do, once or by its schedule.

    `at_once`: to be run now whatever the schedule says, because it is Immediate, retried or rescheduled.
    `failures` counts the failed runs of the present occurrence. `details` are the parameters of its kind.
    """

    job_id: str
    agent_id: str
    type: JobType
    schedule: Schedule
    requested: Instant
    state: JobState = JobState.WAITING
    at_once: bool = False
    failures: int = 0
    store_id: str | None = None
    details: Mapping[str, str] = _NO_DETAILS

    @property
    def wire_schedule(self) -> str | None:
        """The schedule that its agent is told; None means now."""
        return None if self.at_once else to_wire(self.schedule)

    @property
    def is_one_shot(self) -> bool:
        """True if an agent drops it from its list after one run."""
        return self.at_once or not recurs(self.schedule)


class Run(NamedTuple):
    """One execution of a job. Identified by its audit id, in process until it ends, once."""

    audit_id: int
    job_id: str
    agent_id: str
    started: Instant
    state: RunState = RunState.IN_PROCESS
    result: Result = Result.UNKNOWN
    ended: Instant | None = None
    message: str = ""
    timed_out: bool = False


def advance_job(state: JobState, event: JobEvent) -> JobState:
    """The state that follows, or IllegalTransition."""
    try:
        return JOB[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def advance_run(state: RunState, event: RunEvent) -> RunState:
    """The state that follows, or IllegalTransition."""
    try:
        return RUN[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def new_job(
    job_id: str,
    agent_id: str,
    kind: JobType,
    schedule: Schedule,
    at: Instant,
    store_id: str | None = None,
    details: Mapping[str, str] | None = None,
) -> Job:
    """A job as it is accepted."""
    at_once = isinstance(schedule, Immediate)
    return Job(job_id, agent_id, kind, schedule, at, at_once=at_once, store_id=store_id, details=details or {})


def take(job: Job) -> Job:
    """The job once its agent has taken it."""
    return _standing(job, advance_job(job.state, _CONFIGURED), job.failures, at_once=job.at_once)


def end(run: Run, job: Job, result: Result, message: str, at: Instant, retries: int) -> tuple[Run, Job]:
    """The run and its job once the run has ended with `result` (one of ENDINGS)."""
    again = will_retry(job.type.category, job.state, job.failures, result, retries)
    ending = _ENDED_WILL_RETRY if again else _ENDED
    state = advance_run(run.state, ending)
    ended = Run(run.audit_id, run.job_id, run.agent_id, run.started, state, result, at, message, run.timed_out)
    return ended, _retried(job) if again else _after(job)


def time_out(run: Run, job: Job, at: Instant, retries: int) -> tuple[Run, Job]:
    """The run and its job once the server has waited too long: a failure (our choice of message)."""
    ended, after = end(run, job, Result.FAILURE, "timed out", at, retries)
    return ended._replace(timed_out=True), after


def _retried(job: Job) -> Job:
    state = advance_job(job.state, _RETRIED)
    return _standing(job, state, job.failures + 1, at_once=True)


def _after(job: Job) -> Job:
    goes_on = job.state is _RUNNING and recurs(job.schedule)
    state = advance_job(job.state, _RECURRED if goes_on else _FINISHED)
    return _standing(job, state, 0, at_once=False)


def _standing(job: Job, state: JobState, failures: int, *, at_once: bool) -> Job:
    """The job where it stands now; `_replace` would take thrice as long."""
    job_id, agent_id, kind, schedule, requested, _, _, _, store_id, details = job
    return Job(job_id, agent_id, kind, schedule, requested, state, at_once, failures, store_id, details)


def reschedule(job: Job) -> Job:
    """The job wanted again at once, its retries counted anew (command-api 2.7)."""
    return job._replace(state=advance_job(job.state, JobEvent.RESCHEDULED), at_once=True, failures=0)


def unschedule(job: Job) -> Job:
    """The job not wanted any more; a run in process goes on (command-api 2.8)."""
    return job._replace(state=advance_job(job.state, JobEvent.UNSCHEDULED))


def acknowledge(run: Run) -> Run:
    """The run as seen and dealt with; its result stays (command-api 2.9)."""
    return run._replace(state=advance_run(run.state, RunEvent.ACKNOWLEDGED))
