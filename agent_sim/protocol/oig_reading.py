"""What a scheduler says in the end: jobs in scope and their runs, read page by page.

Generators that yield an operation and are sent its reply, for live runs and replays alike. Only jobs whose names begin
with the prefix are read. A scheduler that lists all executions at once is asked so, an older one job by job.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeVar

from agent_sim.errors import TargetError
from agent_sim.instants import SECOND, Instant
from agent_sim.protocol import oig
from agent_sim.protocol.oig import History, JobDetails, JobStatus, Page, Trigger, TriggerType
from agent_sim.protocol.oig_calls import quoted

_PAGE: Final = 1000

T = TypeVar("T")
Reading = Generator[oig.Operation, oig.Reply, T]


@dataclass(frozen=True, slots=True)
class Found:
    """A job with its trigger; None if it fires by nothing."""

    job: JobDetails
    trigger: Trigger | None


def search(prefix: str, status: JobStatus | None = None) -> str:
    """The search for jobs whose names begin with a prefix."""
    terms = [f"Job::Name eq {quoted(prefix)}*"] if prefix else []
    return " and ".join([*terms, *([f"Status eq {status.value}"] if status is not None else [])])


def jobs(prefix: str, status: JobStatus | None = None) -> "Reading[list[JobDetails]]":
    """Every job in scope, in order of names."""
    found: list[JobDetails] = []
    while True:
        asked = oig.ListJobs(search(prefix, status), Page(len(found), _PAGE, ("jobName", False)))
        reply = yield asked
        if not isinstance(reply.body, oig.JobPage):
            raise _unreadable(reply)
        # Names are matched in any case there, and exactly here: nobody else's job is ever in scope.
        found += reply.body.jobs
        if not reply.body.jobs or len(found) >= reply.body.total:
            return [job for job in found if job.job_name.startswith(prefix)]


def with_triggers(prefix: str) -> "Reading[list[Found]]":
    """Every job in scope with its trigger."""
    found: list[Found] = []
    for job in (yield from jobs(prefix)):
        trigger = None
        if job.job_schedule_type not in (None, TriggerType.NONE.value):
            reply = yield oig.GetTrigger(job.job_name)
            trigger = reply.body.trigger if isinstance(reply.body, oig.TriggerOf) else None
        found.append(Found(job, trigger))
    return found


def runs(prefix: str, names: list[str], since: Instant) -> "Reading[list[History]]":
    """Every run of jobs in scope that began at `since` or later, in order of ids."""
    first = yield oig.ListExecutions(start=since // SECOND * SECOND, page=Page(0, _PAGE, ("startTime", False)))
    if isinstance(first.body, oig.HistoryPage):
        found = yield from _executions(first.body, since)
    else:
        found = []
        for name in names:
            found += yield from history(name)
    return sorted((run for run in found if run.job_name.startswith(prefix)), key=lambda run: run.id)


def _executions(page: oig.HistoryPage, since: Instant) -> "Reading[list[History]]":
    found = {run.id: run for run in page.history}
    read = len(page.history)
    while page.history and read < page.total:
        reply = yield oig.ListExecutions(start=since // SECOND * SECOND, page=Page(read, _PAGE, ("startTime", False)))
        if not isinstance(reply.body, oig.HistoryPage):
            raise _unreadable(reply)
        page = reply.body
        read += len(page.history)
        found |= {run.id: run for run in page.history}
    return list(found.values())


def history(name: str) -> "Reading[list[History]]":
    """Every run of one job."""
    found: list[History] = []
    while True:
        reply = yield oig.ListHistory(name, Page(len(found), _PAGE, ("startTime", False)))
        if not isinstance(reply.body, oig.HistoryPage):
            raise _unreadable(reply)
        found += reply.body.history
        if not reply.body.history or len(found) >= reply.body.total:
            return found


def is_drained(prefix: str) -> "Reading[bool]":
    """True if no job in scope is running."""
    reply = yield oig.ListJobs(search(prefix, JobStatus.RUNNING), Page(0, 1))
    if not isinstance(reply.body, oig.JobPage):
        raise _unreadable(reply)
    return not reply.body.jobs


def _unreadable(reply: oig.Reply) -> TargetError:
    said = reply.body.message if isinstance(reply.body, oig.Failure) else "no list in the answer"
    return TargetError(f"the scheduler would not be read back (status {reply.status}): {said}")
