"""What every run ends with: its journal judged, its files written, its table printed, its CI told.

The verb `agent-sim report` does the first three again, long after (`cli.reports`).
"""

import math
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from agent_sim.cli.folder import RunFolder
from agent_sim.cli.showing import IfInconclusive, say
from agent_sim.instants import NEVER
from agent_sim.results import journal_text
from agent_sim.results.by_step import judge_steps
from agent_sim.results.invariants.reconciliation import judge_rules
from agent_sim.results.judge import judge
from agent_sim.results.render.github import annotations
from agent_sim.results.render.html import because, figures, render_html
from agent_sim.results.render.json import render_json
from agent_sim.results.render.junit import render_junit
from agent_sim.results.render.markdown import render_markdown
from agent_sim.results.render.text import render_text
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.verdict import IfOpen, Verdict, exit_code, is_good, overall
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan

_PLAIN_WIDTH: Final = 120
"""Columns of the table where standard output is no terminal."""


def report(
    folder: RunFolder,
    scenario: Scenario,
    command: str,
    used: Mapping[str, str],
    inconclusive: IfInconclusive | None = None,
    *,
    tell: "Callable[[Rendered], None] | None" = None,
) -> tuple[Summary, int]:
    """Write the results beside the journal and print the table; the summary and exit code.

    `command` is how to run it again, `used` what the run itself took. Whoever reads no table has its own `tell`.
    """
    settled: IfOpen = None if inconclusive is None else inconclusive.value
    with (folder.path / "journal.jsonl").open(encoding="utf-8") as lines:
        found = render(folder.path, lines, scenario, command, {**environment(), **used}, settled)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        told = annotations(found.verdicts, replay=found.replay, inconclusive=settled)
        _tell_github(found.markdown, told, sys.stdout if tell is None else sys.stderr)
    (tell or show)(found)
    return found.summary, exit_code(found.verdicts, settled)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a run came to, its files written in `path`."""

    path: Path
    summary: Summary
    verdicts: tuple[Verdict, ...]
    replay: str
    markdown: str
    settled: IfOpen


def render(
    path: Path, lines: Iterable[str], scenario: Scenario, command: str, where: Mapping[str, str], settled: IfOpen
) -> Rendered:
    """Judge the journal of the run in a folder and write its results there. `where` is what it ran on and took."""
    summary = summarise(journal_text.read(lines, remark=_remark))
    checks = plan(scenario, 0).checks
    verdicts = judge(summary, checks)
    rules = [verdict for storm in summary.storms for verdict in judge_rules(storm)]
    cases = [*verdicts, *judge_steps(summary, checks.thresholds), *rules]
    replay = replay_command(path, scenario, summary)
    markdown = render_markdown(summary, verdicts, replay=replay, inconclusive=settled)
    result = render_json(summary, verdicts, environment=where, command=command, replay=replay, inconclusive=settled)
    page = render_html(
        summary,
        verdicts,
        scenario=(path / "scenario.resolved.yaml").read_text(encoding="utf-8"),
        environment=where,
        command=command,
        replay=replay,
        inconclusive=settled,
    )
    files = {
        "result.json": result,
        "junit.xml": render_junit(summary, cases, replay=replay, inconclusive=settled),
        "summary.md": markdown,
        "report.html": page,
    }
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return Rendered(path, summary, verdicts, replay, markdown, settled)


def show(found: Rendered) -> None:
    """The end of a run for a person: table, verdicts, and where the report is."""
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(render_text(found.summary, found.verdicts, found.settled))
    if not all(map(is_good, found.verdicts)):
        console.print(f"replay it: {found.replay}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"report: {found.path / 'report.html'}", highlight=False, markup=False, soft_wrap=True)


FILES: Final = ("journal.jsonl", "scenario.resolved.yaml", "result.json", "junit.xml", "summary.md", "report.html")


def say_as(verb: str) -> Callable[[Rendered], None]:
    """Tells a program how a run ended (`cli.showing`)."""

    def tell(found: Rendered) -> None:
        run = found.summary.run
        say(
            verb,
            exit_code(found.verdicts, found.settled),
            verdict=overall(found.verdicts),
            settled_as=found.settled if overall(found.verdicts) == "INCONCLUSIVE" else None,
            because=because(found.verdicts),
            checks=[
                {"name": each.name, "kind": each.kind, "answer": each.answer, "detail": each.detail}
                for each in found.verdicts
            ],
            figures=dict(figures(found.summary)),
            scenario=None if run is None else run.scenario,
            seed=None if run is None else run.seed,
            outcome_digest=found.summary.outcome_digest,
            folder=str(found.path),
            files={name: str(found.path / name) for name in FILES},
            replay=found.replay,
        )

    return tell


def replay_command(path: Path, scenario: Scenario, summary: Summary) -> str:
    """How to replay a run from anywhere: what it left, as it began, and if its scenario has no end, for as long."""
    words = ["agent-sim", "replay", str(path.resolve() / "scenario.resolved.yaml")]
    if summary.run is not None:
        words += ["--seed", str(summary.run.seed), "--start", summary.run.started_at]
    if scenario.length == NEVER:
        words += ["--set", f"stop.after={max(math.ceil(summary.whole.end), 1)}s"]
    return shlex.join(words)


def _tell_github(markdown: str, lines: Iterable[str], out: TextIO) -> None:
    """Annotations go where the runner looks for them, and nobody for JSON; the summary into the file that it names."""
    for line in lines:
        out.write(f"{line}\n")
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if not page:
        return
    try:
        with open(page, "a", encoding="utf-8") as file:
            file.write(markdown)
    except OSError as error:
        _remark(f"{page}: the summary cannot be added ({error.strerror})")


def environment() -> Mapping[str, str]:
    """The machine and the versions that a measurement belongs to; no names of hosts or users."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        **{name: version(name) for name in ("agent-sim", "aiohttp", "locust", "geventhttpclient")},
    }


def _remark(sentence: str) -> None:
    sys.stderr.write(f"remark: {sentence}\n")
