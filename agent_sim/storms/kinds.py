"""The kinds of storm of load-testing 3.3: how requests are made of a pool's ids, and when they are due.

    plain      each id once, in batches, or a query that matches them all
    mixed      70 % by ids, 20 % another operation, 10 % by a query, each decided by a keyed draw
    contended  each batch sent several times at the same moment: exactly one of them has an effect
    hot        all batches drawn from the same few ids, in order and shuffled by turns
    poison     each batch holds one id that does not exist: all of it or nothing
    herd       plain, and agents must be there that poll and report meanwhile

Pure: what is drawn depends on the plan's seed and the number of the request, never on answers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from agent_sim.draws import key, unit
from agent_sim.instants import Span
from agent_sim.storms.arrivals import due_offsets
from agent_sim.storms.plan import Kind, StormPlan
from agent_sim.storms.pool import Batch, Pool, Supply, Token

WORDS: Final[Mapping[Kind, str]] = {
    "plain": "each id once",
    "mixed": "70 % by ids, 20 % of another operation, 10 % by a query",
    "contended": "each id sent several times at once: exactly one has an effect",
    "hot": "all requests about the same few ids",
    "poison": "one id in each request does not exist: all or nothing",
    "herd": "each id once, while agents poll and report",
}

By = Literal["ids", "query"]


@dataclass(frozen=True, slots=True)
class Part:
    """One sort of request of a storm, and how often it comes (of 1)."""

    operation: str
    by: By
    weight: float


def parts(plan: StormPlan) -> tuple[Part, ...]:
    """The sorts of requests of a storm."""
    if plan.kind != "mixed":
        return (Part(plan.operation, plan.by, 1.0),)
    other = "reschedule" if plan.operation == "acknowledge" else "acknowledge"
    return (Part(plan.operation, "ids", 0.7), Part(other, "ids", 0.2), Part(plan.operation, "query", 0.1))


def drawn(plan: StormPlan, number: int) -> int:
    """Which of `parts` the request of this number is of."""
    chance = unit(key(plan.seed, plan.name, "part"), number)
    for index, part in enumerate(parts(plan)):
        chance -= part.weight
        if chance < 0:
            return index
    return 0


def dues(plan: StormPlan) -> Iterator[Span]:
    """When each request is due; contenders are due together, when the first of them would be."""
    if plan.kind != "contended":
        yield from due_offsets(plan)
        return
    offsets = due_offsets(plan)
    while group := tuple(islice(offsets, plan.copies)):
        yield from (group[0] for _ in group)


def supply(plan: StormPlan, tokens: tuple[Token, ...]) -> Supply:
    """Where a storm by ids takes its batches from."""
    if plan.kind == "hot":
        return _Hot(plan, tokens)
    if plan.kind == "contended":
        return _Contended(Pool(tokens), plan.copies)
    return Pool(tokens)


def poison(token: Token, number: int) -> Token:
    """An id like this one that no target has."""
    return Token(_NO_RUN + number, f"00000000-0000-4000-bad0-{number:012x}", token.machine)


_NO_RUN: Final = 1 << 61
"""Audit ids count from 1, and nobody has had so many runs."""


class _Contended:
    """Each batch of a pool several times, one after the other."""

    def __init__(self, pool: Pool, copies: int) -> None:
        self._pool, self._copies = pool, copies
        self._batch: Batch | None = None
        self._left = 0
        self._size = 0

    @property
    def used(self) -> int:
        return self._pool.used

    @property
    def is_exhausted(self) -> bool:
        return self._pool.is_exhausted and not self._left

    def take(self, size: int) -> Batch | None:
        if not self._left:
            self._batch = self._pool.take(size)
            self._left = 0 if self._batch is None else self._copies
        self._left = max(self._left - 1, 0)
        return self._batch

    def skip(self, size: int) -> None:
        """One rival fewer: its turn is not the first of the next ones."""
        self.take(size)

    def take_all(self) -> None:
        self._pool.take_all()
        self._left = 0


class _Hot:
    """Batches of the first few ids, for ever."""

    def __init__(self, plan: StormPlan, tokens: tuple[Token, ...]) -> None:
        self._chance = key(plan.seed, plan.name, "hot")
        self._few = min(plan.hot, len(tokens))
        self._taken = 0
        self._seen: set[int] = set()

    @property
    def used(self) -> int:
        return len(self._seen)

    @property
    def is_exhausted(self) -> bool:
        return self._few == 0

    def take(self, size: int) -> Batch | None:
        if self.is_exhausted:
            return None
        number, self._taken = self._taken, self._taken + 1
        shuffled = self._shuffled(number, min(size, self._few))
        # By turns: whether locks are taken in one order or in any is what deadlocks depend on.
        positions = shuffled if number % 2 else sorted(shuffled)
        self._seen.update(positions)
        return Batch(tuple(positions))

    def _shuffled(self, number: int, size: int) -> list[int]:
        """The first cards of a deck that is shuffled no further than that: a draw for each, however many there are."""
        deck: dict[int, int] = {}
        cards = []
        for place in range(size):
            other = place + int(unit(self._chance, number, place) * (self._few - place))
            cards.append(deck.get(other, other))
            deck[other] = deck.get(place, place)
        return cards

    def skip(self, size: int) -> None:
        """The next arrival has the ids."""

    def take_all(self) -> None:
        self._seen.update(range(self._few))
