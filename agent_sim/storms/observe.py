"""What the target did to each id, as far as it can be seen: T of load-testing 3.4, and what cannot be seen.

Our own server shows every transition (`/sim/transitions`); then T is a count. On any other target T is read off
the final state, and the rules that this cannot decide are named. Reading is the business of a `Reader`. Jobs that a
storm made are looked for by `made`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from agent_sim.instants import Instant
from agent_sim.protocol.command import AgentRecord, JobHistoryRecord, ScheduledJobRecord, Transition
from agent_sim.protocol.enums import AgentStatus, Status
from agent_sim.storms.ledger import Account, Ledger
from agent_sim.storms.operations import StormOperation, Subject
from agent_sim.storms.others import CLOCK_SLACK, of_others, unclear
from agent_sim.storms.pool import Token
from agent_sim.storms.taxonomy import Violation

BEGINS: Final = frozenset({"queued", "rescheduled", "configured"})
"""Transitions after which a job waits or runs."""

ENDS: Final = frozenset({"completed", "timed_out", "unscheduled"})
"""Transitions after which it does neither, unless the run that ended is one that will be retried."""

UNDOES: Final[Mapping[str, frozenset[str]]] = {
    "rescheduled": ENDS,
    "acknowledged": frozenset(),
    "unscheduled": BEGINS,
    "approved": frozenset({"disapproved"}),
}
"""For each effect, what must have come between for it to happen to the same subject again."""


class Reader(Protocol):
    """What an observer needs from a target; every reading of history, jobs and agents is narrowed to the scope."""

    def last_transition(self) -> int | None:
        """The newest transition's number; None if the target shows none."""
        ...

    def transitions(self, after: int) -> Iterable[Transition]:
        """Every transition with a higher number, in order."""
        ...

    def history(self, query: str, *, newest_first: bool = False) -> Iterable[JobHistoryRecord]:
        """Every run that matches."""
        ...

    def scheduled(self, query: str = "") -> Iterable[ScheduledJobRecord]:
        """Every job that waits and matches."""
        ...

    def agents(self, query: str = "") -> Iterable[AgentRecord]:
        """Every orchestrator that matches."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the target stood before the storm: the newest transition if it shows any, and the newest run.

    For storms that make jobs: the jobs of that type that were there, and whether anybody made some of late.
    """

    seq: int | None
    newest_run: int
    known: frozenset[str] = frozenset()
    others: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """T of each position of the pool; positions whose accepted request rightly changed nothing; and, by the name
    of a rule, why the target cannot show what it needs. `doubled` are positions that changed twice with nothing between
    that would allow it, `illegal` those whose state in the end is not what they changed to."""

    transitions: Sequence[int]
    no_ops: frozenset[int]
    not_checkable: Mapping[Violation, str]
    doubled: frozenset[int] = frozenset()
    illegal: frozenset[int] = frozenset()


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
    return _BY_FINAL_STATE[operation.effect](tokens, before, reader)


_WasDone = Callable[[Token, Iterable[Transition], Instant, Instant], bool]


# --- by transitions ---------------------------------------------------------------------------


def _by_transitions(
    operation: StormOperation, tokens: Sequence[Token], ledger: Ledger, after: int, reader: Reader
) -> Observed:
    positions = _positions(operation, tokens)
    moves = _Moves(operation.effect, after)
    for event in reader.transitions(after):
        moves.newest = event.seq
        position = positions.get(_subject(operation, event.audit_id, event.job_id))
        if position is not None:
            moves.see(position, event)
    counts = [len(moves.times.get(position, ())) for position in range(len(tokens))]
    refused = {i for i, times in moves.times.items() if times and _was_only_refused(ledger.account(i))}
    theirs = of_others(ledger, moves.times, refused)
    for position, times in theirs.items():
        counts[position] -= times
    doubtful = {i for i, count in enumerate(counts) if count == 0 and ledger.account(i).accepted}
    doubtful |= _left_out(ledger, counts)
    no_ops = _explained(operation, tokens, ledger, doubtful, reader)
    changed = frozenset(i for i, count in enumerate(counts) if count and ledger.account(i).accepted)
    illegal = _ILLEGAL.get(operation.effect, _nobody)(tokens, changed, moves, reader)
    return Observed(counts, no_ops, unclear(len(theirs)), frozenset(moves.doubled), illegal)


class _Moves:
    """When each position showed the effect, and which showed it twice without what would allow that."""

    def __init__(self, effect: str, after: int) -> None:
        self.times: dict[int, list[Instant]] = {}
        self.doubled: set[int] = set()
        self.last: dict[int, str] = {}  # the effect, or what undid it
        self.newest = after  # the number of the last transition that was read, anybody's
        self._effect, self._undoes = effect, UNDOES[effect]
        self._rescheduled: dict[int, Instant] = {}

    def see(self, position: int, event: Transition) -> None:
        """Take in an event of the position's subject."""
        if event.kind in self._undoes:
            self.last[position] = event.kind
        elif event.kind == "rescheduled":
            self._rescheduled[position] = event.at
            if self._effect == event.kind:
                self._happened(position, event)
        # By setting, rescheduling acknowledges as well: that is no answer to anybody's acknowledging.
        elif event.kind == self._effect and not (
            event.kind == "acknowledged" and self._rescheduled.get(position) == event.at
        ):
            self._happened(position, event)

    def _happened(self, position: int, event: Transition) -> None:
        self.times.setdefault(position, []).append(event.at)
        if self.last.get(position) == self._effect:
            self.doubled.add(position)
        self.last[position] = self._effect


def _was_only_refused(account: Account) -> bool:
    return account.refused > 0 and not account.accepted and not account.unknown


