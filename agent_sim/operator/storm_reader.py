"""What a storm asks of its target, page by page, for a core that cannot wait for an answer.

`storms.observe` reads as if every page were there. Here it is given those that have been read so far; if it wants
another one, that one is fetched and the same question is put again. Questions change nothing, so putting them twice
does no harm, and no page is fetched twice.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, TypeVar

from agent_sim.errors import TargetError
from agent_sim.protocol import command
from agent_sim.query.scope import conjoin, quote
from agent_sim.storms.observe import Reader
from agent_sim.storms.operations import Source, StormOperation
from agent_sim.storms.plan import StormPlan

T = TypeVar("T")
Reading = Generator[command.Operation, command.CommandReply, T]

OF_JOBS: Final = "Agent"
OF_AGENTS: Final = "ClientMachine"
"""What names a job's orchestrator, and what an orchestrator itself, in queries (command-api 5.4)."""

_PAGE: Final = 1000


def reading(question: Callable[[Reader], T], prefix: str) -> Reading[T]:
    """The answer to a question about runs in scope; yields operations, is sent their replies. Raises TargetError."""
    read: dict[command.Operation, command.CommandReply] = {}
    while True:
        try:
            return question(_Pages(read, prefix))
        except _NotRead as missing:
            wanted = missing.operation
        read[wanted] = yield wanted


def narrowed(query: str, prefix: str, field: str = OF_JOBS) -> str:
    """A query within the scope; an empty prefix narrows nothing. Raises QueryError."""
    return conjoin(query, f"{field} -startswith {quote(prefix)}") if prefix else query


def narrowed_for(plan: StormPlan, operation: StormOperation) -> str:
    """What a storm's request by query says. Raises QueryError."""
    field = OF_AGENTS if operation.source is Source.AGENTS else OF_JOBS
    return narrowed(plan.query or operation.candidates, plan.prefix, field)


class _NotRead(Exception):  # not an error: how a question says what it needs
    def __init__(self, operation: command.Operation) -> None:
        super().__init__(operation)
        self.operation = operation


class _Pages:
    """A Reader over the pages that have been read."""

    def __init__(self, read: dict[command.Operation, command.CommandReply], prefix: str) -> None:
        self._read, self._prefix = read, prefix

    def last_transition(self) -> int | None:
        reply = self._reply(command.ListTransitions(after=0, limit=1))
        return reply.body.last_seq if isinstance(reply.body, command.Transitions) else None

    def transitions(self, after: int) -> list[command.Transition]:
        """All pages at once, so that a missing one is told of before the first transition is looked at."""
        found: list[command.Transition] = []
        while True:
            asked = command.ListTransitions(after=after)
            page = self._reply(asked).body
            if not isinstance(page, command.Transitions):
                raise _unreadable(asked, self._reply(asked))
            found += page.transitions
            if not page.transitions or page.transitions[-1].seq >= page.last_seq:
                return found
            after = page.transitions[-1].seq

    def history(self, query: str, *, newest_first: bool = False) -> Iterable[command.JobHistoryRecord]:
        runs = self._history(narrowed(query, self._prefix), newest_first=newest_first)
        return runs if newest_first else list(runs)  # whoever wants the newest first seldom wants them all

    def _history(self, query: str, *, newest_first: bool) -> Iterator[command.JobHistoryRecord]:
        seen: set[int] = set()
        page = command.Page(query, 1, _PAGE, "JobHistoryId" if newest_first else "", descending=newest_first)
        for record in self._records(lambda number: command.ListJobHistory(_numbered(page, number))):
            if isinstance(record, command.JobHistoryRecord) and record.job_history_id not in seen:
                seen.add(record.job_history_id)
                yield record

    def agents(self, query: str = "") -> list[command.AgentRecord]:
        page = command.Page(narrowed(query, self._prefix, OF_AGENTS), limit=_PAGE)
        records = self._records(lambda number: command.ListAgents(_numbered(page, number)))
        return [record for record in records if isinstance(record, command.AgentRecord)]

    def scheduled(self, query: str = "") -> list[command.ScheduledJobRecord]:
        page = command.Page(narrowed(query, self._prefix), limit=_PAGE)
        records = self._records(lambda number: command.ListScheduledJobs(_numbered(page, number)))
        return [record for record in records if isinstance(record, command.ScheduledJobRecord)]

    def _records(self, page: Callable[[int], command.Operation]) -> Iterator[object]:
        """Until a page is empty, as a server may give fewer than it was asked for, or the last one comes again."""
        number = 1
        before: object = ()
        while True:
            asked = page(number)
            reply = self._reply(asked)
            if not reply.is_success or not isinstance(reply.body, tuple):
                raise _unreadable(asked, reply)
            if not reply.body or reply.body == before:
                return
            yield from reply.body
            number, before = number + 1, reply.body

    def _reply(self, operation: command.Operation) -> command.CommandReply:
        found = self._read.get(operation)
        if found is None:
            raise _NotRead(operation)
        return found


def _numbered(page: command.Page, number: int) -> command.Page:
    return command.Page(page.query, number, page.limit, page.sort_field, page.descending)


def _unreadable(asked: command.Operation, reply: command.CommandReply) -> TargetError:
    reason = reply.body.message if isinstance(reply.body, command.ApiError) else "the answer is none"
    return TargetError(f"the target would not answer {type(asked).__name__} (status {reply.status}): {reason}")
