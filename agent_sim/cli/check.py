"""`agent-sim check`: whether a scenario file is right, and what it comes to."""

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent_sim.cli.library import SCENARIO, scenario_file
from agent_sim.cli.showing import AsJson, problems, say
from agent_sim.errors import Problem, ScenarioError, UsageError
from agent_sim.instants import NEVER
from agent_sim.scenario.load import Overrides, dump, load, overrides, profiles
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.sense import remarks
from agent_sim.scenario.units import duration_text


def check(
    file: Annotated[str | None, SCENARIO] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print the scenario with every default filled in.")
    ] = False,
    profile: Annotated[str | None, typer.Option(help="Check it with this profile; else every profile.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    golden: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead: jobs given to agents, and what they must send.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="With --golden: write what agents send today.")] = False,
    json_: AsJson = False,
) -> None:
    """Check a scenario: say that it is ok, or tell everything that is wrong with it and exit with 2.

    With --golden FILE behaviours are checked: exit code 1 if an agent sends anything else than the file expects.
    """
    if json_:
        raise typer.Exit(_say(file, overrides(profile, param or (), set_ or ()), alone=golden is None and not update))
    try:
        if golden is not None or file is None or update:
            _golden(golden, file, update=update)
            return
        path = scenario_file(file)
        given = overrides(profile, param or (), set_ or ())
        scenario = load(path, given, seed=secrets.randbelow(2**31))
        _check_profiles(path, given)
    except ScenarioError as error:
        _tell(error.problems)
        raise typer.Exit(2) from None
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    if resolved:
        sys.stdout.write(dump(scenario))
        return
    sys.stdout.write(f"{path}: ok\n{summary(scenario)}\n")
    for remark in remarks(scenario):
        sys.stderr.write(f"note: {remark}\n")


def _say(file: str | None, given: Overrides, *, alone: bool) -> int:
    """The same for a program: the exit code."""
    if file is None or not alone:
        raise UsageError("--json is for a scenario file alone")
    try:
        path = scenario_file(file)
        scenario = load(path, given, seed=secrets.randbelow(2**31))
        _check_profiles(path, given)
    except ScenarioError as error:
        say("check", 2, list(map(str, error.problems)), file=file, problems=problems(error))
        return 2
    say("check", 0, file=str(path), summary=summary(scenario), remarks=[*remarks(scenario)], problems=[])
    return 0


def _golden(path: Path | None, file: str | None, *, update: bool) -> None:
    """Check or write a golden file. Raises UsageError, ScenarioError, typer.Exit."""
    if path is None or file is not None:
        raise UsageError("expected a scenario file, or --golden FILE alone (and with it perhaps --update)")
    from agent_sim.cli import golden as golden_files  # it draws in the whole replay, and few checks want it

    cases = len(golden_files.read_golden(path).cases)
    if update:
        changed = golden_files.update(path)
        sys.stdout.write(f"{path}: {_counted(cases, 'case')} written, {changed} changed\n")
        return
    found = golden_files.differences(path)
    for difference in found:
        lines = "".join(f"  {line}\n" for line in difference.lines)
        sys.stderr.write(f"{path}: {difference.case}: comes out otherwise\n{lines}")
    if found:
        sys.stderr.write(f"{path}: {len(found)} of {_counted(cases, 'case')} differ; if that is meant: --update\n")
        raise typer.Exit(1)
    sys.stdout.write(f"{path}: ok, {_counted(cases, 'case')}\n")


def summary(scenario: Scenario) -> str:
    """What the scenario comes to, in a line."""
    agents = sum(fleet.count for fleet in scenario.fleets)
    parts = [
        f"{_counted(agents, 'agent')} in {_counted(len(scenario.fleets), 'fleet')}",
        _counted(len(scenario.schedules), "schedule"),
        _counted(len(scenario.storms), "storm"),
        _counted(len(scenario.phases), "phase"),
    ]
    lasts = "never ends" if scenario.length == NEVER else f"lasts {duration_text(scenario.length)}"
    drain = f"and up to {duration_text(scenario.stop.drain)} more to drain"
    return f"{', '.join(parts)}; {lasts} {drain if scenario.length != NEVER else ''}".rstrip()


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _check_profiles(path: Path, given: Overrides) -> None:
    """A profile that is wrong is wrong whether or not it is asked for. Raises ScenarioError."""
    if given.profile is not None:
        return
    problems: list[Problem] = []
    for name in profiles(path):
        try:
            load(path, Overrides(name, given.params, given.settings, given.seed))
        except ScenarioError as error:
            problems.extend(error.problems)
    if problems:
        raise ScenarioError(list(dict.fromkeys(problems)))


def _tell(problems: list[Problem]) -> None:
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))


if __name__ == "__main__":
    typer.run(check)
