"""Durable transitions of jobs per second of server CPU, beside aiohttp with one transaction per request, in one run.

    python -m tests.bench.durable [--jobs 4000] [--agents 256] [--rounds 3]

All write through to the disk (synchronous = FULL). Each job is two requests and two transitions: an agent takes it and
completes it. Ours does all that it always does: accounts, sessions, the message's form, retries, the feed. It stands
beside two others: the same core behind aiohttp.web with a transaction for each request (`one_by_one`), and a handler
of aiohttp that does next to nothing: it parses JSON and writes two rows (reference: performance 2.2, 2.3, S1).
What ours puts off for later is made to happen before its clock stops: somebody asks for a page of history.
Client and server take turns on one core, all three alike: on two that share their arithmetic, a busy client slows down
a server that need not wait for the disk.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from agent_sim.cli.embedded import Embedded, Logins, embedded_server, made_logins
from agent_sim.protocol.agent import NO_TENANT
from agent_sim.settings import DEFAULT_SETTINGS
from tests.bench.clocks import cpu_of
from tests.bench.figures import Bound, Figure, ratios, tell
from tests.bench.quiet import measured
from tests.bench.server import OF_PERSONS, Wire

PLAIN = """
import asyncio, json, sqlite3, sys, uvloop
from aiohttp import web
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT); CREATE INDEX job_state ON job (state);"
    "CREATE TABLE run (id INTEGER PRIMARY KEY, job INTEGER, status INTEGER, result INTEGER, message TEXT);"
    "CREATE INDEX run_job ON run (job); CREATE INDEX run_status ON run (status, result);")
async def configure(request):
    asked = await request.json()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO job VALUES (?, 'running')", (asked["JobId"],))
    audit = db.execute("INSERT INTO run (job, status, result) VALUES (?, 2, 0)", (asked["JobId"],)).lastrowid
    db.execute("COMMIT")
    return web.json_response({"AuditId": audit, "Result": {"Status": 1}})
async def complete(request):
    asked = await request.json()
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE job SET state = 'gone' WHERE id = ? AND state = 'running'", (asked["JobId"],))
    db.execute("UPDATE run SET status = 3, result = ?, message = ? WHERE id = ? AND status = 2",
               (asked["Status"], asked["Message"], asked["AuditId"]))
    db.execute("COMMIT")
    return web.json_response({"Result": {"Status": 1}})
