"""Durable transitions of jobs per second of server CPU, beside aiohttp with one transaction per request, in one run.

    python -m tests.bench.durable [--jobs 1500] [--agents 64] [--rounds 3]

Both write through to the disk (synchronous = FULL). Each job is two requests and two transitions: an agent takes it
and completes it. Ours does all that it always does: accounts, sessions, the message's form, retries, the feed. The
other one only parses JSON and writes the same two rows for each transition (reference: performance 2.2, 2.3, S1).
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from agent_sim.cli.embedded import Embedded, cpu_seconds, embedded_server, made_logins
from agent_sim.cli.report import environment
from agent_sim.protocol.agent import NO_TENANT
from agent_sim.settings import DEFAULT_SETTINGS
from tests.bench.server import OF_PERSONS, Wire

PLAIN = """
import asyncio, json, sqlite3, sys
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
asyncio.run(main())
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


async def measure_ours(folder: Path, agents: int, jobs: int) -> float:
    """Microseconds of server CPU per transition."""
    logins, settings = made_logins(), replace(DEFAULT_SETTINGS, durability="full")
    async with embedded_server(settings, logins, folder, db=str(folder / "ours.db")) as server:
        operator = await Wire.open(server, logins.operator, OF_PERSONS)
        shifts = []
        for number in range(agents):
            post = poster(await Wire.open(server, logins.agent), "/KeyfactorAgents")
            fields = {"AgentPlatform": 7, "TenantId": NO_TENANT, "ClientMachine": f"m{number}", "AgentVersion": 0}
            fields |= {"CSR": None, "AgentId": "", "Capabilities": ["Custom.FetchLogs"], "ClientParameters": {}}
            session = (await post("/Session/Register", fields))["Session"]
            shifts.append((post, session["Token"], await _posted(operator, session["AgentId"], jobs // agents)))
        before = server.cpu_seconds()
        await asyncio.gather(*(run_jobs(post, "/FetchLogs", token, ids) for post, token, ids in shifts))
        return 1e6 * (server.cpu_seconds() - before) / (2 * (jobs // agents) * agents)


async def _posted(operator: Wire, agent_id: str, count: int) -> list[str]:
    body = json.dumps({"AgentId": agent_id, "JobTypeName": "FetchLogs"}).encode()
    ids = []
    for _ in range(count):
        status, answer = await operator.ask("POST", "/KeyfactorAPI/OrchestratorJobs/Custom", body)
        assert status == 200, answer
        ids.append(json.loads(answer)["JobId"])
    return ids


async def measure_plain(folder: Path, agents: int, jobs: int) -> float:
    """The same for the other one."""
    command = [sys.executable, "-c", PLAIN, str(folder / "plain.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  nothing else runs yet
    try:
        assert process.stdout is not None
        server = Embedded(process.stdout.readline().strip(), process.pid)
        logins, each = made_logins(), jobs // agents
        wires = [await Wire.open(server, logins.agent) for _ in range(agents)]
        before = cpu_seconds(process.pid)
        await asyncio.gather(
            *(
                run_jobs(poster(wire, ""), "", "t", list(range(number * each, (number + 1) * each)))
                for number, wire in enumerate(wires)
            )
        )
        return 1e6 * (cpu_seconds(process.pid) - before) / (2 * each * agents)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure and print a table and, as the last line, JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1500)
    parser.add_argument("--agents", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {"ours": [], "aiohttp, one transaction per request": []}
    for _ in range(options.rounds):
        for name, measure in zip(figures, (measure_ours, measure_plain), strict=True):
            with tempfile.TemporaryDirectory(prefix="agent-sim-bench-") as folder:
                figures[name].append(asyncio.run(measure(Path(folder), options.agents, options.jobs)))
    medians = {name: median(values) for name, values in figures.items()}
    for name, value in medians.items():
        print(f"{name:38} {value:8.1f} µs CPU, {1e6 / value:8,.0f} durable transitions per CPU-second")
    ours, plain = medians.values()
    print(f"{'transitions per CPU-second, ratio':38} {plain / ours:8.2f}")
    print(json.dumps({**medians, "ratio": plain / ours, "rounds": figures, "machine": environment()}))


if __name__ == "__main__":
    main()
