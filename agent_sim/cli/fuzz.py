"""`agent-sim fuzz`: the same scenario in hundreds of variations, and the smallest one that breaks a law of jobs.

Each variation is a replay. What fails is saved as a scenario of its own, and the first failure of each kind is made as
small as it still fails.
"""

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from agent_sim.cli.library import scenario_file
from agent_sim.cli.play import Played, play
from agent_sim.cli.replay import DEFAULT_SEED
from agent_sim.errors import UsageError
from agent_sim.instants import MINUTE, NEVER, SECOND, Span
from agent_sim.results.wording import counted, visible
from agent_sim.scenario.checks import Invariants
from agent_sim.scenario.load import as_tree, load, overrides, written
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.sense import findings
from agent_sim.scenario.shrink import Tree, shrink
from agent_sim.scenario.units import duration, duration_text
from agent_sim.scenario.vary import varied

_PATIENCE: Final = 2 * MINUTE
"""The longest job timeout: a run whose agent died ends only by it."""
_RETRIES: Final = 3
_BEATS: Final = 4
"""An agent that has work ends some of it in so many heartbeats and a job's timeout."""
_TAIL: Final = 3
"""Longer than so many times the longest figure of a distribution, work hardly ever is."""
_TELL_EVERY: Final = 2.0

Player = Callable[[Scenario], Played]


@dataclass(frozen=True, slots=True)
class Failure:
    """One variation that failed. `small` is the least that still fails so, if it was looked for."""

    number: int
    broken: tuple[str, ...]
    tree: Tree
    small: Tree | None = None


def fuzz(
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the name of one that comes with agent-sim.")],
    runs: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many variations to try.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="What the variations depend on.")] = 0,
    out: Annotated[Path, typer.Option(help="Where failing scenarios go.")] = Path("fuzz"),
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of the scenario.")] = None,
) -> None:
    """Vary seed, timing, storms and faults in virtual time: 0 every law of jobs held, 1 one was broken, 2 usage.

    Each failing case is saved as a scenario that `agent-sim replay` fails on, and the first of each kind is shrunk to
    the fewest faults, storms, agents and jobs that still fail.
    """
    base = load(scenario_file(scenario), overrides(profile, param or (), set_ or ()), seed=DEFAULT_SEED)
    if base.length == NEVER:
        raise UsageError(f"{base.name} never ends (stop.after: never): give it an end with --set stop.after=5m")
    folder = _folder(out / base.name)
    kinds: Counter[tuple[str, ...]] = Counter()
    for failure in search(base, runs, seed, told=_Progress(runs)):
        kinds[failure.broken] += 1
        _save(failure, folder)
    typer.echo(_said(runs, kinds, folder))
    raise typer.Exit(1 if kinds else 0)


def search(
    base: Scenario, runs: int, seed: int, player: Player = play, told: Callable[[int], None] = lambda _: None
) -> Iterator[Failure]:
    """The variations that fail, in order; the first of each kind is shrunk."""
    tree = _to_search(base)
    shrunk: set[tuple[str, ...]] = set()
    for number in range(runs):
        told(number)
        candidate = _with_time_to_drain(varied(tree, seed, number))
        broken = examine(candidate, player)
        if not broken:
            continue
        failure = Failure(number, broken, candidate)
        if broken not in shrunk:
            shrunk.add(broken)
            wanted = broken[0]
            small = shrink(candidate, lambda other: wanted in examine(other, player)).tree  # noqa: B023  # used at once
            failure = Failure(number, broken, candidate, small)
        yield failure


def _to_search(base: Scenario) -> Tree:
    """The scenario with every law of jobs, no thresholds, and patience that ends."""
    tree: Tree = dict(as_tree(base))
    tree["checks"] = {"invariants": dict.fromkeys(Invariants.model_fields, True)}
    timeout = min(base.server.job_timeout, _PATIENCE)
    tree["server"] = {**tree["server"], "job_timeout": duration_text(timeout)}
    tree.setdefault("storms", [])
    return tree


def _with_time_to_drain(tree: Tree) -> Tree:
    """The same with a drain in which a job can fail as often as it may, each time as slowly as it may."""
    attempts = max(tree["server"].get("retries", 0), _RETRIES) + 1
    drain = max(attempts * _attempt(tree), duration(tree["stop"]["drain"]))
    return {**tree, "stop": {**tree["stop"], "drain": duration_text(drain)}}


def _attempt(tree: Tree) -> Span:
    """How long one attempt at a job takes at most: an agent works on even if the server has given it up."""
    slowest = max(duration(fleet["heartbeat"]["every"]) for fleet in tree["fleets"])
    work = (_longest(job.get("duration")) for each in tree["behaviours"] for job in each["jobs"])
    return duration(tree["server"]["job_timeout"]) + max(work, default=0) + _BEATS * slowest


