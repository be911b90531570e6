"""What every run ends with: its journal judged, its files written, its table printed."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from rich.console import Console

from agent_sim.cli.folder import RunFolder
from agent_sim.results import journal
from agent_sim.results.judge import judge
from agent_sim.results.render.html import render_html
from agent_sim.results.render.json import render_json
from agent_sim.results.render.text import render_text
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.verdict import exit_code
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan

_PLAIN_WIDTH: Final = 120
"""Columns of the table where standard output is no terminal."""


def report(folder: RunFolder, scenario: Scenario, command: str, used: Mapping[str, str]) -> tuple[Summary, int]:
    """Write `result.json` and `report.html` beside the journal and print the table; the summary and exit code.

    `command` is how to run it again, `used` what the run itself took.
    """
    with (folder.path / "journal.jsonl").open(encoding="utf-8") as lines:
        summary = summarise(journal.read(lines, remark=_remark))
    verdicts = judge(summary, plan(scenario, 0).checks)
    where = {**environment(), **used}
    resolved = (folder.path / "scenario.resolved.yaml").read_text(encoding="utf-8")
    folder.write("result.json", render_json(summary, verdicts, environment=where, command=command))
    folder.write("report.html", render_html(summary, verdicts, scenario=resolved, environment=where, command=command))
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(render_text(summary, verdicts))
    console.print(f"report: {folder.path / 'report.html'}", highlight=False, soft_wrap=True)
    return summary, exit_code(verdicts)


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