async def main():
    app = web.Application()
    app.router.add_post("/Configure", configure); app.router.add_post("/Complete", complete)
    runner = web.AppRunner(app, access_log=None); await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print("http://127.0.0.1:%d" % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""

Post = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def poster(wire: Wire, base: str) -> Post:
    async def post(path: str, value: dict[str, Any]) -> dict[str, Any]:
        status, answer = await wire.ask("POST", f"{base}{path}", json.dumps(value).encode())
        assert status == 200, (status, answer)
        told: dict[str, Any] = json.loads(answer)
        assert told["Result"]["Status"] == 1, told
        return told

    return post


async def run_jobs(post: Post, area: str, token: str, jobs: list[Any]) -> None:
    """An agent's shift: take each job and complete it."""
    for job in jobs:
        told = await post(f"{area}/Configure", {"SessionToken": token, "JobId": job})
        fields = {"Status": 2, "AuditId": told["AuditId"], "JobId": job, "Message": "", "SessionToken": token}
        await post(f"{area}/Complete", fields)


Opened = AbstractAsyncContextManager[Embedded]


async def measure_core(opened: Opened, logins: Logins, agents: int, jobs: int) -> float:
    """Microseconds of CPU per transition of a server with our core."""
    async with opened as server:
        shifts = []
        for number in range(agents):
            post = poster(await Wire.open(server, logins.agent), "/KeyfactorAgents")
            fields = {"AgentPlatform": 7, "TenantId": NO_TENANT, "ClientMachine": f"m{number}", "AgentVersion": 0}
            fields |= {"CSR": None, "AgentId": "", "Capabilities": ["Custom.FetchLogs"], "ClientParameters": {}}
            shifts.append((post, (await post("/Session/Register", fields))["Session"]))
        posted = await _posted(server, logins, [session["AgentId"] for _, session in shifts], jobs // agents)
        reader = await Wire.open(server, logins.operator, OF_PERSONS)
        await settled(reader)
        before = cpu_of(server.pid)
        await asyncio.gather(
            *(run_jobs(post, "/FetchLogs", one["Token"], posted[one["AgentId"]]) for post, one in shifts)
        )
        await settled(reader)
        return 1e6 * (cpu_of(server.pid) - before) / (2 * (jobs // agents) * agents)


async def settled(reader: Wire) -> None:
    """Have all that is put off run: nobody is shown a history that is not in its table."""
    status, answer = await reader.ask("GET", "/KeyfactorAPI/OrchestratorJobs/JobHistory?ReturnLimit=1")
    assert status == 200, answer


def ours(folder: Path, logins: Logins) -> Opened:
    """The server as it is."""
    settings = replace(DEFAULT_SETTINGS, durability="full")
    return embedded_server(settings, logins, folder, db=str(folder / "ours.db"))


def one_by_one(folder: Path, logins: Logins) -> Opened:
    """The same core behind aiohttp.web, a transaction for each request."""
    words = ["-m", "tests.bench.one_by_one", str(folder / "one.db"), logins.operator.password, logins.agent.password]
    return started(words)


def plain(folder: Path, logins: Logins) -> Opened:
    """A handler that does next to nothing."""
    return started(["-c", PLAIN, str(folder / "plain.db")])


@asynccontextmanager
async def started(words: list[str]) -> AsyncIterator[Embedded]:
    """A server that prints its address."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert process.stdout is not None
        yield Embedded(process.stdout.readline().strip(), process.pid)
    finally:
        process.kill()
        process.wait()


async def _posted(server: Embedded, logins: Logins, agents: list[str], each: int) -> dict[str, list[str]]:
    """Ids of new jobs by agent."""
    wires = [await Wire.open(server, logins.operator, OF_PERSONS) for _ in range(16)]
    found: dict[str, list[str]] = {agent_id: [] for agent_id in agents}

    async def post(wire: Wire, those: list[str]) -> None:
        for agent_id in those * each:
            body = json.dumps({"AgentId": agent_id, "JobTypeName": "FetchLogs"}).encode()
            status, answer = await wire.ask("POST", "/KeyfactorAPI/OrchestratorJobs/Custom", body)
            assert status == 200, answer
            found[agent_id].append(json.loads(answer)["JobId"])

    await asyncio.gather(*(post(wire, agents[number :: len(wires)]) for number, wire in enumerate(wires)))
    return found


async def measure_plain(opened: Opened, logins: Logins, agents: int, jobs: int) -> float:
    """The same of the other one."""
    async with opened as server:
        each = jobs // agents
        posts = [poster(await Wire.open(server, logins.agent), "") for _ in range(agents)]
        shifts = [list(range(number * each, (number + 1) * each)) for number in range(agents)]
        before = cpu_of(server.pid)
        await asyncio.gather(*(run_jobs(post, "", "t", ids) for post, ids in zip(posts, shifts, strict=True)))
        return 1e6 * (cpu_of(server.pid) - before) / (2 * each * agents)


WAYS: dict[str, tuple[Callable[[Path, Logins], Opened], Callable[..., Coroutine[Any, Any, float]]]] = {
    "ours": (ours, measure_core),
    "our core, aiohttp.web, one transaction per request": (one_by_one, measure_core),
    "aiohttp and next to nothing, one transaction per request": (plain, measure_plain),
}


def main() -> None:
    """Measure, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=AIMS[0])
    parser.add_argument("--agents", type=int, default=AIMS[1])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # and so do the servers that it starts
    rounds = measured(options.rounds, lambda: one_round(options.agents, options.jobs))
    costs = {name: [found[name] for found in rounds.found] for name in WAYS}
    mine, same, bare = costs.values()
    asked = options.jobs, options.agents
    small = "" if asked == AIMS else "{:,} jobs of {:,} agents".format(*asked)
    figures = [Figure(f"CPU per transition: {name}", values, "µs") for name, values in costs.items()]
    figures += [
        Figure("transitions per CPU-second, ours ÷ our core one by one", ratios(same, mine), "", BOUND, small),
        Figure("transitions per CPU-second, ours ÷ next to nothing one by one", ratios(bare, mine), "", BOUND, small),
    ]
    tell("durable", figures, rounds.share, rounds.spoilt)


def one_round(agents: int, jobs: int) -> dict[str, float]:
    """Microseconds of CPU per transition of each way, in turn."""
    costs: dict[str, float] = {}
    for name, (opened, measure) in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="agent-sim-bench-") as folder:
            logins = made_logins()
            costs[name] = uvloop.run(measure(opened(Path(folder), logins), logins, agents, jobs))
    return costs


BOUND = Bound(8, 15)
AIMS = 4000, 256  # jobs and agents: how many are at it sets how much is committed together

if __name__ == "__main__":
    main()
