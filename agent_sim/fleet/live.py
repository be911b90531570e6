"""The live shell: one scheduler that drives any number of cores over real transports, in real time.

A core (an agent, the operator) is asked when it next wakes; a heap keeps those instants; a task exists only while a
request is on its way. Nothing here knows what a job is: every decision is the cores'.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Generic, TypeVar

from agent_sim.errors import TransportError
from agent_sim.faults.course import Ask, AskLater, Hold, Wait
from agent_sim.faults.effects import Crash
from agent_sim.fleet.cores import Core
from agent_sim.fleet.journeys import Journey
from agent_sim.instants import NEVER, SECOND, Instant, Span

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Event = TypeVar("Event")

_LONGEST_NAP: Span = SECOND


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Reply, Event]):
    """What all cores of one kind share: how to send, and what their events are called.

    `ended` is told of every exchange: the request, the reply or error, nanoseconds on the wire, nanoseconds waited
    for a free connection before it, and the names of the faults that it met. `journey` says what faults do to a
    request that is sent now, None if nothing; `crashed` is the event of a core that a fault kills at a request.
    """

    send: Callable[[Request], Awaitable[Reply]]
    woken: Event
    answered: Callable[[Request, Reply], Event]
    failed: Callable[[Request, TransportError], Event]
    ended: Callable[[Request, Reply | TransportError, Span, Span, tuple[str, ...]], None]
    limit: asyncio.Semaphore
    journey: Callable[[Request, Instant], Journey[Reply] | None] = lambda request, now: None
    crashed: Callable[[Crash, Instant], Event] | None = None


class WallClock:
    """Nanoseconds since the epoch that never jump: the wall's time at the start, the monotonic clock's from there.

    `scale` is how many of the scenario's seconds pass in one of the wall's.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._origin, self._began = time.time_ns(), time.monotonic_ns()

    def __call__(self) -> Instant:
        passed = time.monotonic_ns() - self._began
        return self._origin + (passed if self.scale == 1.0 else round(passed * self.scale))

    def on_the_wall(self, instant: Instant) -> Instant:
        """The scenario's instant as other clocks show it."""
        return self._origin + round((instant - self._origin) / self.scale)


class _Actor:
    """A core with its place in the scheduler."""

    __slots__ = ("core", "held", "kind", "number", "planned", "settle")

    def __init__(
        self, number: int, core: Core[object, object], kind: Kind[object, object, object], settle: Callable[[], None]
    ) -> None:
        self.number, self.core, self.kind, self.settle = number, core, kind, settle
        self.planned: Instant = NEVER
        self.held: asyncio.Event | None = None  # a request waits to be overtaken

    async def hold(self, seconds: float) -> None:
        """Wait until a later request has been answered; with one waiting already, this is the later one."""
        if self.held is not None:
            return
        self.held = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.held.wait(), seconds)
        self.held = None


