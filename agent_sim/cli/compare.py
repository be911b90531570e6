"""`agent-sim compare`: two runs beside each other, and whether the second is worse than the tolerance allows."""

import json
import stat
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent_sim.cli.showing import AsJson, say
from agent_sim.errors import UsageError
from agent_sim.results import plain
from agent_sim.results.compare import Row, Side, compare, read_side, unlike
from agent_sim.results.plain import JsonObject
from agent_sim.results.wording import counted, visible
from agent_sim.scenario.units import share, share_text

_LARGEST = 256 << 20


def compare_runs(
    a: Annotated[Path, typer.Argument(help="The run to hold against: its folder or its result.json.")],
    b: Annotated[Path, typer.Argument(help="The run that must not be worse.")],
    tolerance: Annotated[str, typer.Option(metavar="SHARE", help="How much worse a figure may be.")] = "10%",
    anyway: Annotated[bool, typer.Option("--anyway", help="Compare runs that are not alike, too.")] = False,
    json_: AsJson = False,
) -> None:
    """Show two runs side by side: 0 nothing is worse than the tolerance allows, 1 something is, 2 not comparable.

    Latencies, error rates, throughput, jobs, CPU and checks are compared. Runs of other scenarios, sizes or machines
    are refused. Percentiles that too few samples stand behind are shown as n/a and not compared. What A has and B lacks
    is worse, and so is a run that a threshold aborted.
    """
    allowed = _tolerance(tolerance)
    sides = read_run(a), read_run(b)
    differences = unlike(*sides)
    if differences and not anyway:
        raise UsageError(f"the runs are not alike (--anyway compares them): {'; '.join(map(visible, differences))}")
    for difference in differences:
        sys.stderr.write(f"remark: {visible(difference)}\n")
    rows = compare(*sides, allowed)
    if json_:
        _say(sides, rows, allowed, differences)
    else:
        _show(sides, rows, allowed)
    raise typer.Exit(_exit_code(rows))


def _exit_code(rows: tuple[Row, ...]) -> int:
    return 1 if any(row.regressed for row in rows) else 0


def _tolerance(text: str) -> float:
    try:
        return share(text)
    except ValueError as error:
        raise UsageError(f"--tolerance {error}") from error


def read_run(given: Path) -> Side:
    """A run to be compared: its folder, or its result.json. Raises UsageError."""
    path = given / "result.json" if given.is_dir() else given
    resolved = path.parent / "scenario.resolved.yaml"
    document = read_document(path)
    try:
        scenario = resolved.read_text("utf-8") if resolved.is_file() else None
    except (OSError, ValueError) as error:
        raise UsageError(f"{resolved}: cannot be read ({error})") from error
    return read_side(document, str(path), scenario)


def read_document(path: Path) -> JsonObject:
    """A result.json, which may be anything. Raises UsageError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path}: not a file, expected a run's folder or its result.json")
        if status.st_size > _LARGEST:
            raise UsageError(f"{path}: larger than {_LARGEST >> 20} MiB: is it a result of agent-sim?")
        return plain.mapping(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON ({error})") from error


def _say(sides: tuple[Side, Side], rows: tuple[Row, ...], tolerance: float, differences: tuple[str, ...]) -> None:
    say(
        "compare",
        _exit_code(rows),
        a=sides[0].name,
        b=sides[1].name,
        tolerance=tolerance,
        differences=list(differences),
        regressed=any(row.regressed for row in rows),
        rows=[asdict(row) for row in rows],
    )


def _show(sides: tuple[Side, Side], rows: tuple[Row, ...], tolerance: float) -> None:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("")
    for heading in ("A", "B", "change"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in rows:
        change = "" if row.change is None else f"{row.change * 100:+.1f} %"
        style = "bold red" if row.regressed else ""
        cells = (visible(row.name), row.a, row.b, change, "worse" if row.regressed else "")
        table.add_row(*(Text(cell, style=style) for cell in cells))
    console = Console() if sys.stdout.isatty() else Console(width=120)
    for letter, side in zip("AB", sides, strict=True):
        console.print(f"{letter}: {side.name}", highlight=False, soft_wrap=True, markup=False)
    console.print(table)
    worse = sum(row.regressed for row in rows)
    verdict = f"{counted(worse, 'regression')} beyond" if worse else "no regression beyond"
    console.print(f"{verdict} {share_text(tolerance)}", highlight=False)
