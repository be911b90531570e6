"""What a fleet costs: polls beside wrk's on the same server and beside a task for each agent, memory, TLS, a million.

    python -m tests.bench.fleet [--full] [--rounds 3] [--only polls,memory,jobs,million,tls]
    python -m tests.bench.fleet --only soak --minutes 60 --agents 50000

Short by default: a tenth of the agents and of the rate, and nothing is judged. `--full` is what the aims are about
(100,000 agents at 20,000 polls/s, a million at a 30 s heartbeat) and wants a quiet machine with two cores. Costs are
CPU time of the client's process; every fleet is a process of its own, and so is the server that does nothing else
(`null_agents`). A bench in which a request fails fails itself. A soak ends with 1 if memory grew beyond its gate.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from agent_sim.instants import SECOND, from_iso
from tests.bench.figures import Bound, Figure, tell, used_between
from tests.bench.quiet import Watch, measured
from tests.transports.certificates import self_signed

LUA = """
wrk.method = "POST"
wrk.body = '{"AgentPlatform":7,"TenantId":"00000000-0000-0000-0000-000000000000","ClientMachine":"agentsim-bench","SessionToken":"t"}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Basic YWdlbnQ6c2VjcmV0"
"""  # noqa: E501  # a body is one line
JOBS = """\
version: 1
name: bench
seed: 1
stop: {{after: {seconds}s, drain: 60s}}
fleets: [{{name: all, count: {agents}, capabilities: [LOGS], heartbeat: {{every: 60s}}}}]
schedules: [{{name: fetch, type: LOGS, every: 60s}}]
checks: {{invariants: {{at_most_once: true}}}}
"""
JITTER = 0.1  # of a heartbeat, which comes up to that share of its interval late: what scenarios have unless they say
Values = dict[str, float]


class BenchError(Exception):
    """A part of the bench failed, so that it has nothing to tell: in its own words."""


# --- processes ----------------------------------------------------------------------------------


@contextmanager
def server(interval: float, cert: Path | None = None) -> Iterator[str]:
    """The server that does nothing else, with this heartbeat."""
    words = [sys.executable, "-m", "tests.bench.null_agents", "--interval", str(interval)]
    words += [] if cert is None else ["--cert", str(cert)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http{'s' if cert else ''}://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def client(kind: str, url: str, **options: object) -> Values:
    """One fleet, and what it cost. Raises BenchError if it cannot start, or if one of its requests failed."""
    words = [sys.executable, "-m", "tests.bench.fleet_client", kind, url]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    ended = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)  # what it complains of is seen
    if ended.returncode:
        raise BenchError(f"the client {kind} ended with {ended.returncode}; it was given {options}")
    found = json.loads(ended.stdout)
    if failed := found.pop("failed"):
        raise BenchError(f"{failed:,} requests of the client {kind} failed, first {found['first_failure']}")
    del found["first_failure"]
    return {name: float(value) for name, value in found.items()}


def wrk(url: str, seconds: int) -> float:
    """Microseconds of CPU per request of wrk with one thread and 64 connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA)
        script.flush()
        path = f"{url}/KeyfactorAgents/Session/Heartbeat"
        process = subprocess.Popen(
            ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", script.name, path], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        said = process.stdout.read()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    [requests] = (int(line.split()[0]) for line in said.splitlines() if "requests in" in line)
    return 1e6 * (used.ru_utime + used.ru_stime) / requests


# --- what is measured ---------------------------------------------------------------------------


def polls(full: bool) -> Values:
    """The full agent, journal and metrics on, paced; beside wrk and beside a task for each agent.

    How late agents are woken is bounded at half a core: the same fleet once more, beating as often as takes that.
    """
    agents, interval = (100_000, 5.0) if full else (10_000, 2.5)
    how = {"agents": agents, "seconds": 10 if full else 4}
    with server(interval) as url:
        baseline = wrk(url, 4)
        ours = paced(url, interval, **how)
        tasks = client("tasks", url, interval=interval, settle=interval, **how)
    slower = agents * ours["us"] / 1e6 / 0.5
    with server(slower) as url:
        half = paced(url, slower, **how)
    return {
        "agents": agents,
        "CPU µs per request, wrk": baseline,
        "CPU µs per poll, fleet": ours["us"],
        "CPU µs per poll, task per agent on aiohttp": tasks["us"],
        "polls/s of the fleet": ours["rate"],
        "cores of the fleet": ours["core"],
        "polls per CPU-second to wrk": baseline / ours["us"],
        "polls per CPU-second to task per agent": tasks["us"] / ours["us"],
        "scheduling lag p99 meanwhile, ms": ours["late_p99_ms"],
        "polls/s at half a core": half["rate"],
        "cores of the fleet at half a core": half["core"],
        "scheduling lag p99 at half a core, ms": half["late_p99_ms"],
    }


def paced(url: str, interval: float, agents: int, seconds: int) -> Values:
    """Our fleet at a heartbeat, once all of it has beaten twice."""
    return client("ours", url, agents=agents, ramp=max(agents / 5000, interval), settle=2 * interval, seconds=seconds)


def memory(full: bool) -> Values:
    """Bytes of an idle agent that has a session: the slope between two sizes."""
    few, many = (10_000, 100_000) if full else (5_000, 25_000)
    with server(600) as url:
        found = [client("ours", url, agents=n, ramp=max(n / 5000, 2), settle=3, seconds=1) for n in (few, many)]
    slope = (found[1]["resident"] - found[0]["resident"]) / (many - few)
    return {"agents": many, "less agents, for the slope": few, "bytes per idle agent": slope}


def jobs(full: bool) -> Values:
    """A fleet at a 60 s heartbeat with jobs, as `agent-sim run` has it, server apart.

    Its CPU is judged from the journal's beginning to the scenario's stop: coming online is part of it, importing,
    draining, reading back and the report are not. Beside it stands the whole process's.
    """
    agents, seconds = (10_000, 180) if full else (1_000, 60)
    with tempfile.TemporaryDirectory() as folder:
        file, said = Path(folder) / "bench.yaml", Path(folder) / "said"
        file.write_text(JOBS.format(agents=agents, seconds=seconds))
        words = [sys.executable, "-m", "agent_sim.cli.main", "run", str(file), "--runs", folder]
        with said.open("w") as out:
            process = subprocess.Popen(words, stdout=out, stderr=out)
            seen = _watched(process, Path(folder))
        if process.returncode:
            sys.stderr.write(said.read_text(errors="replace"))
            raise BenchError(f"the run with jobs ended with {process.returncode}")
        [journal] = Path(folder).glob("*/journal.jsonl")
        with journal.open() as lines:
            ended = from_iso(json.loads(lines.readline())["started_at"]) / SECOND + seconds
    share = used_between(seen.cpu, seen.began, ended) / (ended - seen.began)
    (first, none), (last, all_of_it) = seen.cpu[0], seen.cpu[-1]
    return {
        "agents": agents,
        "MB of a fleet with jobs, at most": seen.most / 1e6,
        "MB, making the report included": seen.most_of_all / 1e6,
        "% of a core of a fleet with jobs": 100 * share,
        "seconds of it": ended - seen.began,
        "% of a core, from the first import to the report": 100 * (all_of_it - none) / (last - first),
    }


@dataclass(slots=True)
class Seen:
    """A run watched from outside: its CPU seconds so far at so many moments, when its journal began, its memory."""

    cpu: list[tuple[float, float]] = field(default_factory=list)
    began: float = 0.0
    most: int = 0  # before the report, which reads the whole journal
    most_of_all: int = 0


def _watched(process: "subprocess.Popen[bytes]", folder: Path) -> Seen:
    seen, mine = Seen([(time.time(), 0.0)]), psutil.Process(process.pid)
    while process.poll() is None:
        try:
            used, now, resident = mine.cpu_times(), time.time(), mine.memory_info().rss
            is_running = bool(mine.children())  # the server is gone when the report begins
        except psutil.Error:
            break
        seen.cpu.append((now, used.user + used.system))
        if not seen.began and any(folder.glob("*/journal.jsonl")):
            seen.began = now
        seen.most = max(seen.most, resident if is_running else 0)
        seen.most_of_all = max(seen.most_of_all, resident)
        time.sleep(0.1)
    process.wait()
    return seen


def million(full: bool) -> Values:
    """A million agents at a 30 s heartbeat in one process."""
    agents = 1_000_000 if full else 100_000
    with server(30.0) as url:
        found = client("ours", url, agents=agents, ramp=max(agents / 8000, 30), settle=35 if full else 5, seconds=10)
    due = agents / (30 * (1 + JITTER / 2))
    return {
        "agents": agents,
        f"MB of {agents:,} agents": found["resident"] / 1e6,
        "their polls/s": found["rate"],
        "% of those that are due": 100 * found["rate"] / due,
        "their cores": found["core"],
    }


def tls(full: bool) -> Values:
    """Agents over TLS, a connection for each request, and one for each agent; and what a handshake alone costs them."""
    agents = 4_000 if full else 500
    told: Values = {"agents": agents}
    with tempfile.TemporaryDirectory() as folder:
        own = self_signed(Path(folder), "127.0.0.1")
        for mode, interval in (("per_request", agents / 100), ("per_agent", 5.0)):  # neither keeps a core busy
            how = {"agents": agents, "ramp": agents / 200, "settle": interval, "mode": mode, "ca": own.pem}
            with server(interval, own.pem) as url:
                found = client("ours", url, seconds=5, **how)
            told[f"TLS {mode}: CPU µs per poll"] = found["us"]
            told[f"TLS {mode}: polls per CPU-second"] = 1e6 / found["us"]
            told[f"TLS {mode}: agents per core at a 60 s heartbeat"] = 60e6 / found["us"]
            told[f"TLS {mode}: bytes per agent"] = found["bytes"]
        with server(5.0, own.pem) as url:
            found = client("handshakes", url, connections=16, settle=1, seconds=5, ca=own.pem)
        told["TLS: CPU µs per handshake, client's side"] = found["us"]
        told["TLS: handshakes per CPU-second, client's side"] = 1e6 / found["us"]
    return told


def soak(minutes: float, agents: int) -> Values:
    """One fleet for long: what it has in memory early and late."""
    with server(30.0) as url:
        found = client("ours", url, agents=agents, ramp=agents / 5000, settle=35, seconds=30, longer=60 * minutes)
    return {
        "agents": agents,
        "MB early": found["resident"] / 1e6,
        f"MB after {minutes:g} minutes more": found["resident_late"] / 1e6,
        GROWTH: found["resident_late"] / found["resident"],
        "requests in all, none failed": found["polls_in_all"],
    }


GROWTH = "late to early"
BOUNDS = {
    "polls per CPU-second to wrk": Bound(0.25, 0.5),
    "polls per CPU-second to task per agent": Bound(6, 10),
    "scheduling lag p99 at half a core, ms": Bound(10, 5),
    "bytes per idle agent": Bound(650, 330),
    "MB of a fleet with jobs, at most": Bound(100, 60),
    "% of a core of a fleet with jobs": Bound(20, 8),
    "MB of 1,000,000 agents": Bound(16_000, 600),  # the gate: it runs at all, on a machine of 16 GB
    GROWTH: Bound(1.1, 1.02),
}
PARTS: dict[str, Callable[[bool], Values]] = {
    "polls": polls,
    "memory": memory,
    "jobs": jobs,
    "million": million,
    "tls": tls,
}


WINDOW = 60  # seconds of a round, which lasts minutes, that are looked at by themselves for what others took
SMALL = "a tenth of the fleet"
SOAKED = (60, 50_000)
"""Minutes and agents that the soak's bound is about; growth beyond its gate fails any soak."""


def main() -> int:
    """Measure, print tables and keep their JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--agents", type=int, default=50_000)
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := set(names) - {*PARTS, "soak"}:
        parser.error(f"--only {','.join(unknown)}: expected some of {', '.join((*PARTS, 'soak'))}")
    if "polls" in names and shutil.which("wrk") is None:
        parser.error("wrk is not installed, beside which polls are measured: apt-get install wrk, or leave out polls")
    _have_files()
    code = 0
    for name in names:
        try:
            code |= soaked(options.minutes, options.agents) if name == "soak" else part(name, options)
        except BenchError as error:
            sys.stderr.write(f"error: {name}: {error}\n")  # the other parts have something to tell
            code = 1
    return code


def part(name: str, options: argparse.Namespace) -> int:
    """One part measured and told. Its exit code: what is missed is no failure."""
    rounds = measured(options.rounds, lambda: PARTS[name](options.full), lambda: Watch(WINDOW))
    tell(f"fleet-{name}", rows(rounds.found, options.full), rounds.share, rounds.spoilt)
    return 0


def rows(found: Sequence[Values], full: bool) -> list[Figure]:
    """What the rounds found, judged if it is what the aims are about."""
    unjudged = "" if full else SMALL
    return [Figure(each, [one[each] for one in found], "", BOUNDS.get(each), unjudged) for each in found[0]]


def soaked(minutes: float, agents: int) -> int:
    """A soak told, whatever else runs: what is in memory is no matter of time. Its exit code."""
    found = soak(minutes, agents)
    growth = Figure(GROWTH, [found[GROWTH]], "", BOUNDS[GROWTH])
    has_grown = growth.verdict(None) == "MISSED"
    is_whole = minutes >= SOAKED[0] and agents >= SOAKED[1]
    short = (
        "" if is_whole or has_grown else f"{minutes:g} minutes of {agents:,} agents, not {SOAKED[0]} of {SOAKED[1]:,}"
    )
    others = [Figure(name, [value]) for name, value in found.items() if name != GROWTH]
    tell("fleet-soak", [*others, replace(growth, unjudged=short)], None)
    return int(has_grown)


def _have_files() -> None:
    """As many open files as the system lets us, for the server and the fleets that are started."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
