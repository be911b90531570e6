"""What was asked of each id and what came of it: sent, accepted, refused, unknown.

A position is an id's place in the pool. Four bytes an id; requests by query, which concern the entire pool, are
counted once and not per id. Nothing here knows what the target did: that is `observe`, and `reconcile` compares.
"""

from bisect import bisect_right
from dataclasses import dataclass

from agent_sim.instants import Instant
from agent_sim.storms.pool import Batch
from agent_sim.storms.taxonomy import Outcome


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


class Entry:
    """A request's place in the ledger: what it concerns, and from when to when it was under way."""

    __slots__ = ("batch", "began", "ended")

    def __init__(self, batch: Batch | None, began: Instant) -> None:
        self.batch = batch
        self.began = began
        self.ended: Instant | None = None


class Ledger:
    """The book of one storm over `size` ids."""

    __slots__ = ("_by_query", "_columns", "_entries", "_open", "_sent", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._sent = bytearray(size)
        self._columns = {outcome: bytearray(size) for outcome in Outcome}
        self._by_query = dict.fromkeys(Outcome, 0)
        self._entries: list[Entry] = []
        self._open: set[Entry] = set()

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return len(self._open)

    def send(self, batch: Batch | None, now: Instant) -> Entry:
        """Book a request that is about to be sent, batches in the pool's order; None means by query: every id."""
        entry = Entry(batch, now)
        for position in _positions(batch):
            self._sent[position] += 1
        self._entries.append(entry)
        self._open.add(entry)
        return entry

    def settle(self, entry: Entry, outcome: Outcome, now: Instant) -> bool:
        """Book how a request ended; False, and nothing is booked, if that is settled already."""
        if entry not in self._open:
            return False
        self._open.discard(entry)
        entry.ended = now
        if entry.batch is None:
            self._by_query[outcome] += 1
        column = self._columns[outcome]
        for position in _positions(entry.batch):
            column[position] += 1
        return True

    def abandon(self, now: Instant) -> int:
        """Book every request that is still under way as unknown; returns how many there were."""
        left = list(self._open)
        for entry in left:
            self.settle(entry, Outcome.UNKNOWN, now)
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

    def window(self, position: int) -> tuple[Instant, Instant] | None:
        """From when to when something was asked of the id at a position; None if nothing was."""
        concerned = self._concerning(position)
        if not concerned:
            return None
        return min(entry.began for entry in concerned), max(entry.ended or entry.began for entry in concerned)

    def _concerning(self, position: int) -> list[Entry]:
        if self._sent[position]:
            return [self._entries[bisect_right(self._entries, position, key=_first) - 1]]
        return [entry for entry in self._entries if entry.batch is None]

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


def _positions(batch: Batch | None) -> range:
    return range(0) if batch is None else range(batch.first, batch.first + len(batch.ids))


def _first(entry: Entry) -> int:
    return entry.batch.first if entry.batch else -1
