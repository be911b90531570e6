"""A timer wheel: whatever waits for an instant, in the slot of its tick.

Slots exist only while something is in them, so the wheel has no rim: an instant may be as far ahead as it likes. What
is far ahead waits in coarse slots, each a span of ticks, and is moved into those when the span begins: a slot of its
own for everything that waits for minutes would cost ten times its place. Putting something in costs the same however
much is waiting. Nothing is ever taken out early: whoever is found in a slot says whether it is still meant.
"""

from array import array
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from agent_sim.instants import MILLISECOND, NEVER, Instant, Span

Item = TypeVar("Item")

TICK: Final[Span] = 5 * MILLISECOND
"""Finer costs more turns and coarser makes bursts; neither costs less for each item (performance 1.2)."""

_FEW: Final = 16
_SLACK: Final = 2
"""How many ticks fewer items than these wait for more: a process that slept wakes up with empty caches, and that costs
more than they do. At 800 requests a second it wakes up half as often so; a busy fleet does without (`live`)."""

_SPAN: Final = 6
"""Bits of a tick's number that a coarse slot holds together: a third of a second. Longer ones take long to move."""

_WITHIN: Final = (1 << _SPAN) - 1


class _Far(Generic[Item]):
    """A coarse slot: for each item how many ticks after the span's beginning it is due, and the first tick of all."""

    __slots__ = ("first", "items", "ticks")

    def __init__(self, item: Item, tick: int) -> None:
        self.items, self.ticks, self.first = [item], array("B", (tick & _WITHIN,)), tick


class Wheel(Generic[Item]):
    """Items by the tick in which they are due: never before their instant, at most one tick after it.

    Whoever looks at `next_turn` finds few items two ticks later than that.
    """

    __slots__ = ("_far", "_near", "_slots", "_spans", "_ticks", "tick")

    def __init__(self, tick: Span = TICK) -> None:
        self.tick = tick
        self._slots: dict[int, list[Item]] = {}
        self._ticks: list[int] = []  # a heap of those that have a slot
        self._far: dict[int, _Far[Item]] = {}  # by span
        self._spans: list[int] = []  # a heap of those that have a slot
        self._near = 0  # spans before this one have begun

    def put(self, item: Item, at: Instant) -> bool:
        """Have it found at `at`, or in the next tick after that; True if nothing is due sooner."""
        tick = -(-at // self.tick)
        span = tick >> _SPAN
        if span >= self._near:
            far = self._far.get(span)
            if far is None or tick < far.first:
                return self._put_first(item, tick)
            far.items.append(item)
            far.ticks.append(tick & _WITHIN)
            return False
        slot = self._slots.get(tick)
        if slot is not None:
            slot.append(item)
            return False
        self._slots[tick] = [item]
        heappush(self._ticks, tick)
        return self._ticks[0] == tick

    def _put_first(self, item: Item, tick: int) -> bool:
        """Far ahead, and before all else in its span."""
        span = tick >> _SPAN
        far = self._far.get(span)
        if far is None:
            self._far[span] = _Far(item, tick)
            heappush(self._spans, span)
        else:
            far.items.append(item)
            far.ticks.append(tick & _WITHIN)
            far.first = tick
        return self._spans[0] == span and not self._ticks

    def due(self, now: Instant) -> list[Item]:
        """Take out what is due: slot after slot, each in the order in which it was filled."""
        found: list[Item] = []
        ticks, last = self._ticks, now // self.tick
        self._begin(last >> _SPAN)
        while ticks and ticks[0] <= last:
            slot = self._slots.pop(heappop(ticks))
            found = found + slot if found else slot
        return found

    def _begin(self, span: int) -> None:
        """Move what is no longer far ahead into the slots of its ticks."""
        self._near = max(self._near, span + 1)
        while self._spans and self._spans[0] < self._near:
            first = heappop(self._spans)
            far = self._far.pop(first)
            first <<= _SPAN
            for item, within in zip(far.items, far.ticks, strict=True):
                tick = first + within
                slot = self._slots.get(tick)
                if slot is None:
                    self._slots[tick] = [item]
                    heappush(self._ticks, tick)
                else:
                    slot.append(item)

    def next_due(self) -> Instant:
        """When `due` finds something next; NEVER if the wheel is empty."""
        if self._ticks:
            return self._ticks[0] * self.tick
        return self._far[self._spans[0]].first * self.tick if self._spans else NEVER

    def next_turn(self) -> Instant:
        """When to look: as soon as something is due, or, if that is little, some ticks later for all that is due then.

        NEVER if the wheel is empty.
        """
        ticks = self._ticks
        if ticks and len(self._slots[ticks[0]]) < _FEW:
            return (ticks[0] + _SLACK) * self.tick
        return self.next_due()
