"""One live run from start to journal: fleet, operator, phases, storms, drain, reading back.

Wires the cores to aiohttp and to Locust processes and keeps the order of things; it decides nothing about jobs.
Whatever ends the run early (Ctrl-C, a refused password, a target that falls over), the server is still read back
and the journal closed, so that there is always a report.
"""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from agent_sim.agent import events as agent_events
from agent_sim.agent.core import Agent
from agent_sim.cli.progress import Progress
from agent_sim.cli.storm_process import StormEnd, StormProcess
from agent_sim.errors import TargetError, TransportError
from agent_sim.fleet import lines
from agent_sim.fleet.live import Kind, Scheduler, WallClock
from agent_sim.fleet.traffic import Traffic, error_of
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.operator import events as operator_events
from agent_sim.operator import readback
from agent_sim.operator.core import Operator
from agent_sim.protocol import command
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.enums import BY_GUID, JobType
from agent_sim.results import journal
from agent_sim.scenario.plan import Plan
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.stop import StopRule
from agent_sim.transports.base import AgentTransport, CommandTransport, Target

_CHECK_DRAIN_SECONDS: Final = 0.5
_GRACE_SECONDS: Final = 10
_OPERATOR_CONNECTIONS: Final = 16

T = TypeVar("T")


@dataclass(slots=True)
class LiveRun:
    """What a run needs from the command line, and its state while it runs."""

    plan: Plan
    target: Target
    agents_of: Callable[[int], AgentTransport]
    api: CommandTransport
    storm_process: Callable[[StormPlan], StormProcess]
    record: Callable[[journal.Line], None]
    progress: Progress
    clock: WallClock
    connections: int
    watchful: bool
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = "finished"
    storm_ends: dict[str, StormEnd] = field(default_factory=dict)
    _stop_rule: StopRule = field(default_factory=StopRule)
    _traffic: Traffic = field(default_factory=Traffic)
    _numbers: dict[str, int] = field(default_factory=dict)
    _catalogue: dict[str, JobType] = field(default_factory=lambda: dict(BY_GUID))
    _processes: list[StormProcess] = field(default_factory=list)

    async def run(self) -> None:
        """Do all of it. Raises TargetError only if the target refuses us; the journal is complete even then."""
        scheduler = Scheduler(self.clock)
        operator = self._cast(scheduler)
        driving = asyncio.create_task(scheduler.run(), name="scheduler")
        ticking = asyncio.create_task(self._tick(), name="tick")
        phases = asyncio.create_task(self._announce_phases(), name="phases")
        try:
            storms = asyncio.create_task(self._storms(), name="storms")
            await self._until(self.plan.stop_at, driving)
            scheduler.tell(operator.number, operator_events.StopRequested())
            await self._storms_end(storms, driving)
            drained = await self._drain(driving)
            await self._stop_agents(scheduler, driving)
        finally:
            scheduler.stop()
            ticking.cancel()
            phases.cancel()
            await driving
        self._flush_traffic()
        await self._read_back(drained)

    # --- who takes part -------------------------------------------------------------------------

    def _cast(self, scheduler: Scheduler) -> "_Operating":
        limit = asyncio.Semaphore(self.connections)
        for number, member in enumerate(self.plan.members):
            agent = Agent(member.identity, member.behaviour, self._catalogue, member.online_at)
            name = member.identity.machine
            settle = self._agent_settler(agent, member.identity.fleet, name)
            self._numbers[name] = scheduler.add(
                agent, self._agent_kind(number, member.identity.fleet, name, limit), settle
            )
        operator = Operator(self.plan.operator, self.plan.start)
        operating = _Operating(
            operator, scheduler.add(operator, self._operator_kind(), self._operator_settler(operator, scheduler))
        )
        return operating

    def _agent_kind(
        self, number: int, fleet: str, name: str, limit: asyncio.Semaphore
    ) -> Kind[AgentRequest, AgentReply, agent_events.Event]:
        def ended(request: AgentRequest, outcome: AgentReply | TransportError, wire: Span, waited: Span) -> None:
            operation = lines.operation_of(request)
            self._ended(operation, outcome if isinstance(outcome, TransportError) else outcome.status, wire, waited)
            if isinstance(outcome, TransportError):
                self._write(journal.SendFailed(self._t(), fleet, name, operation, str(outcome)))

        return Kind(
            send=self.agents_of(number).send,
            woken=agent_events.Woken(),
            answered=agent_events.Answered,
            failed=agent_events.SendFailed,
            ended=ended,
            limit=limit,
        )

    def _agent_settler(self, agent: Agent, fleet: str, name: str) -> Callable[[], None]:
        def settle() -> None:
            for fact in agent.take_facts():
                self._write(lines.of_agent(fact, fleet, name, self._t()))

        return settle

    def _operator_kind(self) -> Kind[operator_events.Order, command.CommandReply, operator_events.Event]:
        async def send(order: operator_events.Order) -> command.CommandReply:
            return await self.api.call(order.operation)

        def ended(
            order: operator_events.Order, outcome: command.CommandReply | TransportError, wire: Span, waited: Span
        ) -> None:
            self._ended("operator", outcome if isinstance(outcome, TransportError) else outcome.status, wire, waited)

        return Kind(
            send=send,
            woken=operator_events.Woken(),
            answered=operator_events.Answered,
            failed=operator_events.SendFailed,
            ended=ended,
            limit=asyncio.Semaphore(_OPERATOR_CONNECTIONS),
        )

    def _operator_settler(self, operator: Operator, scheduler: Scheduler) -> Callable[[], None]:
        def settle() -> None:
            for fact in operator.take_facts():
                if isinstance(fact, operator_events.JobTypeKnown):
                    self._catalogue[fact.type.guid] = fact.type
                elif isinstance(fact, operator_events.AgentApproved) and fact.machine in self._numbers:
                    scheduler.tell(self._numbers[fact.machine], agent_events.Notified())
                for line in lines.of_operator(fact, self._t()):
                    self._write(line)

        return settle

    # --- what is seen ---------------------------------------------------------------------------

    def _t(self) -> float:
        return (self.clock() - self.plan.start) / SECOND

    def _write(self, line: journal.Line) -> None:
        self.record(line)
        self.progress.observe(line)

    def _ended(self, operation: str, outcome: int | TransportError, wire: Span, waited: Span) -> None:
        self._traffic.ended(operation, outcome, wire, waited)
        why = self._stop_rule.see(error_of(outcome), self.clock())
        if why is not None and self.watchful and not self.interrupted.is_set():
            self.reason = f"aborted: {why}"
            self.interrupted.set()

    def _flush_traffic(self) -> None:
        for line in self._traffic.take(self._t()):
            self._write(line)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._flush_traffic()
            self.progress.second()

    async def _announce_phases(self) -> None:
        for phase in self.plan.phases:
            await asyncio.sleep(max(phase.start - self.clock(), 0) / SECOND)
            self._write(journal.PhaseStarted(self._t(), phase.name, (phase.end - phase.start) / SECOND))

    # --- the order of things --------------------------------------------------------------------

    async def _until(self, instant: Instant, driving: "asyncio.Task[None]") -> None:
        """Wait for an instant, unless somebody interrupts or the scheduler breaks (which is a bug and raised)."""
        self.progress.doing("running")
        seconds = max(instant - self.clock(), 0) / SECOND
        interrupted = asyncio.create_task(self.interrupted.wait())
        await asyncio.wait({interrupted, driving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        if driving.done():
            driving.result()

    async def _storms(self) -> None:
        async with asyncio.TaskGroup() as group:
            for plan in self.plan.storms:
                group.create_task(self._storm(plan), name=f"storm {plan.name}")

    async def _storm(self, plan: StormPlan) -> None:
        await asyncio.sleep(max(plan.start - self.clock(), 0) / SECOND)
        if self.interrupted.is_set():
            return
        self._write(journal.StormStarted(self._t(), plan.name, plan.operation))
        process = self.storm_process(plan)
        process.on_progress = lambda progress: self.progress.storm(plan.name, progress)
        self._processes.append(process)
        end = await process.run()
        self.storm_ends[plan.name] = end
        if end.result is not None:
            self._write(journal.StormEnded(self._t(), plan.name, end.result))

    async def _storms_end(self, storms: "asyncio.Task[None]", driving: "asyncio.Task[None]") -> None:
        if not storms.done():
            self.progress.doing("waiting for the storms to end")
        if self.interrupted.is_set():
            for process in self._processes:
                process.interrupt()
            if not self._processes:
                storms.cancel()
        _, waiting = await asyncio.wait({storms}, timeout=_GRACE_SECONDS if self.interrupted.is_set() else None)
        if waiting:
            for process in self._processes:
                process.kill()
            storms.cancel()
            await asyncio.wait({storms})
        if not storms.cancelled():
            storms.result()

    async def _drain(self, driving: "asyncio.Task[None]") -> bool:
        """Let jobs in flight finish; True if nothing but recurring work is left."""
        if self.interrupted.is_set():
            return False
        self.progress.doing("draining: waiting for jobs in flight")
        deadline = self.clock() + self.plan.drain
        while True:
            if await self._ask(readback.is_drained(self.plan.operator.prefix)):
                return True
            if self.clock() >= deadline or self.interrupted.is_set():
                return False
            await self._until(min(self.clock() + round(_CHECK_DRAIN_SECONDS * SECOND), deadline), driving)

    async def _stop_agents(self, scheduler: Scheduler, driving: "asyncio.Task[None]") -> None:
        self.progress.doing("stopping the agents")
        for number in self._numbers.values():
            scheduler.tell(number, agent_events.StopRequested())
        deadline = self.clock() + (SECOND if self.interrupted.is_set() else 5 * SECOND)
        while scheduler.in_flight and self.clock() < deadline and not driving.done():
            await asyncio.sleep(0.05)

    async def _read_back(self, drained: bool) -> None:
        self.progress.doing("reading back what the server says")
        try:
            runs = await self._ask(readback.runs(self.plan.operator.prefix))
            jobs = await self._ask(readback.waiting(self.plan.operator.prefix))
        except (TransportError, TargetError) as error:
            runs, jobs = [], []
            if self.reason == "finished":
                self.reason = f"aborted: the server could not be read back: {error}"
        t = self._t()
        for run in runs:
            if (
                run.operation_start is None
                or run.operation_start >= self.plan.start - SECOND
                or run.operation_end is None
            ):
                self._write(lines.of_run(run, self.plan.start, t))
        for job in jobs:
            self._write(lines.of_job(job, t))
        self._write(journal.RunEnded(self._t(), self.reason, drained, ()))

    async def _ask(self, reading: Generator[command.Operation, command.CommandReply, T]) -> T:
        """Drive a reading of `operator.readback` over the transport."""
        try:
            operation = next(reading)
            while True:
                operation = reading.send(await self.api.call(operation))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value


@dataclass(frozen=True, slots=True)
class _Operating:
    operator: Operator
    number: int
