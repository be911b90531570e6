"""One fault of a run as data: when it is armed, whom it may meet, what it does. `scenario.faults` makes it."""

from collections.abc import Iterator
from dataclasses import dataclass

from agent_sim.distributions import Distribution, sample_span
from agent_sim.draws import Key, unit
from agent_sim.faults.kinds import Kind
from agent_sim.instants import MILLISECOND, MINUTE, NEVER, Instant, Span


@dataclass(frozen=True, slots=True)
class Window:
    """From `begin` to `end` (exclusive) a fault is armed; `once` if it meets each agent but once in it."""

    number: int
    begin: Instant
    end: Instant
    once: bool = False


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Windows by chance: one begins after another, each `lasts` so long; None: until it has met its agents once."""

    every: Distribution
    lasts: Span | None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Those that can be selected, by fleet; of them a share of each fleet (as `shares` says how many) or a number.

    With neither, all of them. Unless `sticky`, each window draws anew.
    """

    fleets: tuple[tuple[str, ...], ...]
    shares: tuple[int, ...] | None = None
    count: int | None = None
    sticky: bool = False

    def chosen(self, key: Key, window: int) -> frozenset[str]:
        """Who is selected in a window."""
        if self.shares is not None:
            groups = zip(self.fleets, self.shares, strict=True)
            return frozenset(one for fleet, share in groups for one in self._lowest(key, window, fleet, share))
        everybody = [agent for fleet in self.fleets for agent in fleet]
        return frozenset(everybody if self.count is None else self._lowest(key, window, everybody, self.count))

    def _lowest(self, key: Key, window: int, agents: "list[str] | tuple[str, ...]", count: int) -> list[str]:
        when = () if self.sticky else (window,)
        return sorted(agents, key=lambda agent: unit(key, "select", agent, *when))[:count]


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A fault. `key` is (seed, name); no `operations` are all that agents have; no `crowd`: senders are not agents.

    `spans` are where it may be armed at all: without `recurrence` each is one window.
    """

    name: str
    key: Key
    kinds: tuple[Kind, ...]
    spans: tuple[tuple[Instant, Instant], ...]
    recurrence: Recurrence | None
    probability: float
    operations: frozenset[str]
    crowd: Crowd | None

    @property
    def is_once(self) -> bool:
        """True if a window lasts until each agent is met once."""
        return self.recurrence is not None and self.recurrence.lasts is None

    @property
    def usual(self) -> Span:
        """How long a window lasts that somebody begins by hand: as the first planned one, or a minute."""
        if self.recurrence is not None:
            return MINUTE if self.recurrence.lasts is None else self.recurrence.lasts
        begin, end = self.spans[0] if self.spans else (0, MINUTE)
        return MINUTE if end == NEVER else end - begin

    def windows(self) -> Iterator[Window]:
        """When it is armed, in order; a window that the next one would overlap ends as that begins."""
        number = 0
        for place, (begin, end) in enumerate(self.spans):
            for start, stop in self._within(place, begin, end):
                yield Window(number, start, stop, self.is_once)
                number += 1

    def _within(self, place: int, begin: Instant, end: Instant) -> Iterator[tuple[Instant, Instant]]:
        if self.recurrence is None:
            yield begin, end
            return
        start, drawn = self._after(begin, place, 0), 1
        while start < end:
            following = self._after(start, place, drawn)
            lasts = self.recurrence.lasts
            yield start, min(following, end, NEVER if lasts is None else start + lasts)
            start, drawn = following, drawn + 1

    def _after(self, instant: Instant, place: int, drawn: int) -> Instant:
        assert self.recurrence is not None
        return instant + max(sample_span(self.recurrence.every, unit(self.key, "every", place, drawn)), MILLISECOND)
