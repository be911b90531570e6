"""The live shell: one scheduler that drives any number of cores over real transports, in real time.

A core (an agent, the operator) is asked when it next wakes; a heap keeps those instants; a task exists only while a
request is on its way. Nothing here knows what a job is: every decision is the cores'.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Generic, TypeVar

from agent_sim.errors import TransportError
from agent_sim.fleet.cores import Core
from agent_sim.instants import NEVER, SECOND, Instant, Span

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Event = TypeVar("Event")

_LONGEST_NAP: Span = SECOND


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Reply, Event]):
    """What all cores of one kind share: how to send, and what their events are called.

    `ended` is told of every exchange: the request, the reply or error, nanoseconds on the wire, nanoseconds waited
    for a free connection before it.
    """

    send: Callable[[Request], Awaitable[Reply]]
    woken: Event
    answered: Callable[[Request, Reply], Event]
    failed: Callable[[Request, TransportError], Event]
    ended: Callable[[Request, Reply | TransportError, Span, Span], None]
    limit: asyncio.Semaphore


class WallClock:
    """Nanoseconds since the epoch that never jump: the wall's time at the start, the monotonic clock's from there."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> Instant:
        return time.monotonic_ns() + self._offset


class _Actor:
    """A core with its place in the scheduler."""

    __slots__ = ("core", "kind", "number", "planned", "settle")

    def __init__(
        self, number: int, core: Core[object, object], kind: Kind[object, object, object], settle: Callable[[], None]
    ) -> None:
        self.number, self.core, self.kind, self.settle = number, core, kind, settle
        self.planned: Instant = NEVER


class Scheduler:
    """Runs cores until told to stop; `clock` gives the time, and nobody else does."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
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
        seconds = min(max(until - self._clock(), 0), _LONGEST_NAP) / SECOND
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
            self._in_flight += 1
            self._tasks.create_task(self._carry(actor, request), name=f"{type(request).__name__}-{actor.number}")

    async def _carry(self, actor: _Actor, request: object) -> None:
        kind, queued = actor.kind, time.monotonic_ns()
        try:
            async with kind.limit:
                sent = time.monotonic_ns()
                try:
                    reply = await kind.send(request)
                    event = kind.answered(request, reply)
                    kind.ended(request, reply, time.monotonic_ns() - sent, sent - queued)
                except TransportError as error:
                    event = kind.failed(request, error)
                    kind.ended(request, error, time.monotonic_ns() - sent, sent - queued)
        finally:
            self._in_flight -= 1
        self._handle(actor, event)


class _Stopped(Exception):  # not an error: how a task group is left early
    """Leaves the task group, which cancels what is still on its way."""
