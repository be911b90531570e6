"""`agent-sim report`: the report of a run made again from its journal, or one page about several runs."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent_sim.cli.compare import read_document, read_run
from agent_sim.cli.folder import given_journal
from agent_sim.cli.report import render, say_as, show
from agent_sim.cli.showing import AsJson, IfInconclusive, Inconclusive, say
from agent_sim.errors import UsageError
from agent_sim.results.plain import Json, JsonObject
from agent_sim.results.render.several import markdown_several, render_several, sentence, told
from agent_sim.results.several import Several, several
from agent_sim.results.verdict import IfOpen, exit_code
from agent_sim.results.wording import visible
from agent_sim.scenario.load import Overrides, load

TOLERANCE: Final = 0.1
"""How much worse than the first run's a figure may be before the page says so: as `agent-sim compare` has it."""

_NEEDED: Final = ("journal.jsonl", "scenario.resolved.yaml")


def report_runs(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that runs left.")],
    output: Annotated[
        Path, typer.Option(help="Where the page about several runs goes; the same as Markdown beside it.")
    ] = Path("comparison.html"),
    inconclusive: Inconclusive = None,
    json_: AsJson = False,
) -> None:
    """Make the report of one run again from its journal, or put several runs side by side.

    One RUN: report.html, summary.md, result.json and junit.xml are written anew in its folder, as this version makes
    them, and the exit code is the run's verdict. Several: a page with a column for each; the runs stay as they are.
    """
    if len(runs) == 1:
        raise typer.Exit(_again(runs[0], inconclusive, as_json=json_))
    if output.suffix == ".md":
        raise UsageError(f"--output {output}: names the page, which is HTML; the Markdown is written beside it")
    found = several([replace(read_run(run), name=_name(run)) for run in runs], TOLERANCE)
    _write(output, render_several(found))
    _write(output.with_suffix(".md"), markdown_several(found))
    if json_:
        pairs = zip(found.names, found.verdicts, strict=True)
        files = {"page": str(output), "markdown": str(output.with_suffix(".md"))}
        verdicts: list[Json] = [{"name": name, "verdict": verdict} for name, verdict in pairs]
        say("report", 0, runs=verdicts, worse=found.worse, differences=list(found.differences), files=files)
        return
    _show(found)
    sys.stdout.write(f"report: {output}\n")


def _again(run: Path, inconclusive: IfInconclusive | None, *, as_json: bool) -> int:
    for name in _NEEDED:
        if not (run / name).exists():
            raise UsageError(f"{run}: no folder of a run: it lacks {name}")
    document = _before(run)
    told = document.get("environment")
    where = {name: str(value) for name, value in told.items()} if isinstance(told, dict) else {}
    said = document.get("settled_as")
    settled: IfOpen = inconclusive.value if inconclusive is not None else "pass" if said == "pass" else None
    settled = "fail" if inconclusive is None and said == "fail" else settled
    scenario, command = load(run / "scenario.resolved.yaml", Overrides()), str(document.get("command") or "")
    with given_journal(run / "journal.jsonl") as lines:
        found = render(run, lines, scenario, command, where, settled)
    (say_as("report") if as_json else show)(found)
    return exit_code(found.verdicts, settled)


def _name(run: Path) -> str:
    return run.resolve().name if run.is_dir() else str(run)


def _before(run: Path) -> JsonObject:
    """What the run itself wrote about where it ran; nothing if it was killed before that."""
    try:
        return read_document(run / "result.json")
    except UsageError as error:
        sys.stderr.write(f"remark: {error}; what the run ran on is not known\n")
        return {}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from error


def _show(found: Several) -> None:
    shown = Table(box=None, pad_edge=False, show_edge=False)
    shown.add_column("")
    for name in found.names:
        shown.add_column(Text(visible(name)), justify="right", overflow="fold")
    shown.add_row("verdict", *(Text(visible(verdict)) for verdict in found.verdicts))
    for line in found.lines:
        cells = (Text(visible(told(cell)), style="bold red" if cell.is_worse else "") for cell in line.cells)
        shown.add_row(Text(visible(line.name)), *cells)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(shown)
    console.print(Text(visible(sentence(found))))
    for difference in found.differences:
        sys.stderr.write(f"remark: {visible(difference)}\n")