def _left_out(ledger: Ledger, counts: Sequence[int]) -> set[int]:
    """Positions without an effect whose fellows of the same batch had one, or that were refused more than once."""
    left_out: set[int] = set()
    for entry in ledger.entries:
        without = [i for i in entry.positions if not counts[i]]
        if len(without) < len(entry.positions) or (without and ledger.account(without[0]).refused > 1):
            left_out.update(without)
    return left_out


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
    was_done = _WAS_DONE[operation.effect](reader)
    windows = ledger.windows(doubtful)
    return frozenset(
        i
        for i, story in stories.items()
        if i in windows and was_done(tokens[i], _since_end(story, tokens[i].audit_id), *windows[i])
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
    return lambda token, story, began, ended: was_busy(retried, story, began, ended)


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


def _was(kind: str, reader: Reader) -> _WasDone:
    """True if that had happened to it by the end of the request; when the request began does not matter."""
    return lambda token, story, began, ended: any(
        event.kind == kind and event.at <= ended + CLOCK_SLACK for event in story
    )


def _had_left(reader: Reader) -> _WasDone:
    """Off the schedule: unscheduled by somebody else, or, unless it recurs, taken by its agent."""

    def had_left(token: Token, story: Iterable[Transition], began: Instant, ended: Instant) -> bool:
        leaves = {"unscheduled"} if token.stays else {"unscheduled", "configured"}
        return any(event.kind in leaves and event.at <= ended + CLOCK_SLACK for event in story)

    return had_left


_WAS_DONE: Final[Mapping[str, Callable[[Reader], _WasDone]]] = {
    "rescheduled": _busy_or_retrying,
    "acknowledged": partial(_was, "acknowledged"),
    "unscheduled": _had_left,
    "approved": partial(_was, "approved"),
}


def _positions(operation: StormOperation, tokens: Sequence[Token]) -> dict[str | int | None, int]:
    return {_subject(operation, token.audit_id, token.job_id): i for i, token in enumerate(tokens)}


def _subject(operation: StormOperation, audit_id: int | None, job_id: str) -> str | int | None:
    return audit_id if operation.subject is Subject.RUN else job_id.casefold()


# --- whether the state in the end is what it changed to ----------------------------------------


def _nobody(tokens: Sequence[Token], changed: Collection[int], moves: _Moves, reader: Reader) -> frozenset[int]:
    return frozenset()


def _not_acknowledged(
    tokens: Sequence[Token], changed: Collection[int], moves: _Moves, reader: Reader
) -> frozenset[int]:
    acknowledged = _acknowledged(reader) if changed else frozenset()
    return frozenset(i for i in changed if tokens[i].audit_id not in acknowledged)


def _still_scheduled(
    tokens: Sequence[Token], changed: Collection[int], moves: _Moves, reader: Reader
) -> frozenset[int]:
    """Listed though nobody scheduled it again since, not even while the list was read."""
    for_good = [i for i in changed if moves.last[i] == "unscheduled"]
    listed = {job.id.casefold() for job in reader.scheduled()} if for_good else set()
    still = [i for i in for_good if tokens[i].job_id.casefold() in listed]
    meanwhile = reader.transitions(moves.newest) if still else ()
    back = {event.job_id.casefold() for event in meanwhile if event.kind in BEGINS}
    return frozenset(i for i in still if tokens[i].job_id.casefold() not in back)


_ILLEGAL: Final = {"acknowledged": _not_acknowledged, "unscheduled": _still_scheduled}


# --- by the final state -----------------------------------------------------------------------

_NO_FEED: Final = "the target shows no transitions"
_ONLY_A_STATE: Final = f"{_NO_FEED}, and a state shows no repetition"


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
    return _finally(counts, another, Violation.PHANTOM_TRANSITION)


def _runs_finally(tokens: Sequence[Token], before: Mark, reader: Reader) -> Observed:
    """An acknowledged run has Status Acknowledged."""
    acknowledged = _acknowledged(reader)
    return _finally([int(token.audit_id in acknowledged) for token in tokens], _ONLY_A_STATE)


def _schedule_finally(tokens: Sequence[Token], before: Mark, reader: Reader) -> Observed:
    """An unscheduled job is not listed any more; but neither is one that was taken by its agent."""
    listed = {job.id.casefold() for job in reader.scheduled()}
    gone = [int(token.job_id.casefold() not in listed) for token in tokens]
    taken = f"{_NO_FEED}, and a job that its agent took is not scheduled any more either"
    return _finally(gone, taken, Violation.PHANTOM_TRANSITION)


def _agents_finally(tokens: Sequence[Token], before: Mark, reader: Reader) -> Observed:
    """An approved orchestrator has Status Approved."""
    approved = {agent.agent_id.casefold() for agent in reader.agents() if agent.status is AgentStatus.APPROVED}
    return _finally([int(token.job_id.casefold() in approved) for token in tokens], _ONLY_A_STATE)


def _finally(counts: Sequence[int], why: str, *more: Violation) -> Observed:
    return Observed(counts, frozenset(), dict.fromkeys((Violation.DOUBLE_TRANSITION, *more), why))


def _acknowledged(reader: Reader) -> frozenset[int]:
    return frozenset(
        run.job_history_id
        for run in reader.history(f'Status -eq "{Status.ACKNOWLEDGED.value}"')
        if run.status is Status.ACKNOWLEDGED
    )


_BY_FINAL_STATE: Final[Mapping[str, Callable[[Sequence[Token], Mark, Reader], Observed]]] = {
    "rescheduled": _jobs_finally,
    "acknowledged": _runs_finally,
    "unscheduled": _schedule_finally,
    "approved": _agents_finally,
}
