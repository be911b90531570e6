"""The server under what is large: storms at 10,000 ids, a history of a million runs, and heartbeats meanwhile.

    python -m tests.bench.server [--runs 1000000] [--ids 10000] [--rounds 3]

A real server process over a database file, a fresh copy of it each round. Costs are its CPU time: a page at any depth
beside the first one, in turns and all warm; a search that an index serves beside one that looks at every run (each in
other words, so that nothing is remembered). What an id of a large storm costs beside an id rescheduled alone is judged
in the core (`by_ids`), for over HTTP a single one pays for a whole web request; that ratio is shown as well.
Heartbeats' lag is wall time, so it is shown beside that of the same heartbeats with nothing else going on; both hold
for a machine with a core to spare. Heartbeats are plain ones, as agents send them, and storms go on until enough of
them were answered for a percentile (reference: performance 2.4).
"""

import argparse
import asyncio
import base64
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from urllib.parse import quote

from agent_sim.cli.embedded import Embedded, Logins, embedded_server, made_logins
from agent_sim.credentials import Credentials
from agent_sim.instants import DAY
from agent_sim.protocol.agent import NO_TENANT
from agent_sim.settings import DEFAULT_SETTINGS
from tests.bench import by_ids
from tests.bench.clocks import cpu_of
from tests.bench.figures import Bound, Figure, tell
from tests.bench.million import RUNS_PER_JOB, make
from tests.bench.quiet import measured

BEATING = 4  # agents, each on a connection of its own
BEATS_PER_SECOND = 250  # of each
SAMPLES = 1000  # of heartbeats' lag at least, for a p99
SINGLES = 150
PASSES = 5  # over all pages, of which the median counts
PAGES = 40  # in a pass
SEARCH_PAGES = 4
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
    """A server with a long history, an operator, agents with a session each, and ids nobody used yet."""

    server: Embedded
    operator: Wire
    agents: list[tuple[Wire, bytes]]  # and their heartbeats
    ids: list[int]

    def take(self, count: int) -> list[int]:
        assert len(self.ids) >= count, "the history has too few ids for this"
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
        before = cpu_of(self.server.pid)
        await work
        return cpu_of(self.server.pid) - before


async def opened(server: Embedded, logins: Logins, ids: Sequence[int]) -> Bench:
    agents = [await _agent(server, logins, f"beating-{number}") for number in range(BEATING)]
    return Bench(server, await Wire.open(server, logins.operator, OF_PERSONS), agents, list(ids))


async def _agent(server: Embedded, logins: Logins, machine: str) -> tuple[Wire, bytes]:
    agent = await Wire.open(server, logins.agent)
    who = {"AgentPlatform": 7, "TenantId": NO_TENANT, "ClientMachine": machine}
    fields = who | {"AgentVersion": 0, "CSR": None, "AgentId": "", "Capabilities": [], "ClientParameters": {}}
    status, answer = await agent.ask("POST", "/KeyfactorAgents/Session/Register", json.dumps(fields).encode())
    assert status == 200, answer
    return agent, json.dumps(who | {"SessionToken": json.loads(answer)["Session"]["Token"]}).encode()


# --- what is measured -------------------------------------------------------------------------


async def lags(bench: Bench, work: Coroutine[object, object, None]) -> list[float]:
    """Milliseconds that heartbeats took, from the instant at which each was due, until `work` is done."""
    task = asyncio.create_task(work)
    found: list[float] = []

    async def beat(number: int, agent: Wire, body: bytes) -> None:
        due = time.perf_counter() + number / BEATS_PER_SECOND / BEATING
        while not task.done():
            due += 1 / BEATS_PER_SECOND
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            status, answer = await agent.ask("POST", "/KeyfactorAgents/Session/Heartbeat", body)
            assert (status, b'"SessionValid":true' in answer) == (200, True), answer
            found.append(1000 * (time.perf_counter() - due))

    await asyncio.gather(*(beat(number, *each) for number, each in enumerate(bench.agents)))
    await task
    return found


