"""The loop around one storm: wait until a request is due, send it, book the answer; then drain and compare.

All greenlets of a storm are here and all clocks are read here. When, what, for whom and with what verdict is
decided in `agent_sim.storms`.
"""

import gc
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NoReturn

import gevent
from gevent import getcurrent
from gevent.event import Event
from gevent.pool import Pool as Senders
from storm_client import Answer, Target, understood
from storm_faults import Declared, detour
from storm_oig import OigTarget
from storm_share import Share

from agent_sim.errors import TargetError
from agent_sim.faults.arming import Faults
from agent_sim.faults.effects import Strike
from agent_sim.instants import MILLISECOND, SECOND, Instant, Span
from agent_sim.protocol import command, oig
from agent_sim.storms.budget import most_requests
from agent_sim.storms.campaign import Asking, Campaign, Found
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.gather import EndJson, Gathering, ReportJson, book
from agent_sim.storms.health import health
from agent_sim.storms.kinds import Part, dues, parts
from agent_sim.storms.leases import Lessor
from agent_sim.storms.meter import SATISFIED, Meter, SeriesEntry
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.operations import StormOperation
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.reconcile import NOTHING, Reconciliation, unread
from agent_sim.storms.result import BROKEN, Run, StormResult, Workers, exit_code, storm_result
from agent_sim.storms.steps import steps
from agent_sim.storms.stop import INTERRUPTED, StopRule
from agent_sim.storms.taxonomy import ErrorKind
from agent_sim.storms.warm_up import WarmUp, cut

HEAD_START: Final[Span] = 50 * MILLISECOND
"""Between the decision to begin and the first request, so that it is not late already."""

INTERRUPTED_DRAIN: Final = 5.0
"""Seconds that a person who pressed Ctrl-C waits for answers at most."""

INSISTS_AFTER: Final[Span] = 2 * SECOND
"""Two signals closer together are one wish: a terminal and a parent process may both pass it on."""

STARVED: Final = 0.01
"""Seconds until a user of a closed loop looks again whether there are ids for it."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two tries to read a target that is not there."""

LOOKS_AT_THE_PLAN: Final[Span] = SECOND // 5
"""How often a closed loop looks whether its end has moved."""

LEAST_SAMPLE: Final[Span] = 200 * MILLISECOND
"""CPU over a shorter span than this says nothing."""

_LATE_TURNS: Final = 16
"""While behind schedule, others get a turn after so many requests."""

