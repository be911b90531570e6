"""The run's side of a fleet on Locust: it hands out groups of agents, is the operator, keeps the journal and judges.

A worker that is lost ends the run and the verdict says how many agents went with it: a fleet never shrinks in silence.
"""

import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

import gevent
from fleet_party import Clock
from fleet_stage import Actor, Kind, Stage
from rich.console import Console

from agent_sim.errors import TargetError, TransportError
from agent_sim.fleet import lines
from agent_sim.fleet.cast import Cast
from agent_sim.fleet.traffic import Traffic
from agent_sim.instants import SECOND, Instant, Span, to_iso
from agent_sim.operator import events as operator_events
from agent_sim.operator import readback
from agent_sim.protocol import command
from agent_sim.protocol.enums import JobType
from agent_sim.results import journal, journal_text
from agent_sim.results.judge import judge
from agent_sim.results.render.json import render_json
from agent_sim.results.render.text import render_text
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import exit_code
from agent_sim.scenario.plan import Plan

T = TypeVar("T")

_LOOK: Final = 0.25
_ALL_HANDED_OUT: Final = 60.0
_ALL_OVER: Final = 30.0
_AT_ONCE: Final = 16


@dataclass(slots=True)
class Run:
    """One run. `say` sends workers a message (to all, or to one), `missing` names those of the given that are gone."""

    plan: Plan
    scenario: str
    group: int
    target: str
    clock: Clock
    api: Callable[[command.Operation], command.CommandReply]
    say: Callable[[str, Mapping[str, Any], str | None], None]
    missing: Callable[[set[str]], set[str]]
    drain: Span
    journal_file: Path | None
    result_file: Path | None
    reason: str = "finished"
    code: int = 3
    _cast: Cast[Actor] = field(init=False)
    _given: dict[int, str] = field(default_factory=dict)
    _over: set[int] = field(default_factory=set)
    _traffic: Traffic = field(default_factory=Traffic)
    _lines: list[str] = field(default_factory=list)

    @property
    def groups(self) -> int:
        """How many there are to hand out."""
        return -(-len(self.plan.members) // self.group)

    def run(self) -> None:
        """Do all of it, and judge."""
        self._write(self._opening())
        before = self._ask(readback.mark(self.plan.operator.prefix))
        stage = Stage(self.clock, _AT_ONCE)
        cast = self._cast = Cast[Actor](self.plan, self._write, self._elapsed)
        cast.elsewhere = lambda machine: self.say("fleet_notify", {"machine": machine}, None)
        cast.learnt = lambda kind: self.say("fleet_learn", _plain(kind), None)
        self.say("fleet_plan", {"scenario": self.scenario, "start": self.plan.start}, None)
        cast.enter(stage, lambda number, member: None, self._operator_kind(), ())
        driving = gevent.spawn(stage.run)
        self._until(self.plan.stop)
        cast.stop_posting()
        drained = self._drain()
        self.say("fleet_stop", {}, None)
        self._wait_for_the_last()
        stage.stop()
        driving.join()
        self._read_back(before, drained)
        self._judge()

    def end(self, reason: str) -> None:
        """End the run in good order."""
        if self.reason == "finished":
            self.reason = reason

    # --- what workers say -----------------------------------------------------------------------

    def asked(self, worker: str, said: Mapping[str, Any]) -> None:
        """A worker has a user to be a group."""
        group = len(self._given)
        if group >= self.groups:
            group = -1
        else:
            self._given[group] = worker
        first = max(group, 0) * self.group
        last = min(first + self.group, len(self.plan.members))
        if group == self.groups - 1:
            workers = len(set(self._given.values()))
            print(f"all {len(self.plan.members):,} agents are handed out, to {workers} processes", flush=True)
        self.say("fleet_group", {"ask": said["ask"], "group": group, "first": first, "last": last}, worker)

    def told(self, said: Mapping[str, Any]) -> None:
        """Journal lines of a worker's agents."""
        for text in said["lines"]:
            line = journal_text.decode(text)
            if isinstance(line, journal.Traffic):
                self._traffic.add(line)
            else:
                self._cast.hear(line)
                self._write(line)

    def over(self, said: Mapping[str, Any]) -> None:
        """Groups have come to their end."""
        self._over.update(said["groups"])

    # --- the order of things --------------------------------------------------------------------

    def _until(self, instant: Instant) -> None:
        phases = list(self.plan.phases)
        while self.reason == "finished" and self.clock() < instant:
            while phases and phases[0].start <= self.clock():
                phase = phases.pop(0)
                self._write(journal.PhaseStarted(self._elapsed(), phase.name, (phase.end - phase.start) / SECOND))
            self._look()
            gevent.sleep(min(_LOOK, max((instant - self.clock()) / SECOND, 0.001)))

    def _drain(self) -> bool:
        deadline = self.clock() + self.drain
        while self.reason == "finished":
            self._look()
            drained = readback.is_drained(self.plan.operator.prefix, self._cast.offline(self.clock()), self._cast.left)
            try:
                if self._ask(drained):
                    return True
            except TransportError:
                pass  # the deadline bounds this loop
            if self.clock() >= deadline:
                return False
            gevent.sleep(_LOOK)
        return False

    def _look(self) -> None:
        """Once in a while: is everybody there?"""
        for line in self._traffic.take(self._elapsed()):
            self._write(line)
        for worker in self.missing(set(self._given.values())):
            self._lost(worker)
        if len(self._given) < self.groups and self._elapsed() > _ALL_HANDED_OUT:
            there = min(len(self._given) * self.group, len(self.plan.members))
            self.end(f"aborted: only {there:,} of {len(self.plan.members):,} agents found a worker")

    def _lost(self, worker: str) -> None:
        groups = [group for group, at in self._given.items() if at == worker and group not in self._over]
        total = len(self.plan.members)
        agents = sum(min(self.group, total - group * self.group) for group in groups)
        if groups:
            self.end(f"aborted: worker {worker} is gone, and its {agents:,} of {total:,} agents with it")

    def _wait_for_the_last(self) -> None:
        deadline = time.monotonic() + _ALL_OVER
        while time.monotonic() < deadline:
            gone = self.missing(set(self._given.values()))
            if all(group in self._over or worker in gone for group, worker in self._given.items()):
                break
            gevent.sleep(0.05)
        self._look()
        if not self._over.issuperset(self._given):
            self.end("aborted: not every worker came to its end")

    # --- the operator, and what the server says ---------------------------------------------------

    def _operator_kind(self) -> Kind:
        def ended(core: object, order: object, outcome: Any, wire: Span, waited: Span) -> None:
            end = outcome if isinstance(outcome, TransportError) else outcome.status
            self._traffic.ended("operator", end, wire, waited)

        return Kind(
            lambda order: self.api(order.operation),
            operator_events.Woken(),
            operator_events.Answered,
            operator_events.SendFailed,
            ended,
        )

    def _ask(self, reading: Generator[command.Operation, command.CommandReply, T]) -> T:
        operation = next(reading)
        while True:
            try:
                operation = reading.send(self.api(operation))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here

    def _read_back(self, before: readback.Mark, drained: bool) -> None:
        t = self._elapsed()

        def tell(said: readback.Said) -> None:
            for line in lines.of_said(said, self.plan.start, t):
                self._write(line)

        try:
            self._ask(readback.everything(self.plan.operator.prefix, before, tell))
        except (TransportError, TargetError) as error:
            self._write(journal.NotReadBack(t))
            self.end(f"aborted: {error}")
        offline = self._cast.offline(self.clock())
        self._write(journal.RunEnded(self._elapsed(), self.reason, drained, offline))

    def _judge(self) -> None:
        summary = summarise(map(journal_text.decode, self._lines))
        verdicts = judge(summary, self.plan.checks)
        console = Console() if sys.stdout.isatty() else Console(width=120)
        console.print(render_text(summary, verdicts))
        print(f"outcome digest: {summary.outcome_digest}", flush=True)
        if self.journal_file is not None:
            self.journal_file.write_text("\n".join([*self._lines, ""]), encoding="utf-8")
        if self.result_file is not None:
            self.result_file.write_text(render_json(summary, verdicts, environment={}), encoding="utf-8")
        self.code = exit_code(verdicts)

    def _opening(self) -> journal.RunStarted:
        return journal.RunStarted(
            0.0,
            scenario=self.plan.name,
            seed=self.plan.seed,
            target=self.target,
            embedded=False,
            agents=len(self.plan.members),
            prefix=self.plan.operator.prefix,
            started_at=to_iso(self.plan.start),
            version=version("agent-sim"),
            connections="shared",
        )

    def _elapsed(self) -> float:
        return (self.clock() - self.plan.start) / SECOND

    def _write(self, line: journal.Line) -> None:
        self._lines.append(journal_text.encode(line))


def _plain(kind: JobType) -> dict[str, Any]:
    return {**asdict(kind), "category": kind.category.value}