async def storms(bench: Bench, count: int) -> dict[str, float]:
    """Microseconds of CPU per id of each kind of storm, alone and in bulk, over HTTP."""
    costs: dict[str, float] = {}
    for verb in VERBS:
        singles = bench.take(SINGLES)

        async def one_by_one(verb: str = verb, singles: list[int] = singles) -> None:
            for audit_id in singles:
                await bench.storm(verb, [audit_id])

        costs[f"{verb}, one id"] = 1e6 * await bench.cpu(one_by_one()) / SINGLES
        costs[f"{verb}, {count} ids"] = 1e6 * await bench.cpu(bench.storm(verb, bench.take(count))) / count
    return costs


async def lags_in_storms(bench: Bench, verb: str, ids: list[int], count: int) -> list[float]:
    """Heartbeats' lags in one storm after the other, until there are enough or these ids are used up."""
    found: list[float] = []
    for begin in range(0, len(ids) - count + 1, count):
        found += await lags(bench, bench.storm(verb, ids[begin : begin + count]))
        if len(found) >= SAMPLES:
            break
    return found


async def pages(bench: Bench, runs: int) -> dict[str, float]:
    """Microseconds of CPU per page, at several depths of all history and of a search: medians of passes over them."""
    last = runs // LIMIT
    wanted: dict[str, Callable[[int], Coroutine[object, object, None]]] = {
        "page 1": lambda n: bench.page(1),
        **{f"page {at:,}": lambda n, at=at: bench.page(at + n % 3) for at in (100, last // 2, last - 3)},
        f"newest first, page {last // 2:,}": lambda n: bench.page(last // 2 + n % 3, down=1),
        "search, page 1": lambda n: bench.page(1, "Status -eq 3"),
        f"search, page {last // 20:,}": lambda n: bench.page(last // 20 + n % 3, "Status -eq 3"),
    }
    passes: dict[str, list[float]] = {name: [] for name in wanted}
    for number in range(1 + PASSES):
        for name, ask in wanted.items():
            times = SEARCH_PAGES if name.startswith("search") else PAGES
            cost = 1e6 * await bench.cpu(many(ask, times)) / times
            if number:  # the first pass warms up
                passes[name].append(cost)
    return {name: median(costs) for name, costs in passes.items()}


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


def measure(made: Path, runs: int, count: int) -> dict[str, float]:
    """All figures of a round, on a copy of the database that was made."""
    path = made.with_name("round.db")
    shutil.copyfile(made, path)
    ids = range(runs - runs // RUNS_PER_JOB + 1, runs + 1)
    spent = by_ids.needed(count)
    costs = by_ids.costs(path, ids[:spent], count)
    figures = asyncio.run(over_http(path, runs, ids[spent:], count))
    for file in made.parent.glob("round.db*"):
        file.unlink()
    return {f"µs CPU: {name}": value for name, value in costs.items()} | figures | ratios(figures, costs, count)


async def over_http(path: Path, runs: int, ids: Sequence[int], count: int) -> dict[str, float]:
    """What a server process is asked for, all of it."""
    settings = replace(DEFAULT_SETTINGS, job_timeout=1000 * DAY, max_ids=max(count, 10_000), durability="full")
    logins = made_logins()
    async with embedded_server(settings, logins, path.parent, db=str(path)) as server:
        bench = await opened(server, logins, ids)
        beating = {"idle": await lags(bench, asyncio.sleep(2))}
        costs = await storms(bench, count) | await pages(bench, runs) | await searches(bench, 0)
        share = len(bench.ids) // len(VERBS)
        for verb, name in VERBS.items():
            beating[name] = await lags_in_storms(bench, verb, bench.take(share), count)
        beating["in searches"] = await lags(bench, _unheard(searches(bench, 2 * SEARCHES)))
    async with embedded_server(replace(settings, count_most=COUNTED_TO), logins, path.parent, db=str(path)) as server:
        bench = await opened(server, logins, ())
        await bench.page(1, "Status -eq 3")  # the first query of a server makes the parser
        costs[COUNTED] = (await searches(bench, 0))[BY_INDEX]
    figures = {f"µs CPU: {name}": value for name, value in costs.items()}
    for name, values in beating.items():
        figures |= {f"heartbeats' lag {name}, ms, {part}": at for part, at in spread(values).items()}
        figures[f"heartbeats' lag {name}, n"] = len(values)
    return figures


async def _unheard(work: Coroutine[object, object, object]) -> None:
    await work


def spread(values: list[float]) -> dict[str, float]:
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "most": max(values)}


def ratios(figures: dict[str, float], in_core: dict[str, float], count: int) -> dict[str, float]:
    """What the aims are about."""
    cost = {name.removeprefix("µs CPU: "): value for name, value in figures.items()}
    deep = [value for name, value in cost.items() if "page" in name and "search" not in name]
    return {
        RESCHEDULE: in_core[f"reschedule, {by_ids.BULK}"] / in_core[f"reschedule, {by_ids.ONE}"],
        BESIDE_SQL: in_core[f"reschedule, {by_ids.BULK}"] / in_core[f"reschedule, {by_ids.BARE}"],
        "reschedule over HTTP: id in bulk ÷ alone": cost[f"Reschedule, {count} ids"] / cost["Reschedule, one id"],
        "acknowledge over HTTP: id in bulk ÷ alone": cost[f"Acknowledge, {count} ids"] / cost["Acknowledge, one id"],
        HISTORY: max(deep) / cost["page 1"],
        "search: by an index, all counted ÷ by a scan": cost[BY_INDEX] / cost[BY_SCAN],
        SEARCH: cost[COUNTED] / cost[BY_SCAN],
    }


VERBS = {"Reschedule": "in reschedules", "Acknowledge": "in acknowledges"}
BY_INDEX, BY_SCAN = "search by an index", "search by a scan"
COUNTED = f"{BY_INDEX}, counted to {COUNTED_TO:,}"
SEARCH = f"search: by an index, counted to {COUNTED_TO:,} ÷ by a scan"
RESCHEDULE = "reschedule in the core: id in bulk ÷ alone"
BESIDE_SQL = "reschedule: id in bulk ÷ bare SQL alone"
HISTORY = "history: dearest page ÷ first"
BOUNDS = {
    RESCHEDULE: Bound(0.4, 0.1),
    BESIDE_SQL: Bound(0.4, 0.1),
    HISTORY: Bound(1.5, 1.1),
    SEARCH: Bound(0.05, 0.01),
    "heartbeats' lag in reschedules, ms, p99": Bound(15, 5),
    "heartbeats' lag in acknowledges, ms, p99": Bound(15, 5),
    "heartbeats' lag in searches, ms, p99": Bound(15, 5),
}


AIMS = (1_000_000, 10_000)
"""Runs and ids that the bounds are about."""


def rows(found: Sequence[dict[str, float]], runs: int, ids: int) -> list[Figure]:
    """What the rounds found; judged if it is what the aims are about, and a percentile if it has its samples."""
    small = "" if (runs, ids) == AIMS else f"{ids:,} ids of {runs:,} runs"
    made = []
    for name in found[0]:
        samples = min(one.get(f"{name.removesuffix(', ms, p99')}, n", SAMPLES) for one in found)
        few = f"{samples:.0f} samples" if samples < SAMPLES else ""
        made.append(Figure(name, [one[name] for one in found], "", BOUNDS.get(name), small or few))
    return made


def main() -> None:
    """Measure, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=AIMS[0])
    parser.add_argument("--ids", type=int, default=AIMS[1])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agent-sim-bench-") as folder:
        path = Path(folder) / "million.db"
        print(f"making {options.runs:,} runs ...", file=sys.stderr)
        make(path, options.runs)
        rounds = measured(options.rounds, lambda: measure(path, options.runs, options.ids))
    tell("server", rows(rounds.found, options.runs, options.ids), rounds.share, rounds.spoilt)


if __name__ == "__main__":
    main()
