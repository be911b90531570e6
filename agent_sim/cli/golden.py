"""Golden files: what an agent says when it is given a job, kept beside the behaviours that make it say so.

    scenario: demo                       # by path beside this file, or by name
    cases:
      - name: a renewal at the flaky site
        input: {fleet: shz, type: Management, times: 2, every: 10s}
        output:                          # written by --update
          - {after: 0s, send: configure, answer: ok}
          - {after: 412ms, send: complete, result: failure, message: The line broke, answer: ok}

One agent does it in virtual time, against the embedded server; everything else of the scenario stays as it is.
Seeds make chance a fact, so that a behaviour that is changed by mistake is told.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from agent_sim.cli.library import scenario_file
from agent_sim.cli.replay import backend
from agent_sim.errors import ScenarioError, UsageError
from agent_sim.fleet.lines import operation_of
from agent_sim.fleet.replay import Backend, Replay
from agent_sim.instants import HOUR, NEVER, SECOND, Instant, from_iso
from agent_sim.protocol.agent import AgentReply, AgentRequest, Complete, Heartbeat, Register
from agent_sim.results.checks import Checks
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.duties import Posting
from agent_sim.scenario.fields import Count, Moment, Name, Period, PostableWord, Text, Whole
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import Plan, later, machine, plan
from agent_sim.scenario.timeline import offset
from agent_sim.scenario.tree import plain, read
from agent_sim.scenario.units import duration_text, size_text
from agent_sim.scenario.wording import problems
from agent_sim.server.store import SqliteStore

_START: Final = from_iso("2026-01-01T00:00:00Z")
_LONGEST_TEXT: Final = 200

Exchange = dict[str, str]
"""One thing that the agent sent, and how it was answered."""


class Input(Block):
    """Which agent is given which job, when and how often."""

    fleet: Name = needed("Whose agent it is.", "shz")
    agent: Whole = key(0, "Which of the fleet's agents, from 0.", 3)
    type: PostableWord = needed("The kind of job.", "Management")
    at: Moment = key("0s", "When it is posted.", "steady+1m")
    times: Count = key(1, "How often it is posted.", 3)
    every: Period = key("30s", "The time between postings.", "10s")
    operation: Text = key("remove", "Of Management: add or remove.", "add")


class Case(Block):
    """One pair: what goes in and what must come out."""

    name: Text = needed("What it shows.", "a renewal at the flaky site")
    input: Input = needed("What the agent is given.", {"fleet": "shz", "type": "LOGS"})
    output: tuple[dict[str, Text], ...] = key((), "What it must send, in order.", [])


class Golden(Block):
    """A golden file."""

    scenario: Text = needed("A scenario by path beside this file, or by name.", "demo")
    seed: Whole | None = key(None, "Replaces the scenario's seed.", 42)
    profile: Name | None = key(None, "A profile of the scenario.", "ci")
    cases: tuple[Case, ...] = needed("The pairs.", [], min_length=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """A case whose output is not what it was."""

    case: str
    lines: tuple[str, ...]


def differences(path: Path) -> list[Difference]:
    """The cases of a golden file that come out otherwise. Raises ScenarioError, UsageError."""
    found = []
    for case, actual in _played(path, read_golden(path)):
        was, now = ([_text(one) for one in output] for output in (case.output, actual))
        if was != now:
            lines = difflib.unified_diff(was, now, "expected", "actual", lineterm="", n=2)
            found.append(Difference(case.name, tuple(lines)))
    return found


def update(path: Path) -> int:
    """Write what comes out today as what is expected, comments kept; how many cases changed."""
    outputs = [(case, actual) for case, actual in _played(path, read_golden(path))]
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    whole = yaml.load(path.read_text(encoding="utf-8"))
    for said, (_, actual) in zip(whole["cases"], outputs, strict=True):
        said["output"] = CommentedSeq(_one_line(exchange) for exchange in actual)
    out = StringIO()
    yaml.dump(whole, out)
    path.write_text(out.getvalue(), encoding="utf-8")
    return sum(list(case.output) != actual for case, actual in outputs)


def read_golden(path: Path) -> Golden:
    """The file's cases. Raises ScenarioError with everything that is wrong."""
    tree = read(path)
    try:
        return Golden.model_validate(plain(tree))
    except ValidationError as error:
        raise ScenarioError(problems(error, tree, root=Golden)) from None


