"""A timer wheel: whatever waits for an instant, in the slot of its tick.

Slots exist only while something is in them, so the wheel has no rim: an instant may be as far ahead as it likes.
Putting something in costs the same however much is waiting, and takes the eight bytes of a place in a list. Nothing is
ever taken out early: whoever is found in a slot says whether it is still meant.
"""

from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from agent_sim.instants import MILLISECOND, NEVER, Instant, Span

Item = TypeVar("Item")

TICK: Final[Span] = 5 * MILLISECOND
"""Finer costs more turns and coarser makes bursts; neither costs less for each item (performance 1.2)."""


class Wheel(Generic[Item]):
    """Items by the tick in which they are due: never before their instant, at most one tick after it."""

    __slots__ = ("_slots", "_tick", "_ticks")

    def __init__(self, tick: Span = TICK) -> None:
        self._tick = tick
        self._slots: dict[int, list[Item]] = {}
        self._ticks: list[int] = []  # a heap of those that have a slot

    def put(self, item: Item, at: Instant) -> bool:
        """Have it found at `at`, or in the next tick after that; True if nothing is due sooner."""
        tick = -(-at // self._tick)
        slot = self._slots.get(tick)
        if slot is not None:
            slot.append(item)
            return False
        self._slots[tick] = [item]
        heappush(self._ticks, tick)
        return self._ticks[0] == tick

    def due(self, now: Instant) -> list[Item]:
        """Take out what is due: slot after slot, each in the order in which it was filled."""
        found: list[Item] = []
        ticks, last = self._ticks, now // self._tick
        while ticks and ticks[0] <= last:
            slot = self._slots.pop(heappop(ticks))
            found = found + slot if found else slot
        return found

    def next_due(self) -> Instant:
        """When `due` finds something next; NEVER if the wheel is empty."""
        return self._ticks[0] * self._tick if self._ticks else NEVER
