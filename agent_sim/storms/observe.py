"""What the target did to each id, as far as it can be seen: T of load-testing 3.4, and what cannot be seen.

Our own server shows every transition (`/sim/transitions`); then T is a count. On any other target T is read off
the final state, and the rules that this cannot decide are named. Reading is the business of a `Reader`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from agent_sim.instants import SECOND, Instant
from agent_sim.protocol.command import JobHistoryRecord, ScheduledJobRecord, Transition
from agent_sim.protocol.enums import Status
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.operations import StormOperation, Subject
from agent_sim.storms.pool import Token
from agent_sim.storms.taxonomy import Violation

CLOCK_SLACK: Final = SECOND
"""How far our clock and the target's may be apart (our choice)."""

BEGINS: Final = frozenset({"queued", "rescheduled", "configured"})
"""Transitions after which a job waits or runs."""

ENDS: Final = frozenset({"completed", "timed_out", "unscheduled"})
"""Transitions after which it does neither, unless the run that ended is one that will be retried."""


class Reader(Protocol):
    """What an observer needs from a target; every history read is narrowed to the storm's scope."""

    def last_transition(self) -> int | None:
        """The newest transition's number; None if the target shows none."""
        ...

    def transitions(self, after: int) -> Iterable[Transition]:
        """Every transition with a higher number, in order."""
        ...

    def history(self, query: str, *, newest_first: bool = False) -> Iterable[JobHistoryRecord]:
        """Every run that matches."""
        ...

    def scheduled(self) -> Iterable[ScheduledJobRecord]:
        """Every job that waits."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the target stood before the storm: the newest transition if it shows any, and the newest run."""

    seq: int | None
    newest_run: int


@dataclass(frozen=True, slots=True)
class Observed:
    """T of each position of the pool; positions whose accepted request rightly changed nothing; and, by the name
    of a rule, why the target cannot show what it needs."""

    transitions: Sequence[int]
    no_ops: frozenset[int]
    not_checkable: Mapping[Violation, str]


def mark(reader: Reader) -> Mark:
    """Take the mark. To be called after the pool was read and before the first request."""
    seq = reader.last_transition()
    newest = None if seq is not None else next(iter(reader.history("", newest_first=True)), None)
    return Mark(seq, newest.job_history_id if newest else 0)


def observe(
    operation: StormOperation, tokens: Sequence[Token], ledger: Ledger, before: Mark, reader: Reader
) -> Observed:
    """Read what happened to each token since the mark."""
    if before.seq is not None:
        return _by_transitions(operation, tokens, ledger, before.seq, reader)
    return _BY_FINAL_STATE[operation.subject](tokens, before, reader)


_WasDone = Callable[[Iterable[Transition], Instant, Instant], bool]


# --- by transitions ---------------------------------------------------------------------------


def _by_transitions(
    operation: StormOperation, tokens: Sequence[Token], ledger: Ledger, after: int, reader: Reader
) -> Observed:
    positions = _positions(operation, tokens)
    counts = [0] * len(tokens)
    for event in reader.transitions(after):
        position = positions.get(_subject(operation, event.audit_id, event.job_id))
        if position is not None and event.kind == operation.effect:
            counts[position] += 1
    doubtful = {i for i, count in enumerate(counts) if count == 0 and ledger.account(i).accepted}
    return Observed(counts, _explained(operation, tokens, ledger, doubtful, reader), {})


def _explained(
    operation: StormOperation, tokens: Sequence[Token], ledger: Ledger, doubtful: set[int], reader: Reader
) -> frozenset[int]:
    """The doubtful positions whose subject was, at the time, already where the request would have put it."""
    if not doubtful:
        return frozenset()
    # Only now is the whole story worth reading: a job may have been queued long before the storm.
    stories: dict[int, list[Transition]] = {i: [] for i in doubtful}
    positions = {subject: i for subject, i in _positions(operation, tokens).items() if i in doubtful}
    for event in reader.transitions(0):
        position = positions.get(_subject(operation, event.audit_id, event.job_id))
        if position is not None:
            stories[position].append(event)
    was_done = _was_acknowledged if operation.subject is Subject.RUN else _busy_or_retrying(reader)
    return frozenset(
        i
        for i, story in stories.items()
        if (window := ledger.window(i)) and was_done(_since_end(story, tokens[i].audit_id), *window)
    )


