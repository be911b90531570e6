"""The lives of a job and of its runs, as two tables.

A job (JobId) waits, runs and waits again or goes; a run of it (JobHistoryId, the audit id) is in process,
ends once and may be acknowledged. Every legal change of state is a row; a missing row is an illegal one.
Data only: who asks for a change and why is the business of `jobs` and of the server.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # for an agent to take it, or for its next occurrence
    RUNNING = "running"
    GONE = "gone"  # done, or unscheduled; a failed one can be rescheduled


class JobEvent(StrEnum):
    """What happens to a job."""

    CONFIGURED = "configured"  # an agent took it: a run begins
    RECURRED = "recurred"  # its run ended and its schedule goes on
    RETRIED = "retried"  # its run failed and retries remain
    FINISHED = "finished"  # its run ended and nothing follows
    RESCHEDULED = "rescheduled"  # an operator wants it to run again at once
    UNSCHEDULED = "unscheduled"  # an operator does not want it any more


JOB: Final[Mapping[tuple[JobState, JobEvent], JobState]] = {
    (JobState.WAITING, JobEvent.CONFIGURED): JobState.RUNNING,
    (JobState.RUNNING, JobEvent.RECURRED): JobState.WAITING,
    (JobState.RUNNING, JobEvent.RETRIED): JobState.WAITING,
    (JobState.RUNNING, JobEvent.FINISHED): JobState.GONE,
    # A recurring job waits for its next occurrence and is wanted at once.
    (JobState.WAITING, JobEvent.RESCHEDULED): JobState.WAITING,
    (JobState.GONE, JobEvent.RESCHEDULED): JobState.WAITING,
    (JobState.WAITING, JobEvent.UNSCHEDULED): JobState.GONE,
    # A recurring job is unscheduled while it runs; the run is not interrupted (command-api 2.8) ...
    (JobState.RUNNING, JobEvent.UNSCHEDULED): JobState.GONE,
    # ... and ends in its own time.
    (JobState.GONE, JobEvent.FINISHED): JobState.GONE,
}


class RunState(StrEnum):
    """Where a run stands; how it ended is its result."""

    IN_PROCESS = "in process"
    COMPLETED = "completed"
    WILL_RETRY = "completed, will retry"
    ACKNOWLEDGED = "acknowledged"


class RunEvent(StrEnum):
    """What happens to a run. A timeout ends it like a completion that says failure."""

    ENDED = "ended"
    ENDED_WILL_RETRY = "ended, will retry"
    ACKNOWLEDGED = "acknowledged"


RUN: Final[Mapping[tuple[RunState, RunEvent], RunState]] = {
    (RunState.IN_PROCESS, RunEvent.ENDED): RunState.COMPLETED,
    (RunState.IN_PROCESS, RunEvent.ENDED_WILL_RETRY): RunState.WILL_RETRY,
    (RunState.COMPLETED, RunEvent.ACKNOWLEDGED): RunState.ACKNOWLEDGED,
    (RunState.WILL_RETRY, RunEvent.ACKNOWLEDGED): RunState.ACKNOWLEDGED,
}

TERMINAL: Final = frozenset({RunState.COMPLETED, RunState.ACKNOWLEDGED})
"""Run states after which nothing follows by itself: a watcher must not take WILL_RETRY for an end (command-api 4.5)."""
