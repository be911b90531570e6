"""The second target's part of a replay: its scheduler on the virtual clock, its operator, and what is read back.

The scheduler is three functions that are given. It is woken at exactly the instants that it asks for, also when a
request has moved them.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar, cast

from agent_sim.fleet import lines
from agent_sim.fleet.virtual import Actor, Kind, VirtualScheduler
from agent_sim.instants import NEVER, SECOND, Instant
from agent_sim.operator import events as operator_events
from agent_sim.operator import oig as operator
from agent_sim.protocol import oig
from agent_sim.protocol import oig_reading as readback
from agent_sim.results import journal
from agent_sim.scenario.plan import Plan

T = TypeVar("T")

OPERATION = "oig"
"""What its requests are counted under."""


@dataclass(frozen=True, slots=True)
class OigBackend:
    """The scheduler as functions of a request and the instant."""

    handle: Callable[[oig.Operation, Instant], oig.Reply]
    wake: Callable[[Instant], None]
    next_wake: Callable[[], Instant]


class OigReplay:
    """The scheduler and its operator in virtual time; does nothing if the plan has no such side."""

    def __init__(
        self,
        plan: Plan,
        backend: OigBackend | None,
        scheduler: VirtualScheduler,
        count: Callable[[str, int], None],
        record: Callable[[journal.Line], None],
    ) -> None:
        self._plan, self._backend, self._scheduler = plan, backend, scheduler
        self._count, self._record = count, record
        self._planned: Instant = NEVER
        self._operator: Actor | None = None

    def enter(self) -> None:
        """Put the operator on the stage."""
        if self._plan.oig is None:
            return
        core = operator.OigOperator(self._plan.oig)
        kind: Kind[operator.Order, oig.Reply, operator.Event] = Kind(
            lambda order, now: operator.Answered(order, self.ask(order.operation, now)), operator_events.Woken()
        )
        self._operator = self._scheduler.add(core, kind, self._settle)

    def stop_asking(self) -> None:
        """The operator asks for nothing more."""
        if self._operator is not None:
            self._scheduler.tell(self._operator, operator_events.StopRequested())

    def ask(self, operation: oig.Operation, now: Instant) -> oig.Reply:
        """The scheduler's reply to one request."""
        assert self._backend is not None
        reply = self._backend.handle(operation, now)
        self._count(OPERATION, reply.status)
        self._plan_wake()
        return reply

    def is_drained(self) -> bool:
        """True if no job in scope is running."""
        return self._plan.oig is None or self._read(readback.is_drained(self._plan.oig.prefix))

    def read_back(self, t: float) -> None:
        """Write down what the scheduler says in the end."""
        if self._plan.oig is None:
            return
        prefix, start = self._plan.oig.prefix, self._plan.start
        jobs = self._read(readback.with_triggers(prefix))
        for job in jobs:
            self._record(lines.of_oig_job(job, start, t))
        for run in self._read(readback.runs(prefix, [each.job.job_name for each in jobs], start)):
            self._record(lines.of_oig_run(run, start, t))

    def _settle(self, core: operator.OigOperator) -> None:
        elapsed = (self._scheduler.now - self._plan.start) / SECOND
        for fact in core.take_facts():
            self._record(lines.of_oig_operator(fact, elapsed))

    # --- the scheduler's clock ------------------------------------------------------------------

    def _plan_wake(self) -> None:
        assert self._backend is not None
        at = self._backend.next_wake()
        if at < self._planned:
            self._planned = at
            self._scheduler.at(at, self._wake)

    def _wake(self, now: Instant) -> None:
        assert self._backend is not None
        self._planned = NEVER
        self._backend.wake(now)
        self._plan_wake()

    def _read(self, reading: Generator[oig.Operation, oig.Reply, T]) -> T:
        """Drive a reading; it takes no time and counts for nothing."""
        assert self._backend is not None
        operation = next(reading)
        while True:
            try:
                operation = reading.send(self._backend.handle(operation, self._scheduler.now))
            except StopIteration as end:
                return cast(T, end.value)
