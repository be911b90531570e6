"""The life of the scheduler's runs: what fires, what ends, what is tried again.

    trigger or request ── run ──▶ success: the job waits for its next time
                           ▲ └──▶ failure or crash ── retries left ── after a while ─┐
                           └─────────────────────────────────────────────────────────┘
                                      └── none left ──▶ the job is disabled

Time is an argument: whoever has a clock calls `wake` at `next_wake`. Requests are `server.oig`'s business.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from agent_sim.instants import NEVER, Instant
from agent_sim.protocol.oig import JobStatus, RunStatus
from agent_sim.protocol.oig_triggers import following
from agent_sim.server.oig_tasks import Outcome, TaskRun, TaskRunner
from agent_sim.server.tables.oig import Ending, Fire, Held, OigTables, Retry
from agent_sim.settings import ServerSettings

_logger = logging.getLogger(__name__)

RESTARTED: Final = "The server was restarted while the task ran"
STOPPED: Final = "The job was stopped"


@dataclass(frozen=True, slots=True)
class _End:
    """What an outcome makes of the run and of its job, and whether it counts as a failure."""

    run: RunStatus
    job: JobStatus
    fails: bool
    error: str = ""
    exception: str | None = None


# What becomes of a crash is our choice: whoever ran the task is gone, so nobody said FAILED.
_ENDS: Final[Mapping[Outcome, _End]] = {
    Outcome.SUCCESS: _End(RunStatus.STOPPED, JobStatus.STOPPED, fails=False),
    Outcome.FAILURE: _End(RunStatus.FAILED, JobStatus.STOPPED, fails=True, error="The task failed"),
    Outcome.CRASH: _End(
        RunStatus.INTERRUPTED,
        JobStatus.INTERRUPTED,
        fails=True,
        error="The server that ran the task went down",
        exception="org.quartz.JobExecutionException",
    ),
}


class Runs:
    """Begins and ends runs; everything lasting is in the tables."""

    def __init__(self, tables: OigTables, settings: ServerSettings, runner: TaskRunner) -> None:
        self._tables, self._settings, self._runner = tables, settings, runner

    def begin(self, job: Held, now: Instant, occurrence: int | None = None, attempt: int = 1) -> None:
        """A run begins now: the next occurrence, or another attempt at one. What waited to be tried again does not."""
        if occurrence is None:
            occurrence = job.occurrences + 1
            self._tables.drop_retries(job.name)
        run = TaskRun(job.details.task_name, job.name, occurrence, attempt, job.runs + 1)
        self._tables.begin(run, self._runner.course(run), job.details.parameters, now)
        running = replace(job.details, status=JobStatus.RUNNING)
        counted = max(job.occurrences, occurrence)
        self._tables.change(replace(job, details=running, occurrences=counted, runs=run.number))
        _log("task began", job.name)

    def interrupt(self, job: Held, why: str, now: Instant) -> int:
        """End what runs and drop what waits to be tried again; returns how many runs and retries that were."""
        ended = self._tables.interrupt(job.name, why, now)
        dropped = self._tables.drop_retries(job.name)
        if ended:
            self._tables.change(replace(job, details=replace(job.details, status=JobStatus.INTERRUPTED)))
            _log("task interrupted", job.name)
        return ended + dropped

    def next_wake(self) -> Instant:
        """When something is due; NEVER if nothing is."""
        return self._tables.wake()

    def wake(self, now: Instant) -> None:
        """Do all that is due by now, in order of time.

        A trigger that was due more than once, as after a pause of the server, fires once (our choice).
        """
        while (due := self._tables.next_due(now)) is not None:
            match due:
                case Ending():
                    self._end(due)
                case Retry():
                    self._try_again(due, now)
                case Fire():
                    self._fire(due, now)

    def recover(self, now: Instant) -> None:
        """What an earlier process of ours was running is gone with it."""
        for name in self._tables.left_running():
            job = self._tables.job(name)
            if job is not None:
                ended = self._tables.interrupt(name, RESTARTED, now)
                self._tables.change(replace(job, details=replace(job.details, status=JobStatus.INTERRUPTED)))
                _logger.info("runs interrupted by a restart", extra={"job": name, "runs": ended})

    def _end(self, due: Ending) -> None:
        job = self._tables.job(due.job)
        assert job is not None  # a job's runs are deleted with it
        end = _ENDS[due.outcome]
        failures = job.failures + 1 if end.fails else 0
        details = job.details
        is_exhausted = end.fails and failures > details.retry_count
        retry_at = self._retry_at(details.is_enabled and not is_exhausted, due.at) if end.fails else None
        error = (due.message or end.error) if end.fails else None
        exception = f"{end.exception}: {error}" if end.exception else None
        self._tables.end(due.id, end.run, due.at, error, exception, retry_at)
        if is_exhausted:
            self._tables.drop_retries(job.name)
            details = replace(details, is_enabled=False)
            _log("retries are exhausted, job disabled", job.name)
        status = JobStatus.RUNNING if self._tables.under_way(job.name) else end.job
        self._tables.change(replace(job, details=replace(details, status=status), failures=failures))

    def _retry_at(self, wanted: bool, now: Instant) -> Instant | None:
        if not wanted or self._settings.oig_retries != "by_itself":
            return None
        return min(now + self._settings.oig_retry_delay, NEVER)

    def _try_again(self, due: Retry, now: Instant) -> None:
        self._tables.clear_retry(due.id)
        job = self._tables.job(due.job)
        if job is not None and self.is_free(job):
            self.begin(job, now, due.occurrence, due.attempt + 1)

    def _fire(self, due: Fire, now: Instant) -> None:
        job = self._tables.job(due.job)
        assert job is not None
        again = None if job.trigger is None else following(job.trigger, max(now, due.at))
        self._tables.set_next_fire(job.name, again)
        if job.details.is_enabled and self.is_free(job):
            self.begin(job, now)

    def is_free(self, job: Held) -> bool:
        """True if another run of the job may begin: none is under way, or the job is concurrent."""
        return job.details.concurrent or not self._tables.under_way(job.name)


def _log(what: str, job: str) -> None:
    _logger.info("%s: %s", what, job, extra={"job": job})
