"""What a hundred thousand virtual jobs come to against what was declared, and what an idle agent costs.

    python -m tests.bench.outcomes [--jobs 100000]

Exits with 1 if an outcome is outside its 99.9 % binomial interval (for all of them at once), as seen by the server.
"""

import argparse
import math
import sys
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path
from statistics import NormalDist
from time import process_time

from agent_sim.agent.core import Agent
from agent_sim.agent.events import Answered, Woken
from agent_sim.protocol.agent import OK, AgentReply, Session, SessionReply
from agent_sim.protocol.enums import BY_GUID
from agent_sim.results import journal
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from tests.bench.figures import Bound, Figure, exit_code, tell
from tests.fleet.replays import START, play

WEIGHTS = {"success": 0.86, "warning": 0.06, "failure": 0.05, "hang": 0.01, "malformed": 0.01, "never_start": 0.01}
ENDS = {"SUCCESS": "success", "WARNING": "warning", "FAILURE": "failure"}
SCENARIO = """
version: 1
name: many
seed: 42
stop: {{after: {minutes}m, drain: 10m}}
server: {{retries: 0, job_timeout: 3m}}
fleets: [{{name: lab, count: 1000, capabilities: [LOGS], heartbeat: {{every: 30s}}}}]
behaviours:
  - name: default
    jobs: [{{type: LOGS, duration: {{dist: lognormal, median: 2s, p95: 20s, max: 1m}}, outcomes: [{outcomes}]}}]
schedules: [{{name: logs, type: LOGS, every: 5m, until: {minutes}m, spread: 4m}}]
checks: {{invariants: {{no_lost_jobs: true, at_most_once: true}}}}
"""


def main() -> int:
    """Play, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    jobs = parser.parse_args().jobs
    outcomes = ", ".join(f"{{result: {word}, weight: {weight:.0%}}}" for word, weight in WEIGHTS.items())
    began = process_time()
    with tempfile.TemporaryDirectory() as folder:
        played = play(Path(folder), SCENARIO.format(minutes=jobs // 1000 * 5, outcomes=outcomes))
    spent, answers = process_time() - began, list(played.answers.values())
    left = Counter(line.why for line in played.of(journal.JobLeft))
    ended = Counter(ENDS[line.outcome.name] for line in played.of(journal.JobCompleted) if line.accepted)
    figures = [
        *seen(left + ended, jobs),
        Figure("laws kept, of those asked", [answers.count("kept") / len(answers)], "", Bound(1, 1)),
        Figure("the same in virtual time", [spent], "s of CPU"),
        Figure("an idle agent with a session", [idle_bytes()], "bytes of its own"),
    ]
    tell("outcomes", figures, None)
    return exit_code(figures)


def seen(counted: Counter[str], jobs: int) -> list[Figure]:
    """Each outcome's share beside the declared one, and how far off it is in parts of what chance allows."""
    wide = NormalDist().inv_cdf(1 - 0.001 / 2 / len(WEIGHTS))
    each_once = sum(counted.values()) == jobs
    figures = [Figure("every job came to something, and once", [each_once], "", Bound(1, 1))]
    for word, weight in WEIGHTS.items():
        allowed = wide * math.sqrt(jobs * weight * (1 - weight))
        off = abs(counted[word] - weight * jobs)
        figures.append(Figure(f"{word}, declared {weight:.2%}", [100 * counted[word] / jobs], "%"))
        figures.append(Figure(f"{word}: off ÷ what chance allows", [off / allowed], "", Bound(1, 0.9)))
    return figures


def idle_bytes(agents: int = 2000) -> float:
    """What each agent of a fleet holds once it has a session and no job; its identity and timetable count as well."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "s.yaml"
        text = SCENARIO.format(minutes=5, outcomes="{result: success}").replace("count: 1000", f"count: {agents}")
        file.write_text(text, encoding="utf-8")
        members = plan(load(file), START).members
    reply = AgentReply(200, SessionReply(Session("t" * 36, "a" * 36, "m", 1, None, ()), OK))
    tracemalloc.start()
    held = []
    for member in members:
        agent = Agent(member.identity, member.behaviour, BY_GUID, member.online)
        [register] = agent.handle(Woken(), member.online)
        agent.handle(Answered(register, reply), member.online)
        agent.take_facts()
        held.append(agent)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(held)


if __name__ == "__main__":
    sys.exit(main())
