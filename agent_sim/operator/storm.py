"""A storm as a plain object: the plan that Locust executes in a live run, carried out over the management API.

    waiting ── pool read, mark taken ── requests as they fall due ── drained ── quiet ── compared: the result

Events and the time go in, requests to send come out. Arrivals, pool, ledger, meter and reconciliation are those of
`agent_sim.storms`; this is only the order of things (load-testing 3.1 to 3.6), in the open model. How a request
travels, and that it always ends, is the shell's business.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, assert_never

from agent_sim.errors import ConnectFailed, TargetError, TransportError
from agent_sim.instants import NEVER, SECOND, Instant, Span
from agent_sim.operator.events import StopRequested, Woken
from agent_sim.operator.storm_reader import narrowed_for, reading
from agent_sim.protocol import command, oig
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.storms.budget import most_requests
from agent_sim.storms.campaign import NOBODY, Asking, Campaign, Found, look, understands
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.health import Health, health
from agent_sim.storms.kinds import dues
from agent_sim.storms.ledger import NONE
from agent_sim.storms.meter import Meter
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.reconcile import NOTHING, Reconciliation, unread
from agent_sim.storms.result import Run, StormResult, storm_result
from agent_sim.storms.steps import steps
from agent_sim.storms.stop import INTERRUPTED, StopRule
from agent_sim.storms.taxonomy import ErrorKind, classify

Said = command.CommandReply | oig.Reply
"""What a target answers, Command's or Oracle's."""

_Reading = Generator[command.Operation | oig.Operation, Any, None]  # is sent replies to what it yields

QUIET: Final[Span] = SECOND
"""Between the last answer and the reconciliation, as in a live run."""


@dataclass(frozen=True, slots=True)
class Shot:
    """An operation to send; `number` counts the storm's own requests, None is a read before or after them."""

    operation: command.Operation | oig.Operation
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """`shot` was answered; it met these declared faults on its way."""

    shot: Shot
    reply: Said
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendFailed:
    """`shot` ended without an answer; whether the server acted is unknown unless it never connected."""

    shot: Shot
    error: TransportError
    faults: tuple[str, ...] = ()


Event = Woken | Answered | SendFailed | StopRequested


class _Phase(Enum):
    WAITING = "waiting"
    READING = "reading"
    FIRING = "firing"
    DRAINING = "draining"
    QUIET = "quiet"
    COMPARING = "comparing"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A request that has no answer yet; spans count from the storm's beginning."""

    due: Span
    sent: Span
    asking: Asking


