"""Everybody who takes part in a run, put on a stage: agents, operator, and who hears what from whom.

The stage is a scheduler, live or virtual; both get the same cast. Facts become journal lines here, a job type that the
operator learns becomes known to the agents, and an approval is told to the agent it is about.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, Generic, Protocol, TypeVar

from agent_sim.agent import events as agent_events
from agent_sim.agent.core import Agent
from agent_sim.agent.identity import Identity
from agent_sim.fleet import lines
from agent_sim.fleet.cores import Settle
from agent_sim.instants import NEVER, SECOND, Instant
from agent_sim.operator import events as operator_events
from agent_sim.operator.core import Operator
from agent_sim.protocol.enums import BY_GUID, JobType
from agent_sim.results import journal
from agent_sim.scenario.members import Member
from agent_sim.scenario.plan import Plan

Handle = TypeVar("Handle")


class Stage(Protocol[Handle]):
    """A scheduler; what a `kind` is differs between the live and the virtual one."""

    def add(self, core: Any, kind: Any, settle: Settle) -> Handle: ...

    def tell(self, handle: Handle, event: object) -> None: ...


class Cast(Generic[Handle]):
    """The agents and the operator of one plan."""

    def __init__(self, plan: Plan, write: Callable[[journal.Line], None], elapsed: Callable[[], float]) -> None:
        self._plan, self._write, self._elapsed = plan, write, elapsed
        self._catalogue: dict[str, JobType] = dict(BY_GUID)
        self._entered: list[Handle] = []  # the agents that are on this stage
        self._numbers: Sequence[int] = ()  # theirs, in the same order
        self._machines = {fleet.name: fleet.machines for fleet in plan.operator.fleets}
        self._operator: Handle | None = None
        self._away: dict[str, Instant] = {}  # machines that are down or cut off, until when
        self.left: set[str] = set()  # ids of jobs that agents never start, in lower case
        # Where other processes have agents of the same plan: what concerns those.
        self.elsewhere: Callable[[str], None] = lambda machine: None
        self.learnt: Callable[[JobType], None] = lambda kind: None

    def enter(
        self,
        stage: Stage[Handle],
        agent_kind: Callable[[int, Member], object],
        operator_kind: object,
        mine: Sequence[int] | None = None,
    ) -> None:
        """Put everybody on the stage; of the agents those with the numbers that are `mine`, else all."""
        for fleet in self._plan.operator.fleets:
            self._write(lines.of_fleet(fleet))
        self.enter_agents(stage, agent_kind, range(len(self._plan.members)) if mine is None else mine)
        if not self._plan.members:
            return  # nothing that an operator of agents could do
        operator = Operator(self._plan.operator, self._plan.start)
        self._operator = stage.add(operator, operator_kind, self._settle_operator)

    def enter_agents(
        self, stage: Stage[Handle], agent_kind: Callable[[int, Member], object], mine: Sequence[int]
    ) -> None:
        """Put only agents on the stage."""
        self._stage, self._numbers = stage, mine
        vars(self).pop("_agents", None)
        for number in mine:
            member = self._plan.members[number]
            who, start = member.identity, member.online
            agent = Agent(who, member.behaviour, self._catalogue, start, member.agent_id, member.timetable)
            self._entered.append(stage.add(agent, agent_kind(number, member), self._settle_agent))

    @cached_property
    def _agents(self) -> dict[str, Handle]:
        """By machine; made for whoever first asks for one, which in many runs nobody does."""
        numbers = zip(self._numbers, self._entered, strict=True)
        return {self._name(self._plan.members[number].identity): handle for number, handle in numbers}

    def know_by_name(self) -> None:
        """Be ready to be asked for agents by their machines' names, which takes some seconds of a million."""
        _ = self._agents

    def tell(self, machine: str, event: agent_events.Event) -> None:
        """Give one agent an event from outside."""
        self._stage.tell(self._agents[machine], event)

    def stop_posting(self) -> None:
        """The operator posts nothing more; the agents go on."""
        if self._operator is not None:
            self._stage.tell(self._operator, operator_events.StopRequested())

    def leave(self) -> None:
        """Nobody acts any more; who was away stays known."""
        self._entered, self._numbers, self._operator = [], (), None
        vars(self).pop("_agents", None)
        del self._stage

    def stop_agents(self) -> None:
        """The agents finish what they have and start nothing new."""
        for handle in self._entered:
            self._stage.tell(handle, agent_events.StopRequested())

    def notify(self, machine: str) -> None:
        """Tell an agent that its work changed, wherever it is."""
        if machine in self._agents:
            self._stage.tell(self._agents[machine], agent_events.Notified())
        else:
            self.elsewhere(machine)

    def has(self, machine: str) -> bool:
        """True for an agent that is on this stage."""
        return machine in self._agents

    def learn(self, kind: JobType) -> None:
        """The agents know one more type of job."""
        self._catalogue[kind.guid] = kind

    def hear(self, line: journal.Line) -> None:
        """What an agent of another process did."""
        match line:
            case journal.JobLeft(job=job, audit=0):
                self.left.add(job.lower())
            case journal.AgentOffline(agent=name):
                self._away[name] = NEVER
            case journal.AgentOnline(agent=name):
                self._away.pop(name, None)
            case journal.AgentCrashed(agent=name, restart=restart):
                self._away[name] = max(self._plan.start + round(restart * SECOND), self._away.get(name, 0))
            case _:
                pass

    def offline(self, now: Instant) -> tuple[str, ...]:
        """The machines that the scenario has taken offline, or whose process is down, in order."""
        return tuple(sorted(name for name, until in self._away.items() if until > now))

    def _settle_agent(self, agent: Agent) -> None:
        if agent.facts is None:
            return  # most events are heartbeats and their answers: nothing to tell
        who, t = agent.identity, self._elapsed()
        fleet, name = who.fleet, self._name(who)
        for fact in agent.take_facts():
            if type(fact) in _OF_ABSENCE:
                self._note_absence(fact, name)
            self._write(lines.of_agent(fact, fleet, name, t, self._plan.start))

    def _name(self, who: Identity) -> str:
        """Its machine's name, as the one text that there is of it: who remembers agents keeps no other."""
        name, machines = who.machine, self._machines.get(who.fleet, ())
        return machines[who.index] if who.index < len(machines) and machines[who.index] == name else name

    def _note_absence(self, fact: agent_events.Fact, name: str) -> None:
        match fact:
            case agent_events.JobLeft(job_id, audit_id=0):
                self.left.add(job_id.lower())
            case agent_events.AgentOffline():
                self._away[name] = NEVER
            case agent_events.AgentOnline():
                self._away.pop(name, None)
            case agent_events.AgentCrashed(restart_at):
                self._away[name] = max(restart_at, self._away.get(name, restart_at))

    def _settle_operator(self, operator: Operator) -> None:
        for fact in operator.take_facts():
            if isinstance(fact, operator_events.JobTypeKnown):
                self.learn(fact.type)
                self.learnt(fact.type)
            elif isinstance(fact, operator_events.AgentApproved):
                self.notify(fact.machine)
            for line in lines.of_operator(fact, self._elapsed()):
                self._write(line)


_OF_ABSENCE: Final = frozenset(
    {agent_events.JobLeft, agent_events.AgentOffline, agent_events.AgentOnline, agent_events.AgentCrashed}
)