# --- playing ----------------------------------------------------------------------------------


def _played(path: Path, golden: Golden) -> Iterator[tuple[Case, list[Exchange]]]:
    beside = path.parent / golden.scenario
    file = beside if beside.is_file() else scenario_file(golden.scenario)
    scenario = load(file, Overrides(golden.profile, seed=golden.seed))
    for number, case in enumerate(golden.cases):
        yield case, _play(scenario, case, f"{path}: cases[{number}]")


def _play(scenario: Scenario, case: Case, where: str) -> list[Exchange]:
    planned = _alone(scenario, plan(scenario, _START), case.input, where)
    store = SqliteStore.open(":memory:")
    try:
        whole = backend(store, planned.server, planned.seed)
        heard = _Heard(whole)
        Replay(planned, replace(whole, agents=heard.ask), lambda line: None, scenario.stop.drain).run()
    finally:
        store.close()
    return heard.exchanges


def _alone(scenario: Scenario, planned: Plan, given: Input, where: str) -> Plan:
    """The plan with one agent, one posting and nothing thrown at the server. Raises UsageError."""
    fleets = {need.name: need for need in planned.operator.fleets}
    if given.fleet not in fleets:
        raise UsageError(f'{where}.input.fleet: found "{given.fleet}", expected one of {", ".join(fleets)}')
    name = machine(scenario, given.fleet, given.agent)
    need = fleets[given.fleet]
    if name not in need.machines:
        raise UsageError(f"{where}.input.agent: found {given.agent}, expected less than {len(need.machines)}")
    if given.at.phase and given.at.phase not in {phase.name for phase in planned.phases}:
        raise UsageError(f'{where}.input.at: found "{given.at.phase}", which is no phase of the scenario')
    index = need.machines.index(name)
    begin = later(_START, offset(scenario, given.at))
    posting = Posting(
        name="golden",
        type=given.type,
        machines=(name,),
        start=begin,
        until=begin + (given.times - 1) * given.every + 1,
        every=given.every,
        operation=given.operation,
    )
    alone = replace(need, machines=(name,), stores=(need.stores[index],))
    stop = max(planned.stop if planned.stop != NEVER else _START + HOUR, posting.until + SECOND)
    return replace(
        planned,
        stop=stop,
        drain_until=stop + scenario.stop.drain,
        members=tuple(member for member in planned.members if member.identity.machine == name),
        operator=replace(planned.operator, fleets=(alone,), postings=(posting,)),
        storms=(),
        checks=Checks((), ()),
    )


class _Heard:
    """Stands between an agent and the server and writes down what concerns jobs."""

    def __init__(self, whole: Backend) -> None:
        self._whole = whole
        self._began: Instant | None = None
        self.exchanges: list[Exchange] = []

    def ask(self, request: AgentRequest, now: Instant) -> AgentReply:
        reply = self._whole.agents(request, now)
        if not isinstance(request.body, Register | Heartbeat):
            self._began = now if self._began is None else self._began
            self.exchanges.append(_exchange(request, reply, now - self._began))
        return reply


def _exchange(request: AgentRequest, reply: AgentReply, after: int) -> Exchange:
    said = {"after": duration_text(after // 1_000_000 * 1_000_000), "send": operation_of(request)}
    match request.body:
        case Complete(status=status, message=message, log=log, data=data):
            said["result"] = status.name.lower()
            if message:
                said["message"] = message.strip()[:_LONGEST_TEXT]
            if log is not None or data is not None:
                said["size"] = size_text(len(log or data or ""))
    return {**said, "answer": _answer(reply)}


def _answer(reply: AgentReply) -> str:
    if reply.status >= 300 or reply.body is None:
        return f"status {reply.status}"
    result = reply.body.result
    return result.code or "refused" if result.is_refusal else "ok"


# --- writing ----------------------------------------------------------------------------------


def _text(exchange: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in exchange.items())


def _one_line(exchange: Exchange) -> CommentedMap:
    line = CommentedMap(exchange)
    line.fa.set_flow_style()
    return line
