"""`agent-sim record`: a scenario from what happened, on somebody's server or in a run of our own.

From a server's job history it fits one that behaves alike; from a run's journal it writes the one that happens again.
It reads, and never writes to a target.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Final, TypeVar, cast

import typer
from ruamel.yaml import YAML

from agent_sim.cli.folder import given_journal
from agent_sim.cli.play import play
from agent_sim.cli.preflight import check_target
from agent_sim.credentials import OPERATOR_NAMES, need
from agent_sim.errors import TargetError, TransportError, UsageError
from agent_sim.instants import MILLISECOND, SECOND, Instant, Span, from_iso, to_iso
from agent_sim.operator.history import history, orchestrators
from agent_sim.protocol import command
from agent_sim.results import journal_text
from agent_sim.results.summary import Summary, summarise
from agent_sim.scenario.fields import NAME_PATTERN, POSTABLE_WORDS
from agent_sim.scenario.fit import Tree, fit, span_of, targets
from agent_sim.scenario.load import as_tree, load, written
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.nearest import nearest_seed
from agent_sim.scenario.observed import Observed, observe
from agent_sim.scenario.speed import at_speed
from agent_sim.scenario.units import duration, duration_text
from agent_sim.transports.aiohttp_pool import HttpSession
from agent_sim.transports.base import CommandTransport, Connections, Target
from agent_sim.transports.http import HttpCommand

_WIDTH: Final = 120
_MOST_AGENTS: Final = 200_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """A server whose history is read."""

    target: Target
    credentials: Path | None
    since: Span
    most: int


def record(
    target: Annotated[str | None, typer.Option(help="Address of the server whose job history is read.")] = None,
    journal_: Annotated[
        Path | None, typer.Option("--journal", metavar="RUN", help="Folder of a run of agent-sim, or its journal.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="SPAN", help="How far back the history is read.")] = "7d",
    api_url: Annotated[str | None, typer.Option(help="Base of the management API, if not TARGET/KeyfactorAPI.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of certificates that TLS trusts as well.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="File (mode 0600) with AGENT_SIM_USERNAME=... and so on; else the environment.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=2_000_000, help="Most runs that are read.")] = 200_000,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep names of custom job types and what agents said.")
    ] = False,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="With --journal: so many times as fast.")] = 1.0,
    name: Annotated[str, typer.Option(help="The scenario's name.")] = "recorded",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the scenario goes; else standard output.")
    ] = None,
) -> None:
    """Write a scenario from what happened: 0 written, 2 usage, 4 target.

    With --target, from the job history of any Command-compatible server, read only: fleets, job types, schedules,
    shares of outcomes, durations by median and 95th percentile. Names are replaced unless --keep-names is given.
    With --journal, the exact scenario of a run, which is replayed once to see that it comes to the same.
    """
    if (target is None) == (journal_ is None):
        raise UsageError(f"record needs --target or --journal, {'one of them' if target is None else 'and not both'}")
    if target is not None and speed != 1:
        raise UsageError("--speed needs --journal: a fit has no exact times to scale")
    if re.match(NAME_PATTERN, name) is None:
        raise UsageError(f"--name {name!r} must be a letter, then letters, digits, - and _, at most 40 in all")
    if journal_ is not None:
        text = _again(journal_, speed)
    else:
        assert target is not None
        source = Source(Target.at(target, None, api_url, ca), credentials, _since(since), limit)
        text = asyncio.run(_fitted(source, name, keep_names=keep_names))
    _write(text, output)


def _since(text: str) -> Span:
    try:
        found = duration(text)
    except ValueError as error:
        raise UsageError(f"--since {error}") from error
    if not found:
        raise UsageError("--since 0s: expected more than that")
    return found


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written ({error.strerror})") from error


def _remark(text: str) -> None:
    sys.stderr.write(f"remark: {text}\n")


def _yaml(tree: Tree, remarks: list[str]) -> str:
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.default_flow_style = None  # what has only plain members goes on one line
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(tree, out)
    return "".join(f"# {line}\n" for line in remarks) + out.getvalue()


def _loaded(text: str) -> Scenario:
    with tempfile.TemporaryDirectory(prefix="agent-sim-record-") as made:
        file = Path(made) / "recorded.yaml"
        file.write_text(text, encoding="utf-8")
        return load(file)


# --- from a server ----------------------------------------------------------------------------


async def _fitted(source: Source, name: str, *, keep_names: bool) -> str:
    now = time.time_ns()
    login = need(OPERATOR_NAMES, os.environ, source.credentials)
    async with HttpSession(source.target, login, Connections()) as session:
        api = HttpCommand(session, source.target)
        await check_target(api, source.target)
        found = await _drive(history(now - source.since, source.most), api)
        agents = await _agents(api)
    if found.is_cut:
        _remark(f"there are more than {source.most:,} runs; the oldest of them were read (--limit reads more)")
    observed = observe(found.runs, agents, POSTABLE_WORDS, keep_names=keep_names)
    for remark in observed.remarks:
        _remark(remark)
    if not observed.runs:
        raise UsageError(f"no run that a scenario can say ended in the last {duration_text(source.since)}")
    return fitted_text(observed, name, keep_names=keep_names)


def fitted_text(observed: Observed, name: str, *, keep_names: bool) -> str:
    """The scenario that behaves as was observed, as a file."""
    tree = fit(observed, name, keep_names=keep_names)
    wanted = targets(observed.runs)
    seed = nearest_seed(_loaded(_yaml(tree, [])), wanted)
    tree = {"version": tree.pop("version"), "name": tree.pop("name"), "seed": seed, **tree}
    counted = ", ".join(f"{target.runs:,} {word}" for word, target in wanted.items())
    covered = duration_text(span_of(observed.runs))
    return _yaml(tree, [f"Fitted to {counted} in {covered} on {len(observed.machines):,} machines.", *observed.remarks])


async def _agents(api: CommandTransport) -> tuple[command.AgentRecord, ...]:
    try:
        return await _drive(orchestrators(_MOST_AGENTS), api)
    except TargetError as error:
        _remark(f"{error}: the fleets are those that the job history shows")
        return ()


async def _drive(reading: Generator[command.Operation, command.CommandReply, T], api: CommandTransport) -> T:
    """Drive a reading of `operator.history` over a transport."""
    operation = next(reading)
    while True:
        try:
            reply = await api.call(operation)
        except TransportError as error:
            raise TargetError(f"the target was lost while it was read: {error}") from error
        try:
            operation = reading.send(reply)
        except StopIteration as end:
            return cast(T, end.value)


# --- from a journal ---------------------------------------------------------------------------


def _again(given: Path, speed: float) -> str:
    """The scenario that happens again, at any speed, and whether a replay of it came to the same."""
    folder = given if given.is_dir() else given.parent
    resolved = folder / "scenario.resolved.yaml"
    with given_journal(folder / "journal.jsonl" if given.is_dir() else given) as lines:
        if not resolved.is_file():
            raise UsageError(f"{resolved}: not there; a run's folder has the scenario beside its journal")
        summary = summarise(journal_text.read(lines, remark=_remark))
    scenario = load(resolved)
    run = summary.run
    if summary.ended is None:
        raise UsageError(
            f"{folder}: its journal is torn, it lacks the end of the run; only a run that ended can be redone"
        )
    if run is None or (run.scenario, run.seed) != (scenario.name, scenario.seed):
        raise UsageError(f"{folder}: its journal and its scenario are not of the same run")
    start = from_iso(run.started_at)
    scenario = _ended(scenario, summary)
    text = written(at_speed(cast("dict[str, Tree]", as_tree(scenario)), speed))
    return "".join(f"# {line}\n" for line in _findings(text, start, speed, summary)) + text


def _ended(scenario: Scenario, summary: Summary) -> Scenario:
    """A run that was ended from outside ended when it did."""
    ended = summary.ended
    if ended is None or ended.reason == "finished":
        return scenario
    lasted = max(round(ended.t * SECOND / MILLISECOND) * MILLISECOND, MILLISECOND)
    after = min(scenario.length, lasted)
    return scenario.model_copy(update={"stop": scenario.stop.model_copy(update={"after": after})})


def _findings(text: str, start: Instant, speed: float, summary: Summary) -> list[str]:
    replayed = play(_loaded(text), start).summary.outcome_digest
    is_same = replayed == summary.outcome_digest
    if not is_same:
        _remark("a replay comes to other outcomes than the run did: there, timing decided some of them")
    fast = "" if speed == 1 else f", {speed:g} times as fast"
    return [
        f"What ran from {to_iso(start)} on{fast}. Run it again: agent-sim replay FILE --start {to_iso(start)}",
        f"outcome digest of the run: {summary.outcome_digest}",
        "a replay of this file comes to the same" if is_same else f"a replay of this file: {replayed}",
    ]