class Storm:
    """One storm; when it is over, `result` is there, or `problem` says what failed; neither if it never began."""

    def __init__(self, plan: StormPlan) -> None:
        self.plan = plan
        self.operation = CATALOGUE[plan.operation]
        self.query = "" if isinstance(self.operation, OigStorm) else narrowed_for(plan, self.operation)
        self.result: StormResult | None = None
        self.problem = ""
        self.phase = _Phase.WAITING
        self.began: Instant = plan.start
        self.found = NOBODY
        self.campaign, self.meter = Campaign(plan, NOBODY, ""), Meter(steps(plan))
        self.dues: Iterator[Span] = iter(())
        self.next_due: Span | None = None
        self.tick_at: Instant = NEVER
        self.quiet_until: Instant = NEVER
        self.under_way: dict[int, _UnderWay] = {}
        self.shots = 0
        self.read: _Reading = self._prepared()
        self.rule = StopRule()
        self.seconds: Span = 0
        self.exhausted_at: Span | None = None
        self.stopped: str | None = None

    # --- the two methods ----------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> list[Shot]:
        """Take in one event; return what to send."""
        self._tick(now)
        match event:
            case Woken():
                return self._due(now)
            case Answered(shot, reply, faults):
                if shot.number is None:
                    return self._read_on(reply, now)
                self._book(shot.number, _error_of(shot.operation, reply), reply.body, faults, now)
            case SendFailed(shot, error, faults):
                if shot.number is None:
                    return self._cannot_read(str(error))
                self._book(shot.number, _error_without_answer(error), None, faults, now)
            case StopRequested():
                self._stop(INTERRUPTED, now)
            case _:
                assert_never(event)
        return self._due(now)

    def next_wake(self) -> Instant:
        """When the storm next acts by itself; NEVER if only an answer can move it."""
        match self.phase:
            case _Phase.WAITING:
                return self.plan.start
            case _Phase.FIRING:
                due = self.plan.span if self.next_due is None else self.next_due
                return min(self.began + due, self.tick_at)
            case _Phase.DRAINING:
                return self.tick_at
            case _Phase.QUIET:
                return self.quiet_until
            case _:
                return NEVER

    @property
    def is_under_way(self) -> bool:
        """True from the first question to the result."""
        return self.phase not in (_Phase.WAITING, _Phase.OVER)

    @property
    def is_over(self) -> bool:
        """True if nothing more will come."""
        return self.phase is _Phase.OVER

    def _due(self, now: Instant) -> list[Shot]:
        if self.phase is _Phase.WAITING and now >= self.plan.start:
            return self._ask(_Phase.READING, self.read)
        if self.phase is _Phase.QUIET and now >= self.quiet_until:
            return self._ask(_Phase.COMPARING, self._compared())
        shots = self._fire(now) if self.phase is _Phase.FIRING else []
        if self.phase is _Phase.DRAINING and not self.under_way:
            self._rest(now)
        return shots

    # --- before the first request ---------------------------------------------------------------

    def _prepared(self) -> _Reading:
        """Read the pool, then take the mark."""
        plan, operation = self.plan, self.operation
        if isinstance(operation, OigStorm):
            harvest = yield from operation.pool(plan, plan.start, most_requests(plan))
            before = yield from operation.mark(plan)
            self.found = Found({operation.name: harvest}, before)
            return
        self.found = yield from reading(lambda target: look(plan, target, plan.start), plan.prefix)

    def _begin(self, now: Instant) -> None:
        if not self.found.all.tokens:
            self._conclude(Run("open", now, 0, 0, None, self.stopped), NOTHING)
            return
        self.phase, self.began = _Phase.FIRING, now
        self.campaign = Campaign(self.plan, self.found, self.query, most_requests(self.plan))
        self.dues = dues(self.plan)
        self.next_due = next(self.dues, None)
        self.tick_at = now + SECOND

    # --- requests -------------------------------------------------------------------------------

    def _fire(self, now: Instant) -> list[Shot]:
        """What is due by now; ends the firing when nothing more will be."""
        elapsed = now - self.began
        shots: list[Shot] = []
        while (due := self.next_due) is not None and due <= elapsed:
            if self.campaign.is_exhausted:
                self.exhausted_at = due
                self._end_firing(due)
                return shots
            self.meter.due(due)
            if self.campaign.in_flight >= self.plan.max_in_flight:
                self.meter.drop(due)
            elif (asking := self.campaign.take(now)) is not None:
                shots.append(self._shot(due, asking, now))
            self.next_due = next(self.dues, None)
        if elapsed >= self.plan.span:
            self._end_firing(self.plan.span)
        return shots

    def _shot(self, due: Span, asking: Asking, now: Instant) -> Shot:
        number, sent = self.shots, now - self.began
        self.shots += 1
        self.meter.start(due, sent)
        self.under_way[number] = _UnderWay(due, sent, asking)
        return Shot(asking.operation, number)

    def _book(self, number: int, error: ErrorKind | None, body: object, faults: tuple[str, ...], now: Instant) -> None:
        shot = self.under_way.pop(number)
        ids = self.campaign.settle(shot.asking, error, body, now) or 0
        self.meter.finish(shot.due, shot.sent, now - self.began, error, ids)
        self.meter.faults.update(faults)
        # What declared faults did says nothing about how the target fares.
        reason = None if faults else self.rule.see(error, now)
        if reason is not None:
            self._stop(reason, now)

    def _stop(self, reason: str, now: Instant) -> None:
        """Begin no more requests; those under way are waited for."""
        if self.phase is _Phase.FIRING:
            self.stopped = reason
            self._end_firing(now - self.began)
        elif self.phase is _Phase.READING:
            self.stopped = reason
            self._conclude(Run("open", now, 0, 0, None, reason), NOTHING)
        elif self.phase is _Phase.WAITING:
            self.phase = _Phase.OVER  # what never began has no result

    def _end_firing(self, seconds: Span) -> None:
        self.phase, self.seconds, self.next_due = _Phase.DRAINING, seconds, None

    def _tick(self, now: Instant) -> None:
        """Close the seconds that have passed."""
        while self.phase in (_Phase.FIRING, _Phase.DRAINING) and now >= self.tick_at:
            self.meter.tick(self.tick_at - self.began)
            self.tick_at += SECOND

    # --- after the last answer ------------------------------------------------------------------

    def _rest(self, now: Instant) -> None:
        self.meter.close(now - self.began)
        if not self.meter.is_quiet:
            self.meter.tick(now - self.began)
        self.phase, self.quiet_until = _Phase.QUIET, now + QUIET

    def _compared(self) -> _Reading:
        """Read what the target did, and hold it against the ledger."""
        if isinstance(self.operation, OigStorm):
            compared = yield from self.campaign.compare_jobs()
        else:
            compared = yield from reading(self.campaign.compare, self.plan.prefix)
        self._conclude(self._run(), compared)

    def _run(self) -> Run:
        return Run("open", self.began, self.seconds, self.campaign.used, self.exhausted_at, self.stopped)

    def _conclude(self, run: Run, compared: Reconciliation) -> None:
        has_ids = self.campaign.size > 0
        totals = self.campaign.totals() if has_ids else NONE
        generator = health(0.0, self.meter.measured.lateness) if has_ids else Health(0.0, 0.0, saturated=False)
        self.result = storm_result(self.plan, run, self.found.all, self.meter, totals, compared, generator)
        self.phase = _Phase.OVER

    # --- reading --------------------------------------------------------------------------------

    def _ask(self, phase: _Phase, read: _Reading) -> list[Shot]:
        self.phase, self.read = phase, read
        return [Shot(next(read))]  # there is always something to ask: no page has been read yet

    def _read_on(self, reply: Said, now: Instant) -> list[Shot]:
        if self.is_over:
            return []  # it was stopped meanwhile
        try:
            return [Shot(self.read.send(reply))]
        except TargetError as error:
            return self._cannot_read(str(error))
        except StopIteration:
            if self.phase is _Phase.READING:
                self._begin(now)
            return self._due(now)

    def _cannot_read(self, why: str) -> list[Shot]:
        if self.phase is _Phase.COMPARING:
            self._conclude(self._run(), unread(why))
        elif not self.is_over:
            self.problem, self.phase = why, _Phase.OVER
        return []


def _error_of(operation: command.Operation | oig.Operation, reply: Said) -> ErrorKind | None:
    success = 200 if isinstance(reply, oig.Reply) else BY_OPERATION[type(operation)].success  # type: ignore[index]
    error = classify(reply.status, reply.body is not None, success)
    return ErrorKind.WRONG_2XX if error is None and not understands(operation, reply.body) else error


def _error_without_answer(error: TransportError) -> ErrorKind:
    return ErrorKind.CONNECT_REFUSED if isinstance(error, ConnectFailed) else ErrorKind.READ_TIMEOUT
