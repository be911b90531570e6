"""The faults of a run between its cast and its shell: what becomes of requests, who suffers, what the journal is told.

Shared by the live fleet and by replays. Which faults there are and what they do is `agent_sim.faults`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from agent_sim.agent import events as agent_events
from agent_sim.agent.identity import Identity
from agent_sim.errors import MalformedMessage
from agent_sim.faults.arming import Began, Faults, Turn
from agent_sim.faults.course import Patience, Trip, course
from agent_sim.faults.effects import (
    ONLY_SLOWER,
    AgentEffect,
    BrokerEffect,
    ClockOffset,
    Crash,
    DropReply,
    DuplicateDelivery,
    Refuse,
    Strike,
)
from agent_sim.fleet import lines
from agent_sim.fleet.journeys import Journey
from agent_sim.instants import NEVER, SECOND, Instant
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import ApiError, CommandReply, Operation
from agent_sim.results import journal
from agent_sim.scenario.plan import Plan
from agent_sim.storms.plan import StormPlan

NOTIFICATION: Final = "notification"


def crashed(crash: Crash, now: Instant) -> agent_events.Crashed:
    """What an agent is told of its end."""
    return agent_events.Crashed(now + crash.restart_after, crash.keeps_identity)


def suffered(effect: AgentEffect, now: Instant) -> agent_events.Event:
    """What an agent is told of that befalls it."""
    match effect:
        case Crash():
            return crashed(effect, now)
        case ClockOffset(offset, drift):
            return agent_events.ClockSet(offset, drift)


class AgentWire:
    """What agents' requests and replies are as bytes (`faults.course.Wire`)."""

    def request_size(self, request: AgentRequest) -> int:
        return len(codec.agent_body(request.body))

    def reply_size(self, reply: AgentReply) -> int:
        return 0 if reply.body is None else len(codec.agent_body(reply.body))

    def answer(self, request: AgentRequest, status: int, headers: Mapping[str, str], body: bytes) -> AgentReply:
        """Headers reach no agent: the vendor's reads none (agent-protocol 1)."""
        return AgentReply(status, codec.read_agent_reply(request, body) if status < 300 else None)

    def reread(self, request: AgentRequest, reply: AgentReply, spoil: Callable[[bytes], bytes]) -> AgentReply:
        body = b"" if reply.body is None else codec.agent_body(reply.body)
        return AgentReply(reply.status, codec.read_agent_reply(request, spoil(body)) if reply.status < 300 else None)


class CommandWire:
    """What operations of the management API and their replies are as bytes (`faults.course.Wire`)."""

    def request_size(self, request: Operation) -> int:
        return len(codec.api_call(request).body or b"")

    def reply_size(self, reply: CommandReply) -> int:
        """Of no account: storms' answers are empty or short."""
        return 0

    def answer(self, request: Operation, status: int, headers: Mapping[str, str], body: bytes) -> CommandReply:
        return CommandReply(status, ApiError("0", body.decode(errors="replace")) if body else None)

    def reread(self, request: Operation, reply: CommandReply, spoil: Callable[[bytes], bytes]) -> CommandReply:
        """What is left of an empty answer is empty; what nobody can read counts as a bad gateway's."""
        if reply.body is not None:
            return codec.unreadable(MalformedMessage("spoilt on its way"))
        return self.answer(request, reply.status, {}, spoil(b""))


AGENT_WIRE: Final = AgentWire()
COMMAND_WIRE: Final = CommandWire()
STORM_PATIENCE: Final = Patience(5 * SECOND, 30 * SECOND)
"""What storms have by default on the command line."""


