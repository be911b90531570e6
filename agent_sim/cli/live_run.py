"""One live run from start to journal: fleet, operator, phases, storms, drain, reading back.

Puts the cast on the live scheduler, runs storms as Locust processes and keeps the order of things; it decides nothing
about jobs. Whatever ends the run early (Ctrl-C, a refused password, a target that falls over), the server is still
read back and the journal closed, so that there is always a report.
"""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from agent_sim.cli.agent_kinds import AgentKinds
from agent_sim.cli.crew import Crew
from agent_sim.cli.loops import freeze, keep_frozen, thaw
from agent_sim.cli.oig_live import OigLive
from agent_sim.cli.pen import Pen
from agent_sim.cli.progress import Progress
from agent_sim.cli.storm_process import StormEnd, StormProcess
from agent_sim.cli.ways import Ways
from agent_sim.errors import TargetError, TransportError
from agent_sim.faults.effects import AgentEffect, BrokerEffect
from agent_sim.fleet import lines
from agent_sim.fleet.cast import Cast
from agent_sim.fleet.live import Actor, Kind, Scheduler, WallClock
from agent_sim.fleet.traffic import Traffic
from agent_sim.fleet.troubles import Troubles, suffered
from agent_sim.instants import HOUR, MILLISECOND, NEVER, SECOND, Instant, Span
from agent_sim.operator import events as operator_events
from agent_sim.operator import readback
from agent_sim.protocol import command
from agent_sim.results import journal
from agent_sim.results.watch import Watch
from agent_sim.scenario.plan import Plan
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.stop import REFUSED, StopRule
from agent_sim.transports.base import CommandTransport, OigTransport
from agent_sim.transports.fast_command import FastCommand

_CHECK_DRAIN: Final[Span] = 500 * MILLISECOND
_LAST_REQUESTS: Final[Span] = 5 * SECOND
_INTERRUPTED_STORMS_SECONDS: Final = 20
_OPERATOR_CONNECTIONS: Final = 16

T = TypeVar("T")
OperatorKind = Kind[operator_events.Order, command.CommandReply, operator_events.Event]


