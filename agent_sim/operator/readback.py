"""What the server says in the end: runs, waiting jobs, orchestrators and transitions in scope, read page by page.

Written as generators that yield an operation and are sent its reply, so that the same reading serves a live run and a
replay. Only orchestrators whose name begins with the prefix are read.
"""

from collections.abc import Callable, Container, Generator
from dataclasses import dataclass
from typing import Final, TypeVar

from agent_sim.errors import TargetError
from agent_sim.protocol import command
from agent_sim.protocol.enums import Status
from agent_sim.protocol.schedule import recurs
from agent_sim.query.scope import quote

_PAGE: Final = 1000

R = TypeVar("R", bound=command.Record)
T = TypeVar("T")

Asking = Generator[command.Operation, command.CommandReply, T]
Reading = Asking[list[R]]
Check = Asking[bool]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was there before the run: audit ids and transitions up to these numbers are not its own."""

    run: int = 0
    transition: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """All of it. `counted` is how many orchestrators the server says there are; `transitions` is None if it
    shows none."""

    runs: list[command.JobHistoryRecord]
    waiting: list[command.ScheduledJobRecord]
    agents: list[command.AgentRecord]
    counted: int | None
    transitions: list[command.Transition] | None


def mark(prefix: str) -> Asking[Mark]:
    """Take the mark, before the first agent registers."""
    newest = yield from newest_run(prefix)
    reply = yield command.ListTransitions(limit=1)
    return Mark(newest, reply.body.last_seq if isinstance(reply.body, command.Transitions) else 0)


def everything(prefix: str, since: Mark) -> Asking[Said]:
    """Read all that there is to hold a run against."""
    found = yield from runs(prefix, since.run)
    jobs = yield from waiting(prefix)
    query = f"ClientMachine -startswith {quote(prefix)}"
    agents, counted = yield from _counted(command.ListAgents, command.AgentRecord, query)
    moves = yield from transitions(since.transition)
    return Said(found, jobs, agents, counted, moves)


def transitions(after: int) -> Asking[list[command.Transition] | None]:
    """Every transition with a higher number; None if the target shows none (the feed is ours)."""
    found: list[command.Transition] = []
    while True:
        reply = yield command.ListTransitions(after=after)
        page = reply.body
        if not isinstance(page, command.Transitions):
            return None
        found += page.transitions
        if not page.transitions or page.transitions[-1].seq >= page.last_seq:
            return found
        after = page.transitions[-1].seq


def runs(prefix: str, since: int = 0) -> "Reading[command.JobHistoryRecord]":
    """Every run in scope with an audit id above `since`, in order of audit ids."""
    query = f"Agent -startswith {quote(prefix)}" + (f" AND JobHistoryId -gt {since}" if since else "")
    return every(command.ListJobHistory, command.JobHistoryRecord, query)


def waiting(prefix: str) -> "Reading[command.ScheduledJobRecord]":
    """Every job in scope that the server still has scheduled."""
    return every(command.ListScheduledJobs, command.ScheduledJobRecord, f"Agent -startswith {quote(prefix)}")


def every(listing: Callable[[command.Page], command.Operation], kind: type[R], query: str) -> "Reading[R]":
    """Every record that a listing has for a query. Raises TargetError."""
    found, _ = yield from _counted(listing, kind, query)
    return found


def _counted(
    listing: Callable[[command.Page], command.Operation], kind: type[R], query: str
) -> "Asking[tuple[list[R], int | None]]":
    """Every record, and how many the server says there are."""
    found: list[R] = []
    number = 1
    while True:
        reply = yield listing(command.Page(query=query, number=number, limit=_PAGE))
        page = [item for item in _records(reply) if isinstance(item, kind)]
        found += page
        # A server may give shorter pages than were asked for: only its total, or an empty page, is the end.
        if not page or (reply.total is not None and len(found) >= reply.total):
            return found, reply.total
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


def newest_run(prefix: str) -> Asking[int]:
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
