"""The live shell: one scheduler that drives any number of cores over real transports, in real time.

A core (an agent, the operator) is asked when it next wakes; a timer wheel keeps those instants, and one timer of the
event loop turns it. A core that waits costs its place here and nothing else: no task, no future, no timer. While a
request is on its way, a callback waits for it where the transport takes one, else a task. Nothing here knows what a job
is: every decision is the cores'.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from agent_sim.errors import TransportError
from agent_sim.faults.course import Ask, AskLater, Hold, Wait
from agent_sim.faults.effects import Crash
from agent_sim.fleet.cores import Core, Settle
from agent_sim.fleet.journeys import Journey
from agent_sim.fleet.wheel import TICK, Wheel
from agent_sim.histogram import Histogram
from agent_sim.instants import NEVER, SECOND, Instant, Span
from agent_sim.transports.base import Told

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Event = TypeVar("Event")

_LONGEST_NAP: Final[Span] = SECOND
_CALM: Final = 2000
"""Wake-ups in a second below which few wait for more (`Wheel.next_turn`): of a busy fleet they would make lumps,
for who is woken together beats together again."""

_AT_ONCE: Final = 256
"""Cores woken in one turn of the event loop: answers must not wait for a whole fleet that wakes together."""

_AT_ONE_TIME: Final = 32
"""Of those, how many are told the same time: they take half a millisecond together."""

_LAGS_AT_ONCE: Final = 512
"""Cores' lags that are put into their buckets together."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Reply, Event]):
    """What all cores of one kind share: how to send, and what their events are called.

    `start` sends as well, for transports that take a callback instead of a task; they keep to their own limit.
    `ended` is told of every exchange: the core, the request, the reply or error, nanoseconds on the wire, nanoseconds
    waited for a free connection before it, and the names of the faults that it met. `journey` says what faults do to a
    request of a core that is sent now, None if nothing; `crashed` is the event of a core that a fault kills at a
    request. `heard` has a core handle a reply as it would handle `answered`, for cores that need no event for that.
    """

    send: Callable[[Request], Awaitable[Reply]]
    woken: Event
    answered: Callable[[Request, Reply], Event]
    failed: Callable[[Request, TransportError], Event]
    ended: Callable[[Any, Request, Reply | TransportError, Span, Span, tuple[str, ...]], None]
    limit: asyncio.Semaphore
    journey: Callable[[Any, Request, Instant], Journey[Reply] | None] | None = None
    crashed: Callable[[Crash, Instant], Event] | None = None
    start: Callable[[Request, object, Told], None] | None = None
    heard: Callable[[Any, Request, Reply, Instant], list[Request]] | None = None


class WallClock:
    """Nanoseconds since the epoch that never jump: the wall's time at the start, the monotonic clock's from there.

    `scale` is how many of the scenario's seconds pass in one of the wall's.
    """

    def __init__(self, scale: float = 1.0, began: tuple[Instant, int] | None = None) -> None:
        """`began` makes it the clock of another process of this machine, as that one's `began` has it."""
        self.scale = scale
        self.began = began or (time.time_ns(), time.monotonic_ns())
        self._origin = self.began[0]
        self._ahead = self._origin - self.began[1]  # of the monotonic clock
        self._is_real = scale == 1.0

    def now(self) -> Instant:
        """The time; the same as calling the clock itself, and cheaper for who does so for every request."""
        told = time.monotonic_ns() + self._ahead
        return told if self._is_real else self._origin + round((told - self._origin) * self.scale)

    __call__ = now

    def on_the_wall(self, instant: Instant) -> Instant:
        """The scenario's instant as other clocks show it."""
        return self._origin + round((instant - self._origin) / self.scale)


class Actor:
    """A core with its place in the scheduler."""

    __slots__ = ("core", "planned", "role")

    def __init__(self, core: Core[object, object], role: "_Role") -> None:
        self.core, self.role = core, role
        self.planned: Instant = NEVER


class _Role:
    """What the scheduler needs of a core besides itself; the same for all of a kind that are settled alike."""

    __slots__ = ("answered", "ended", "failed", "heard", "journey", "kind", "settle", "start", "woken")

    def __init__(self, kind: Kind[object, object, object], settle: Settle) -> None:
        self.kind, self.settle = kind, settle
        self.woken, self.answered, self.failed, self.ended = kind.woken, kind.answered, kind.failed, kind.ended
        self.journey, self.start, self.heard = kind.journey, kind.start, kind.heard


