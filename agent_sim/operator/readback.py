"""What the server says in the end: runs, waiting jobs, orchestrators and transitions in scope, read page by page.

Written as generators that yield an operation and are sent its reply, so that the same reading serves a live run and a
replay. Only orchestrators whose name begins with the prefix are read.
"""

from collections.abc import Callable, Container, Generator, Sequence
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
class Census:
    """How many orchestrators the server says there are, None if it does not, and whether it shows transitions."""

    counted: int | None
    shows_transitions: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A page of it, of one kind; the last has the census and nothing else."""

    runs: Sequence[command.JobHistoryRecord] = ()
    waiting: Sequence[command.ScheduledJobRecord] = ()
    transitions: Sequence[command.Transition] = ()
    agents: Sequence[command.AgentRecord] = ()
    census: Census | None = None


def mark(prefix: str) -> Asking[Mark]:
    """Take the mark, before the first agent registers."""
    newest = yield from newest_run(prefix)
    reply = yield command.ListTransitions(limit=1)
    return Mark(newest, reply.body.last_seq if isinstance(reply.body, command.Transitions) else 0)


def everything(prefix: str, since: Mark, tell: Callable[[Said], None]) -> Asking[None]:
    """Read all that there is to hold a run against, and tell it page by page: it may be more than fits into memory.

    Of what was told nothing counts if the census does not come.
    """
    yield from _paged(*_history(prefix, since.run), lambda page: tell(Said(runs=page)))
    yield from _paged(*_scheduled(prefix), lambda page: tell(Said(waiting=page)))
    shows = yield from _transitions(since.transition, lambda page: tell(Said(transitions=page)))
    query = f"ClientMachine -startswith {quote(prefix)}"
    counted = yield from _paged(command.ListAgents, command.AgentRecord, query, lambda page: tell(Said(agents=page)))
    tell(Said(census=Census(counted, shows)))


def _transitions(after: int, tell: Callable[[Sequence[command.Transition]], None]) -> Asking[bool]:
    """Every transition with a higher number; False if the target shows none (the feed is ours)."""
    while True:
        reply = yield command.ListTransitions(after=after)
        page = reply.body
        if not isinstance(page, command.Transitions):
            return False
        tell(page.transitions)
        if not page.transitions or page.transitions[-1].seq >= page.last_seq:
            return True
        after = page.transitions[-1].seq


def runs(prefix: str, since: int = 0) -> "Reading[command.JobHistoryRecord]":
    """Every run in scope with an audit id above `since`, in order of audit ids."""
    return every(*_history(prefix, since))


def _history(
    prefix: str, since: int
) -> tuple[Callable[[command.Page], command.Operation], type[command.JobHistoryRecord], str]:
    query = f"Agent -startswith {quote(prefix)}" + (f" AND JobHistoryId -gt {since}" if since else "")
    return command.ListJobHistory, command.JobHistoryRecord, query


def waiting(prefix: str) -> "Reading[command.ScheduledJobRecord]":
    """Every job in scope that the server still has scheduled."""
    return every(*_scheduled(prefix))


def _scheduled(
    prefix: str,
) -> tuple[Callable[[command.Page], command.Operation], type[command.ScheduledJobRecord], str]:
    return command.ListScheduledJobs, command.ScheduledJobRecord, f"Agent -startswith {quote(prefix)}"


def every(listing: Callable[[command.Page], command.Operation], kind: type[R], query: str) -> "Reading[R]":
    """Every record that a listing has for a query. Raises TargetError."""
    found: list[R] = []
    yield from _paged(listing, kind, query, found.extend)
    return found


def _paged(
    listing: Callable[[command.Page], command.Operation],
    kind: type[R],
    query: str,
    tell: Callable[[list[R]], bool | None],
) -> "Asking[int | None]":
    """Tell every record, a page at a time, or until told True; how many the server says there are."""
    number, told = 1, 0
    while True:
        reply = yield listing(command.Page(query=query, number=number, limit=_PAGE))
        page = [item for item in _records(reply) if isinstance(item, kind)]
        told += len(page)
        # A server may give shorter pages than were asked for: only its total, or an empty page, is the end.
        if tell(page) or not page or (reply.total is not None and told >= reply.total):
            return reply.total
        number += 1


def is_drained(prefix: str, offline: Container[str] = (), left: Container[str] = ()) -> Check:
    """True if no run is in process and nothing waits but recurring jobs.

    Nobody waits for jobs of machines that the scenario took `offline`, nor for those that it has `left` undone.

    Runs and waiting jobs are two lists, and a job that begins to run between the two readings is in neither: only if no
    such job began to run meanwhile was nothing missed.
    """
    newest = yield from newest_run()
    query = f"Agent -startswith {quote(prefix)} AND Status -eq {Status.IN_PROCESS.value}"
    reply = yield command.ListJobHistory(command.Page(query=query, limit=1))
    if _records(reply):
        return False
    recurring: set[str] = set()
    awaited: list[str] = []

    def look(page: list[command.ScheduledJobRecord]) -> bool:
        recurring.update(job.id for job in page if _recurs(job))
        awaited.extend(
            job.id
            for job in page
            if not (job.id in recurring or job.client_machine in offline or job.id.lower() in left)
        )
        return bool(awaited)  # one is enough

    yield from _paged(*_scheduled(prefix), look)
    if awaited:
        return False
    begun = yield from runs(prefix, newest)
    return all(run.job_id in recurring or _recurs(run) for run in begun)


def _recurs(record: command.ScheduledJobRecord | command.JobHistoryRecord) -> bool:
    return record.schedule is not None and recurs(record.schedule)


def newest_run(prefix: str = "") -> Asking[int]:
    """The highest audit id so far, in scope or, without a prefix, at all, which no server searches for; 0 if none."""
    query = f"Agent -startswith {quote(prefix)}" if prefix else ""
    page = command.Page(query=query, limit=1, sort_field="JobHistoryId", descending=True)
    reply = yield command.ListJobHistory(page)
    first = next(iter(_records(reply)), None)
    return first.job_history_id if isinstance(first, command.JobHistoryRecord) else 0


def _records(reply: command.CommandReply) -> tuple[object, ...]:
    if not reply.is_success or not isinstance(reply.body, tuple):
        reason = reply.body.message if isinstance(reply.body, command.ApiError) else "no list in the answer"
        raise TargetError(f"the target would not be read back (status {reply.status}): {reason}")
    return reply.body
