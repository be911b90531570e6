"""What the server says in the end: runs and waiting jobs in scope, read page by page.

Written as generators that yield an operation and are sent its reply, so that the same reading serves a live run and a
replay. Only orchestrators whose name begins with the prefix are read.
"""

from collections.abc import Callable, Container, Generator
from typing import Final, TypeVar

from agent_sim.errors import TargetError
from agent_sim.protocol import command
from agent_sim.protocol.enums import Status
from agent_sim.protocol.schedule import recurs
from agent_sim.query.scope import quote

_PAGE: Final = 1000

R = TypeVar("R", command.JobHistoryRecord, command.ScheduledJobRecord)

Reading = Generator[command.Operation, command.CommandReply, list[R]]
Check = Generator[command.Operation, command.CommandReply, bool]


def runs(prefix: str, since: int = 0) -> "Reading[command.JobHistoryRecord]":
    """Every run in scope with an audit id above `since`, in order of audit ids."""
    query = f"Agent -startswith {quote(prefix)}" + (f" AND JobHistoryId -gt {since}" if since else "")
    return _every(command.ListJobHistory, command.JobHistoryRecord, query)


def waiting(prefix: str) -> "Reading[command.ScheduledJobRecord]":
    """Every job in scope that the server still has scheduled."""
    return _every(command.ListScheduledJobs, command.ScheduledJobRecord, f"Agent -startswith {quote(prefix)}")


def _every(listing: Callable[[command.Page], command.Operation], kind: type[R], query: str) -> "Reading[R]":
    found: list[R] = []
    number = 1
    while True:
        reply = yield listing(command.Page(query=query, number=number, limit=_PAGE))
        page = [item for item in _records(reply) if isinstance(item, kind)]
        found += page
        # A server may give shorter pages than were asked for: only its total, or an empty page, is the end.
        if not page or (reply.total is not None and len(found) >= reply.total):
            return found
        number += 1


def is_drained(prefix: str, offline: Container[str] = (), left: Container[str] = ()) -> Check:
    """True if no run is in process and nothing waits but recurring jobs.

    Nobody waits for jobs of machines that the scenario took `offline`, nor for those that it has `left` undone.
    """
    query = f"Agent -startswith {quote(prefix)} AND Status -eq {Status.IN_PROCESS.value}"
    reply = yield command.ListJobHistory(command.Page(query=query, limit=1))
    if _records(reply):
        return False
    jobs = yield from waiting(prefix)
    return all(
        (job.schedule is not None and recurs(job.schedule)) or job.client_machine in offline or job.id.lower() in left
        for job in jobs
    )


def newest_run(prefix: str) -> Generator[command.Operation, command.CommandReply, int]:
    """The highest audit id in scope so far; 0 if there is none."""
    query = f"Agent -startswith {quote(prefix)}"
    page = command.Page(query=query, limit=1, sort_field="JobHistoryId", descending=True)
    reply = yield command.ListJobHistory(page)
    first = next(iter(_records(reply)), None)
    return first.job_history_id if isinstance(first, command.JobHistoryRecord) else 0


def _records(reply: command.CommandReply) -> tuple[object, ...]:
    if not reply.is_success or not isinstance(reply.body, tuple):
        reason = reply.body.message if isinstance(reply.body, command.ApiError) else "no list in the answer"
        raise TargetError(f"the target would not be read back (status {reply.status}): {reason}")
    return reply.body
