"""What a storm's request costs beside Locust's own users, and how honestly storms measure, in one run.

    python -m tests.bench.storms [--rounds 3]

CPU per request of whole process trees, against a server that does nothing, in turn: a storm's closed loop, the same on
two processes, two storms that know nothing of each other, a plain FastHttpUser, a plain HttpUser, 50 users in all, one
id a request. Busy cores slow each other down (virtual ones may be two halves of one), which is no cost of ours: what
two processes of one storm cost beside one, master included, is judged by CPU against two storms at the same time. Two
processes need more cores than one to be twice as fast, so throughput is judged only on four cores or more.
Then what is measured of what is known: achieved of offered at 70 % of a core, p99 while the server stalls, percentiles
beside an exact sort. Last the embedded server by batch size, where every id is compared with what the server did: a
broken rule ends it with 1. (Reference: load-testing 5.) Three rounds last some five minutes on two cores.
"""

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent_sim.cli.embedded import embedded_server, made_logins
from agent_sim.cli.library import storm_file
from agent_sim.cli.quiet import serving
from agent_sim.draws import key, unit
from agent_sim.histogram import Histogram
from agent_sim.settings import DEFAULT_SETTINGS
from agent_sim.storms.campaign import Campaign, Found
from agent_sim.storms.ledger import Entry, Ledger
from agent_sim.storms.observe import Mark
from agent_sim.storms.plan import Stage, StormPlan
from agent_sim.storms.pool import Batch, Harvest, Token
from tests.bench.figures import Bound, Figure, exit_code, tell
from tests.bench.million import make
from tests.bench.quiet import measured

USERS = 50
LEAST_CONNECTIONS = 15  # of a process with 25 users
WARM = 1500  # requests before anything is measured
WHILE = 2.0  # seconds more until all have what they need at the start: two processes their ids and their users
SECONDS = 3.0  # between two reports of a process to its master, so that one of each is within
STALL, EVERY = 0.6, 3.0  # whole seconds, so that a step is a period
STEP = 2.0
BUSY = 70.0  # percent of the generator's core
BATCHES = {1: (100, "m10"), 10: (100, "m11"), 100: (20, "m1"), 1000: (4, "m1")}  # requests in a second, in a scope
HOT = ("--kind", "hot")  # no id is used up: for what is measured of time alone
RUNS = 200_000  # in the embedded server's history; every fifth can be rescheduled
SECRET = {"AGENT_SIM_USERNAME": "operator", "AGENT_SIM_PASSWORD": "secret"}

PLAIN = """
from locust import {kind}, constant, task
class Plain({kind}):
    wait_time = constant(0)
    @task
    def ask(self):
        self.client.post("/KeyfactorAPI/OrchestratorJobs/Acknowledge", data='{{"JobAuditIds":[1001]}}',
            headers={{"Content-Type": "application/json", "x-keyfactor-requested-with": "APIClient"}}, name="A")
"""


@contextmanager
def null_server(*options: str) -> Iterator[str]:
    """Its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent_sim.cli.null_command", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def locust(file: Path, url: str, *options: str, login: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """A Locust without words."""
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary", "--host", url, *options]
    return subprocess.Popen(
        command,
        env={**os.environ, **(SECRET if login is None else login)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def count(url: str) -> int:
    """POSTs that the null server has answered."""
    with urllib.request.urlopen(f"{url}/count", timeout=30) as reply:
        return int(reply.read())


def cpu(process: psutil.Process) -> float:
    """Of a process and its children."""
    tree = [process, *process.children()]
    return sum(sum(each.cpu_times()[:2]) for each in tree)


@dataclass(frozen=True, slots=True)
class Way:
    """A way of asking: a file for Locust, and its options."""

    file: Path
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in µs per request, requests a second, and the server's share of a core meanwhile."""

    cpu: float
    rate: float
    server: float


