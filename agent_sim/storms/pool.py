"""Ids as consumable tokens: read once before the storm, handed out once each, never recycled.

What is out of scope or not eligible is dropped here, whatever the target answered to the query, so that no
foreign id can be sent (issue: somebody else's server). Nothing here asks the target.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent_sim.protocol.command import JobHistoryRecord
from agent_sim.storms.operations import StormOperation, Subject


@dataclass(frozen=True, slots=True)
class Token:
    """An eligible run and its job."""

    audit_id: int
    job_id: str


@dataclass(frozen=True, slots=True)
class Harvest:
    """What reading the history gave: tokens in order of their ids, and how much was left out and why."""

    tokens: tuple[Token, ...]
    out_of_scope: int
    ineligible: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids handed out together; `first` is the position of the first of them in the pool."""

    first: int
    ids: tuple[int, ...]


def in_scope(machine: str, prefix: str) -> bool:
    """True if a machine's name begins with the prefix; case does not count, as in the query language."""
    return machine.casefold().startswith(prefix.casefold())


def harvest(operation: StormOperation, runs: Iterable[JobHistoryRecord], prefix: str) -> Harvest:
    """The tokens among `runs`: in scope, eligible, and one per subject of the operation (the newest)."""
    newest: dict[str | int, Token] = {}
    out_of_scope = ineligible = 0
    for run in runs:
        if not in_scope(run.agent_machine, prefix):
            out_of_scope += 1
        elif not operation.is_eligible(run):
            ineligible += 1
        else:
            subject = run.job_id.casefold() if operation.subject is Subject.JOB else run.job_history_id
            known = newest.get(subject)
            if known is None or known.audit_id < run.job_history_id:
                newest[subject] = Token(run.job_history_id, run.job_id)
    tokens = sorted(newest.values(), key=lambda token: token.audit_id)
    return Harvest(tuple(tokens), out_of_scope, ineligible)


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
        taken = self.tokens[first : first + size]
        self._used = first + len(taken)
        return Batch(first, tuple(token.audit_id for token in taken))

    def take_all(self) -> None:
        """Mark every id as used: a request by query may concern each of them."""
        self._used = len(self.tokens)