class Troubles:
    """All faults of one run. `suffer` carries out what an agent, or its way to a broker, suffers by itself.

    Where a fleet is shared out, each process has its own: `mine` says which agents are here, and of how much a fault
    meets each tells its part. That a window begins, only the one that `announces` tells.
    """

    def __init__(
        self,
        plan: Plan,
        record: Callable[[journal.Line], None],
        clock: Callable[[], Instant],
        suffer: Callable[[str, AgentEffect | BrokerEffect], None],
        mine: Callable[[str], bool] = lambda machine: True,
        *,
        announces: bool = True,
    ) -> None:
        self._faults, self._announces = Faults(plan.faults, mine), announces
        self._start, self._record, self._clock, self._suffer = plan.start, record, clock, suffer
        self._patience = Patience(plan.transport.connect_timeout, plan.transport.request_timeout)

    @property
    def next_change(self) -> Instant:
        """When `look` must be called next; NEVER if no fault begins or ends any more."""
        return self._faults.next_change

    def look(self, now: Instant) -> None:
        """Let windows begin and end."""
        for turn in self._faults.turns(now):
            self._turn(turn)

    @property
    def armed(self) -> tuple[str, ...]:
        """The faults that are armed."""
        return self._faults.armed

    def arm(self, name: str, now: Instant) -> None:
        """Begin a fault by hand. Raises KeyError."""
        self._faults.arm(name, now)
        self.look(now)

    def disarm(self, name: str, now: Instant) -> None:
        """End what a fault does now. Raises KeyError."""
        self._faults.disarm(name)
        self.look(now)

    def finish(self, now: Instant) -> None:
        """The run is over, and with it every fault."""
        for turn in self._faults.finish(now):
            self._turn(turn)

    def journey(self, who: Identity, request: AgentRequest, now: Instant) -> Journey[AgentReply] | None:
        """What happens to a request that the agent sends now; None if no fault meets it."""
        operation = lines.operation_of(request)
        strikes = self._faults.strikes(who.machine, operation, now)
        if not strikes:
            return None
        self._tell_struck(who, operation, request, strikes)
        trip = Trip(request, AGENT_WIRE, self._clock, now, self._patience)
        return Journey(_names(strikes), course(trip, strikes))

    def storm_journey(self, storm: StormPlan, operation: Operation, now: Instant) -> Journey[CommandReply] | None:
        """What happens to a request of a storm that is sent now; None if no fault meets it."""
        strikes = self._faults.strikes(storm.name, storm.operation, now)
        if not strikes:
            return None
        trip = Trip(operation, COMMAND_WIRE, self._clock, now, STORM_PATIENCE)
        return Journey(_names(strikes), course(trip, strikes))

    def deliveries(self, machine: str, now: Instant) -> int:
        """How often a message that a broker has for the agent now reaches it: 0 if what comes in is lost."""
        effects = [strike.effect for strike in self._faults.strikes(machine, NOTIFICATION, now)]
        if any(isinstance(effect, DropReply | Refuse) for effect in effects):
            return 0
        return 1 + sum(isinstance(effect, DuplicateDelivery) for effect in effects)

    # --- the journal ----------------------------------------------------------------------------

    def _tell_struck(self, who: Identity, operation: str, request: AgentRequest, strikes: tuple[Strike, ...]) -> None:
        job = getattr(request.body, "job_id", None)
        if job is None:
            return
        harmful = tuple(strike for strike in strikes if type(strike.effect) not in ONLY_SLOWER)
        for fault in _names(harmful):
            t = self._seconds(self._clock())
            self._record(journal.FaultStruck(t, fault, who.fleet, who.machine, operation, job))

    def _turn(self, turn: Turn) -> None:
        window = turn.window
        begin = self._seconds(window.begin)
        if isinstance(turn, Began) and self._announces:
            until = None if window.end == NEVER else self._seconds(window.end)
            self._record(journal.FaultArmed(begin, turn.fault, window.number, until, turn.selected))
        for suffered in turn.suffered:
            for effect in suffered.effects:
                self._suffer(suffered.agent, effect)
        if not isinstance(turn, Began) and (turn.is_of_agents or self._announces):
            t = self._seconds(min(window.end, self._clock()))
            # Storms tell themselves what they met: in a live run they are not of this process.
            requests, agents = (turn.requests, turn.met) if turn.is_of_agents else (0, ())
            self._record(journal.FaultOver(t, turn.fault, window.number, begin, requests, agents))

    def _seconds(self, instant: Instant) -> float:
        return (instant - self._start) / SECOND


def _names(strikes: tuple[Strike, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(strike.fault for strike in strikes))