def _longest(spread: object) -> Span:
    """The longest that a duration is, or nearly, whatever the distribution."""
    match spread:
        case str():
            try:
                return duration(spread)
            except ValueError:  # a distribution's name, a share
                return 0
        case dict():
            return _TAIL * max(map(_longest, (*spread.keys(), *spread.values())), default=0)
        case list():
            return max(map(_longest, spread), default=0)
    return 0


def examine(tree: Tree, player: Player = play) -> tuple[str, ...]:
    """What a replay of this breaks, by name; () if nothing, or if it is no scenario."""
    try:
        scenario = Scenario.model_validate(tree)
        if next(iter(findings(scenario)), None) is not None:
            return ()
    except (ValidationError, KeyError):
        return ()  # a candidate that lacks what another part of it names
    try:
        played = player(scenario)
    except Exception as error:  # noqa: BLE001  # a bug of any kind is what is looked for
        return (f"crash {type(error).__name__}",)
    broken = [
        verdict.name
        for verdict in played.verdicts
        if verdict.answer == "broken" and not verdict.warn_only and verdict.kind in ("invariant", "storm")
    ]
    return tuple(name for name in broken if name != "no_lost_jobs" or not _is_busy(scenario, played))


def _is_busy(scenario: Scenario, played: Played) -> bool:
    """True if jobs still ended when the drain did: more work than time, and who waits is not lost."""
    ended = played.summary.ended
    if ended is None or ended.drained:
        return False
    idle = _attempt(dict(as_tree(scenario))) / SECOND
    last = max((line.t for lines in played.summary.facts.completions.values() for line in lines), default=0.0)
    return last > ended.t - idle


# --- what is left -----------------------------------------------------------------------------


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: the folder cannot be made ({error.strerror})") from error
    return path


def _save(failure: Failure, folder: Path) -> None:
    path = folder / f"{failure.number:05d}.yaml"
    _write(path, failure.tree, failure)
    sys.stderr.write(f"run {failure.number}: broken {', '.join(failure.broken)}: {path}\n")
    if failure.small is not None:
        small = folder / f"{failure.number:05d}.small.yaml"
        _write(small, failure.small, failure)
        sys.stderr.write(f"  shrunk to {size(failure.small)}: {small}\n")


def size(tree: Tree) -> str:
    """How large a scenario is, in a few words."""
    agents = sum(fleet["count"] for fleet in tree["fleets"])
    parts = [counted(agents, "agent")]
    for name, noun in (("schedules", "schedule"), ("storms", "storm"), ("faults", "fault")):
        if tree.get(name):
            parts.append(counted(len(tree[name]), noun))
    return ", ".join(parts)


def _write(path: Path, tree: Tree, failure: Failure) -> None:
    head = [
        f"Found by agent-sim fuzz: variation {failure.number} breaks {', '.join(map(visible, failure.broken))}.",
        f"See it fail: {shlex.join(['agent-sim', 'replay', str(path)])}",
    ]
    text = "".join(f"# {line}\n" for line in head) + written(_short(tree))
    path.write_text(text, encoding="utf-8")


_SAID_ALWAYS: Final = ("version", "name", "seed")


def _short(tree: Tree) -> Tree:
    """The same scenario without what is the default anyway: each key goes that nothing changes without."""
    scenario = Scenario.model_validate(tree)
    short: Tree = deepcopy(dict(as_tree(scenario)))
    for key in short.keys() - {*_SAID_ALWAYS}:
        _shorten(short, key, lambda: _is_same(short, scenario))
    return {**{key: short[key] for key in _SAID_ALWAYS}, **short}


def _shorten(owner: Tree, key: str, is_same: Callable[[], bool]) -> None:
    """Leave out the key, or if that says something else, what can go of what is under it."""
    place = {name: owner[name] for name in owner}
    del owner[key]
    if is_same():
        return
    owner.clear()
    owner.update(place)  # keys stay in their order
    under = owner[key]
    for item in under if isinstance(under, list) else [under]:
        for name in list(item) if isinstance(item, dict) else ():
            _shorten(item, name, is_same)


def _is_same(tree: Tree, scenario: Scenario) -> bool:
    try:
        return Scenario.model_validate(tree) == scenario
    except (ValidationError, KeyError):
        return False


class _Progress:
    """Tells how far the search has come, every few seconds."""

    def __init__(self, runs: int) -> None:
        self._runs, self._said = runs, time.monotonic()

    def __call__(self, number: int) -> None:
        if time.monotonic() - self._said >= _TELL_EVERY:
            self._said = time.monotonic()
            sys.stderr.write(f"{number:,} of {self._runs:,} runs\n")


def _said(runs: int, kinds: Counter[tuple[str, ...]], folder: Path) -> str:
    if not kinds:
        return f"{counted(runs, 'run')}, and every law of jobs held"
    lines = [f"{counted(runs, 'run')}, {counted(sum(kinds.values()), 'failure')}; scenarios are in {folder}"]
    lines += [f"  {count:,} broke {', '.join(kind)}" for kind, count in kinds.most_common()]
    return "\n".join(lines)