class Scheduler:
    """Runs cores until told to stop; `clock` gives the time, and nobody else does.

    `scale` is how many seconds of that clock pass in one that is waited.
    """

    def __init__(self, clock: Callable[[], Instant], scale: float = 1.0) -> None:
        self._clock, self._scale = clock, scale
        self._actors: list[_Actor] = []
        self._heap: list[tuple[Instant, int]] = []
        self._kick = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._in_flight = 0
        self._stopped = False

    def add(self, core: Core[Event, Request], kind: Kind[Request, Reply, Event], settle: Callable[[], None]) -> int:
        """Take on a core; returns its number. `settle` is called after each event, to take the core's facts."""
        actor = _Actor(len(self._actors), core, kind, settle)  # type: ignore[arg-type]  # kept together, never mixed
        self._actors.append(actor)
        self._plan(actor)
        return actor.number

    def tell(self, number: int, event: object) -> None:
        """Give a core an event from outside; it is handled at once."""
        self._handle(self._actors[number], event)

    @property
    def in_flight(self) -> int:
        """Requests on their way or waiting for a connection."""
        return self._in_flight

    async def run(self) -> None:
        """Drive the cores until `stop`; then cancel what is still on its way."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for actor in self._actors:
                    self._plan(actor)
                while not self._stopped:
                    self._wake_all_due()
                    await self._nap()
                raise _Stopped
        except* _Stopped:
            pass
        finally:
            self._tasks = None

    def stop(self) -> None:
        """Make `run` return; requests on their way are cancelled."""
        self._stopped = True
        self._kick.set()

    def _wake_all_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            at, number = heappop(self._heap)
            actor = self._actors[number]
            if actor.planned == at:
                actor.planned = NEVER
                self._handle(actor, actor.kind.woken)

    async def _nap(self) -> None:
        self._kick.clear()
        until = self._heap[0][0] if self._heap else NEVER
        seconds = min(max(until - self._clock(), 0) / self._scale, _LONGEST_NAP) / SECOND
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._kick.wait(), seconds)

    def _handle(self, actor: _Actor, event: object) -> None:
        requests = actor.core.handle(event, self._clock())
        actor.settle()
        self._plan(actor)
        for request in requests:
            self._launch(actor, request)

    def _plan(self, actor: _Actor) -> None:
        wake = actor.core.next_wake()
        if wake == actor.planned:
            return
        actor.planned = wake
        if wake != NEVER:
            heappush(self._heap, (wake, actor.number))
            if self._heap[0] == (wake, actor.number):
                self._kick.set()

    def _launch(self, actor: _Actor, request: object) -> None:
        if self._tasks is not None and not self._stopped:
            journey = actor.kind.journey(request, self._clock())
            carried = self._carry(actor, request) if journey is None else self._detour(actor, request, journey)
            self._begin(carried, f"{type(request).__name__}-{actor.number}")

    def _begin(self, carried: Coroutine[object, object, None], name: str) -> None:
        assert self._tasks is not None
        self._in_flight += 1
        task = self._tasks.create_task(carried, name=name)
        task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._in_flight -= 1

    async def _carry(self, actor: _Actor, request: object) -> None:
        outcome, sent, waited = await self._ask(actor, request)
        self._arrive(actor, request, outcome, time.monotonic_ns() - sent, waited, ())

    async def _ask(self, actor: _Actor, request: object) -> tuple[object, int, Span]:
        """The reply or error; when the request left, and how long it had waited for a connection."""
        queued = time.monotonic_ns()
        async with actor.kind.limit:
            sent = time.monotonic_ns()
            try:
                outcome = await actor.kind.send(request)
            except TransportError as error:
                outcome = error
        if actor.held is not None:
            actor.held.set()
        return outcome, sent, sent - queued

    def _arrive(
        self, actor: _Actor, request: object, outcome: object, wire: Span, waited: Span, faults: tuple[str, ...]
    ) -> None:
        kind = actor.kind
        event = (
            kind.failed(request, outcome) if isinstance(outcome, TransportError) else kind.answered(request, outcome)
        )
        kind.ended(request, outcome, wire, waited, faults)
        self._handle(actor, event)

    # --- a request that faults meet -------------------------------------------------------------

    async def _detour(self, actor: _Actor, request: object, journey: Journey[object]) -> None:
        """Take the steps that the faults' effects come to; no connection is held while nothing is on the wire."""
        began, waited = time.monotonic_ns(), 0
        answer: object = None
        while True:
            try:
                step = journey.steps.send(answer)
            except StopIteration as end:
                outcome = end.value
                break
            answer = None
            match step:
                case Wait(span):
                    await asyncio.sleep(span / SECOND / self._scale)
                case Hold(longest):
                    await actor.hold(longest / SECOND / self._scale)
                case AskLater(span):
                    self._begin(self._ask_later(actor, request, span), f"{type(request).__name__}-{actor.number}-later")
                case Ask():
                    answer, _, queued = await self._ask(actor, request)
                    waited += queued
        if isinstance(outcome, Crash):
            assert actor.kind.crashed is not None
            self._handle(actor, actor.kind.crashed(outcome, self._clock()))
        else:
            self._arrive(actor, request, outcome, time.monotonic_ns() - began - waited, waited, journey.faults)

    async def _ask_later(self, actor: _Actor, request: object, span: Span) -> None:
        await asyncio.sleep(span / SECOND / self._scale)
        await self._ask(actor, request)


class _Stopped(Exception):  # not an error: how a task group is left early
    """Leaves the task group, which cancels what is still on its way."""
