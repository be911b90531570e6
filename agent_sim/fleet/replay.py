"""One run in virtual time, from start to journal: the phases, storms, drain and reading back of a live run.

The same cast goes on the virtual scheduler, storms are fired from the plans that Locust executes in a live run, and
the server is three functions that are given. There is no socket, no sleep and no clock here: the same plan and the
same functions write the same lines. As on HTTP, an agent learns of new work by its heartbeat: nothing is pushed.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar, cast

from agent_sim.agent import events as agent_events
from agent_sim.errors import TargetError, TransportError
from agent_sim.faults.effects import AgentEffect, BrokerEffect, Crash
from agent_sim.fleet import lines
from agent_sim.fleet.cast import Cast
from agent_sim.fleet.journeys import Journey
from agent_sim.fleet.oig_replay import OigBackend, OigReplay
from agent_sim.fleet.replay_traffic import VirtualTraffic, period
from agent_sim.fleet.troubles import Troubles, crashed, suffered
from agent_sim.fleet.virtual import ROUND_TRIP, Actor, Detours, Kind, VirtualScheduler
from agent_sim.instants import MILLISECOND, MINUTE, NEVER, SECOND, Instant, Span
from agent_sim.operator import events as operator_events
from agent_sim.operator import readback, storm
from agent_sim.operator.storm import Storm
from agent_sim.protocol import command, oig
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.results import journal
from agent_sim.results.plain import JsonObject
from agent_sim.results.watch import Watch
from agent_sim.scenario.members import Member
from agent_sim.scenario.plan import PhaseWindow, Plan
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.plan import StormPlan
from agent_sim.transports.direct import as_agent_reads, as_caller_reads

_CHECK_DRAIN: Final[Span] = 500 * MILLISECOND
_LAST_REQUESTS: Final[Span] = 5 * SECOND
_LAST_STORMS: Final[Span] = MINUTE

NOTHING: Final = readback.Mark()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backend:
    """The server as functions of a request and the instant; whoever knows both introduces them.

    `sweep` does what is due (timeouts, expired sessions) and says when to call it next.
    """

    agents: Callable[[AgentRequest, Instant], AgentReply]
    command: Callable[[command.Operation, Instant], command.CommandReply]
    sweep: Callable[[Instant], Instant]
    oig: OigBackend | None = None


class Replay:
    """A run under way. `reason` is what ended it, in the journal's words."""

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        record: Callable[[journal.Line], None],
        drain: Span,
        before: readback.Mark = NOTHING,
    ) -> None:
        """`before` marks what belongs to the time before the run."""
        self.plan, self.reason = plan, "finished"
        self._before = before
        self._backend, self._write, self._drain_for = backend, record, drain
        self._watch = Watch(plan.checks)
        self._scheduler = VirtualScheduler(plan.start)
        self._traffic = VirtualTraffic(ROUND_TRIP)
        self._period = period(plan.stop - plan.start)
        self._cast = Cast[Actor](plan, self._record, self._elapsed)
        self._troubles = Troubles(plan, self._record, lambda: self._scheduler.now, self._suffer)
        self._scheduler_side = OigReplay(plan, backend.oig, self._scheduler, self._traffic.count, self._record)
        self._storms: dict[str, Actor] = {}
        self._storms_begun: set[str] = set()
        self._storms_over: set[str] = set()

    def run(self) -> None:
        """Do all of it; the journal is complete however the run ends."""
        self._begin()
        self._run_until(self.plan.stop)
        self._ask_no_more()
        drained = self._drain()
        self._cast.stop_agents()
        self._last_requests()
        self._troubles.finish(self.now)
        self._write_traffic()
        self._read_back(drained=drained)

    def pass_by(self) -> None:
        """Do the same without a verdict, until the instant that the plan's drain ends: nothing is read back."""
        self._begin()
        self._run_until(self.plan.stop)
        self._ask_no_more()
        self._run_until(self.plan.drain_until)
        self._cast.stop_agents()

    def _begin(self) -> None:
        scheduler, plan = self._scheduler, self.plan
        for phase in plan.phases:
            scheduler.at(phase.start, partial(self._announce, phase))
            scheduler.at(phase.end, lambda _: self._write_traffic())  # what came by then belongs to this phase
        scheduler.at(plan.start, self._sweep)
        scheduler.at(plan.start + self._period, self._tick)
        cast_ = self._cast
        cast_.enter(scheduler, lambda number, member: self._agent_kind(member), self._operator_kind())
        self._scheduler_side.enter()
        self._watch_faults(plan.start)  # when there is somebody to suffer what begins at once
        for planned in plan.storms:
            self._enter_storm(planned)

    def _ask_no_more(self) -> None:
        self._cast.stop_posting()
        self._scheduler_side.stop_asking()
        self._storms_end()

    def interrupt(self) -> None:
        """End the run in good order: storms reconcile, the server is read back, the report can be written."""
        self._end("interrupted")

    def _record(self, line: journal.Line) -> None:
        self._write(line)
        if (reason := self._watch.see(line)) is not None:
            self._end(reason)

    def _end(self, reason: str) -> None:
        if self.reason == "finished":
            self.reason = reason
        self._scheduler.pause()

    @property
    def now(self) -> Instant:
        """How far the run has come."""
        return self._scheduler.now

    # --- how requests travel and what is seen of them -------------------------------------------

    def _agent_kind(self, member: Member) -> Kind[AgentRequest, AgentReply, agent_events.Event]:
        ask, count = self._backend.agents, self._traffic.count

        def send(request: AgentRequest, now: Instant) -> agent_events.Event:
            reply = ask(request, now)
            count(lines.operation_of(request), reply.status)
            return agent_events.Answered(request, as_agent_reads(request, reply))

        return Kind(send, agent_events.Woken(), self._agent_detours(member) if self.plan.faults else None)

    def _agent_detours(self, member: Member) -> Detours[AgentRequest, AgentReply, agent_events.Event]:
        def arrived(
            request: AgentRequest, outcome: AgentReply | TransportError | Crash, faults: tuple[str, ...], took: Span
        ) -> agent_events.Event:
            if isinstance(outcome, Crash):
                return crashed(outcome, self._scheduler.now)
            operation = lines.operation_of(request)
            if isinstance(outcome, TransportError):
                self._traffic.ended(operation, outcome, took, faults)
                who = member.identity
                self._record(journal.SendFailed(self._elapsed(), who.fleet, who.machine, operation, str(outcome)))
                return agent_events.SendFailed(request, outcome)
            self._traffic.ended(operation, outcome.status, took, faults)
            return agent_events.Answered(request, outcome)

        def ask(request: AgentRequest, now: Instant) -> AgentReply:
            return as_agent_reads(request, self._backend.agents(request, now))

        return Detours(lambda request, now: self._troubles.journey(member.identity, request, now), ask, arrived)

    def _suffer(self, machine: str, effect: AgentEffect | BrokerEffect) -> None:
        """Nobody has a broker in virtual time."""
        if isinstance(effect, AgentEffect):
            self._cast.tell(machine, suffered(effect, self._scheduler.now))

    def _operator_kind(self) -> Kind[operator_events.Order, command.CommandReply, operator_events.Event]:
        def send(order: operator_events.Order, now: Instant) -> operator_events.Event:
            reply = self._ask_command(order.operation, now)
            self._traffic.count("operator", reply.status)
            return operator_events.Answered(order, reply)

        return Kind(send, operator_events.Woken())

    def _ask_command(self, operation: command.Operation, now: Instant) -> command.CommandReply:
        return as_caller_reads(operation, self._backend.command(operation, now))

    def _elapsed(self) -> float:
        return (self._scheduler.now - self.plan.start) / SECOND

    # --- what happens by the clock --------------------------------------------------------------

    def _announce(self, phase: PhaseWindow, now: Instant) -> None:
        self._write_traffic()
        self._record(journal.PhaseStarted(self._elapsed(), phase.name, (phase.end - phase.start) / SECOND))

    def _watch_faults(self, now: Instant) -> None:
        self._troubles.look(now)
        if self._troubles.next_change != NEVER:
            self._scheduler.at(self._troubles.next_change, self._watch_faults)

    def _tick(self, now: Instant) -> None:
        self._write_traffic()
        self._scheduler.at(now + self._period, self._tick)

    def _write_traffic(self) -> None:
        for line in self._traffic.take(self._elapsed()):
            self._record(line)

    def _sweep(self, now: Instant) -> None:
        self._scheduler.at(max(self._backend.sweep(now), now + 1), self._sweep)

    # --- storms ---------------------------------------------------------------------------------

    def _enter_storm(self, plan: StormPlan) -> None:
        core = Storm(plan)
        if isinstance(core.operation, OigStorm):  # faults meet the other target's storms only
            jobs: Kind[storm.Shot, oig.Reply, storm.Event] = Kind(self._shoot, operator_events.Woken())
            self._storms[plan.name] = self._scheduler.add(core, jobs, self._settle_storm)
            return
        kind: Kind[storm.Shot, command.CommandReply, storm.Event] = Kind(
            lambda shot, now: storm.Answered(shot, self._ask_command(_commanded(shot), now)),
            operator_events.Woken(),
            self._storm_detours(plan) if self.plan.faults else None,
        )
        self._storms[plan.name] = self._scheduler.add(core, kind, self._settle_storm)

    def _storm_detours(self, plan: StormPlan) -> Detours[storm.Shot, command.CommandReply, storm.Event]:
        def begin(shot: storm.Shot, now: Instant) -> Journey[command.CommandReply] | None:
            """Reads before and after a storm are not the storm."""
            return None if shot.number is None else self._troubles.storm_journey(plan, _commanded(shot), now)

        def arrived(
            shot: storm.Shot,
            outcome: command.CommandReply | TransportError | Crash,
            faults: tuple[str, ...],
            took: Span,
        ) -> storm.Event:
            assert not isinstance(outcome, Crash), "a storm is no agent"
            if isinstance(outcome, TransportError):
                return storm.SendFailed(shot, outcome, faults)
            return storm.Answered(shot, outcome, faults)

        return Detours(begin, lambda shot, now: self._ask_command(_commanded(shot), now), arrived)

    def _shoot(self, shot: storm.Shot, now: Instant) -> storm.Event:
        assert isinstance(shot.operation, oig.Operation)
        return storm.Answered(shot, self._scheduler_side.ask(shot.operation, now))

    def _settle_storm(self, core: Storm) -> None:
        name = core.plan.name
        if core.is_under_way and name not in self._storms_begun:
            self._storms_begun.add(name)
            self._record(journal.StormStarted(self._elapsed(), name, core.plan.operation))
        elif core.is_over and name not in self._storms_over:
            self._storms_over.add(name)
            self._storm_over(core)
            self._scheduler.pause()

    def _storm_over(self, core: Storm) -> None:
        if core.result is not None:
            for line in lines.of_trail(core.plan.name, core.campaign.trail(), self._elapsed()):
                self._record(line)
            self._record(journal.StormEnded(self._elapsed(), core.plan.name, cast(JsonObject, core.result)))
        elif core.problem and self.reason == "finished":
            self.reason = f"aborted: storm {core.plan.name} left no result: {core.problem}"

    def _storms_end(self) -> None:
        """Let every storm come to its result; one that is interrupted begins no more requests."""
        deadline = self._scheduler.now + _LAST_STORMS
        while len(self._storms_over) < len(self._storms) and self._scheduler.now < deadline:
            if self.reason != "finished":
                for actor in self._storms.values():
                    self._scheduler.tell(actor, operator_events.StopRequested())
            self._scheduler.run(deadline)

    # --- the order of things --------------------------------------------------------------------

    def _run_until(self, instant: Instant) -> None:
        while self._scheduler.now < instant and self.reason == "finished":
            self._scheduler.run(instant)

    def _drain(self) -> bool:
        """Let jobs in flight finish; True if nothing but recurring work is left."""
        deadline = self._scheduler.now + self._drain_for
        while self.reason == "finished":
            offline = self._cast.offline(self.now)
            drained = readback.is_drained(self.plan.operator.prefix, offline, self._cast.left)
            if self._read(drained) and self._scheduler_side.is_drained():
                return True
            if self._scheduler.now >= deadline:
                return False
            self._run_until(min(self._scheduler.now + _CHECK_DRAIN, deadline))
        return False

    def _last_requests(self) -> None:
        """Let requests on their way be answered, for a few seconds."""
        deadline = self._scheduler.now + _LAST_REQUESTS
        while self._scheduler.in_flight and self._scheduler.now < deadline:
            self._scheduler.run(min(self._scheduler.now + ROUND_TRIP, deadline))

    def _read_back(self, *, drained: bool) -> None:
        prefix, t = self.plan.operator.prefix, self._elapsed()
        try:
            if self.plan.members:

                def tell(said: readback.Said) -> None:
                    for line in lines.of_said(said, self.plan.start, t):
                        self._record(line)

                self._read(readback.everything(prefix, self._before, tell))
            self._scheduler_side.read_back(t)
        except TargetError as error:
            self._record(journal.NotReadBack(t))
            self.reason = f"aborted: {error}" if self.reason == "finished" else self.reason
        self._record(journal.RunEnded(self._elapsed(), self.reason, drained, self._cast.offline(self.now)))

    def _read(self, reading: Generator[command.Operation, command.CommandReply, T]) -> T:
        """Drive a reading of `operator.readback`; it takes no time."""
        operation = next(reading)
        while True:
            try:
                operation = reading.send(self._ask_command(operation, self._scheduler.now))
            except StopIteration as end:
                return cast(T, end.value)


def _commanded(shot: storm.Shot) -> command.Operation:
    assert not isinstance(shot.operation, oig.Operation), "a storm asks one target"
    return shot.operation
