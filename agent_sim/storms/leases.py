"""Who may send which ids: batches leased to processes in blocks, each to one process and once.

A batch has a number for as long as the storm lasts, so that a report says "number 17: accepted" and not which ids those
were. A batch whose process is lost was perhaps sent: its ids count as asked and their outcome as unknown, and nobody
is given them again (load-testing 3.2). What a process has left when it ends in good order was never sent. A storm of
several operations has a pool for each: a shelf. Batches of a contended storm are dealt like cards, so that the copies
of one go to several processes, each of which sends its own at the moment that is due for all of them.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypedDict

from agent_sim.instants import Instant
from agent_sim.storms.pool import Batch, Supply, Token
from agent_sim.storms.taxonomy import ErrorKind, Outcome

LARGEST: Final = 4096
"""Ids in one lease at most (load-testing 3.2 has 256 to 1,024; batches are as large as 10,000)."""

AHEAD: Final = 2.0
"""Seconds of its demand that a process has in hand when it asks for more (load-testing 3.2)."""


class LeaseJson(TypedDict):
    """A lease in a message: its first batch's number, each batch's places, and what is asked for at each place.

    `ids` are little-endian 64-bit numbers, `names` go with them. `is_last`: nothing is left.
    """

    shelf: str
    first: int
    batches: list[list[int]]
    ids: bytes
    names: list[str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    """The pool of one operation: where batches come from, what is at each place, how many ids a batch has at most."""

    supply: Supply
    tokens: Sequence[Token]
    size: int


class Settled(NamedTuple):
    """What came of a batch (no number: of a request by query), and from when to when its request was under way.

    `named` and `failed` are counts of ids, `refused` places that an accepted request left out, `claims` the ids of jobs
    that its answer named, by place. A tuple, for every request makes one here and one at the other end.
    """

    shelf: str
    number: int | None
    began: Instant
    ended: Instant
    outcome: Outcome
    error: ErrorKind | None = None
    named: int = 0
    failed: int = 0
    refused: tuple[int, ...] = ()
    claims: tuple[tuple[int, str], ...] = ()


class Lessor:
    """The one that hands batches out. `run` batches belong together and go to one process; or they are dealt one by
    one, if there are processes to whom they are `dealt`.
    """

    def __init__(self, shelves: Mapping[str, Shelf], processes: int, run: int = 1, dealt: Sequence[str] = ()) -> None:
        self._shelves = shelves
        self._processes, self._run = max(processes, 1), max(run, 1)
        self._batches: list[Batch] = []
        self._holders: list[tuple[str, str]] = []
        self._handed: dict[str, int] = dict.fromkeys(shelves, 0)
        self._settled: dict[int, Settled] = {}
        self._by_query: list[Settled] = []
        self._given_back: set[int] = set()
        self._seats = {name: seat for seat, name in enumerate(dealt)}
        self._decks: dict[str, list[Batch]] = {name: [] for name in shelves}
        self._next: dict[tuple[str, str], int] = {}
        self._returned: dict[str, list[Batch]] = {name: [] for name in shelves}

    def lease(self, holder: str, shelf: str, batches: int) -> LeaseJson:
        """The next batches for a process, at most as many as it asks for; none if none are left.

        Towards the end of the pool they become few, so that the processes run dry together; but not fewer than an
        eighth of what was asked for, so that nobody waits for the next ones.
        """
        first, most = len(self._batches), max(LARGEST // self._shelves[shelf].size, 1)
        few = batches if self._seats else max(self._fair_share(shelf), batches // 8)
        wanted = max(min(batches, most, few), 1)
        for _ in range(math.ceil(wanted / self._run) * self._run):
            batch = self._drawn(holder, shelf)
            if batch is None:
                break
            self._batches.append(batch)
            self._holders.append((holder, shelf))
            self._handed[shelf] += len(batch)
        return self._told(holder, shelf, first)

    def deal_anew(self, names: Sequence[str]) -> None:
        """Another part of the storm begins, for these processes: what was dealt of the last one is not dealt again."""
        for shelf, deck in self._decks.items():
            for _ in range(-len(deck) % self._run):
                self._shelves[shelf].supply.take(self._shelves[shelf].size)  # a batch is not split over two parts
            deck.clear()
        self._next.clear()
        self._seats = {name: seat for seat, name in enumerate(names)}

    def _drawn(self, holder: str, shelf: str) -> Batch | None:
        """The next batch for a process."""
        from_ = self._shelves[shelf]
        if not self._seats:
            returned = self._returned[shelf]
            return returned.pop(0) if returned else from_.supply.take(from_.size)
        deck, place = self._decks[shelf], self._place(holder, shelf)
        while len(deck) <= place:
            batch = from_.supply.take(from_.size)
            if batch is None:
                return None
            deck.append(batch)
        self._next[holder, shelf] = place + len(self._seats)
        return deck[place]

    def _place(self, holder: str, shelf: str) -> int:
        return self._next.get((holder, shelf), self._seats[holder])

    def settle(self, holder: str, settled: Iterable[Settled]) -> int:
        """Book what a process reports; returns how many of it was not its to report, and is not booked."""
        strange = 0
        for each in settled:
            if each.number is None:
                self._by_query.append(each)
            elif self._is_open(each.number) and self._holders[each.number] == (holder, each.shelf):
                self._settled[each.number] = each
            else:
                strange += 1
        return strange

    def give_back(self, holder: str) -> int:
        """A process ended in good order: what it has not reported it has not sent, and others may. Returns how many
        batches.
        """
        left = self._left(holder)
        self._given_back.update(left)
        for number in left if not self._seats else ():
            batch, shelf = self._batches[number], self._holders[number][1]
            self._returned[shelf].append(batch)
            self._handed[shelf] -= len(batch)
        return len(left)

    def lose(self, holder: str, began: Instant, now: Instant) -> int:
        """A process is lost: what it has not reported it may have sent. Returns how many batches."""
        left = self._left(holder)
        for number in left:
            self._settled[number] = Settled(
                shelf=self._holders[number][1],
                number=number,
                began=began,
                ended=now,
                outcome=Outcome.UNKNOWN,
                error=ErrorKind.READ_TIMEOUT,
                named=len(self._batches[number]),
            )
        return len(left)

    def book(self) -> Iterator[tuple[Batch | None, Settled]]:
        """All that was sent, in the order in which it was handed out, and what came of it."""
        for number in sorted(self._settled):
            yield self._batches[number], self._settled[number]
        for each in self._by_query:
            yield None, each

    @property
    def used(self) -> int:
        """How many different ids were asked for, by one process or by several."""
        places = {(each.shelf, place) for batch, each in self.book() if batch for place in batch.positions}
        return len(places)

    @property
    def unsettled(self) -> int:
        """Batches that somebody holds and has not reported yet."""
        return len(self._batches) - len(self._settled) - len(self._given_back)

    def _is_open(self, number: int) -> bool:
        known = 0 <= number < len(self._batches)
        return known and number not in self._settled and number not in self._given_back

    def _left(self, holder: str) -> list[int]:
        return [number for number, (who, _) in enumerate(self._holders) if who == holder and self._is_open(number)]

    def _fair_share(self, shelf: str) -> int:
        from_ = self._shelves[shelf]
        left = len(from_.tokens) - self._handed[shelf] / self._run
        return math.ceil(left / from_.size / self._processes / 2) * self._run

    def _is_last(self, holder: str, shelf: str) -> bool:
        is_over = self._shelves[shelf].supply.is_exhausted and not self._returned[shelf]
        return is_over and (not self._seats or self._place(holder, shelf) >= len(self._decks[shelf]))

    def _told(self, holder: str, shelf: str, first: int) -> LeaseJson:
        from_, batches = self._shelves[shelf], self._batches[first:]
        tokens = [from_.tokens[place] for batch in batches for place in batch.positions]
        return LeaseJson(
            shelf=shelf,
            first=first,
            batches=[list(batch.positions) for batch in batches],
            ids=struct.pack(f"<{len(tokens)}q", *(token.audit_id for token in tokens)),
            names=[token.job_id for token in tokens],
            is_last=self._is_last(holder, shelf),
        )


def _numbers(ids: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(ids) // 8}q", ids)


class Leased:
    """The pool of a process that is leased its batches: what a storm takes from as if it were the whole pool.

    `ask` is told how many batches are wanted when few are left: as many as the last time, or twice as many if that was
    not enough. `is_dealt`: each batch is for one arrival, which gives
    it up if it is dropped.
    """

    def __init__(self, size: int, ask: Callable[[int], None] = lambda _: None, *, is_dealt: bool = False) -> None:
        self.tokens: dict[int, Token] = {}
        self._size, self._ask, self._is_dealt = size, ask, is_dealt
        self._given_up = 0
        self._lease = 0
        self._batches: list[tuple[int, tuple[int, ...]]] = []  # number and places
        self._taken = 0
        self._seen: set[int] = set()
        self._is_last = False
        self._numbers: dict[int, int] = {}
        self.starved = 0

    def __len__(self) -> int:
        return self._size

    @property
    def used(self) -> int:
        """How many different ids this process has taken."""
        return len(self._seen)

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
        # All at once: with batches of one id this is a third of what a lease costs its process.
        places = [place for positions in lease["batches"] for place in positions]
        self.tokens.update(zip(places, map(Token, _numbers(lease["ids"]), lease["names"]), strict=True))
        self._batches.extend(enumerate(map(tuple, lease["batches"]), lease["first"]))
        self._lease = max(self._lease, len(lease["batches"]))
        self._is_last = self._is_last or lease["is_last"]
        late = min(self._given_up, self.in_hand)
        self._given_up -= late
        self._taken += late

    def skip(self, size: int) -> None:
        """An arrival goes without a request: of rivals, the others must not get the next one's batch."""
        if self._is_dealt and self.in_hand:
            self._taken += 1
        elif self._is_dealt:
            self._given_up += 1

    def take(self, size: int) -> Batch | None:
        """The next batch; None if none is here, whether or not more will come. Asks for more in good time."""
        if not self._is_last and self.in_hand <= self._lease // 2:
            self._ask(self._lease)
        if not self.in_hand:
            if not self._is_last:
                self.starved += 1
                self._lease = min(2 * self._lease, LARGEST)
            return None
        number, places = self._batches[self._taken]
        batch = Batch(places)
        self._taken += 1
        self._seen.update(places)
        self._numbers[id(batch)] = number
        return batch

    def number_of(self, batch: Batch) -> int:
        """The number of a batch that was taken; to be asked once."""
        return self._numbers.pop(id(batch))

    def take_all(self) -> None:
        """By query every id may be concerned."""
        self._seen.update(range(self._size))
