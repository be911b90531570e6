"""The second target's part of a live run: its operator on the live scheduler, and what is read back.

As `live_run` is for agents: it carries values and decides nothing. Does nothing if the plan has no such side.
"""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, TypeVar

from agent_sim.errors import TransportError
from agent_sim.fleet import lines
from agent_sim.fleet.live import Actor, Kind, Scheduler
from agent_sim.instants import Span
from agent_sim.operator import events as operator_events
from agent_sim.operator import oig as operator
from agent_sim.protocol import oig
from agent_sim.protocol import oig_reading as readback
from agent_sim.results import journal
from agent_sim.scenario.plan import Plan
from agent_sim.transports.base import OigTransport

OPERATION: Final = "oig"
"""What its requests are counted under."""

_CONNECTIONS: Final = 16

T = TypeVar("T")
Ended = Callable[[str, int | TransportError, Span, Span, tuple[str, ...]], None]


@dataclass(slots=True)
class OigLive:
    """The scheduler's operator and its way there."""

    plan: Plan
    api: OigTransport | None
    record: Callable[[journal.Line], None]
    elapsed: Callable[[], float]
    _stage: Scheduler | None = None
    _handle: Actor | None = None

    def enter(self, stage: Scheduler, ended: Ended) -> None:
        """Put the operator on the stage; `ended` is told of every request."""
        if self.plan.oig is None or self.api is None:
            return
        core = operator.OigOperator(self.plan.oig)
        self._stage = stage
        self._handle = stage.add(core, self._kind(self.api, ended), self._settle)

    def stop_asking(self) -> None:
        """The operator asks for nothing more."""
        if self._stage is not None and self._handle is not None:
            self._stage.tell(self._handle, operator_events.StopRequested())

    def leave(self) -> None:
        """The operator has left the stage: neither is needed any more."""
        self._stage = self._handle = None

    async def is_drained(self) -> bool:
        """True if no job in scope is running."""
        return self.plan.oig is None or await self._read(readback.is_drained(self.plan.oig.prefix))

    async def read_back(self, t: float) -> None:
        """Write down what the scheduler says in the end. Raises TransportError and TargetError."""
        if self.plan.oig is None:
            return
        prefix, start = self.plan.oig.prefix, self.plan.start
        jobs = await self._read(readback.with_triggers(prefix))
        runs = await self._read(readback.runs(prefix, [each.job.job_name for each in jobs], start))
        for job in jobs:
            self.record(lines.of_oig_job(job, start, t))
        for run in runs:
            self.record(lines.of_oig_run(run, start, t))

    def _kind(self, api: OigTransport, ended: Ended) -> Kind[operator.Order, oig.Reply, operator.Event]:
        async def send(order: operator.Order) -> oig.Reply:
            return await api.call(order.operation)

        def told(
            core: object,
            order: operator.Order,
            outcome: oig.Reply | TransportError,
            wire: Span,
            waited: Span,
            faults: tuple[str, ...],
        ) -> None:
            end = outcome if isinstance(outcome, TransportError) else outcome.status
            ended(OPERATION, end, wire, waited, faults)

        return Kind(
            send=send,
            woken=operator_events.Woken(),
            answered=operator.Answered,
            failed=operator.SendFailed,
            ended=told,
            limit=asyncio.Semaphore(_CONNECTIONS),
        )

    def _settle(self, core: operator.OigOperator) -> None:
        for fact in core.take_facts():
            self.record(lines.of_oig_operator(fact, self.elapsed()))

    async def _read(self, reading: Generator[oig.Operation, oig.Reply, T]) -> T:
        assert self.api is not None
        operation = next(reading)
        while True:
            reply = await self.api.call(operation)
            try:
                operation = reading.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here
