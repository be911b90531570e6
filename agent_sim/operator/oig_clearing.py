"""Taking back what a run or a storm left on a scheduler: its jobs are stopped if they run, and deleted.

A generator of operations, as in `protocol.oig_reading`. Only jobs whose names begin with the prefix are touched; a
job's history goes with it.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

from agent_sim.protocol import oig, oig_reading
from agent_sim.protocol.oig import JobStatus


@dataclass(slots=True)
class JobsCleared:
    """How many jobs were deleted, how many of them stopped before, and what would not go (each a sentence)."""

    deleted: int = 0
    stopped: int = 0
    refused: list[str] = field(default_factory=list)


def clear_jobs(prefix: str) -> Generator[oig.Operation, oig.Reply, JobsCleared]:
    """Delete every job in scope. Raises TargetError, and ValueError for a prefix that would be everybody's."""
    if not prefix:
        raise ValueError("a cleanup needs a prefix")
    cleared = JobsCleared()
    for job in (yield from oig_reading.jobs(prefix)):
        if job.status is JobStatus.RUNNING:
            stopped = yield oig.StopJob(job.job_name)
            cleared.stopped += stopped.is_success
        gone = yield oig.DeleteJob(job.job_name)
        if gone.is_success:
            cleared.deleted += 1
        else:
            said = gone.body.message if isinstance(gone.body, oig.Failure) else f"status {gone.status}"
            cleared.refused.append(f"job {job.job_name!r} was not deleted: {said}")
    return cleared