def _since_end(story: list[Transition], audit_id: int) -> list[Transition]:
    """What came after the run had ended: it is a token because it had, so its own life explains nothing."""
    ends = [i for i, event in enumerate(story) if event.audit_id == audit_id and event.kind in ENDS]
    return story[ends[-1] + 1 :] if ends else story


def _busy_or_retrying(reader: Reader) -> _WasDone:
    """`was_busy` for this target: its history says which runs will be retried, its transitions do not."""
    will_retry = f'Status -eq "{Status.COMPLETED_WILL_RETRY.value}"'
    retried = frozenset(
        run.job_history_id for run in reader.history(will_retry) if run.status is Status.COMPLETED_WILL_RETRY
    )
    return partial(was_busy, retried)


def was_busy(retried: Collection[int], story: Iterable[Transition], began: Instant, ended: Instant) -> bool:
    """True if a job with these transitions waited or ran at some moment from `began` to `ended`.

    After the end of a run in `retried` it waits for the next one.
    """
    busy = False
    for event in story:
        if event.at > ended + CLOCK_SLACK:
            return busy
        if busy and event.at >= began - CLOCK_SLACK:
            return True
        if event.kind in BEGINS:
            busy = True
        elif event.kind in ENDS:
            busy = event.audit_id in retried
    return busy


def _was_acknowledged(story: Iterable[Transition], began: Instant, ended: Instant) -> bool:
    """True if the run had been acknowledged by the end of the request; when it `began` does not matter."""
    return any(event.kind == "acknowledged" and event.at <= ended + CLOCK_SLACK for event in story)


def _positions(operation: StormOperation, tokens: Sequence[Token]) -> dict[str | int | None, int]:
    return {_subject(operation, token.audit_id, token.job_id): i for i, token in enumerate(tokens)}


def _subject(operation: StormOperation, audit_id: int | None, job_id: str) -> str | int | None:
    return job_id.casefold() if operation.subject is Subject.JOB else audit_id


# --- by the final state -----------------------------------------------------------------------

_NO_FEED: Final = "the target shows no transitions"


def _jobs_finally(tokens: Sequence[Token], before: Mark, reader: Reader) -> Observed:
    """A rescheduled job waits, or has a run newer than the mark."""
    # Scheduled jobs first: a job that moves on meanwhile is then found in the history.
    seen = {job.id.casefold() for job in reader.scheduled()}
    for run in reader.history("", newest_first=True):
        if run.job_history_id <= before.newest_run:
            break
        seen.add(run.job_id.casefold())
    counts = [int(token.job_id.casefold() in seen) for token in tokens]
    another = f"{_NO_FEED}, and a second run may be a retry or a recurrence"
    return Observed(
        counts, frozenset(), dict.fromkeys((Violation.DOUBLE_TRANSITION, Violation.PHANTOM_TRANSITION), another)
    )


def _runs_finally(tokens: Sequence[Token], before: Mark, reader: Reader) -> Observed:
    """An acknowledged run has Status Acknowledged."""
    acknowledged = {
        run.job_history_id
        for run in reader.history(f'Status -eq "{Status.ACKNOWLEDGED.value}"')
        if run.status is Status.ACKNOWLEDGED
    }
    counts = [int(token.audit_id in acknowledged) for token in tokens]
    return Observed(counts, frozenset(), {Violation.DOUBLE_TRANSITION: f"{_NO_FEED}, and a state shows no repetition"})


_BY_FINAL_STATE: Final[Mapping[Subject, Callable[[Sequence[Token], Mark, Reader], Observed]]] = {
    Subject.JOB: _jobs_finally,
    Subject.RUN: _runs_finally,
}
