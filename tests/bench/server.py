"""The server under what is large: storms at 10,000 ids, a history of a million runs, and heartbeats meanwhile.

    python -m tests.bench.server [--runs 1000000] [--ids 10000] [--rounds 3]

A real server process over a database file. Costs are its CPU time: an id of a large storm beside an id rescheduled
alone, a page at any depth beside the first one. Heartbeats' lag is wall time, so it is shown beside that of the same
heartbeats with nothing else going on; both hold for a machine with a core to spare (reference: performance 2.4).
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
from statistics import median
from urllib.parse import quote

from agent_sim.cli.embedded import Embedded, Logins, embedded_server, made_logins
from agent_sim.cli.report import environment
from agent_sim.credentials import Credentials
from agent_sim.instants import DAY
from agent_sim.protocol.agent import NO_TENANT
from agent_sim.settings import DEFAULT_SETTINGS
from tests.bench.million import RUNS_PER_JOB, make

BEATS_PER_SECOND = 250
SINGLES = 150
PAGES = 200
LIMIT = 50
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

        async def many(ask: Callable[[int], Coroutine[object, object, None]] = ask) -> None:
            for number in range(PAGES):
                await ask(number)

        found[name] = 1e6 * await bench.cpu(many()) / PAGES
    return found


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


async def measure(path: Path, runs: int, count: int, rounds: int) -> dict[str, float]:
    """All figures, medians of `rounds`."""
    settings = replace(DEFAULT_SETTINGS, job_timeout=1000 * DAY, max_ids=max(count, 10_000), durability="full")
    logins = made_logins()
    found: list[dict[str, float]] = []
    beating: list[float] = []
    idle: list[float] = []
    async with embedded_server(settings, logins, path.parent, db=str(path)) as server:
        bench = await opened(server, logins, runs)
        for _ in range(rounds):
            idle += await lags(bench, asyncio.sleep(2))
            costs, meanwhile = await storms(bench, count)
            beating += meanwhile
            found.append(costs | await pages(bench, runs))
    figures = {name: median(each[name] for each in found) for name in found[0]}
    for name, values in (("idle", idle), ("meanwhile", beating)):
        figures |= {f"lag {name}, p50 ms": median(values), f"lag {name}, p99 ms": percentile(values, 0.99)}
        figures[f"lag {name}, samples"] = len(values)
    return figures


def ratios(figures: dict[str, float], count: int) -> dict[str, float]:
    """What the aims are about."""
    first = figures["page 1"]
    deep = [value for name, value in figures.items() if "page" in name and "search" not in name]
    return {
        "reschedule: id in bulk / alone": figures[f"Reschedule, {count} ids"] / figures["Reschedule, one id"],
        "acknowledge: id in bulk / alone": figures[f"Acknowledge, {count} ids"] / figures["Acknowledge, one id"],
        "history: dearest page / first": max(deep) / first,
    }


def main() -> None:
    """Measure and print a table and, as the last line, JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--ids", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agent-sim-bench-") as folder:
        path = Path(folder) / "million.db"
        print(f"making {options.runs:,} runs ...", file=sys.stderr)
        make(path, options.runs)
        figures = asyncio.run(measure(path, options.runs, options.ids, options.rounds))
    for name, value in figures.items():
        print(f"{name:32} {value:10.1f}" + ("" if name.startswith("lag") else " µs CPU"))
    told = ratios(figures, options.ids)
    for name, value in told.items():
        print(f"{name:32} {value:10.2f}")
    print(json.dumps({**figures, **told, "machine": environment()}))


if __name__ == "__main__":
    main()
