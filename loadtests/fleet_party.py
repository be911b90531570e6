"""The agents' side of a fleet on Locust: groups of agents, each as its master hands it out.

A worker knows the whole plan, so that an agent is the same wherever it runs; which agents are here, the master says.
What they do goes to the master as journal lines, once a second.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import gevent
from fleet_stage import Actor, Kind, Stage
from gevent.event import AsyncResult

from agent_sim.agent import events
from agent_sim.agent.core import Agent
from agent_sim.errors import TransportError
from agent_sim.fleet import lines
from agent_sim.fleet.cast import Cast
from agent_sim.fleet.traffic import Traffic, error_of
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.enums import Category, JobType
from agent_sim.results import journal, journal_text
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.plan import Plan, plan
from agent_sim.storms.stop import REFUSED, StopRule

_LAST_REQUESTS: Final = 5.0

Say = Callable[[str, Mapping[str, Any]], None]
"""Sends the master a message."""


def planned(text: str, start: Instant) -> Plan:
    """The plan of a scenario that came as text."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return plan(load(Path(file.name), Overrides()), start)


class Clock:
    """Nanoseconds since the epoch that never jump."""

    def __init__(self) -> None:
        self._origin, self._began = time.time_ns(), time.monotonic_ns()

    def __call__(self) -> Instant:
        return self._origin + time.monotonic_ns() - self._began


@dataclass(slots=True)
class Party:
    """All groups of one process. `fire` tells Locust of each exchange: operation, seconds and error."""

    say: Say
    send: Callable[[AgentRequest], AgentReply]
    fire: Callable[[str, float, TransportError | None], None]
    clock: Clock
    connections: int
    plan: AsyncResult = field(default_factory=AsyncResult)
    _asked: int = 0
    _answers: dict[int, AsyncResult] = field(default_factory=dict)
    _groups: list[tuple[Cast[Actor], Stage, int]] = field(default_factory=list)
    _learnt: list[JobType] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _traffic: Traffic = field(default_factory=Traffic)
    _stop_rule: StopRule = field(default_factory=StopRule)
    _is_over: bool = False
    _suffers: bool = False

    def live(self) -> None:
        """Be one group of agents, until the run is over; at once, if there is none left."""
        plan_ = self.plan.get()
        self._asked += 1
        answer = self._answers[self._asked] = AsyncResult()
        self.say("fleet_ask", {"ask": self._asked})
        group, first, last = answer.get()
        if group < 0 or self._is_over:
            return
        stage = Stage(self.clock, self.connections)
        cast = Cast[Actor](plan_, self._write, self._elapsed)
        kind = Kind(self.send, events.Woken(), events.Answered, events.SendFailed, self._ended)
        for learnt in self._learnt:
            cast.learn(learnt)
        cast.enter_agents(stage, lambda number, member: kind, range(first, last))
        self._groups.append((cast, stage, group))
        stage.run()

    # --- what the master says -------------------------------------------------------------------

    def begin(self, said: Mapping[str, Any]) -> None:
        """The run begins."""
        self.plan.set(planned(said["scenario"], said["start"]))
        gevent.spawn(self._tell)

    def given(self, said: Mapping[str, Any]) -> None:
        """A group for whoever asked."""
        self._answers.pop(said["ask"]).set([said["group"], said["first"], said["last"]])

    def notify(self, said: Mapping[str, Any]) -> None:
        """An agent should look for work, if it is here."""
        for cast, _, _ in self._groups:
            if cast.has(said["machine"]):
                cast.notify(said["machine"])

    def learn(self, said: Mapping[str, Any]) -> None:
        """There is one more type of job."""
        kind = JobType(**{**said, "category": Category(said["category"])})
        self._learnt.append(kind)
        for cast, _, _ in self._groups:
            cast.learn(kind)

    def stop(self, _: Mapping[str, Any]) -> None:
        """Finish what is under way, and say so."""
        if not self._is_over:
            self._is_over = True
            gevent.spawn(self._end)

    def _end(self) -> None:
        for cast, _, _ in self._groups:
            cast.stop_agents()
        deadline = time.monotonic() + _LAST_REQUESTS
        while any(stage.in_flight for _, stage, _ in self._groups) and time.monotonic() < deadline:
            gevent.sleep(0.02)
        for _, stage, _ in self._groups:
            stage.stop()
        self._flush()
        self.say("fleet_over", {"groups": [group for _, _, group in self._groups]})

    # --- what the agents do ---------------------------------------------------------------------

    def _ended(
        self, agent: Agent, request: AgentRequest, outcome: AgentReply | TransportError, wire: Span, waited: Span
    ) -> None:
        operation = lines.operation_of(request)
        failed = outcome if isinstance(outcome, TransportError) else None
        end = outcome if isinstance(outcome, TransportError) else outcome.status
        self._traffic.ended(operation, end, wire, waited)
        self.fire(operation, wire / SECOND, failed)
        why = self._stop_rule.see(error_of(end), self.clock())
        if why is not None and not self._suffers:
            self._suffers = True
            self.say("fleet_suffers", {"why": why, "refused": why == REFUSED})
        if failed is not None:
            who = agent.identity
            self._write(journal.SendFailed(self._elapsed(), who.fleet, who.machine, operation, str(failed)))

    def _elapsed(self) -> float:
        started: Instant = self.plan.get().start
        return (self.clock() - started) / SECOND

    def _write(self, line: journal.Line) -> None:
        self._lines.append(journal_text.encode(line))

    def _tell(self) -> None:
        while not self._is_over:
            gevent.sleep(1)
            self._flush()

    def _flush(self) -> None:
        for line in self._traffic.take(self._elapsed()):
            self._write(line)
        said, self._lines = self._lines, []
        if said:
            self.say("fleet_lines", {"lines": said})
