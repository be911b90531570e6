"""The virtual shell: the same cores on a heap, with no event loop, no sleeping and no clock but the heap's own.

Time is whole nanoseconds and jumps exactly to the next event; ties are broken by the order in which things were
planned. So the same cores and the same answers give the same run, to the byte. It never sees a server: whoever
adds a core says how a request of it becomes an event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Generic, TypeVar

from agent_sim.fleet.cores import Core
from agent_sim.instants import MILLISECOND, NEVER, Instant, Span

Request = TypeVar("Request")
Event = TypeVar("Event")

ROUND_TRIP: Span = MILLISECOND
"""From a request to its answer, for every request (our choice)."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Event]):
    """What all cores of one kind share: `send` has a request answered at once and gives the event it becomes."""

    send: Callable[[Request, Instant], Event]
    woken: Event


class _Actor:
    __slots__ = ("core", "kind", "planned", "settle")

    def __init__(self, core: Core[object, object], kind: Kind[object, object], settle: Callable[[], None]) -> None:
        self.core, self.kind, self.settle = core, kind, settle
        self.planned: Instant = NEVER


class VirtualScheduler:
    """Runs cores in virtual time; `now` is the only clock there is."""

    def __init__(self, start: Instant) -> None:
        self.now = start
        self._heap: list[tuple[Instant, int, _Actor | Callable[[Instant], None], object]] = []
        self._sequence = 0

    def add(self, core: Core[Event, Request], kind: Kind[Request, Event], settle: Callable[[], None]) -> "_Actor":
        """Take on a core; returns a handle for `tell`. `settle` is called after each event, to take its facts."""
        actor = _Actor(core, kind, settle)  # type: ignore[arg-type]  # kept together, never mixed
        self._plan(actor)
        return actor

    def at(self, instant: Instant, callback: Callable[[Instant], None]) -> None:
        """Call back at an instant."""
        self._push(instant, callback, None)

    def tell(self, actor: "_Actor", event: object) -> None:
        """Give a core an event from outside; it is handled at once."""
        self._handle(actor, event)

    def run(self, until: Instant) -> None:
        """Let everything happen that happens up to and including `until`."""
        while self._heap and self._heap[0][0] <= until:
            at, _, actor, event = heappop(self._heap)
            self.now = max(self.now, at)
            if not isinstance(actor, _Actor):
                actor(self.now)
            elif event is not None:
                self._handle(actor, event)
            elif actor.planned == at:
                actor.planned = NEVER
                self._handle(actor, actor.kind.woken)
        self.now = max(self.now, until)

    def _handle(self, actor: _Actor, event: object) -> None:
        requests = actor.core.handle(event, self.now)
        actor.settle()
        for request in requests:
            self._push(self.now + ROUND_TRIP, actor, actor.kind.send(request, self.now))
        self._plan(actor)

    def _plan(self, actor: _Actor) -> None:
        wake = actor.core.next_wake()
        if wake != actor.planned:
            actor.planned = wake
            if wake != NEVER:
                self._push(wake, actor, None)

    def _push(self, at: Instant, what: _Actor | Callable[[Instant], None], event: object) -> None:
        self._sequence += 1
        heappush(self._heap, (at, self._sequence, what, event))
