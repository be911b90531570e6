"""Who may send which ids: batches leased to processes in blocks, each to one process and once.

A batch has a number for as long as the storm lasts, so that a report says "number 17: accepted" and not which ids those
were. A batch whose process is lost was perhaps sent: its ids count as asked and their outcome as unknown, and nobody
is given them again (load-testing 3.2). What a process has left when it ends in good order was never sent.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from agent_sim.instants import Instant
from agent_sim.storms.pool import Batch, Supply, Token
from agent_sim.storms.taxonomy import Outcome

LARGEST: Final = 4096
"""Ids in one lease at most (load-testing 3.2 has 256 to 1,024; batches are as large as 10,000)."""

AHEAD: Final = 2.0
"""Seconds of its demand that a process has in hand when it asks for more (load-testing 3.2)."""

OUTCOMES: Final = tuple(Outcome)


class LeaseJson(TypedDict):
    """A lease in a message: its first batch's number, each batch's places, and what is asked for at each place.

    `ids` are little-endian 64-bit numbers; `names` go with them where there are any. `is_last`: nothing is left.
    """

    first: int
    batches: list[list[int]]
    ids: bytes
    names: list[str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a batch (None: of a request by query), and from when to when its request was under way."""

    number: int | None
    began: Instant
    ended: Instant
    outcome: Outcome


class Lessor:
    """The one that hands batches out."""

    def __init__(self, supply: Supply, tokens: Sequence[Token], size: int, processes: int) -> None:
        self._supply, self._tokens, self._size = supply, tokens, size
        self._processes = max(processes, 1)
        self._batches: list[Batch] = []
        self._holders: list[str] = []
        self._settled: dict[int, Settled] = {}
        self._by_query: list[Settled] = []
        self._given_back: set[int] = set()

    def lease(self, holder: str, batches: int) -> LeaseJson:
        """The next batches for a process, at most as many as it asks for; none if none are left.

        Towards the end of the pool they become few, so that the processes run dry together.
        """
        first = len(self._batches)
        most = max(LARGEST // self._size, 1)
        for _ in range(max(min(batches, most, self._fair_share()), 1)):
            batch = self._supply.take(self._size)
            if batch is None:
                break
            self._batches.append(batch)
            self._holders.append(holder)
        return self._told(first)

    def settle(self, holder: str, settled: Iterable[Settled]) -> int:
        """Book what a process reports; returns how many of it was not its to report, and is not booked."""
        strange = 0
        for each in settled:
            if each.number is None:
                self._by_query.append(each)
            elif self._is_open(each.number) and self._holders[each.number] == holder:
                self._settled[each.number] = each
            else:
                strange += 1
        return strange

    def give_back(self, holder: str) -> int:
        """A process ended in good order: what it has not reported it has not sent. Returns how many batches."""
        left = self._left(holder)
        self._given_back.update(left)
        return len(left)

    def lose(self, holder: str, began: Instant, now: Instant) -> int:
        """A process is lost: what it has not reported it may have sent. Returns how many batches."""
        left = self._left(holder)
        for number in left:
            self._settled[number] = Settled(number, began, now, Outcome.UNKNOWN)
        return len(left)

    def book(self) -> Iterator[tuple[Batch | None, Settled]]:
        """All that was sent, in the order in which it was handed out, and what came of it."""
        for number in sorted(self._settled):
            yield self._batches[number], self._settled[number]
        for each in self._by_query:
            yield None, each

    @property
    def unsettled(self) -> int:
        """Batches that somebody holds and has not reported yet."""
        return len(self._batches) - len(self._settled) - len(self._given_back)

    def _is_open(self, number: int) -> bool:
        known = 0 <= number < len(self._batches)
        return known and number not in self._settled and number not in self._given_back

    def _left(self, holder: str) -> list[int]:
        return [number for number, who in enumerate(self._holders) if who == holder and self._is_open(number)]

    def _fair_share(self) -> int:
        left = len(self._tokens) - len(self._batches) * self._size
        return math.ceil(left / self._size / self._processes / 2)

    def _told(self, first: int) -> LeaseJson:
        batches = self._batches[first:]
        tokens = [self._tokens[place] for batch in batches for place in batch.positions]
        return LeaseJson(
            first=first,
            batches=[list(batch.positions) for batch in batches],
            ids=b"".join(token.audit_id.to_bytes(8, "little", signed=True) for token in tokens),
            names=[token.job_id for token in tokens],
            is_last=self._supply.is_exhausted,
        )


class Leased:
    """The pool of a process that is leased its batches: what a storm takes from as if it were the whole pool."""

    def __init__(self, size: int) -> None:
        self.tokens: dict[int, Token] = {}
        self._size = size
        self._batches: list[tuple[int, Batch]] = []
        self._taken = 0
        self._used = 0
        self._is_last = False
        self.numbers: dict[int, int] = {}
        self.starved = 0

    def __len__(self) -> int:
        return self._size

    @property
    def used(self) -> int:
        """How many ids this process has taken."""
        return self._used

    @property
    def in_hand(self) -> int:
        """How many batches are left here."""
        return len(self._batches) - self._taken

    @property
    def is_exhausted(self) -> bool:
        """True if nothing is left here nor where it came from."""
        return self._is_last and not self.in_hand

    def add(self, lease: LeaseJson) -> None:
        """Take a lease in."""
        ids, names, at = lease["ids"], lease["names"], 0
        for offset, positions in enumerate(lease["batches"]):
            for place in positions:
                number = int.from_bytes(ids[8 * at : 8 * at + 8], "little", signed=True)
                self.tokens[place] = Token(number, names[at])
                at += 1
            self._batches.append((lease["first"] + offset, Batch(tuple(positions))))
        self._is_last = self._is_last or lease["is_last"]

    def take(self, size: int) -> Batch | None:
        """The next batch; None if none is here, whether or not more will come."""
        if not self.in_hand:
            self.starved += not self._is_last
            return None
        number, batch = self._batches[self._taken]
        self._taken += 1
        self._used += len(batch)
        self.numbers[id(batch)] = number
        return batch

    def take_all(self) -> None:
        """By query every id may be concerned."""
        self._used = self._size