def cost(url: str, *ways: Way) -> Cost:
    """What a way of asking takes, or several at the same time, once they are warm."""
    before, users = count(url), str(USERS // len(ways))
    processes = [locust(way.file, url, *way.options, "-u", users, "-r", users, "-t", "60s") for way in ways]
    watched = [psutil.Process(process.pid) for process in processes]
    deadline = time.monotonic() + 120
    while count(url) < before + WARM or not all(map(is_asking, watched)):
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise SystemExit(f"{' or '.join(map(str, ways))} sends nothing")
        time.sleep(0.05)
    time.sleep(WHILE)
    [server] = serving(url)
    used, sent, busy, began = sum(map(cpu, watched)), count(url), cpu(server), time.monotonic()
    time.sleep(SECONDS)
    requests, seconds = count(url) - sent, time.monotonic() - began
    found = Cost(1e6 * (sum(map(cpu, watched)) - used) / requests, requests / seconds, (cpu(server) - busy) / seconds)
    for process, seen in zip(processes, watched, strict=True):
        for each in [*seen.children(), seen]:
            each.kill()
        process.wait()
    return found


def is_asking(process: psutil.Process) -> bool:
    """True if it, or one of its children, has a connection for each of its users, or nearly: it is past its start."""
    tree = [process, *process.children()]
    return any(len(each.net_connections("tcp")) > LEAST_CONNECTIONS for each in tree)


def costs(folder: Path) -> dict[str, Cost]:
    """Of each way of asking, in turn."""
    for kind in ("FastHttpUser", "HttpUser"):
        (folder / f"{kind}.py").write_text(PLAIN.format(kind=kind), encoding="utf-8")
    one = ("--storm", "acknowledge", "--batch", "1")
    ways = {
        "storm": (Way(storm_file(), one),),
        "FastHttpUser": (Way(folder / "FastHttpUser.py"),),
        "storm on two processes": (Way(storm_file(), (*one, "--processes", "2")),),
        "two storms at once": tuple(Way(storm_file(), (*one, "--share", f"{number}/2")) for number in (1, 2)),
        "HttpUser": (Way(folder / "HttpUser.py"),),
    }
    with null_server("--runs", "100000") as url:
        return {name: cost(url, *together) for name, together in ways.items()}


def storm(url: str, folder: Path, *options: str, login: dict[str, str] | None = None) -> dict[str, Any]:
    """The result of a plain storm that runs to its end."""
    result = folder / "storm.json"
    result.unlink(missing_ok=True)
    locust(storm_file(), url, "--result", str(result), "--quiet-period", "0.1", *options, login=login).wait(180)
    told: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return told


def one_step(url: str, folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """The step of an open storm, after its warm-up."""
    options = ("--rate", f"{rate:.0f}/s", "-t", f"{math.ceil(seconds)}s", "--max-in-flight", "2000", "--warm-up", "1s")
    told = storm(url, folder, "--storm", "acknowledge", "--batch", "1", *HOT, *options)
    [step] = (step for step in told["steps"] if not step["warm_up"])
    found: dict[str, Any] = step
    return found


def kept(folder: Path, closed: Cost) -> tuple[float, float]:
    """Achieved of offered at a rate that keeps the generator as busy as wanted, and how busy it was."""
    with null_server("--runs", "200") as url:
        rate = 0.2e6 / closed.cpu  # far from busy: an open storm's request costs another greenlet
        first = storm(
            url, folder, "--storm", "acknowledge", "--batch", "1", *HOT, "--rate", f"{rate:.0f}/s", "-t", "2s"
        )
        rate *= BUSY / first["generator"]["cpu_percent_max"]
        step = one_step(url, folder, rate, STEP)
        told = json.loads((folder / "storm.json").read_text(encoding="utf-8"))
    return achieved(step, told["series"]), told["generator"]["cpu_percent_max"]


def achieved(step: dict[str, Any], series: list[dict[str, Any]]) -> float:
    """Answers that came while a step lasted, of those that were due by its plan."""
    ends = step["begins"] + step["seconds"]
    before = max((each["t"] for each in series if each["t"] < step["begins"] + 0.5), default=0.0)
    within = [each for each in series if before < each["t"] < ends + 0.5]
    return float(sum(each["completed"] for each in within)) / (step["from_rate"] * (within[-1]["t"] - before))


def stalled(folder: Path) -> float:
    """p99 while the server stalls, as a share of what a caller at a random moment meets."""
    with null_server("--stall", str(STALL), "--every", str(EVERY), "--runs", "200") as url:
        step = one_step(url, folder, 500, EVERY)
    theory = STALL * (1 - 0.01 * EVERY / STALL)
    return Histogram.from_json(step["response"]).percentile(0.99) / 1e6 / theory


def percentiles(number: int) -> float:
    """The largest error of p50 to p99.9 beside an exact sort, in percent; with other values for another number."""
    chance, histogram, exact = key(number, "latencies"), Histogram(), []
    for each in range(100_000):
        one, other = unit(chance, each, "u"), unit(chance, each, "v")
        normal = math.sqrt(-2 * math.log(1 - one)) * math.cos(2 * math.pi * other)
        value = round(3000 * math.exp(0.8 * normal))
        histogram.record(value)
        exact.append(value)
    exact.sort()
    shares = (0.5, 0.9, 0.95, 0.99, 0.999)
    return max(abs(histogram.percentile(q) / exact[math.ceil(q * len(exact)) - 1] - 1) for q in shares) * 100


class NoLedger(Ledger):
    """The books of a storm that keeps none."""

    _one = Entry(None, 0)

    def send(self, batch: Batch | None, now: int) -> Entry:
        return self._one

    def settle(self, *_: object, **__: object) -> bool:
        return True


def ledger_cost(requests: int = 20_000) -> float:
    """CPU in µs of a request's entry in the ledger and of what came of it: with it less without it."""
    return _booking(Ledger, requests) - _booking(NoLedger, requests)


def _booking(books: type[Ledger], requests: int) -> float:
    plan = StormPlan("bench", "acknowledge", "ids", 1, "", (Stage(1, 1),), "uniform", 1, "", 1, 0)
    tokens = tuple(Token(number, f"job-{number}") for number in range(requests))
    taken = []
    for _ in range(3):
        campaign = Campaign(plan, Found({"acknowledge": Harvest(tokens, 0, 0)}, Mark(None, 0)), "")
        campaign.books["acknowledge"].ledger = books(requests)
        before = time.process_time()
        while (asking := campaign.take(0)) is not None:
            campaign.settle(asking, None, None, 1)
        taken.append(1e6 * (time.process_time() - before) / requests)
    return min(taken)  # what the rest of the machine does only adds to it


def by_batch(folder: Path) -> tuple[dict[int, float], int]:
    """Seconds a request by batch size on the embedded server, and broken rules in all."""
    spans: dict[int, float] = {}
    broken = 0

    async def measure() -> None:
        nonlocal broken
        logins = made_logins()
        async with embedded_server(DEFAULT_SETTINGS, logins, folder, db=str(folder / "bench.db")) as server:
            for size in BATCHES:
                told = await asyncio.to_thread(_batch, server.address, folder, size, logins.environment())
                spans[size] = Histogram.from_json(told["service"]).mean_us / 1e6
                broken += sum(told["reconciliation"]["violations"].values())

    make(folder / "bench.db", RUNS)
    asyncio.run(measure())
    return spans, broken


def _batch(url: str, folder: Path, size: int, login: dict[str, str]) -> dict[str, Any]:
    """So many requests in a second, far from what the server can take."""
    requests, prefix = BATCHES[size]
    options = ("--prefix", prefix, "--batch", str(size), "--rate", f"{requests}/s", "-t", "1s")
    return storm(url, folder, "--storm", "reschedule", *options, login=login)


def fit(spans: dict[int, float]) -> tuple[float, float]:
    """The fixed cost of a request and the cost of an id, in seconds, weighing relative errors alike."""
    weights = {size: 1 / span**2 for size, span in spans.items()}
    whole = sum(weights.values())
    x = sum(weights[size] * size for size in spans) / whole
    y = sum(weights[size] * span for size, span in spans.items()) / whole
    slope = sum(weights[size] * (size - x) * (span - y) for size, span in spans.items())
    slope /= sum(weights[size] * (size - x) ** 2 for size in spans)
    return y - slope * x, slope


def one_round(number: int) -> dict[str, float]:
    """All rows, by what the table calls them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways = costs(folder)
        achieved, busy = kept(folder, ways["storm"])
        stall, error, book = stalled(folder), percentiles(number), ledger_cost()
        spans, broken = by_batch(folder)
    cpu = {way: each.cpu for way, each in ways.items()}
    fixed, of_an_id = fit(spans)
    return {
        **{f"CPU per request, µs: {way}": each.cpu for way, each in ways.items()},
        **{f"null server beside, cores: {way}": each.server for way, each in ways.items()},
        "storm ÷ FastHttpUser": cpu["storm"] / cpu["FastHttpUser"],
        "HttpUser ÷ storm": cpu["HttpUser"] / cpu["storm"],
        "two processes, efficiency by CPU": cpu["two storms at once"] / cpu["storm on two processes"],
        "one storm ÷ two at once: what busy cores do to each other": cpu["storm"] / cpu["two storms at once"],
        THROUGHPUT: ways["storm on two processes"].rate / (2 * ways["storm"].rate),
        "achieved ÷ offered, off by": abs(achieved - 1),
        "meanwhile the generator's busiest second, % of a core": busy,
        "p99 under a stall ÷ theory, off by": abs(stall - 1),
        "percentiles beside an exact sort, off by %": error,
        "ledger: CPU per request, µs": book,
        "ledger on ÷ off": 1 / (1 - book / cpu["storm"]),
        **{f"ids/s at {size} a request, one at a time": size / span for size, span in spans.items()},
        "fixed cost of a request, ms": 1000 * fixed,
        "cost of an id, µs": 1e6 * of_an_id,
        "cost of an id ÷ of a request": of_an_id / max(fixed, 1e-9),
        BROKEN: float(broken),
    }


CORES = os.cpu_count() or 1
THROUGHPUT = f"two processes ÷ twice one, requests a second ({CORES} cores for senders, master and server)"
BROKEN = "broken rules, in all"
BOUNDS = {
    "storm ÷ FastHttpUser": Bound(0.80, 0.55),
    "HttpUser ÷ storm": Bound(3.5, 5),
    "two processes, efficiency by CPU": Bound(0.8, 0.9),
    **({THROUGHPUT: Bound(0.8, 0.9)} if CORES >= 4 else {}),
    "achieved ÷ offered, off by": Bound(0.02, 0.01),
    "p99 under a stall ÷ theory, off by": Bound(0.15, 0.05),
    "percentiles beside an exact sort, off by %": Bound(1, 0.2),
    "ledger on ÷ off": Bound(1.10, 1.05),
    "cost of an id ÷ of a request": Bound(0.05, 0.02),
}


def main() -> int:
    """Measure, print tables and keep their JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    all_of_them: list[dict[str, float]] = []  # also those that others spoilt: a rule is no matter of time

    def another() -> dict[str, float]:
        all_of_them.append(one_round(len(all_of_them)))
        return all_of_them[-1]

    rounds = measured(parser.parse_args().rounds, another)
    names = [name for name in all_of_them[0] if name != BROKEN]
    figures = [Figure(name, [one[name] for one in rounds.found], "", BOUNDS.get(name)) for name in names]
    tell("storms", figures, rounds.share, rounds.spoilt)
    rules = [Figure(BROKEN, [max(one[BROKEN] for one in all_of_them)], "", Bound(0.5, 0))]
    tell("storms-rules", rules, None)
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