@dataclass(slots=True)
class LiveRun:
    """What a run needs from the command line, and where it stands."""

    plan: Plan
    ways: Ways
    api: CommandTransport
    storm_process: Callable[[StormPlan], StormProcess]
    record: Callable[[journal.Line], None]
    progress: Progress
    clock: WallClock
    drain: Span
    oig_api: OigTransport | None = None
    crew: Crew | None = None
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = "finished"
    refused: bool = False  # the target refused somebody's credentials
    troubles: Troubles = field(init=False)
    storm_ends: dict[str, StormEnd] = field(default_factory=dict)
    _jobs: OigLive = field(init=False)
    _before: readback.Mark = readback.Mark()  # what belongs to earlier runs
    _stop_rule: StopRule = field(default_factory=StopRule)
    _traffic: Traffic = field(default_factory=Traffic)
    _pen: Pen = field(init=False)
    _write: Callable[[journal.Line], None] = field(init=False)
    _processes: list[StormProcess] = field(default_factory=list)
    _watch: Watch = field(init=False)
    _cast: Cast[Actor] = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.plan.checks)
        self._pen = Pen(self.record, self.progress.observe, self._see)
        self._write = self._pen.write
        self.troubles = Troubles(
            self.plan, self._write, self.clock, self._suffer,
            mine=lambda machine: self.crew is None or self._cast.has(machine),
        )  # fmt: skip  # whose faults, then which agents are here

    async def run(self) -> None:
        """Do all of it; the journal is complete however the run ends."""
        if self.plan.members:
            self._before = await self._ask(readback.mark(self.plan.operator.prefix))
        self._jobs = OigLive(self.plan, self.oig_api, self._write, self._elapsed)
        cast = self._cast = Cast[Actor](self.plan, self._write, self._elapsed)
        try:
            drained = await self._perform(cast, self._jobs)
            self.troubles.finish(self.clock())
            self._write_traffic()
            self._jobs.leave()
            cast.leave()  # what the server says then takes the room that a large fleet had
            thaw()
            await self._read_back(drained, cast)
        finally:
            self._pen.settle()

    async def _perform(self, cast: Cast[Actor], jobs: OigLive) -> bool:
        """From the first agent to the last answer; True if the work was done. All that acts is gone afterwards."""
        scheduler = Scheduler(self.clock.now, self.clock.scale)
        troubles = self.troubles
        seen = AgentKinds(self.ways, self._ended, self._write, self._elapsed, troubles if self.plan.faults else None)
        seen.excused = self._excused
        cast.enter(scheduler, seen.of, self._operator_kind(), None if self.crew is None else self.crew.mine)
        if self.plan.faults or self.ways.mqtt is not None or not self.plan.server.auto_approve:
            cast.know_by_name()  # now, and not when the first is asked for
        if self.crew is not None:
            self._listen(self.crew, cast)
        jobs.enter(scheduler, self._ended)
        freeze()
        self.ways.hear = cast.notify
        if self.plan.faults:
            self.ways.deliveries = lambda machine: troubles.deliveries(machine, self.clock())
        announcing = (self._tick(), self._announce_phases(), self._watch_faults(troubles), keep_frozen())
        helpers = [asyncio.create_task(each) for each in announcing]
        for task in helpers:
            task.add_done_callback(self._helper_ended)
        storms = asyncio.create_task(self._storms(), name="storms")
        driving = asyncio.create_task(scheduler.run(), name="scheduler")
        try:
            drained = await self._stages(scheduler, cast, storms, driving)
        finally:
            scheduler.stop()
            for task in (*helpers, storms):
                task.cancel()
            await asyncio.wait({*helpers, storms, driving})
        for task in (driving, storms, *helpers):
            if not task.cancelled():
                task.result()  # a bug in one of them is one of the run
        return drained

    def _helper_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._end("aborted: an error of our own")  # `_perform` raises it

    def _listen(self, crew: Crew, cast: Cast[Actor]) -> None:
        """Take in what the agents of other processes do as if it were done here."""

        def hear(line: journal.Line) -> None:
            if isinstance(line, journal.Traffic):
                self._traffic.add(line)
                return
            cast.hear(line)
            self._write(line)

        def stopped(why: str, refused: bool) -> None:
            self.refused = self.refused or refused
            self._end(f"aborted: {why}")

        cast.elsewhere, cast.learnt = crew.notify, crew.learn
        crew.hear, crew.stopped, crew.lost = hear, stopped, lambda why: self._end(f"aborted: {why}")
        crew.listen()

    def interrupt(self) -> None:
        """End the run in good order: storms reconcile, the server is read back, the report is written."""
        self._end("interrupted")

    def _end(self, reason: str) -> None:
        if not self.interrupted.is_set():
            self.reason = reason
            self.interrupted.set()

    async def _stages(
        self, scheduler: Scheduler, cast: Cast[Actor], storms: "asyncio.Task[None]", driving: "asyncio.Task[None]"
    ) -> bool:
        self.progress.doing("running")
        await self._until(self.plan.stop, driving)
        cast.stop_posting()
        self._jobs.stop_asking()
        await self._storms_end(storms)
        drained = await self._drain(driving, cast)
        self.progress.doing("stopping the agents")
        cast.stop_agents()
        await self._last_requests(scheduler, driving)
        if self.crew is not None:
            await self.crew.end()
        return drained

    # --- how requests travel and what is seen of them -------------------------------------------

    def _suffer(self, machine: str, effect: AgentEffect | BrokerEffect) -> None:
        if isinstance(effect, AgentEffect):
            self._cast.tell(machine, suffered(effect, self.clock()))
        else:
            self.ways.suffer(machine, effect)

    def _operator_kind(self) -> OperatorKind:
        fast = self.api if isinstance(self.api, FastCommand) else None

        async def send(order: operator_events.Order) -> command.CommandReply:
            return await self.api.call(order.operation)

        def ended(
            core: object,
            order: operator_events.Order,
            outcome: command.CommandReply | TransportError,
            wire: Span,
            waited: Span,
            faults: tuple[str, ...],
        ) -> None:
            end = outcome if isinstance(outcome, TransportError) else outcome.status
            self._ended("operator", end, wire, waited, faults)

        return Kind(
            send=send,
            woken=operator_events.Woken(),
            answered=operator_events.Answered,
            failed=operator_events.SendFailed,
            ended=ended,
            limit=asyncio.Semaphore(_OPERATOR_CONNECTIONS),
            start=None if fast is None else lambda order, whose, told: fast.start(order.operation, order, whose, told),
        )

    def _ended(
        self, operation: str, outcome: int | TransportError, wire: Span, waited: Span, faults: tuple[str, ...]
    ) -> None:
        error = self._traffic.ended(operation, outcome, wire, waited, faults)
        # What our own faults did says nothing about how the target fares.
        why = None if faults else self._stop_rule.see(error, self.clock.now())
        if why is not None and not self.interrupted.is_set():
            self.refused = why == REFUSED
            self._end(f"aborted: {why}")

    def _excused(
        self, operation: str, outcome: int | TransportError, wire: Span, waited: Span, faults: tuple[str, ...]
    ) -> None:
        self._traffic.ended(operation, outcome, wire, waited, faults)

    def _elapsed(self) -> float:
        return (self.clock() - self.plan.start) / SECOND

    def _see(self, line: journal.Line) -> None:
        if (reason := self._watch.see(line)) is not None:
            self._end(reason)

    def _write_traffic(self) -> None:
        for line in self._traffic.take(self._elapsed()):
            self._write(line)
        self._pen.settle()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._write_traffic()
            self.progress.second()

    async def _announce_phases(self) -> None:
        for phase in self.plan.phases:
            await self._sleep_until(phase.start)
            self._write(journal.PhaseStarted(self._elapsed(), phase.name, (phase.end - phase.start) / SECOND))

    async def _watch_faults(self, troubles: Troubles) -> None:
        while troubles.next_change != NEVER:
            await self._sleep_until(min(troubles.next_change, self.clock() + HOUR))
            troubles.look(self.clock())

    # --- the order of things --------------------------------------------------------------------

    async def _sleep_until(self, instant: Instant) -> None:
        await asyncio.sleep(self._seconds_until(instant))

    def _seconds_until(self, instant: Instant) -> float:
        return max(instant - self.clock(), 0) / SECOND / self.clock.scale

    async def _until(self, instant: Instant, driving: "asyncio.Task[None]") -> None:
        """Wait for an instant, unless somebody interrupts or the scheduler breaks (a bug, seen by `run`)."""
        interrupted = asyncio.create_task(self.interrupted.wait())
        seconds = self._seconds_until(instant)
        await asyncio.wait({interrupted, driving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()

    async def _storms(self) -> None:
        async with asyncio.TaskGroup() as group:
            for plan in self.plan.storms:
                group.create_task(self._storm(plan), name=f"storm {plan.name}")

    async def _storm(self, plan: StormPlan) -> None:
        await self._sleep_until(plan.start)
        if self.interrupted.is_set():
            return
        self._write(journal.StormStarted(self._elapsed(), plan.name, plan.operation))
        process = self.storm_process(plan)
        process.on_progress = lambda progress: self.progress.storm(plan.name, progress)
        self._processes.append(process)
        end = self.storm_ends[plan.name] = await process.run()
        for line in lines.of_trail(plan.name, end.trail, self._elapsed()):
            self._write(line)
        if end.result is not None:
            self._write(journal.StormEnded(self._elapsed(), plan.name, end.result))
        elif self.reason == "finished":
            said = "; ".join(end.said[-1:]) or "it said nothing"
            self.reason = f"aborted: storm {plan.name} left no result (exit code {end.exit_code}): {said}"

    async def _storms_end(self, storms: "asyncio.Task[None]") -> None:
        self.progress.doing("waiting for the storms to end")
        interrupted = asyncio.create_task(self.interrupted.wait())
        await asyncio.wait({storms, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        if not storms.done():
            for process in self._processes:
                process.interrupt()
            if self._processes:
                await asyncio.wait({storms}, timeout=_INTERRUPTED_STORMS_SECONDS)
            for process in self._processes:
                process.kill()
        else:
            storms.result()

    async def _drain(self, driving: "asyncio.Task[None]", cast: Cast[Actor]) -> bool:
        """Let jobs in flight finish; True if nothing but recurring work is left."""
        self.progress.doing("draining: waiting for jobs in flight")
        deadline = self.clock() + self.drain
        while not self.interrupted.is_set() and not driving.done():
            try:
                if await self._is_drained(cast):
                    return True
            except TransportError:
                pass  # the stop rule sees agents fail as well; the deadline bounds this loop
            if self.clock() >= deadline:
                return False
            await self._until(min(self.clock() + self._of_the_wall(_CHECK_DRAIN), deadline), driving)
        return False

    async def _is_drained(self, cast: Cast[Actor]) -> bool:
        offline = cast.offline(self.clock())
        drained = readback.is_drained(self.plan.operator.prefix, offline, cast.left)
        return (not self.plan.members or await self._ask(drained)) and await self._jobs.is_drained()

    async def _last_requests(self, scheduler: Scheduler, driving: "asyncio.Task[None]") -> None:
        """Let requests on their way be answered, for a few seconds."""
        deadline = self.clock() + self._of_the_wall(_LAST_REQUESTS)
        while scheduler.in_flight and self.clock() < deadline and not driving.done():
            await self._sleep_until(self.clock() + self._of_the_wall(20 * MILLISECOND))

    def _of_the_wall(self, span: Span) -> Span:
        """What is about the machine and not the scenario takes as long whatever the scale."""
        return round(span * self.clock.scale)

    async def _read_back(self, drained: bool, cast: Cast[Actor]) -> None:
        self.progress.doing("reading back what the server says")
        t, started = self._elapsed(), self.clock.on_the_wall(self.plan.start)

        def tell(said: readback.Said) -> None:
            for line in lines.of_said(said, started, t, self.clock.scale):
                self._write(line)

        try:
            if self.plan.members:
                await self._ask(readback.everything(self.plan.operator.prefix, self._before, tell))
            await self._jobs.read_back(t)
        except (TransportError, TargetError) as error:
            self._write(journal.NotReadBack(t))
            self.reason = f"aborted: {error}" if self.reason == "finished" else self.reason
        self._write(journal.RunEnded(self._elapsed(), self.reason, drained, cast.offline(self.clock())))

    async def _ask(self, reading: Generator[command.Operation, command.CommandReply, T]) -> T:
        """Drive a reading of `operator.readback` over the transport."""
        operation = next(reading)
        while True:
            reply = await self.api.call(operation)
            try:
                operation = reading.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here
