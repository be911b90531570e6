"""What was asked of each id and what came of it: sent, accepted, refused, unknown.

A position is an id's place in the pool. Counts in compact columns; requests by query, which concern the entire pool,
are counted once and not per id. Nothing here knows what the target did: that is `observe`, and `reconcile` compares.
"""

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent_sim.instants import Instant
from agent_sim.storms.pool import Batch
from agent_sim.storms.taxonomy import ErrorKind, Outcome


@dataclass(frozen=True, slots=True)
class Account:
    """One id's counts of requests."""

    sent: int
    accepted: int
    refused: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Ids, each counted once under the most that is known of it."""

    sent: int
    accepted: int
    refused: int
    unknown: int

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.sent + other.sent,
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.unknown + other.unknown,
        )


NONE: Final = Totals(0, 0, 0, 0)


class Entry:
    """A request's place in the ledger: what it concerns, from when to when it was under way, and how it ended.

    `named` is how many ids it held, one that does not exist included; `failed` how many of them the answer refused.
    """

    __slots__ = ("batch", "began", "ended", "error", "failed", "named", "outcome", "refused")

    def __init__(self, batch: Batch | None, began: Instant) -> None:
        self.batch = batch
        self.named = 0 if batch is None else len(batch.positions)
        self.failed = 0
        self.began = began
        self.ended: Instant | None = None
        self.outcome: Outcome | None = None
        self.error: ErrorKind | None = None
        self.refused: Collection[int] = ()

    @property
    def positions(self) -> Sequence[int]:
        """The ids that it names; none if it is by query."""
        return () if self.batch is None else self.batch.positions


class Ledger:
    """The book of one storm over `size` ids. `claims` are the ids of jobs that answers named, by position."""

    __slots__ = ("_accepted", "_by_query", "_columns", "_entries", "_open", "_sent", "claims", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._sent = _column(size)
        self._columns = {outcome: _column(size) for outcome in Outcome}
        self._accepted = self._columns[
            Outcome.ACCEPTED
        ]  # nearly every answer's: to look it up takes longer than to count
        self._by_query = dict.fromkeys(Outcome, 0)
        self._entries: list[Entry] = []
        self._open: set[Entry] = set()
        self.claims: dict[int, str] = {}

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return len(self._open)

    @property
    def entries(self) -> Sequence[Entry]:
        """Every request, in the order in which they were sent."""
        return self._entries

    def send(self, batch: Batch | None, now: Instant) -> Entry:
        """Book a request that is about to be sent; None means by query: every id."""
        entry, sent = Entry(batch, now), self._sent
        for position in () if batch is None else batch.positions:
            sent[position] += 1
        self._entries.append(entry)
        self._open.add(entry)
        return entry

    def settle(
        self,
        entry: Entry,
        outcome: Outcome,
        now: Instant,
        error: ErrorKind | None = None,
        refused: Collection[int] = (),
    ) -> bool:
        """Book how a request ended; False, and nothing is booked, if that is settled already.

        `refused` are positions that a request which was accepted refused all the same, in its answer.
        """
        try:
            self._open.remove(entry)
        except KeyError:
            return False
        entry.ended, entry.outcome, entry.error, entry.refused = now, outcome, error, refused
        if (batch := entry.batch) is None:
            self._by_query[outcome] += 1
        column = self._accepted if outcome is Outcome.ACCEPTED else self._columns[outcome]
        for position in () if batch is None else batch.positions:
            column[position] += 1
        for position in refused:
            column[position] -= 1
            self._columns[Outcome.REFUSED][position] += 1
        return True

    def abandon(self, now: Instant) -> int:
        """Book every request that is still under way as unknown; returns how many there were."""
        left = list(self._open)
        for entry in left:
            self.settle(entry, Outcome.UNKNOWN, now, ErrorKind.READ_TIMEOUT)
        return len(left)

    def account(self, position: int) -> Account:
        """The counts of the id at a position."""
        whole = self._by_query
        return Account(
            self._sent[position] + sum(whole.values()),
            self._columns[Outcome.ACCEPTED][position] + whole[Outcome.ACCEPTED],
            self._columns[Outcome.REFUSED][position] + whole[Outcome.REFUSED],
            self._columns[Outcome.UNKNOWN][position] + whole[Outcome.UNKNOWN],
        )

    def windows(self, wanted: Collection[int]) -> Mapping[int, tuple[Instant, Instant]]:
        """From when to when something was asked of the ids at some positions; those that nothing was are left out."""
        found: dict[int, tuple[Instant, Instant]] = {}
        for entry in self._entries if wanted else ():
            ended = entry.began if entry.ended is None else entry.ended
            for position in wanted if entry.batch is None else _common(entry.positions, wanted):
                began, last = found.get(position, (entry.began, ended))
                found[position] = min(began, entry.began), max(last, ended)
        return found

    def roughly(self) -> Totals:
        """`totals` without telling apart what an id was more than once, quick for a million ids."""
        columns = (self._sent, *(self._columns[outcome] for outcome in Outcome))
        return Totals(*(self.size - column.count(0) for column in columns))

    def totals(self) -> Totals:
        """How many ids were sent, and how many of them were accepted, else unknown, else refused."""
        sent = accepted = refused = unknown = 0
        for position in range(self.size):
            account = self.account(position)
            sent += account.sent > 0
            accepted += account.accepted > 0
            unknown += account.unknown > 0 and not account.accepted
            refused += account.refused > 0 and not account.accepted and not account.unknown
        return Totals(sent, accepted, refused, unknown)


def _column(size: int) -> "array[int]":
    return array("I", bytes(array("I").itemsize * size))


def _common(positions: Sequence[int], wanted: Collection[int]) -> Iterator[int]:
    return (position for position in positions if position in wanted)
