"""How a process's agents send and what is seen of it: the same whether one process has the whole fleet or a part.

Counts every exchange, applies the rule that ends a run whose target suffers, and writes down what failed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from agent_sim.agent import events
from agent_sim.agent.core import Agent
from agent_sim.cli.ways import Ways
from agent_sim.errors import TransportError
from agent_sim.fleet import lines
from agent_sim.fleet.journeys import Journey
from agent_sim.fleet.live import Kind
from agent_sim.fleet.troubles import Troubles, crashed
from agent_sim.instants import Instant, Span
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.results import journal
from agent_sim.scenario.members import Member
from agent_sim.transports.base import AgentTransport, CallbackTransport

AgentKind = Kind[AgentRequest, AgentReply, events.Event]
Ended = Callable[[str, int | TransportError, Span, Span, tuple[str, ...]], None]


@dataclass(slots=True)
class AgentKinds:
    """One kind for all agents that share a way: an agent of a large fleet has little of its own.

    `troubles` is None without faults; `ended` is told of every exchange by its operation, or `excused` of one that may
    have failed because a fault had its broker down.
    """

    ways: Ways
    ended: Ended
    write: Callable[[journal.Line], None]
    elapsed: Callable[[], float]
    troubles: Troubles | None = None
    excused: Ended | None = None
    _made: dict[AgentTransport, AgentKind] = field(default_factory=dict)

    def of(self, number: int, member: Member) -> AgentKind:
        """The kind of one agent."""
        way = self.ways.transport(number)
        if way not in self._made:
            self._made[way] = Kind(
                send=way.send,
                woken=events.Woken(),
                answered=events.Answered,
                failed=events.SendFailed,
                ended=self._ended_at_broker if member.wire == "mqtt" else self._ended,
                limit=self.ways.limit(number),
                journey=None if self.troubles is None else partial(_journey, self.troubles),
                crashed=crashed,
                start=way.start if isinstance(way, CallbackTransport) else None,
                heard=Agent.heard,
            )
        return self._made[way]

    def _ended(
        self,
        agent: Agent,
        request: AgentRequest,
        outcome: AgentReply | TransportError,
        wire: Span,
        waited: Span,
        faults: tuple[str, ...],
    ) -> None:
        operation = lines.operation_of(request)
        if type(outcome) is AgentReply:
            self.ended(operation, outcome.status, wire, waited, faults)
        elif isinstance(outcome, TransportError):
            self.ended(operation, outcome, wire, waited, faults)
            self._failed(agent, operation, outcome)

    def _ended_at_broker(
        self,
        agent: Agent,
        request: AgentRequest,
        outcome: AgentReply | TransportError,
        wire: Span,
        waited: Span,
        faults: tuple[str, ...],
    ) -> None:
        excused = self.excused
        if excused is not None and isinstance(outcome, TransportError) and self.ways.was_cut_off(wire + waited):
            operation = lines.operation_of(request)
            excused(operation, outcome, wire, waited, faults)
            self._failed(agent, operation, outcome)
        else:
            self._ended(agent, request, outcome, wire, waited, faults)

    def _failed(self, agent: Agent, operation: str, error: TransportError) -> None:
        who = agent.identity
        self.write(journal.SendFailed(self.elapsed(), who.fleet, who.machine, operation, str(error)))


def _journey(troubles: Troubles, agent: Agent, request: AgentRequest, now: Instant) -> Journey[AgentReply] | None:
    return troubles.journey(agent.identity, request, now)
