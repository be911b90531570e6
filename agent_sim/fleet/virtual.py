"""The virtual shell: the same cores on a heap, with no event loop, no sleeping and no clock but the heap's own.

Time is whole nanoseconds and jumps exactly to the next event; ties are broken by the order in which things were
planned. So the same cores and the same answers give the same run, to the byte. It never sees a server: whoever
adds a core says how a request of it becomes an event.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import Generic, TypeVar

from agent_sim.errors import TransportError
from agent_sim.faults.course import Ask, AskLater, Hold, Wait
from agent_sim.faults.effects import Crash
from agent_sim.fleet.cores import Core, Settle
from agent_sim.fleet.journeys import Journey
from agent_sim.instants import MILLISECOND, NEVER, Instant, Span

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Event = TypeVar("Event")

ROUND_TRIP: Span = MILLISECOND
"""From a request to its answer, for every request (our choice)."""


@dataclass(frozen=True, slots=True)
class Detours(Generic[Request, Reply, Event]):
    """What faults need: `begin` says what they do to a request that is sent now, None if nothing.

    `ask` has the server answer at once. `arrived` gives the event that the reply, error or crash becomes, and is told
    the faults' names and how long it took.
    """

    begin: Callable[[Request, Instant], Journey[Reply] | None]
    ask: Callable[[Request, Instant], Reply]
    arrived: Callable[[Request, Reply | TransportError | Crash, tuple[str, ...], Span], Event]


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Reply, Event]):
    """What all cores of one kind share: `send` has a request answered at once and gives the event it becomes."""

    send: Callable[[Request, Instant], Event]
    woken: Event
    detours: Detours[Request, Reply, Event] | None = None


class Actor:
    """A core with its place in the scheduler; its methods are looked up once, because a day calls them millions of
    times."""

    __slots__ = ("detours", "handle", "held", "next_wake", "planned", "send", "settle", "woken")

    def __init__(self, core: Core[object, object], kind: Kind[object, object, object], settle: Settle) -> None:
        self.handle, self.next_wake, self.settle = core.handle, core.next_wake, partial(settle, core)
        self.send, self.woken, self.detours = kind.send, kind.woken, kind.detours
        self.planned: Instant = NEVER
        self.held: _Trip | None = None  # a request waits to be overtaken


class _Trip:
    """A request that faults meet, on its way."""

    __slots__ = ("actor", "began", "detours", "journey", "request")

    def __init__(
        self,
        actor: Actor,
        detours: Detours[object, object, object],
        request: object,
        journey: Journey[object],
        began: Instant,
    ) -> None:
        self.actor, self.detours, self.request, self.journey, self.began = actor, detours, request, journey, began


class VirtualScheduler:
    """Runs cores in virtual time; `now` is the only clock there is."""

    def __init__(self, start: Instant) -> None:
        self.now = start
        self._sequence = 0
        self._wakes: list[tuple[Instant, int, Actor | Callable[[Instant], None]]] = []
        # Every round trip takes as long, so answers come in the order of their requests: no heap needed.
        self._answers: deque[tuple[Instant, int, Actor, object]] = deque()
        self._paused = False
        self._travelling = 0  # requests that faults meet, and their copies

    def add(self, core: Core[Event, Request], kind: Kind[Request, Reply, Event], settle: Settle) -> Actor:
        """Take on a core; returns a handle for `tell`. `settle` is called after each event, with the core."""
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
        return len(self._answers) + self._travelling

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
            if actor.detours is not None and self._detour(actor, actor.detours, request):
                continue
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

    # --- requests that faults meet --------------------------------------------------------------

    def _detour(self, actor: Actor, detours: Detours[object, object, object], request: object) -> bool:
        """Send the request the way that faults have for it; False if none meets it."""
        journey = detours.begin(request, self.now)
        if journey is None:
            self._overtake(actor)
            return False
        self._travelling += 1
        self._go_on(_Trip(actor, detours, request, journey, self.now), None)
        return True

    def _go_on(self, trip: _Trip, answer: object) -> None:
        """Take steps until one takes time."""
        now, actor = self.now, trip.actor
        while True:
            try:
                step = trip.journey.steps.send(answer)
            except StopIteration as end:
                self.at(max(now, trip.began + ROUND_TRIP), partial(self._arrive, trip, end.value))
                return
            answer = None
            match step:
                case Wait(span):
                    self.at(now + span, lambda _: self._go_on(trip, None))
                    return
                case Hold(longest) if actor.held is None:
                    actor.held = trip
                    self.at(now + longest, lambda _: self._release(trip))
                    return
                case AskLater(span):
                    self._travelling += 1
                    self.at(now + span, lambda now: self._ask_later(trip, now))
                case Ask():
                    reply = trip.detours.ask(trip.request, now)
                    self._overtake(actor)
                    self.at(now + ROUND_TRIP, partial(self._answered, trip, reply))
                    return

    def _answered(self, trip: _Trip, reply: object, now: Instant) -> None:
        self._go_on(trip, reply)

    def _ask_later(self, trip: _Trip, now: Instant) -> None:
        self._travelling -= 1
        trip.detours.ask(trip.request, now)

    def _overtake(self, actor: Actor) -> None:
        held = actor.held
        if held is not None:
            self.at(self.now, lambda _: self._release(held))

    def _release(self, trip: _Trip) -> None:
        if trip.actor.held is trip:
            trip.actor.held = None
            self._go_on(trip, None)

    def _arrive(self, trip: _Trip, outcome: object, now: Instant) -> None:
        self._travelling -= 1
        event = trip.detours.arrived(trip.request, outcome, trip.journey.faults, now - trip.began)
        self._handle(trip.actor, event)
