"""`agent-sim compare-storms`: the same storm on two targets in turn, and whether the second is worse than the first."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Table

from agent_sim.cli.folder import RunFolder
from agent_sim.cli.showing import AsJson, say
from agent_sim.cli.storm_pairs import NothingMeasured, Side, kept_runs, made_in_turn
from agent_sim.errors import UsageError
from agent_sim.results.paired import LEAST_PAIRS, Disturbed
from agent_sim.results.plain import Json
from agent_sim.results.storm_pairs import FIGURES, Judgement, StormRun, broken_rules, judge
from agent_sim.storms import guard

_OURS: Final = (
    *("--host", "-H", "--api-url", "--result", "--report", "--plan", "--credentials", "--i-own-this-target"),
    *("--foreign", "--web-port", "--autostart", "--master", "--worker", "--find-knee", "-f", "--locustfile"),
)
"""Options of a storm that this verb gives or that leave nothing to compare."""

_MOST_PAIRS: Final = 1000


def compare_storms(
    a: Annotated[str, typer.Argument(help="The target to hold against: its URL; or a folder with runs of a storm.")],
    b: Annotated[str, typer.Argument(help="The target that must not be worse, or its folder.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS...]", help="The storm, as loadtests/storm.py takes it.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=LEAST_PAIRS, max=_MOST_PAIRS, help="Runs on each target.")] = 8,
    seed: Annotated[int, typer.Option(help="Of who is first in each pair.")] = 1,
    figure: Annotated[
        Literal["rate", "p50", "p95", "p99"] | None,
        typer.Option(help="What decides; unless given, the rate of a closed loop and the median of an open storm."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where all runs are kept, in a folder of their own.")] = Path("runs"),
    own: Annotated[
        list[str] | None,
        typer.Option("--i-own-this-target", metavar="HOST", help="Needed for a target that is not this machine."),
    ] = None,
    a_credentials: Annotated[
        Path | None, typer.Option(help="File with A's operator, instead of the environment.")
    ] = None,
    b_credentials: Annotated[
        Path | None, typer.Option(help="File with B's operator, instead of the environment.")
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Judge on a busy machine, or on unlike ones, too.")] = False,
    json_: AsJson = False,
) -> None:
    """Storm two targets in turn: 0 B is no worse, 1 it is or a rule is broken, 3 it cannot be told.

    Runs are made in pairs, A B or B A by chance, each after a calibration against a null server. B's figures are given
    as times A's, with an interval of 95 %. Sessions in which others used the machine are not judged. Ids are used up:
    have enough for all runs. With two folders, such as one for each target that this verb leaves, kept runs are
    compared, and refused (2) if machines, versions or storms are unlike.

    agent-sim compare-storms http://127.0.0.1:8600 http://127.0.0.1:8700 -- --storm reschedule --rate 20/s -t 10s
    """
    given = tuple(options or ())
    if _is_url(a) != _is_url(b):
        raise UsageError(f"{a} and {b}: give two URLs, or two folders with runs")
    if not _is_url(a):
        if given:
            raise UsageError("kept runs are compared as they are: leave out what follows --")
        raise typer.Exit(_tell(kept_runs(Path(a)), kept_runs(Path(b)), figure, anyway=anyway, as_json=json_))
    sides = {
        letter: _side(letter, url, tuple(own or ()), file)
        for letter, url, file in (("a", a, a_credentials), ("b", b, b_credentials))
    }
    _require_a_storm(given)
    folder = RunFolder(runs, "compare-storms").path
    sys.stderr.write(f"remark: all runs are kept in {folder}\n")
    made: dict[str, list[StormRun]] = {"a": [], "b": []}
    try:
        for run in made_in_turn(sides, given, pairs, seed, folder, lambda line: print(line, file=sys.stderr)):
            made[Path(run.name).parent.name].append(run)
            if broken_rules(run.storm):
                break  # one is enough, and neither ids nor the target are to be wasted
    except NothingMeasured as end:
        raise typer.Exit(_cannot_tell(str(end), as_json=json_)) from None
    raise typer.Exit(_tell(made["a"], made["b"], figure, anyway=anyway, as_json=json_, folder=folder))


def _is_url(given: str) -> bool:
    return "://" in given


def _side(letter: str, url: str, owned: Sequence[str], credentials: Path | None) -> Side:
    """A target that may be stormed. Raises UsageError."""
    host = guard.host_of(url)
    named = next((name for name in owned if name.casefold() == host.casefold()), owned[0] if owned else None)
    if refusal := guard.refuse(host, named, guard.Intent(storms=True)):
        raise UsageError(refusal)
    return Side(letter, url, named if guard.is_foreign(host) else None, credentials)


def _require_a_storm(options: Sequence[str]) -> None:
    if not options:
        raise UsageError("which storm? add it after --, such as -- --storm reschedule --rate 20/s -t 10s")
    for option in options:
        # Locust takes any unambiguous beginning of a long option.
        word = option.split("=", 1)[0]
        if any(word == ours or (len(word) > 3 and ours.startswith(word)) for ours in _OURS) or word[:2] in ("-H", "-f"):
            raise UsageError(f"{word} after --: targets, files and credentials are told before it, or not at all")


def _tell(
    a: Sequence[StormRun],
    b: Sequence[StormRun],
    figure: str | None,
    *,
    anyway: bool,
    as_json: bool,
    folder: Path | None = None,
) -> int:
    broken = [run for run in (*a, *b) if broken_rules(run.storm)]
    if broken and (len(a) != len(b) or len(a) < LEAST_PAIRS):
        return _broken(broken[0], as_json=as_json)
    try:
        judged = judge(a, b, figure, anyway=anyway)
    except Disturbed as disturbed:
        return _cannot_tell(f"{disturbed} (--anyway judges nevertheless)", as_json=as_json)
    for remark in judged.remarks:
        sys.stderr.write(f"remark: {remark}\n")
    values = _values(a, b)
    if folder is not None:
        (folder / "pairs.json").write_text(json.dumps({**_members(judged), "pairs": values}, indent=1) + "\n", "utf-8")
    if as_json:
        say("compare-storms", judged.exit_code, (), **_members(judged), pairs=values)
    else:
        _show(judged)
    return judged.exit_code


def _cannot_tell(why: str, *, as_json: bool) -> int:
    return _said(3, f"cannot tell: {why.removeprefix('cannot tell: ')}", as_json=as_json)


def _broken(run: StormRun, *, as_json: bool) -> int:
    return _said(1, f"broken: {run.name}: {', '.join(broken_rules(run.storm))}", as_json=as_json)


def _said(code: int, verdict: str, *, as_json: bool) -> int:
    if as_json:
        say("compare-storms", code, verdict=verdict)
    else:
        print(verdict)
    return code


def _members(judged: Judgement) -> dict[str, Json]:
    return {
        "verdict": judged.words,
        "answer": judged.answer,
        "decided_by": judged.deciding,
        "figures": {name: asdict(row) for name, row in judged.figures.items()},
        "failed_or_dropped": list(judged.errors),
        "broken": list(judged.broken),
    }


def _values(a: Sequence[StormRun], b: Sequence[StormRun]) -> list[Json]:
    """Each pair's raw values, in microseconds."""
    return [{"a": _raw(one), "b": _raw(other)} for one, other in zip(a, b, strict=True)]


def _raw(run: StormRun) -> dict[str, Json]:
    values: dict[str, Json] = {name: row.of(run.storm) for name, row in FIGURES.items()}
    beside: dict[str, Json] = {"null_server_us": run.calibration, "foreign_cores": run.foreign}
    return {"run": run.name, "started_at": run.storm.started_at, **values, **beside}


def _show(judged: Judgement) -> None:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("", "B ÷ A", "95 % of it", "A ÷ null", "B ÷ null", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, row in judged.figures.items():
        sides = ("n/a" if each is None else f"{each:,.1f}" for each in (row.a_calibrated, row.b_calibrated))
        mark = " (decides)" if name == judged.deciding else ""
        interval = f"{row.low:.3f} to {row.high:.3f}"
        table.add_row(FIGURES[name].means + mark, f"{row.ratio:.3f}", interval, *sides, row.answer)
    (Console() if sys.stdout.isatty() else Console(width=120)).print(table, highlight=False)
    print(judged.words)
