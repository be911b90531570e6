"""How big the report of a long run is, and how long a browser takes to open it, beside the report of a short one.

    python -m tests.bench.report [--jobs 1000000] [--keep FILE]

The journal is made up (nobody waits a day for a figure): a day of 2,000 agents in three fleets, every line that such a
run writes, faults and storms included, a different latency for each second. Exits with 1 if the report is larger than
it may be.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Browser

from agent_sim.draws import guid, key, sub, unit
from agent_sim.histogram import HistogramJson
from agent_sim.protocol.enums import Result, Status
from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.journal import (
    AgentRegistered,
    FaultArmed,
    FaultOver,
    JobCompleted,
    JobConfigured,
    JobPosted,
    Line,
    PhaseStarted,
    RunEnded,
    RunStarted,
    ServerRun,
    ServerStory,
    Traffic,
)
from agent_sim.results.judge import judge
from agent_sim.results.render.html import render_html
from agent_sim.results.summary import summarise
from tests.bench.figures import Bound, Figure, exit_code, tell
from tests.bench.quiet import Watch
from tests.end_to_end.pages import browser
from tests.results.demo import latencies_of, storm_lines

JOBS: Final = 1_000_000
LARGEST: Final = 3_000_000
"""Bytes that the report of a million jobs may have (issue: one self-contained file)."""

SECONDS: Final = 86_400
AGENTS: Final = 2_000
TYPES: Final = (("LOGS", "FetchLogs"), ("Inventory", "PEMInventory"), ("Management", "PEMManagement"))
OPERATIONS: Final = {"heartbeat": 4.0, "configure": 7.0, "upload": 11.0, "complete": 8.0, "operator": 14.0}
ROOT: Final = key("bench", "report")
CHECKS: Final = Checks(
    (Threshold("latency", {"op": "complete"}, "p95", maximum=0.25, text="latency{op=complete} p95 <= 250ms"),),
    (InvariantCheck("no_lost_jobs"), InvariantCheck("at_most_once"), InvariantCheck("status_agrees")),
)


def main() -> int:
    """Measure, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--keep", type=Path, help="Keep the report there.")
    asked = parser.parse_args()
    with Watch() as watch, TemporaryDirectory() as folder, browser() as chromium:
        small = made(1_000, SECONDS // 100, Path(folder) / "small.html", chromium)
        large = made(asked.jobs, SECONDS, asked.keep or Path(folder) / "large.html", chromium)
    opened = [one / other for one, other in zip(large.opened, small.opened, strict=True)]
    size = Figure("size, as large as it may be", [large.size / LARGEST], "", Bound(1, 0.9))
    code = exit_code([size])
    small = "" if asked.jobs >= JOBS or code else f"{asked.jobs:,} jobs, not {JOBS:,}"
    tell(
        "report",
        [replace(size, unjudged=small), Figure("size ÷ that of a short run's", [large.size / small.size])],
        None,
    )
    times = [Figure("to open ÷ a short run's", opened), *small.figures, *large.figures]
    tell("report-times", times, watch.share)
    return code


@dataclass(frozen=True, slots=True)
class Made:
    """A report: its size in bytes, and what it took, each time in seconds."""

    jobs: int
    size: int
    summed: float
    rendered: float
    opened: list[float]

    @property
    def figures(self) -> list[Figure]:
        return [
            Figure(f"{self.jobs:,} jobs: size", [self.size], "bytes"),
            Figure(f"{self.jobs:,} jobs: to sum up the journal", [self.summed], "s of CPU"),
            Figure(f"{self.jobs:,} jobs: to judge and render", [self.rendered], "s of CPU"),
            Figure(f"{self.jobs:,} jobs: to open", self.opened, "s"),
        ]


def made(jobs: int, seconds: int, path: Path, chromium: Browser) -> Made:
    """Make one, and open it five times."""
    began = time.process_time()
    summary = summarise(journal(jobs, seconds))
    judged = time.process_time()
    html = render_html(summary, judge(summary, CHECKS), scenario="name: bench\n")
    done = time.process_time()
    path.write_text(html, encoding="utf-8")
    opened = sorted(opening(chromium, path) for _ in range(5))
    return Made(jobs, path.stat().st_size, judged - began, done - judged, opened)


def opening(chromium: Browser, path: Path) -> float:
    """Seconds from the request for the file until its charts are drawn and painted."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    try:
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_selector(".uplot")
        painted = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"
        return float(page.evaluate(painted)) / 1000
    finally:
        page.close()


# --- the journal ------------------------------------------------------------------------------


def journal(jobs: int, seconds: int) -> Iterator[Line]:
    """The lines of a day, roughly in time; what is read back comes last."""
    yield RunStarted(0.0, "bench", 1, "http://127.0.0.1:1", True, AGENTS, "b-", "2026-01-02T00:00:00Z", "0", "shared")
    for number in range(12):
        yield PhaseStarted(number * seconds / 12, f"phase-{number}", seconds / 12)
    yield from (AgentRegistered(number / 100, fleet_of(number), f"b-{number:05d}", True, 0) for number in range(AGENTS))
    for second in range(1, seconds + 1):
        yield from traffic(second)
        if second % 20 == 0:
            yield FaultArmed(float(second), "blink", second // 20, second + 2.0, 10)
            yield FaultOver(second + 2.0, "blink", second // 20, float(second), 10, (f"b-{second % AGENTS:05d}",))
    yield from storm_lines("again", "reschedule", seconds * 0.5, 600.0)
    yield from storm_lines("enough", "acknowledge", seconds * 0.6, 600.0)
    for number in range(jobs):
        yield from job(number, (seconds - 100) * number / jobs)
    for number in range(jobs):
        yield from told(number, (seconds - 100) * number / jobs)
    yield RunEnded(float(seconds), "finished", True, ())


def fleet_of(number: int) -> str:
    return ("emea", "apac", "factory")[number % 3]


def traffic(second: int) -> Iterator[Line]:
    for name, median in OPERATIONS.items():
        stress = 1 + int(5 * unit(sub(ROOT, second // 600, name), "stress")) / 2
        yield Traffic(float(second), name, 20, 0, {}, latency(name, second % 97, median * stress))


@cache
def latency(name: str, draw: int, median: float) -> HistogramJson:
    return latencies_of(sub(ROOT, draw, name), 20, median).to_json()


def outcome(number: int) -> Result:
    chance = unit(ROOT, "outcome", number)
    return Result.SUCCESS if chance < 0.93 else Result.WARNING if chance < 0.96 else Result.FAILURE


def job(number: int, at: float) -> Iterator[Line]:
    name, agent, worked = guid(ROOT, number), f"b-{number % AGENTS:05d}", 1 + 9 * unit(ROOT, "worked", number)
    word, fleet = TYPES[number % 3][0], fleet_of(number % AGENTS)
    yield JobPosted(at, "work", word, agent, name)
    yield JobConfigured(at + 2, fleet, agent, name, number + 1, word, "", 1, 1)
    yield JobCompleted(at + 2 + worked, fleet, agent, name, number + 1, word, "", 1, 1, outcome(number), True, worked)


def told(number: int, at: float) -> Iterator[Line]:
    name, agent, worked = guid(ROOT, number), f"b-{number % AGENTS:05d}", 1 + 9 * unit(ROOT, "worked", number)
    audit, kind, end = number + 1, TYPES[number % 3][1], at + 2 + worked
    yield ServerRun(float(SECONDS), audit, name, kind, agent, outcome(number), Status.COMPLETED, at + 2, end, None)
    yield ServerStory(
        float(SECONDS), name, (("queued", at, None), ("configured", at + 2, audit), ("completed", end, audit))
    )


if __name__ == "__main__":
    sys.exit(main())
