"""What a fleet costs: polls beside wrk's on the same server and beside a task for each agent, memory, TLS, a million.

    python -m tests.bench.fleet [--full] [--rounds 3] [--only polls,memory,jobs,million,tls]
    python -m tests.bench.fleet --only soak --minutes 60 --agents 50000

Short by default: a tenth of the agents and of the rate. `--full` is what the aims are about (100,000 agents at 20,000
polls/s, a million at a 30 s heartbeat) and wants a quiet machine with two cores. Costs are CPU time of the client's
process; every fleet is a process of its own, and so is the server that does nothing else (`null_agents`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Bound, Figure, tell
from tests.bench.quiet import Watch
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
Values = dict[str, float]


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
    """One fleet, and what it cost."""
    words = [sys.executable, "-m", "tests.bench.fleet_client", kind, url]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    found: Values = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return found


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
    assert ours["failed"] == half["failed"] == 0, (ours, half)
    return {
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
    return {"bytes per idle agent": (found[1]["resident"] - found[0]["resident"]) / (many - few)}


def jobs(full: bool) -> Values:
    """A fleet at a 60 s heartbeat with jobs, as `agent-sim run` has it, server apart."""
    agents, seconds = (10_000, 180) if full else (1_000, 60)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(JOBS.format(agents=agents, seconds=seconds))
        words = [sys.executable, "-m", "agent_sim.cli.main", "run", str(file), "--runs", folder]
        before = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most = _most_resident(process)
        took = time.monotonic() - before
        [result] = Path(folder).glob("*/result.json")
        used = json.loads(result.read_text())["environment"]
    return {
        "MB of a fleet with jobs, at most": most / 1e6,
        "% of a core of a fleet with jobs": 100 * float(used["fleet_cpu_seconds"]) / took,
    }


def _most_resident(process: "subprocess.Popen[bytes]") -> int:
    """The most that a process had in memory before its report, which reads the whole journal."""
    import psutil

    most, mine = 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            if mine.children():  # the server is gone when the report begins
                most = max(most, mine.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.2)
    process.wait()
    return most


def million(full: bool) -> Values:
    """A million agents at a 30 s heartbeat in one process."""
    agents = 1_000_000 if full else 100_000
    with server(30.0) as url:
        found = client("ours", url, agents=agents, ramp=max(agents / 8000, 5), settle=35 if full else 5, seconds=10)
    return {
        f"MB of {agents:,} agents": found["resident"] / 1e6,
        "their polls/s": found["rate"],
        "their cores": found["core"],
        "their failures": found["failed"],
    }


def tls(full: bool) -> Values:
    """Agents over TLS: a connection for each request, and one for each agent."""
    agents = 4_000 if full else 500
    told: Values = {}
    with tempfile.TemporaryDirectory() as folder:
        own = self_signed(Path(folder), "127.0.0.1")
        for mode, interval in (("per_request", 5.0), ("per_agent", 5.0)):
            with server(interval, own.pem) as url:
                found = client(
                    "ours", url, agents=agents, ramp=agents / 200, settle=5, seconds=5, mode=mode, ca=own.pem
                )
            told[f"TLS {mode}: CPU µs per poll"] = found["us"]
            told[f"TLS {mode}: agents per core at a 60 s heartbeat"] = 60e6 / found["us"]
            told[f"TLS {mode}: bytes per agent"] = found["bytes"]
            if mode == "per_request":
                told["TLS handshakes per CPU-second"] = 1e6 / found["us"]
    return told


def soak(minutes: float, agents: int) -> Values:
    """One fleet for long: what it has in memory early and late."""
    with server(30.0) as url:
        early = client("ours", url, agents=agents, ramp=agents / 5000, settle=35, seconds=30)
        late = client("ours", url, agents=agents, ramp=agents / 5000, settle=60 * minutes, seconds=30)
    return {
        "MB early": early["resident"] / 1e6,
        f"MB after {minutes:g} minutes": late["resident"] / 1e6,
        "late to early": late["resident"] / early["resident"],
        "failures": late["failed"],
    }


BOUNDS = {
    "polls per CPU-second to wrk": Bound(0.25, 0.5),
    "polls per CPU-second to task per agent": Bound(6, 10),
    "scheduling lag p99 at half a core, ms": Bound(10, 5),
    "bytes per idle agent": Bound(650, 330),
    "MB of a fleet with jobs, at most": Bound(100, 60),
    "% of a core of a fleet with jobs": Bound(20, 8),
    "MB of 1,000,000 agents": Bound(16_000, 600),  # the gate: it runs at all, on a machine of 16 GB
    "late to early": Bound(1.1, 1.02),
}
PARTS: dict[str, Callable[[bool], Values]] = {
    "polls": polls,
    "memory": memory,
    "jobs": jobs,
    "million": million,
    "tls": tls,
}


def main() -> None:
    """Measure, print tables and keep their JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--agents", type=int, default=50_000)
    options = parser.parse_args()
    for name in options.only.split(","):
        measure = (lambda _: soak(options.minutes, options.agents)) if name == "soak" else PARTS[name]
        rounds = 1 if name == "soak" else options.rounds
        with Watch() as watch:
            found = [measure(options.full) for _ in range(rounds)]
        figures = [Figure(each, [one[each] for one in found], bound=BOUNDS.get(each)) for each in found[0]]
        tell(f"fleet-{name}", figures, watch.share)


if __name__ == "__main__":
    main()
