"""What every run ends with: its journal judged, its files written, its table printed, its CI told."""

import math
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib.metadata import version
from typing import Annotated, Final

import typer
from rich.console import Console

from agent_sim.cli.folder import RunFolder
from agent_sim.instants import NEVER
from agent_sim.results import journal
from agent_sim.results.judge import judge
from agent_sim.results.render.github import annotations
from agent_sim.results.render.html import render_html
from agent_sim.results.render.json import render_json
from agent_sim.results.render.junit import render_junit
from agent_sim.results.render.markdown import render_markdown
from agent_sim.results.render.text import render_text
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.verdict import IfOpen, exit_code, is_good
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan

_PLAIN_WIDTH: Final = 120
"""Columns of the table where standard output is no terminal."""


class IfInconclusive(StrEnum):
    """What a run counts as if a check could not be decided."""

    PASS = "pass"
    FAIL = "fail"


Inconclusive = Annotated[
    IfInconclusive | None, typer.Option(help="What checks that could not be decided count as; else exit code 3.")
]


def report(
    folder: RunFolder,
    scenario: Scenario,
    command: str,
    used: Mapping[str, str],
    inconclusive: IfInconclusive | None = None,
) -> tuple[Summary, int]:
    """Write the results beside the journal and print the table; the summary and exit code.

    `command` is how to run it again, `used` what the run itself took.
    """
    with (folder.path / "journal.jsonl").open(encoding="utf-8") as lines:
        summary = summarise(journal.read(lines, remark=_remark))
    verdicts = judge(summary, plan(scenario, 0).checks)
    where = {**environment(), **used}
    resolved = (folder.path / "scenario.resolved.yaml").read_text(encoding="utf-8")
    replay = replay_command(folder, scenario, summary)
    settled: IfOpen = None if inconclusive is None else inconclusive.value
    result = render_json(summary, verdicts, environment=where, command=command, replay=replay, inconclusive=settled)
    folder.write("result.json", result)
    folder.write("junit.xml", render_junit(summary, verdicts, replay=replay, inconclusive=settled))
    markdown = render_markdown(summary, verdicts, replay=replay, inconclusive=settled)
    folder.write("summary.md", markdown)
    page = render_html(
        summary,
        verdicts,
        scenario=resolved,
        environment=where,
        command=command,
        replay=replay,
        inconclusive=settled,
    )
    folder.write("report.html", page)
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(render_text(summary, verdicts, settled))
    if not all(map(is_good, verdicts)):
        console.print(f"replay it: {replay}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"report: {folder.path / 'report.html'}", highlight=False, soft_wrap=True)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        _tell_github(markdown, annotations(verdicts, replay=replay, inconclusive=settled))
    return summary, exit_code(verdicts, settled)


def replay_command(folder: RunFolder, scenario: Scenario, summary: Summary) -> str:
    """How to replay a run from anywhere: what it left, as it began, and if its scenario has no end, for as long."""
    words = ["agent-sim", "replay", str(folder.path.resolve() / "scenario.resolved.yaml")]
    if summary.run is not None:
        words += ["--seed", str(summary.run.seed), "--start", summary.run.started_at]
    if scenario.length == NEVER:
        words += ["--set", f"stop.after={max(math.ceil(summary.whole.end), 1)}s"]
    return shlex.join(words)


def _tell_github(markdown: str, lines: Iterable[str]) -> None:
    """Annotations go to standard output, where the runner looks for them; the summary into the file that it names."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
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
