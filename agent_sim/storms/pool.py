"""Ids as consumable tokens: read once before the storm, handed out once each, never recycled.

What is out of scope or not eligible is dropped here, whatever the target answered to the query, so that no
foreign id can be sent (issue: somebody else's server). Nothing here asks the target. How a kind of storm hands
tokens out otherwise (`kinds`) is its business.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from zlib import crc32

from agent_sim.protocol.command import JobHistoryRecord, ScheduledJobRecord
from agent_sim.protocol.schedule import recurs
from agent_sim.storms.operations import Candidate, StormOperation, Subject

ALL_OF_IT: Final = (0, 1)
"""The share of a storm that has the target to itself."""


@dataclass(frozen=True, slots=True)
class Token:
    """Something that can be asked for: a run and its job, a scheduled job, or an orchestrator.

    `audit_id` is the run's, or a number in the pool where `job_id` (of a job, or of an orchestrator) is what is sent.
    `stays`: it is listed for as long as nobody unschedules it, because it recurs.
    """

    audit_id: int
    job_id: str
    machine: str = ""
    stays: bool = False
    by_guid: bool = False  # what is sent is `job_id`
    job_type: str = ""

    @property
    def shown(self) -> int | str:
        """What people look it up by."""
        return self.job_id if self.by_guid else self.audit_id


@dataclass(frozen=True, slots=True)
class Harvest:
    """What reading the candidates gave: tokens in order of their ids, and how much was left out and why."""

    tokens: tuple[Token, ...]
    out_of_scope: int
    ineligible: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is asked for together: places in the pool, each once."""

    positions: Sequence[int]

    @property
    def first(self) -> int:
        """The first of them."""
        return self.positions[0]

    def __len__(self) -> int:
        return len(self.positions)


class Supply(Protocol):
    """Where a storm's batches come from."""

    @property
    def used(self) -> int:
        """How many different ids have been handed out."""
        ...

    @property
    def is_exhausted(self) -> bool:
        """True if nothing is left."""
        ...

    def take(self, size: int) -> Batch | None:
        """The next batch of at most `size`; None if nothing is left."""
        ...

    def skip(self, size: int) -> None:
        """An arrival goes without a request: whatever falls to it alone is given up."""
        ...

    def take_all(self) -> None:
        """Mark every id as used: a request by query may concern each of them."""
        ...


def in_scope(machine: str, prefix: str) -> bool:
    """True if a machine's name begins with the prefix; case does not count, as in the query language."""
    return machine.casefold().startswith(prefix.casefold())


def harvest(
    operation: StormOperation,
    candidates: Iterable[Candidate],
    prefix: str,
    job_type: str = "",
    share: tuple[int, int] = ALL_OF_IT,
) -> Harvest:
    """The tokens among the candidates: in scope, eligible, of our share, and one per subject (the newest)."""
    newest: dict[str | int, Token] = {}
    out_of_scope = ineligible = 0
    for number, candidate in enumerate(candidates, 1):
        if not in_scope(machine_of(candidate), prefix):
            out_of_scope += 1
        elif not operation.is_eligible(candidate, job_type):
            ineligible += 1
        else:
            token = _token(candidate, number)
            subject = token.audit_id if operation.subject is Subject.RUN else token.job_id.casefold()
            known = newest.get(subject)
            if is_ours(subject, share) and (known is None or known.audit_id < token.audit_id):
                newest[subject] = token
    tokens = sorted(newest.values(), key=lambda token: token.audit_id)
    return Harvest(tuple(tokens), out_of_scope, ineligible)


def machine_of(candidate: Candidate) -> str:
    """The orchestrator that a candidate is about."""
    return candidate.agent_machine if isinstance(candidate, JobHistoryRecord) else candidate.client_machine


def is_ours(subject: str | int, share: tuple[int, int]) -> bool:
    """True if the subject falls to the storm with this share: the i-th of n that ask the same of the same ids."""
    index, count = share
    return count == 1 or crc32(str(subject).encode()) % count == index


def _token(candidate: Candidate, number: int) -> Token:
    if isinstance(candidate, JobHistoryRecord):
        return Token(candidate.job_history_id, candidate.job_id, candidate.agent_machine, job_type=candidate.job_type)
    if isinstance(candidate, ScheduledJobRecord):
        stays = candidate.schedule is not None and recurs(candidate.schedule)
        return Token(number, candidate.id, candidate.client_machine, stays, True, candidate.job_type)
    return Token(number, candidate.agent_id, candidate.client_machine, by_guid=True)


class Pool:
    """The tokens of one storm, and how far they are used up."""

    __slots__ = ("_used", "tokens")

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self._used = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def used(self) -> int:
        """How many ids have been handed out."""
        return self._used

    @property
    def is_exhausted(self) -> bool:
        """True if no id is left."""
        return self._used >= len(self.tokens)

    def take(self, size: int) -> Batch | None:
        """The next `size` ids, fewer if fewer are left, None if none is."""
        if self.is_exhausted:
            return None
        first = self._used
        self._used = min(first + size, len(self.tokens))
        return Batch(range(first, self._used))

    def skip(self, size: int) -> None:
        """The next arrival has the ids."""

    def take_all(self) -> None:
        """Mark every id as used: a request by query may concern each of them."""
        self._used = len(self.tokens)
