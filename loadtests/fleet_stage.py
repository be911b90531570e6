"""The gevent shell: cores on a timer wheel, a greenlet for each request on its way.

The same cores as on the live and the virtual stage, and the same wheel; only waiting and sending are gevent's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from agent_sim.errors import TransportError
from agent_sim.fleet.cores import Core, Settle
from agent_sim.fleet.wheel import Wheel
from agent_sim.instants import NEVER, SECOND, Instant, Span

_LONGEST_NAP: Final = 1.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What all cores of one kind share; `ended` is told of every exchange: core, request, end, time taken, waited."""

    send: Callable[[Any], Any]
    woken: Any
    answered: Callable[[Any, Any], Any]
    failed: Callable[[Any, TransportError], Any]
    ended: Callable[[Any, Any, Any, Span, Span], None]


class Actor:
    """A core with its place on the stage."""

    __slots__ = ("core", "kind", "planned", "settle")

    def __init__(self, core: Core[Any, Any], kind: Kind, settle: Settle) -> None:
        self.core, self.kind, self.settle = core, kind, settle
        self.planned: Instant = NEVER


class Stage:
    """Runs cores until stopped; at most `at_once` requests are on the wire."""

    def __init__(self, clock: Callable[[], Instant], at_once: int) -> None:
        self._clock, self._limit = clock, BoundedSemaphore(at_once)
        self._wheel: Wheel[Actor] = Wheel()
        self._kick = Event()
        self._is_stopped = False
        self.in_flight = 0

    def add(self, core: Core[Any, Any], kind: Kind, settle: Settle) -> Actor:
        """Take on a core; returns a handle for `tell`."""
        actor = Actor(core, kind, settle)
        self._plan(actor)
        return actor

    def tell(self, actor: Actor, event: object) -> None:
        """Give a core an event from outside; it is handled at once."""
        self._handle(actor, event)

    def run(self) -> None:
        """Drive the cores until `stop`."""
        while not self._is_stopped:
            self._kick.clear()
            now = self._clock()
            for actor in self._wheel.due(now):
                if actor.planned <= now:
                    actor.planned = NEVER
                    self._handle(actor, actor.kind.woken)
            ahead = (self._wheel.next_due() - self._clock()) / SECOND
            self._kick.wait(min(max(ahead, 0), _LONGEST_NAP))
            gevent.sleep(0)  # others may be waiting although we are always late

    def stop(self) -> None:
        """Make `run` return; what is on its way reaches nobody."""
        self._is_stopped = True
        self._kick.set()

    def _handle(self, actor: Actor, event: object) -> None:
        requests = actor.core.handle(event, self._clock())
        actor.settle(actor.core)
        self._plan(actor)
        for request in requests:
            self.in_flight += 1
            gevent.spawn(self._carry, actor, request)

    def _plan(self, actor: Actor) -> None:
        wake = actor.core.next_wake()
        if wake != actor.planned:
            actor.planned = wake
            if wake != NEVER and self._wheel.put(actor, wake):
                self._kick.set()

    def _carry(self, actor: Actor, request: object) -> None:
        kind, queued = actor.kind, time.monotonic_ns()
        with self._limit:
            sent = time.monotonic_ns()
            try:
                outcome = kind.send(request)
            except TransportError as error:
                outcome = error
        self.in_flight -= 1
        if self._is_stopped:
            return
        kind.ended(actor.core, request, outcome, time.monotonic_ns() - sent, sent - queued)
        is_failed = isinstance(outcome, TransportError)
        self._handle(actor, kind.failed(request, outcome) if is_failed else kind.answered(request, outcome))
