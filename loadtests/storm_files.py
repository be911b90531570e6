"""What a plain storm leaves for people and machines: result.json, junit.xml, summary.md, report.html.

A storm that nobody else's run carries is made a run of its own, so that the reports of runs are its reports.
"""

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast

from storm_options import Asked

from agent_sim.errors import UsageError
from agent_sim.instants import SECOND, from_iso
from agent_sim.results import journal, journal_text
from agent_sim.results.by_step import judge_steps
from agent_sim.results.checks import Checks, Threshold
from agent_sim.results.figures import Herd
from agent_sim.results.herd import herd_of
from agent_sim.results.invariants.reconciliation import judge_rules
from agent_sim.results.judge import judge
from agent_sim.results.machines import processor
from agent_sim.results.plain import JsonObject
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.verdict import Answer, Verdict
from agent_sim.storms import knee
from agent_sim.storms.result import BROKEN, INCONCLUSIVE, PASSED, StormResult, doubt


def herd_beside(asked: Asked, result: StormResult) -> Herd | None:
    """What the storm did to the agents whose run's journal was named; None if that does not say."""
    if asked.agents_journal is None or result["kind"] != "herd":
        return None
    began = from_iso(result["started_at"])
    until = began + round((result["warm_up"] + result["seconds"]) * SECOND)
    try:
        with asked.agents_journal.open(encoding="utf-8", errors="replace") as file:
            # Of a journal that may be long, only what this needs is read.
            return herd_of(journal_text.read(line for line in file if _HERDS.search(line[:200])), began, until)
    except (OSError, UsageError):
        return None


_HERDS: Final = re.compile('"event":"(run_started|traffic)"')


def judged(
    asked: Asked, result: StormResult, thresholds: Sequence[Threshold], herd: Herd | None
) -> tuple[Summary, tuple[Verdict, ...]]:
    """The storm as a run of its own, and the verdicts on it; `herd` is known of agents that are not of this run."""
    summary = summarise(_lines(asked, result))
    summary = replace(summary, storms=tuple(replace(storm, herd=herd) for storm in summary.storms))
    found = judge(summary, Checks(tuple(thresholds)))
    rules = (verdict for storm in summary.storms for verdict in judge_rules(storm))
    return summary, (*found, *rules, *_knee(result), *_doubts(result))


def code_of(code: int, verdicts: Sequence[Verdict]) -> int:
    """The storm's own exit code, unless a threshold makes it a worse one."""
    answers = {verdict.answer for verdict in verdicts if verdict.kind == "threshold" and verdict.counts}
    if code in (PASSED, INCONCLUSIVE) and "broken" in answers:
        return BROKEN
    return INCONCLUSIVE if code == PASSED and "not_measured" in answers else code


def write_files(folder: Path, summary: Summary, verdicts: Sequence[Verdict], asked: Asked, command: str) -> None:
    """The four files."""
    # Only a storm that is asked for files has their templates and libraries to load.
    from agent_sim.results.render.html import render_html
    from agent_sim.results.render.json import render_json
    from agent_sim.results.render.junit import render_junit
    from agent_sim.results.render.markdown import render_markdown

    folder.mkdir(parents=True, exist_ok=True)
    where = environment()
    documents = {
        "result.json": render_json(summary, verdicts, environment=where, command=command),
        "junit.xml": render_junit(summary, [*verdicts, *judge_steps(summary, asked.thresholds)]),
        "summary.md": render_markdown(summary, verdicts),
        "report.html": render_html(summary, verdicts, environment=where, command=command),
    }
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")


def environment() -> Mapping[str, str]:
    """The machine and the versions that a measurement belongs to; no names of hosts or users."""
    cpuinfo = Path("/proc/cpuinfo")
    return {
        "processor": processor(cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else "",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        **{name: version(name) for name in ("agent-sim", "locust", "gevent", "geventhttpclient")},
    }


def _lines(asked: Asked, result: StormResult) -> Iterator[journal.Line]:
    whole = result["warm_up"] + result["seconds"]
    yield journal.RunStarted(
        t=0.0,
        scenario=f"storm {result['name']}",
        seed=result["seed"],
        target=asked.url,
        embedded=False,
        agents=0,
        prefix=asked.plan.prefix,
        started_at=result["started_at"],
        version=version("agent-sim"),
        connections="pool",
    )
    yield journal.StormStarted(0.0, result["name"], result["operation"])
    yield journal.StormEnded(whole, result["name"], cast(JsonObject, dict(result)))
    yield journal.RunEnded(whole, "interrupted" if result["stopped"] == "interrupted" else "finished", True, ())


def _knee(result: StormResult) -> Iterator[Verdict]:
    if (found := result["knee"]) is not None:
        unsure = knee.doubt(found) is not None
        said = "; ".join(knee.words(found))
        answer: Answer = "unknown" if unsure else "kept"
        yield Verdict("storm", f"storm {result['name']}: the knee is found", answer, said, warn_only=unsure)


def _doubts(result: StormResult) -> Iterator[Verdict]:
    if (words := doubt(result)) is not None:
        yield Verdict("generator", f"storm {result['name']}: what measured is sound", "unknown", words)
