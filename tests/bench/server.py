"""The server under what is large: storms at 10,000 ids, a history of a million runs, and heartbeats meanwhile.

    python -m tests.bench.server [--runs 1000000] [--ids 10000] [--rounds 3]

A real server process over a database file. Costs are its CPU time: an id of a large storm beside an id rescheduled
alone, a page at any depth beside the first one, a search that an index serves beside one that looks at every run (each
in other words, so that nothing is remembered). Heartbeats' lag is wall time, so it is shown beside that of the same
heartbeats with nothing else going on; both hold for a machine with a core to spare. Heartbeats are plain ones, as
agents send them (reference: performance 2.4).
"""

import argparse
import asyncio
import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from agent_sim.cli.embedded import Embedded, Logins, embedded_server, made_logins
from agent_sim.credentials import Credentials
from agent_sim.instants import DAY
from agent_sim.protocol.agent import NO_TENANT
from agent_sim.settings import DEFAULT_SETTINGS
from tests.bench.figures import Bound, Figure, tell
from tests.bench.million import RUNS_PER_JOB, make
from tests.bench.quiet import Watch

BEATS_PER_SECOND = 250
SINGLES = 150
PAGES = 200
SEARCHES = 20  # for a fifth of all runs; or, without an index, for one agent's
COUNTED_TO = 10_000  # in the server that does not count further
LIMIT = 50
AGENT = f"{7:08x}-0000-4000-8000-000000000001"  # one of those of `million`
OF_PERSONS = "x-keyfactor-requested-with: x\r\n"  # no agent sends that


@dataclass
class Wire:
    """One connection that asks and waits; answers must be plain and whole."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes

    @classmethod
    async def open(cls, server: Embedded, login: Credentials, more: str = "") -> "Wire":
        host, port = server.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        account = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        head = f"Host: x\r\nAuthorization: Basic {account}\r\n{more}"
        return cls(reader, writer, head.encode() + b"Content-Type: application/json\r\n")

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        first = f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n".encode()
        self.writer.write(first + self.head + b"\r\n" + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        return int(head.split(b" ", 2)[1]), await self.reader.readexactly(length)


@dataclass
class Bench:
    """A server with a long history, an operator, an agent with a session, and ids nobody used yet."""

    server: Embedded
    operator: Wire
    agent: Wire
    beat: bytes
    ids: list[int]

    def take(self, count: int) -> list[int]:
        taken, self.ids = self.ids[:count], self.ids[count:]
        return taken

    async def storm(self, verb: str, ids: list[int]) -> None:
        body = json.dumps({"JobAuditIds": ids}).encode()
        status, answer = await self.operator.ask("POST", f"/KeyfactorAPI/OrchestratorJobs/{verb}", body)
        assert status == 204, (status, answer[:300])

    async def page(self, number: int, query: str = "", down: int = 0) -> None:
        path = f"/KeyfactorAPI/OrchestratorJobs/JobHistory?PageReturned={number}&ReturnLimit={LIMIT}"
        path += f"&SortAscending={down}" + (f"&QueryString={quote(query)}" if query else "")
        status, answer = await self.operator.ask("GET", path)
        assert (status, answer.count(b"JobHistoryId")) == (200, LIMIT), answer[:300]

    async def cpu(self, work: Coroutine[object, object, None]) -> float:
        before = self.server.cpu_seconds()
        await work
        return self.server.cpu_seconds() - before


async def opened(server: Embedded, logins: Logins, runs: int) -> Bench:
    agent = await Wire.open(server, logins.agent)
    who = {"AgentPlatform": 7, "TenantId": NO_TENANT, "ClientMachine": "beating"}
    fields = who | {"AgentVersion": 0, "CSR": None, "AgentId": "", "Capabilities": [], "ClientParameters": {}}
    status, answer = await agent.ask("POST", "/KeyfactorAgents/Session/Register", json.dumps(fields).encode())
    assert status == 200, answer
    beat = json.dumps(who | {"SessionToken": json.loads(answer)["Session"]["Token"]}).encode()
    operator = await Wire.open(server, logins.operator, OF_PERSONS)
    return Bench(server, operator, agent, beat, list(range(runs - runs // RUNS_PER_JOB + 1, runs + 1)))


# --- what is measured -------------------------------------------------------------------------


async def lags(bench: Bench, work: Coroutine[object, object, None]) -> list[float]:
    """Milliseconds that heartbeats took, from the instant at which each was due, until `work` is done."""
    task = asyncio.create_task(work)
    found: list[float] = []
    due = time.perf_counter()
    while not task.done():
        due += 1 / BEATS_PER_SECOND
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        status, answer = await bench.agent.ask("POST", "/KeyfactorAgents/Session/Heartbeat", bench.beat)
        assert (status, b'"SessionValid":true' in answer) == (200, True), answer
        found.append(1000 * (time.perf_counter() - due))
    await task
    return found


async def storms(bench: Bench, count: int) -> tuple[dict[str, float], list[float]]:
    """Microseconds of CPU per id of each kind of storm, alone and in bulk; and heartbeats' lags meanwhile."""
    costs: dict[str, float] = {}
    beating: list[float] = []
    for verb in ("Reschedule", "Acknowledge"):
        singles = bench.take(SINGLES)

        async def one_by_one(verb: str = verb, singles: list[int] = singles) -> None:
            for audit_id in singles:
                await bench.storm(verb, [audit_id])

        costs[f"{verb}, one id"] = 1e6 * await bench.cpu(one_by_one()) / SINGLES
        costs[f"{verb}, {count} ids"] = 1e6 * await bench.cpu(bench.storm(verb, bench.take(count))) / count
        beating += await lags(bench, bench.storm(verb, bench.take(count)))
    return costs, beating


