"""The virtual shell: the same cores on a heap, with no event loop, no sleeping and no clock but the heap's own.

Time is whole nanoseconds and jumps exactly to the next event; ties are broken by the order in which things were
planned. So the same cores and the same answers give the same run, to the byte. It never sees a server: whoever
adds a core says how a request of it becomes an event.
"""

from collections import deque
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


class Actor:
    """A core with its place in the scheduler; its methods are looked up once, because a day calls them millions of
    times."""

    __slots__ = ("handle", "next_wake", "planned", "send", "settle", "woken")

    def __init__(self, core: Core[object, object], kind: Kind[object, object], settle: Callable[[], None]) -> None:
        self.handle, self.next_wake, self.settle = core.handle, core.next_wake, settle
        self.send, self.woken = kind.send, kind.woken
        self.planned: Instant = NEVER


class VirtualScheduler:
    """Runs cores in virtual time; `now` is the only clock there is."""

    def __init__(self, start: Instant) -> None:
        self.now = start
        self._sequence = 0
        self._wakes: list[tuple[Instant, int, Actor | Callable[[Instant], None]]] = []
        # Every round trip takes as long, so answers come in the order of their requests: no heap needed.
        self._answers: deque[tuple[Instant, int, Actor, object]] = deque()
        self._paused = False

    def add(self, core: Core[Event, Request], kind: Kind[Request, Event], settle: Callable[[], None]) -> Actor:
        """Take on a core; returns a handle for `tell`. `settle` is called after each event, to take its facts."""
        actor = Actor(core, kind, settle)  # type: ignore[arg-type]  # kept together, never mixed
        self._plan(actor, actor.next_wake())
        return actor

    def at(self, instant: Instant, callback: Callable[[Instant], None]) -> None:
        """Call back at an instant."""
        self._sequence += 1
        heappush(self._wakes, (instant, self._sequence, callback))

    def tell(self, actor: Actor, event: object) -> None:
        """Give a core an event from outside; it is handled at once."""
        self._handle(actor, event)

    @property
    def in_flight(self) -> int:
        """Requests whose answers have not arrived."""
        return len(self._answers)

    def pause(self) -> None:
        """Make `run` return once the event under way is handled."""
        self._paused = True

    def run(self, until: Instant) -> None:
        """Let everything happen that happens up to and including `until`, or until somebody pauses."""
        wakes, answers, handle = self._wakes, self._answers, self._handle
        self._paused = False
        while not self._paused:
            if answers and (not wakes or answers[0] < wakes[0]):
                if answers[0][0] > until:
                    break
                self.now, _, actor, event = answers.popleft()
                handle(actor, event)
            elif wakes and wakes[0][0] <= until:
                at, _, who = heappop(wakes)
                if at > self.now:
                    self.now = at
                if not isinstance(who, Actor):
                    who(self.now)
                elif who.planned == at:
                    who.planned = NEVER
                    handle(who, who.woken)
            else:
                break
        if not self._paused:
            self.now = max(self.now, until)

    def _handle(self, actor: Actor, event: object) -> None:
        now = self.now
        requests = actor.handle(event, now)
        actor.settle()
        for request in requests:
            self._sequence += 1
            self._answers.append((now + ROUND_TRIP, self._sequence, actor, actor.send(request, now)))
        wake = actor.next_wake()
        if wake != actor.planned:
            self._plan(actor, wake)

    def _plan(self, actor: Actor, wake: Instant) -> None:
        actor.planned = wake
        if wake != NEVER:
            self._sequence += 1
            heappush(self._wakes, (wake, self._sequence, actor))