_KILLED: Final = Answer(ErrorKind.READ_TIMEOUT, 0, b"", None, "no answer before the end of the drain")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A storm that is ready to begin. `query` is what is sent by query; `users` None means open."""

    plan: StormPlan
    operation: StormOperation | OigStorm
    query: str
    users: int | None
    target: Target
    found: Found
    timeout: int
    quiet: float
    patience: float = 10.0  # seconds that a target may take to be there again before it is compared
    satisfied: Span = SATISFIED
    declared: Declared | None = None


class Engine:
    """One storm under way, or with a `share` as much of it as falls to this process.

    `tell_request` is Locust's request event, `tell_second` gets a line every second, `say` what a person should know.
    """

    def __init__(
        self,
        storm: Prepared,
        tell_request: Callable[..., None],
        tell_second: Callable[[SeriesEntry], None],
        share: Share | None = None,
        campaign: Campaign | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.storm = storm
        self.plan = storm.plan
        self._share = share
        # What chance has for the requests of one process it has for no other's.
        self._sender = storm.plan.name if share is None else f"{storm.plan.name} {share.index}"
        self._faults = Faults(())
        if campaign is not None:
            self.campaign = campaign
        elif share is None:
            self.campaign = Campaign(storm.plan, storm.found, storm.query, most_requests(storm.plan))
        else:
            self.campaign = share.campaign
        self.meter = Meter(steps(storm.plan), storm.satisfied)
        self.result: StormResult | None = None
        self.code = BROKEN  # until it is known better: an engine that fails must not pass
        self.could_read = True
        self.said: dict[ErrorKind, str] = {}
        self.finished = Event()  # the result is there, and written
        self._rule = StopRule()
        self._senders = Senders(share.of(storm.plan.max_in_flight) if share else storm.plan.max_in_flight)
        self._over = Event()  # no more requests are to begin
        self._hurry = Event()  # nobody waits any longer
        self._stopped: str | None = None
        self._interrupted_at: Instant | None = None
        self._exhausted_at: Span | None = None
        self._tell_request, self._tell_second, self._say = tell_request, tell_second, say
        self._cpu_percent = 0.0
        self._cpu_since = 0.0, 0
        self._titles = {part: _title(part, self.plan) for part in parts(self.plan)}
        self._began_wall = self._began = 0
        self._seconds: Span = 0
        self._workers = Workers()
        self._used: int | None = None
        self.has_reported = False
        self._waits: dict[object, Span] = {}
        self._latest: object = None  # the user of a closed loop who has sent last
        self._warm_up, self._has_settled = WarmUp(storm.plan), False
        storm.target.watch_connecting(self._waits)

    # --- from outside -------------------------------------------------------------------------

    def begin(self, at: Instant | None = None) -> None:
        """Set the storm's zero, at once unless `at` says when; `run` must follow."""
        gc.unfreeze()  # what an earlier storm has left behind
        gc.collect()
        gc.freeze()
        head_start = HEAD_START if self.storm.users is None else 0
        if at is not None:
            head_start = at - time.time_ns()
        wall, steady = _clocks()
        self._began_wall, self._began = wall + head_start, steady + head_start
        if self.storm.declared is not None:
            self._faults = self.storm.declared.of(self.plan, self._began_wall)

    def starts(self, at: Instant) -> None:
        """The storm that others carry out begins at this moment."""
        self._began_wall = at

    def run(self, conclude: Callable[[StormResult], None], go: Callable[[], None] | None = None) -> None:
        """The storm from its first request to its result, which `conclude` is given before anybody else sees it.

        `go` for a storm that others carry out.
        """
        try:
            (go or self._storm)()
            if self.result is not None:
                conclude(self.result)
        except Exception:  # noqa: BLE001  # a bug of ours: say so at once, and let nobody wait for ever
            traceback.print_exc()
            self.code = BROKEN
        finally:
            self.finished.set()

    def stop(self, reason: str | None) -> None:
        """Begin no more requests; those under way are waited for. None: for no fault of anybody's."""
        if not self._over.is_set():
            self._stopped = reason
            self._over.set()

    @property
    def is_stopped(self) -> bool:
        """True if no more requests are to begin."""
        return bool(self._over.is_set())

    @property
    def is_hurried(self) -> bool:
        """True if nothing is waited for any longer."""
        return bool(self._hurry.is_set())

    @property
    def stopped(self) -> str | None:
        """Why it was stopped."""
        return self._stopped

    @property
    def cpu_percent(self) -> float:
        """Of the busiest second."""
        return self._cpu_percent

    @property
    def elapsed(self) -> float:
        """Seconds of measuring so far, or in all."""
        warm_up = self.plan.warm_up
        since = time.time_ns() - self._began_wall if self._began_wall else 0
        return max((self._seconds or min(since, self.plan.span)) - warm_up, 0) / SECOND

    @property
    def is_warming_up(self) -> bool:
        """True as long as a warm-up may still end sooner than planned."""
        return self.plan.settles and not self._has_settled and self._now() < self.plan.warm_up

    @property
    def seconds(self) -> Span:
        """How long load was offered."""
        return self._seconds

    @property
    def ended(self) -> str | None:
        """Why it ended before its time, if it did."""
        if self._exhausted_at is not None:
            return "the pool ran out of ids"
        return self._stopped

    def interrupt(self) -> None:
        """Stop for a person; for one who insists after a while, wait for nothing any more."""
        now = time.perf_counter_ns()
        if self._interrupted_at is None:
            self._interrupted_at = now
            self.stop(INTERRUPTED)
        elif now - self._interrupted_at > INSISTS_AFTER:
            self._hurry.set()

    def turn(self) -> bool:
        """One request of a closed loop's user; False when it is over."""
        if self._latest is (user := getcurrent()):
            gevent.sleep(0)  # its answer was there at once: others' answers, which may be there too, must not wait
        self._latest = user
        now = self._now()
        if now < 0:
            gevent.sleep(-now / SECOND)
            now = self._now()
        if self._over.is_set() or now >= self.plan.span:
            return False
        taken = self._take(now)
        if taken is None:
            gevent.sleep(STARVED)
            return not self._over.is_set()
        self.meter.due(now)
        self._send(now, taken)
        return True

    # --- phases -------------------------------------------------------------------------------

    def _storm(self) -> None:
        self.fire()
        self._judge()

    def fire(self) -> None:
        """All requests, and the wait for their answers."""
        self._cpu_since = time.process_time(), self._now()
        ticker = gevent.spawn(self._tick)
        self._seconds = self._offer() if self.storm.users is None else self._hold()
        self._over.set()
        self._drain()
        ticker.kill()
        self._sample_cpu()
        if not self.meter.is_quiet:
            self._second(self._now())

    def judge_for(self, lessor: Lessor, gathered: Gathering, began: Instant) -> None:
        """Judge what other processes sent, at the command of this one."""
        book(self.campaign, lessor)
        self.meter, self._cpu_percent, self._began_wall = gathered.meter(), gathered.cpu_percent, began
        self._exhausted_at, self._seconds = gathered.exhausted_at(), gathered.seconds(self.plan.span)
        self._stopped = self._stopped or gathered.stopped()
        self.count_workers([gathered])
        self._judge()

    def count_workers(self, parts: Sequence[Gathering]) -> None:
        """Take in what is known of the processes that sent, beside what they measured."""
        for process in (process for part in parts for process in part.processes.values()):
            self.said |= {ErrorKind(kind): words for kind, words in process.said.items()}
        lost = {name for part in parts for name in part.lost}
        asked = {name for part in parts for name in part.processes}
        self._workers = Workers(len(asked), len(lost), sum(part.starved for part in parts))
        self._used = max((part.used for part in parts), default=0)

    def take_over(self, meter: Meter, cpu_percent: float, seconds: Span) -> None:
        """Judge what was fired in several parts with this storm's campaign."""
        self.meter, self._cpu_percent, self._seconds = meter, cpu_percent, seconds
        self._judge()

    def _judge(self) -> None:
        gevent.sleep(0 if self._hurry.is_set() else self.storm.quiet)
        run = Run(
            model="open" if self.storm.users is None else "closed",
            started_at=self._began_wall,
            seconds=self._seconds,
            used=self.campaign.used if self._used is None else self._used,
            exhausted_at=self._exhausted_at,
            stopped=self._stopped,
            workers=self._workers,
            settled=self._has_settled,
            users=self.storm.users,
        )
        generator = health(self._cpu_percent, self.meter.measured.lateness)
        self.result = storm_result(
            self.plan, run, self.storm.found.all, self.meter, self.campaign.totals(), self._compare(), generator
        )
        self.code = exit_code(self.result, could_read=self.could_read)

    def _offer(self) -> Span:
        """Send what is due when it is due; returns how long that lasted."""
        for number, due in enumerate(self._dues()):
            if self._is_over_by(due, number):
                return max(self._now(), 0)
            if self.campaign.is_exhausted:
                self._exhausted_at = due
                return due
            self.meter.due(due)
            if not self._senders.full() and (taken := self._take(due)):
                self._senders.spawn(self._send, due, taken)
            else:
                self.campaign.skip()
                self.meter.drop(due)
        return max(self._now(), 0) if self._is_over_by(self.plan.span, 0) else self.plan.span

    def _dues(self) -> Iterator[Span]:
        """When requests of this process are due: by the plan as it was, and since it was cut, as it is."""
        number = 0
        while True:
            plan = self.plan
            for due in islice(self._share.dues(plan) if self._share else dues(plan), number, None):
                number += 1
                yield due
                if self.plan is not plan:
                    break
            else:
                return

    def settle(self, ends: Span) -> None:
        """The warm-up ends then, which is yet to come."""
        self.plan, self._has_settled = cut(self.plan, ends), True
        self.meter.cut(steps(self.plan))

    def _hold(self) -> Span:
        """Let the users of a closed loop go on until the time or the ids are up."""
        over = False
        while not over and self._now() < self.plan.span:
            over = self._is_over_by(min(self.plan.span, max(self._now(), 0) + LOOKS_AT_THE_PLAN), 0)
        if self._exhausted_at is not None:
            return self._exhausted_at
        return max(self._now(), 0) if over else self.plan.span

    def _is_over_by(self, due: Span, number: int) -> bool:
        """Wait until `due`; True if the storm was stopped before."""
        wait = due - self._now()
        if wait > 0:
            return bool(self._over.wait(wait / SECOND))
        if number % _LATE_TURNS == 0:
            gevent.sleep(0)
        return bool(self._over.is_set())

    def _drain(self) -> None:
        limit = INTERRUPTED_DRAIN if self._stopped == INTERRUPTED else self.storm.timeout + 2.0
        deadline = time.perf_counter() + limit
        while self.campaign.in_flight and time.perf_counter() < deadline and not self._hurry.is_set():
            gevent.sleep(0.01)
        self._senders.kill()
        self.meter.fail(self._now(), ErrorKind.READ_TIMEOUT, self.campaign.abandon(self._wall(self._now())))
        if self._share is not None:
            self._share.abandon()
        self.meter.close(self._now())

    def _compare(self) -> Reconciliation:
        if not self.campaign.size or self._hurry.is_set():
            return unread("interrupted twice") if self._hurry.is_set() else NOTHING
        patience = time.perf_counter() + (0 if self._stopped == INTERRUPTED else self.storm.patience)
        while True:
            try:
                return self._compared()
            except TargetError as error:
                # A target that fell over may be coming up again.
                if time.perf_counter() >= patience or self._hurry.is_set():
                    self.could_read = False
                    return unread(str(error))
            self._hurry.wait(LOOK_AGAIN)

    def _compared(self) -> Reconciliation:
        target = self.storm.target
        if isinstance(target, OigTarget):
            return target.drive(self.campaign.compare_jobs())
        return self.campaign.compare(target)

    # --- one request --------------------------------------------------------------------------

    def _take(self, due: Span) -> Asking | None:
        """Book what the next request concerns; None if no id is left."""
        asking = self.campaign.take(self._wall(self._now()))
        if asking is not None and self._share is not None:
            self._share.send(asking)
        if asking is None and self.campaign.is_exhausted:
            self._exhausted_at = due
            self._over.set()
        return asking

    def _send(self, due: Span, asking: Asking) -> None:
        sent = self._now()
        self.meter.start(due, sent)
        strikes = self._faults.strikes(self._sender, asking.part.operation, self._wall(sent))
        try:
            answer = self._asked(asking.operation, strikes)
        except gevent.GreenletExit:
            answer = _KILLED
        except Exception as error:  # noqa: BLE001  # the taxonomy has a row for bugs of ours; the storm goes on
            answer = Answer(ErrorKind.CLIENT_BUG, 0, b"", None, repr(error))
        faults = tuple(dict.fromkeys(strike.fault for strike in strikes)) if strikes else ()
        self._book(due, sent, asking, answer, faults)

    def _asked(self, operation: command.Operation | oig.Operation, strikes: tuple[Strike, ...]) -> Answer:
        target = self.storm.target
        if isinstance(operation, oig.Operation):
            assert isinstance(target, OigTarget)
            return target.ask_of_job(operation)
        if not strikes:
            return target.ask(operation)
        return detour(strikes, target, operation, lambda: self._wall(self._now()), self.storm.timeout)

    def _book(self, due: Span, sent: Span, asking: Asking, answer: Answer, faults: tuple[str, ...]) -> None:
        now = self._now()
        error, body = understood(asking.operation, answer)
        ids = self.campaign.settle(asking, error, body, self._wall(now))
        if ids is None:
            return
        if self._share is not None:
            self._share.settle(asking)
        self.meter.finish(due, sent, now, error, ids, self._waits.pop(getcurrent(), 0))
        if error is not None:
            self.said.setdefault(error, answer.said)
        if faults:
            self.meter.faults.update(faults)
        # What declared faults did says nothing about how the target fares.
        reason = None if faults else self._rule.see(error, now)
        if reason is not None:
            self.stop(reason)
        self._tell_request(
            request_type="POST",
            name=self._titles[asking.part],
            response_time=(now - due) / MILLISECOND,
            response_length=len(answer.body),
            exception=None if error is None else RequestFailed(error, answer.status),
            context={},
            start_time=self._wall(sent) / SECOND,
            url=self.storm.target.api,
        )

    # --- clocks -------------------------------------------------------------------------------

    def _now(self) -> Span:
        return time.perf_counter_ns() - self._began

    def _wall(self, elapsed: Span) -> Instant:
        return self._began_wall + elapsed

    def _tick(self) -> NoReturn:
        second = 0
        while True:
            second += 1
            gevent.sleep(max(second * SECOND - self._now(), 0) / SECOND)
            self._sample_cpu()
            self._second(self._now())

    def _sample_cpu(self) -> None:
        (used, since), now = self._cpu_since, self._now()
        if now - since >= LEAST_SAMPLE:
            self._cpu_since = time.process_time(), now
            percent = 100 * (self._cpu_since[0] - used) * SECOND / (now - since)
            self._cpu_percent = max(self._cpu_percent, percent)

    def see_second(self, entry: SeriesEntry, now: Span) -> Span | None:
        """A second of the whole storm is over; when the warm-up is to end, if that was decided by it."""
        self._tell_second(entry)
        was_over = self._warm_up.is_over
        ends = self._warm_up.see(entry, now)
        if self._warm_up.is_over and not was_over:
            self._say(self._warm_up.words(ends))
        if ends is not None:
            self.settle(ends)
        return ends

    def _second(self, now: Span) -> None:
        if self._share is None:
            self.see_second(self.meter.tick(now), now)
        else:
            self._share.tick(self.meter, now)

    # --- a share of a storm -------------------------------------------------------------------

    def take_report(self, *, is_last: bool = False) -> ReportJson:
        """What came to pass since the report before."""
        assert self._share is not None
        self.has_reported = is_last
        end = EndJson(seconds=self._seconds, exhausted_at=self._exhausted_at, stopped=self._stopped)
        said = {kind.value: words for kind, words in self.said.items()}
        return self._share.report(self.meter, self._now(), self._cpu_percent, said, end if is_last else None)


def _clocks() -> tuple[Instant, Instant]:
    """The wall's clock and the steady one at one moment: the best of a few tries, for others may run in between."""
    tries = [(time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()) for _ in range(5)]
    before, wall, after = min(tries, key=lambda each: each[2] - each[0])
    return wall, (before + after) // 2


def _title(part: Part, plan: StormPlan) -> str:
    """A request's row in Locust's tables."""
    return f"{CATALOGUE[part.operation].title}[{f'ids={plan.batch}' if part.by == 'ids' else 'query'}]"


class RequestFailed(Exception):
    """A failed request as Locust's tables show it: by kind and status, so that equal ones are one row."""

    def __init__(self, error: ErrorKind, status: int) -> None:
        super().__init__(f"{error}{f' ({status})' if status else ''}")