async def pages(bench: Bench, runs: int) -> dict[str, float]:
    """Microseconds of CPU per page, at several depths of all history and of a search."""
    last = runs // LIMIT
    found: dict[str, float] = {}
    wanted: list[tuple[str, Callable[[int], Coroutine[object, object, None]]]] = [
        ("page 1", lambda n: bench.page(1)),
        *((f"page {number:,}", lambda n, at=number: bench.page(at + n % 3)) for number in (100, last // 2, last - 3)),
        (f"newest first, page {last // 2:,}", lambda n: bench.page(last // 2 + n % 3, down=1)),
        ("search, page 1", lambda n: bench.page(1, "Status -eq 3")),
        (f"search, page {last // 20:,}", lambda n: bench.page(last // 20 + n % 3, "Status -eq 3")),
    ]
    for name, ask in wanted:
        times = SEARCHES if name.startswith("search") else PAGES
        found[name] = 1e6 * await bench.cpu(many(ask, times)) / times
    return found


async def many(ask: Callable[[int], Coroutine[object, object, None]], times: int) -> None:
    for number in range(times):
        await ask(number)


async def searches(bench: Bench, since: int) -> dict[str, float]:
    """Microseconds of CPU per search: by an index, and by looking at all runs. `since`: never the same twice."""
    found: dict[str, float] = {}
    for name, query in ((BY_INDEX, "Status -eq 3"), (BY_SCAN, f"AgentId -eq {AGENT}")):

        async def ask(number: int, query: str = query) -> None:
            await bench.page(1, f"{query} AND JobHistoryId -gt {since + number}")

        found[name] = 1e6 * await bench.cpu(many(ask, SEARCHES)) / SEARCHES
    return found


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


async def measure(path: Path, runs: int, count: int, rounds: int) -> list[dict[str, float]]:
    """All figures, once a round."""
    settings = replace(DEFAULT_SETTINGS, job_timeout=1000 * DAY, max_ids=max(count, 10_000), durability="full")
    logins = made_logins()
    found: list[dict[str, float]] = []
    async with embedded_server(settings, logins, path.parent, db=str(path)) as server:
        bench = await opened(server, logins, runs)
        for number in range(rounds):
            idle = await lags(bench, asyncio.sleep(2))
            costs, meanwhile = await storms(bench, count)
            costs |= await pages(bench, runs) | await searches(bench, 2 * SEARCHES * number)
            searching = await lags(bench, searches(bench, 2 * SEARCHES * number + SEARCHES))
            figures = {f"µs CPU: {name}": value for name, value in costs.items()}
            for name, values in (("idle", idle), ("in a storm", meanwhile), ("in searches", searching)):
                figures |= {f"heartbeats' lag {name}, ms, {part}": at for part, at in spread(values).items()}
            found.append(figures)
    async with embedded_server(replace(settings, count_most=COUNTED_TO), logins, path.parent, db=str(path)) as server:
        bench = await opened(server, logins, runs)
        await bench.page(1, "Status -eq 3")  # the first query of a server makes the parser
        for number, figures in enumerate(found):
            costs = await searches(bench, SEARCHES * number)
            figures[f"µs CPU: {COUNTED}"] = costs[BY_INDEX]
    return [figures | ratios(figures, count) for figures in found]


def spread(values: list[float]) -> dict[str, float]:
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "most": max(values)}


def ratios(figures: dict[str, float], count: int) -> dict[str, float]:
    """What the aims are about."""
    cost = {name.removeprefix("µs CPU: "): value for name, value in figures.items()}
    deep = [value for name, value in cost.items() if "page" in name and "search" not in name]
    return {
        RESCHEDULE: cost[f"Reschedule, {count} ids"] / cost["Reschedule, one id"],
        "acknowledge: id in bulk ÷ alone": cost[f"Acknowledge, {count} ids"] / cost["Acknowledge, one id"],
        HISTORY: max(deep) / cost["page 1"],
        "search: by an index, all counted ÷ by a scan": cost[BY_INDEX] / cost[BY_SCAN],
        SEARCH: cost[COUNTED] / cost[BY_SCAN],
    }


BY_INDEX, BY_SCAN = "search by an index", "search by a scan"
COUNTED = f"{BY_INDEX}, counted to {COUNTED_TO:,}"
SEARCH = f"search: by an index, counted to {COUNTED_TO:,} ÷ by a scan"
RESCHEDULE, HISTORY = "reschedule: id in bulk ÷ alone", "history: dearest page ÷ first"
BOUNDS = {
    RESCHEDULE: Bound(0.4, 0.1),
    HISTORY: Bound(1.5, 1.1),
    SEARCH: Bound(0.05, 0.01),
    "heartbeats' lag in a storm, ms, p99": Bound(15, 5),
    "heartbeats' lag in searches, ms, p99": Bound(15, 5),
}


def main() -> None:
    """Measure, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--ids", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agent-sim-bench-") as folder:
        path = Path(folder) / "million.db"
        print(f"making {options.runs:,} runs ...", file=sys.stderr)
        make(path, options.runs)
        with Watch() as watch:
            found = asyncio.run(measure(path, options.runs, options.ids, options.rounds))
    tell("server", [Figure(name, [one[name] for one in found], "", BOUNDS.get(name)) for name in found[0]], watch.share)


if __name__ == "__main__":
    main()
