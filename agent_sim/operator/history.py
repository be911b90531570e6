"""What a server remembers: its job history since an instant, and its orchestrators, read page by page.

For a server that may be somebody else's, so it only reads, and no more than it is told to. Generators that yield an
operation and are sent its reply, like `readback`. Servers differ in what they let a caller ask for: a walk along audit
ids (which no new run disturbs) comes first, then pages by number, then pages without a query.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from agent_sim.errors import TargetError
from agent_sim.instants import Instant, to_iso
from agent_sim.protocol import command
from agent_sim.protocol.enums import AgentStatus
from agent_sim.query.scope import quote

PAGE: Final = 1000
_LOOKED_AT: Final = 10
"""How many records are looked at for each that is wanted, where a server cannot be asked for a time."""

R = TypeVar("R")

Walk = Generator[command.Operation, command.CommandReply, bool]


@dataclass(frozen=True, slots=True)
class History:
    """Runs in order of audit ids. `is_cut` is true if there are more than were wanted."""

    runs: tuple[command.JobHistoryRecord, ...]
    is_cut: bool


@dataclass(slots=True)
class _Found:
    since: Instant
    most: int
    runs: dict[int, command.JobHistoryRecord] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def take(self, records: tuple[command.JobHistoryRecord, ...]) -> bool:
        """Keep what is not too old; true if there was anything new."""
        known = len(self.seen)
        self.seen.update(run.job_history_id for run in records)
        self.runs |= {run.job_history_id: run for run in records if self._counts(run)}
        return len(self.seen) > known

    def _counts(self, run: command.JobHistoryRecord) -> bool:
        return run.operation_start is not None and run.operation_start >= self.since

    @property
    def is_full(self) -> bool:
        return len(self.runs) > self.most or len(self.seen) > self.most * _LOOKED_AT


def history(since: Instant, most: int) -> Generator[command.Operation, command.CommandReply, History]:
    """The runs that began at `since` or later, `most` of them at most. Raises TargetError."""
    found = _Found(since, most)
    query = f"OperationStart -ge {quote(to_iso(since))}"
    for walk in (_along_ids(query, found), _by_number(query, found), _by_number("", found)):
        if (yield from walk):
            runs = tuple(run for _, run in sorted(found.runs.items()))
            return History(runs[:most], found.is_full)
    raise TargetError("the target refuses to list its job history (status 400)")


def _along_ids(query: str, found: _Found) -> Walk:
    """True if all was read; False if the server does not take the query, or does not keep to it."""
    last, total = 0, None
    while not found.is_full:
        page = command.Page(query=f"{query} AND JobHistoryId -gt {last}", limit=PAGE, sort_field="JobHistoryId")
        reply = yield command.ListJobHistory(page)
        if reply.status == 400:
            return False
        runs = _records(reply, command.JobHistoryRecord)
        if last == 0:
            total = reply.total
        if not runs:
            return total is None or len(found.seen) >= total
        newest = max(run.job_history_id for run in runs)
        if newest <= last:
            return False
        found.take(runs)
        last = newest
    return True


def _by_number(query: str, found: _Found) -> Walk:
    """The same by page numbers."""
    found.seen.clear()
    number = 1
    while not found.is_full:
        reply = yield command.ListJobHistory(command.Page(query=query, number=number, limit=PAGE))
        if reply.status == 400:
            return False
        # Some servers answer a page past the end with the last one again.
        if not found.take(_records(reply, command.JobHistoryRecord)):
            return True
        number += 1
    return True


def orchestrators(most: int) -> Generator[command.Operation, command.CommandReply, tuple[command.AgentRecord, ...]]:
    """The orchestrators that are approved, `most` of them at most. Raises TargetError."""
    found: dict[str, command.AgentRecord] = {}
    number = 1
    while len(found) < most:
        reply = yield command.ListAgents(command.Page(number=number, limit=PAGE))
        known = len(found)
        found |= {agent.agent_id: agent for agent in _records(reply, command.AgentRecord)}
        if len(found) == known:
            break
        number += 1
    return tuple(agent for agent in found.values() if agent.status == AgentStatus.APPROVED)[:most]


def _records(reply: command.CommandReply, kind: type[R]) -> tuple[R, ...]:
    if not reply.is_success or not isinstance(reply.body, tuple):
        reason = reply.body.message if isinstance(reply.body, command.ApiError) else "no list in the answer"
        raise TargetError(f"the target would not be read (status {reply.status}): {reason}")
    return tuple(record for record in reply.body if isinstance(record, kind))
