"""What the server should do with jobs and runs, in a page: dictionaries, the tables of `states`, and `eligibility`.

Knows no SQL, no sessions' tokens and no HTTP. Each request answers the HTTP status that the server must answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent_sim.instants import Instant, Span
from agent_sim.jobs.eligibility import why_not_acknowledge, why_not_reschedule, why_not_unschedule
from agent_sim.protocol.enums import AgentStatus, Category, Result, Status
from agent_sim.protocol.schedule import Immediate, Schedule, recurs
from agent_sim.states import JOB, RUN, JobEvent, JobState, RunEvent, RunState

RETRIED = {Category.MANAGEMENT, Category.CUSTOM, Category.FETCH_LOGS}
SHOWN = {
    RunState.IN_PROCESS: Status.IN_PROCESS,
    RunState.COMPLETED: Status.COMPLETED,
    RunState.WILL_RETRY: Status.COMPLETED_WILL_RETRY,
    RunState.ACKNOWLEDGED: Status.ACKNOWLEDGED,
}


@dataclass
class Job:
    agent: str
    category: Category
    schedule: Schedule
    at_once: bool
    state: JobState = JobState.WAITING
    failures: int = 0

    @property
    def is_scheduled(self) -> bool:
        """True if ScheduledJobs must list it."""
        return self.state is JobState.WAITING or (self.state is JobState.RUNNING and recurs(self.schedule))

    @property
    def shown(self) -> Schedule:
        """The schedule as ScheduledJobs must show it."""
        return Immediate() if self.state is JobState.WAITING and self.at_once else self.schedule


@dataclass
class Run:
    job: str
    started: Instant
    state: RunState = RunState.IN_PROCESS
    result: Result = Result.UNKNOWN
    said: tuple[Result, str, str | None] | None = None  # None: nobody completed it, it timed out


@dataclass
class Model:
    """All jobs and runs. Methods that ask return the status that the server must answer."""

    retries: int
    timeout: Span
    agents: dict[str, AgentStatus] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    newest: int = 0

    # --- what agents do -----------------------------------------------------------------------

    def waiting(self, agent: str) -> set[str]:
        return {name for name, job in self.jobs.items() if job.agent == agent and job.state is JobState.WAITING}

    def in_process(self, job: str) -> int | None:
        """The audit id of the job's run in process."""
        found = [audit for audit, run in self.runs.items() if run.job == job and run.state is RunState.IN_PROCESS]
        assert len(found) < 2, f"job {job} has {len(found)} runs in process"
        return found[0] if found else None

    def take(self, job: str, audit: int, now: Instant) -> None:
        assert audit > self.newest
        self.newest = audit
        self._move(job, JobEvent.CONFIGURED)
        self.runs[audit] = Run(job, now)

    def end(self, audit: int, result: Result, said: tuple[Result, str, str | None] | None) -> None:
        run = self.runs[audit]
        job = self.jobs[run.job]
        again = result is Result.FAILURE and job.category in RETRIED and job.state is JobState.RUNNING
        again = again and job.failures < self.retries
        run.state = RUN[run.state, RunEvent.ENDED_WILL_RETRY if again else RunEvent.ENDED]
        run.result, run.said = result, said
        if again:
            self._move(run.job, JobEvent.RETRIED)
            job.at_once, job.failures = True, job.failures + 1
        else:
            goes_on = job.state is JobState.RUNNING and recurs(job.schedule)
            self._move(run.job, JobEvent.RECURRED if goes_on else JobEvent.FINISHED)
            job.at_once, job.failures = False, 0

    def pass_time(self, now: Instant) -> None:
        for audit, run in self.runs.items():
            if run.state is RunState.IN_PROCESS and run.started <= now - self.timeout:
                self.end(audit, Result.FAILURE, None)

    def _move(self, job: str, event: JobEvent) -> None:
        self.jobs[job].state = JOB[self.jobs[job].state, event]

    # --- what operators ask for ---------------------------------------------------------------

    def reschedule(self, audits: Iterable[int]) -> int:
        wanted = list(audits)
        if not all(audit in self.runs and self._may_reschedule(audit) for audit in wanted):
            return 400
        for job in {self.runs[audit].job for audit in wanted}:
            is_queued = self.jobs[job].state is JobState.WAITING and self.jobs[job].at_once
            if self.in_process(job) is None and not is_queued:
                self.requeue(job)
        return 204

    def requeue(self, job: str) -> None:
        self._move(job, JobEvent.RESCHEDULED)
        self.jobs[job].at_once, self.jobs[job].failures = True, 0

    def reschedule_by_query(self) -> int:
        """By the seed's candidate query."""
        return self.reschedule([audit for audit in self.runs if self._may_reschedule(audit)])

    def _may_reschedule(self, audit: int) -> bool:
        run = self.runs[audit]
        job = self.jobs[run.job]
        return why_not_reschedule(job.category, job.schedule, run.result, SHOWN[run.state]) is None

    def acknowledge(self, audits: Iterable[int]) -> int:
        wanted = list(audits)
        if not all(audit in self.runs and self._may_acknowledge(audit) for audit in wanted):
            return 400
        for audit in set(wanted):
            self.mark(audit)
        return 204

    def mark(self, audit: int) -> None:
        self.runs[audit].state = RUN[self.runs[audit].state, RunEvent.ACKNOWLEDGED]

    def acknowledge_by_query(self) -> int:
        """By the seed's candidate query."""
        return self.acknowledge([audit for audit in self.runs if self._may_acknowledge(audit)])

    def _may_acknowledge(self, audit: int) -> bool:
        run = self.runs[audit]
        return why_not_acknowledge(run.result, SHOWN[run.state]) is None

    def unschedule(self, names: Iterable[str]) -> int:
        wanted = list(names)
        if not all(name in self.jobs and self._may_unschedule(name) for name in wanted):
            return 400
        for name in set(wanted):
            self.drop(name)
        return 204

    def drop(self, job: str) -> None:
        self._move(job, JobEvent.UNSCHEDULED)

    def unschedule_by_query(self) -> int:
        """By the seed's candidate query."""
        return self.unschedule([name for name in self.jobs if self._may_unschedule(name)])

    def _may_unschedule(self, name: str) -> bool:
        job = self.jobs[name]
        return job.is_scheduled and why_not_unschedule(job.category) is None

    # --- what is to be seen -------------------------------------------------------------------

    def history(self) -> dict[int, tuple[str, Result, Status]]:
        return {audit: (run.job, run.result, SHOWN[run.state]) for audit, run in self.runs.items()}

    def scheduled(self) -> dict[str, Schedule]:
        return {name: job.shown for name, job in self.jobs.items() if job.is_scheduled}