class Scheduler:
    """Runs cores until told to stop; `clock` gives the time, and nobody else does.

    `scale` is how many seconds of that clock pass in one that is waited. Who waits for others that wake in the same
    turn is `late` as well.
    """

    def __init__(self, clock: Callable[[], Instant], scale: float = 1.0) -> None:
        self._clock, self._scale = clock, scale
        self._wheel: Wheel[Actor] = Wheel(max(round(TICK * scale), 1))
        self._woken: deque[Actor] = deque()  # due now, more than fit into one turn of the loop
        self._timer: asyncio.Handle | None = None
        self._is_calm, self._second, self._wakes = False, clock(), 0
        self._tasks: asyncio.TaskGroup | None = None
        self._ended: asyncio.Future[None] | None = None
        self._roles: dict[tuple[int, Settle], _Role] = {}
        self._held: dict[Actor, asyncio.Event] = {}  # whose request waits to be overtaken
        self._in_flight = 0
        self._stopped = False
        self._told: Told = self._heard  # bound once
        self._late, self._lags = Histogram(), list[int]()  # and those that are in no bucket yet

    @property
    def late(self) -> Histogram:
        """How late each core was woken, in microseconds after its tick, since this was last begun anew."""
        self._settle_lags()
        return self._late

    @late.setter
    def late(self, begun: Histogram) -> None:
        self._lags.clear()
        self._late = begun

    def _settle_lags(self) -> None:
        self._late.record_all(self._lags)
        self._lags.clear()

    def add(self, core: Core[Event, Request], kind: Kind[Request, Reply, Event], settle: Settle) -> Actor:
        """Take on a core; returns a handle for `tell`. `settle` is called after each event, with the core."""
        role = self._roles.get((id(kind), settle))
        if role is None:
            role = self._roles[id(kind), settle] = _Role(kind, settle)  # type: ignore[arg-type]  # kept together
        actor = Actor(core, role)  # type: ignore[arg-type]  # never mixed
        self._plan(actor, core.next_wake())
        return actor

    def tell(self, actor: Actor, event: object) -> None:
        """Give a core an event from outside; it is handled at once."""
        self._handle(actor, event, self._clock())

    @property
    def in_flight(self) -> int:
        """Requests on their way or waiting for a connection."""
        return self._in_flight

    async def run(self) -> None:
        """Drive the cores until `stop`; then cancel what is still on its way."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        if self._stopped:
            self._ended.set_result(None)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._turn()
                await self._ended
                raise _Stopped
        except* _Stopped:
            pass
        finally:
            self._stopped, self._tasks, self._in_flight = True, None, 0
            if self._timer is not None:
                self._timer.cancel()

    def stop(self) -> None:
        """Make `run` return; requests on their way are cancelled."""
        self._stopped = True
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    # --- waking ---------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wake who is due, and be called again for the next."""
        if self._stopped:
            return
        self._timer = None
        try:
            self._wake_all_due()
        except Exception as error:  # noqa: BLE001  # a bug in a core ends the run, whoever called us
            self._fail(error)
            return
        self._set_timer()

    def _wake_all_due(self) -> None:
        now, woken, tick, late = self._clock(), self._woken, self._wheel.tick, self._lags.append
        if self._wheel.next_due() <= now:
            due = self._wheel.due(now)
            self._wakes += len(due)
            woken.extend(due)
        left = min(len(woken), _AT_ONCE)
        while left:
            for _ in range(min(left, _AT_ONE_TIME)):
                actor = woken.popleft()
                planned = actor.planned
                if planned <= now:  # else it thought better of it
                    actor.planned = NEVER
                    late((now + -planned // tick * tick) // 1000)
                    self._follow(actor, actor.core.handle(actor.role.woken, now), now)
            left -= min(left, _AT_ONE_TIME)
            now = self._clock()
        if len(self._lags) >= _LAGS_AT_ONCE:
            self._settle_lags()

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        if self._woken:
            self._timer = loop.call_soon(self._turn)
            return
        now = self._clock()
        if now - self._second >= SECOND * self._scale:
            self._is_calm, self._second, self._wakes = self._wakes < _CALM, now, 0
        turn = self._wheel.next_turn() if self._is_calm else self._wheel.next_due()
        span = (turn - now) / self._scale
        self._timer = loop.call_later(min(max(span, 0), _LONGEST_NAP) / SECOND, self._turn)

    def _handle(self, actor: Actor, event: object, now: Instant) -> None:
        self._follow(actor, actor.core.handle(event, now), now)

    def _follow(self, actor: Actor, requests: Sequence[object], now: Instant) -> None:
        """Do what a core wants after an event; twice for every request of a fleet, hence no call that can be spared."""
        core = actor.core
        actor.role.settle(core)
        wake = core.next_wake()
        if wake != actor.planned:
            self._plan(actor, wake)
        for request in requests:
            self._launch(actor, request, now)

    def _plan(self, actor: Actor, wake: Instant) -> None:
        actor.planned = wake
        # With a timer set for later, the new first one sets it anew; without one, a turn is under way and will.
        if wake != NEVER and self._wheel.put(actor, wake) and self._timer is not None:
            self._set_timer()

    def _fail(self, error: Exception) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    # --- requests -------------------------------------------------------------------------------

    def _launch(self, actor: Actor, request: object, now: Instant) -> None:
        if self._tasks is None or self._stopped:
            return
        role = actor.role
        journey = None if role.journey is None else role.journey(actor.core, request, now)
        if journey is not None:
            self._begin(self._detour(actor, request, journey), f"{type(request).__name__}, through faults")
        elif role.start is not None:
            self._in_flight += 1
            role.start(request, actor, self._told)
        else:
            self._begin(self._carry(actor, request), type(request).__name__)

    def _heard(self, actor: Actor, request: object, outcome: object, wire: Span, waited: Span) -> None:
        """A transport calls back."""
        if self._stopped:
            return
        self._in_flight -= 1
        if self._held:
            self._overtake(actor)
        try:
            self._arrive(actor, request, outcome, wire, waited, ())
        except Exception as error:  # noqa: BLE001  # a bug in a core ends the run, whoever called us
            self._fail(error)

    def _begin(self, carried: Coroutine[object, object, None], name: str) -> None:
        assert self._tasks is not None
        self._in_flight += 1
        task = self._tasks.create_task(carried, name=name)
        task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._in_flight -= not self._stopped

    async def _carry(self, actor: Actor, request: object) -> None:
        outcome, sent, waited = await self._ask(actor, request)
        self._arrive(actor, request, outcome, time.monotonic_ns() - sent, waited, ())

    async def _ask(self, actor: Actor, request: object) -> tuple[object, int, Span]:
        """The reply or error; when the request left, and how long it had waited for a connection."""
        queued = time.monotonic_ns()
        kind = actor.role.kind
        async with kind.limit:
            sent = time.monotonic_ns()
            try:
                outcome = await kind.send(request)
            except TransportError as error:
                outcome = error
        if self._held:
            self._overtake(actor)
        return outcome, sent, sent - queued

    def _arrive(
        self, actor: Actor, request: object, outcome: object, wire: Span, waited: Span, faults: tuple[str, ...]
    ) -> None:
        role = actor.role
        role.ended(actor.core, request, outcome, wire, waited, faults)
        now = self._clock()
        if isinstance(outcome, TransportError):
            self._handle(actor, role.failed(request, outcome), now)
        elif role.heard is not None:
            self._follow(actor, role.heard(actor.core, request, outcome, now), now)
        else:
            self._handle(actor, role.answered(request, outcome), now)

    # --- a request that faults meet -------------------------------------------------------------

    async def _detour(self, actor: Actor, request: object, journey: Journey[object]) -> None:
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
                    await self._hold(actor, longest / SECOND / self._scale)
                case AskLater(span):
                    self._begin(self._ask_later(actor, request, span), f"{type(request).__name__}, later")
                case Ask():
                    answer, _, queued = await self._ask(actor, request)
                    waited += queued
        if isinstance(outcome, Crash):
            crashed = actor.role.kind.crashed
            assert crashed is not None
            self.tell(actor, crashed(outcome, self._clock()))
        else:
            self._arrive(actor, request, outcome, time.monotonic_ns() - began - waited, waited, journey.faults)

    async def _hold(self, actor: Actor, seconds: float) -> None:
        """Wait until a later request has been answered; with one waiting already, this is the later one."""
        if actor in self._held:
            return
        held = self._held[actor] = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(held.wait(), seconds)
        del self._held[actor]

    def _overtake(self, actor: Actor) -> None:
        if (held := self._held.get(actor)) is not None:
            held.set()

    async def _ask_later(self, actor: Actor, request: object, span: Span) -> None:
        await asyncio.sleep(span / SECOND / self._scale)
        await self._ask(actor, request)


class _Stopped(Exception):  # not an error: how a task group is left early
    """Leaves the task group, which cancels what is still on its way."""
