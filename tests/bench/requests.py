"""CPU per request of our server and our fleet, beside plain aiohttp doing nothing but the same HTTP, in one run.

    python -m tests.bench.requests [--seconds 6] [--agents 600] [--rounds 3]

Both pairs are paced alike: so many agents, one small POST each per second. Interleaved A B A B, CPU time; req/s are not
judged. Our fleet is on its compatible transport here, aiohttp: the fast one has `tests.bench.fleet` (reference:
performance 1.1 and 2.1).
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import aiohttp

from agent_sim.agent import events
from agent_sim.agent.behaviour import Behaviour
from agent_sim.agent.core import Agent
from agent_sim.agent.identity import Identity, Stock
from agent_sim.cli.embedded import cpu_seconds, embedded_server, made_logins
from agent_sim.draws import root
from agent_sim.fleet.live import Kind, Scheduler, WallClock
from agent_sim.instants import SECOND
from agent_sim.protocol.enums import BY_GUID
from agent_sim.settings import DEFAULT_SETTINGS
from agent_sim.transports.aiohttp_pool import HttpPool
from agent_sim.transports.base import Connections, Target
from tests.bench.figures import Figure, ratios, tell
from tests.bench.quiet import measured

NULL_SERVER = """
from aiohttp import web
async def answer(request):
    await request.json()
    return web.json_response({"HeartbeatInterval": 1, "SessionValid": True})
async def main():
    app = web.Application(); app.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None); await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
import asyncio; asyncio.run(main())
"""
BODY = json.dumps({"AgentPlatform": 7, "TenantId": "0" * 36, "ClientMachine": "m" * 30, "SessionToken": "t" * 36})


async def ours(agents: int, seconds: float) -> tuple[float, float, int]:
    """CPU seconds of server and of fleet, and the heartbeats between them."""
    logins, settings = made_logins(), replace(DEFAULT_SETTINGS, heartbeat_minutes=1 / 60)
    count = 0

    def ended(*_: object) -> None:
        nonlocal count
        count += 1

    with tempfile.TemporaryDirectory() as folder:
        async with embedded_server(settings, logins, Path(folder)) as server:
            target = Target.at(server.address)
            async with HttpPool(target, logins.agent, Connections()) as pool:
                clock = WallClock()
                scheduler = Scheduler(clock)
                limit = asyncio.Semaphore(100)
                stock = Stock("bench", "bench-", ("Custom.FetchLogs",), root("bench"))
                kind = Kind(pool.agent(0).send, events.Woken(), events.Answered, events.SendFailed, ended, limit)
                for number in range(agents):
                    agent = Agent(Identity(stock, number), Behaviour(), BY_GUID, clock() + number * SECOND // agents)
                    scheduler.add(agent, kind, lambda core: None)
                driving = asyncio.create_task(scheduler.run())
                await asyncio.sleep(3)  # registered, connected, warm
                before = server.cpu_seconds(), cpu_seconds(), count
                await asyncio.sleep(seconds)
                after = server.cpu_seconds(), cpu_seconds(), count
                scheduler.stop()
                await driving
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


async def _beating(process: "subprocess.Popen[str]", agents: int, seconds: float) -> tuple[float, float, int]:
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().strip()}/Session/Heartbeat"
    count = 0

    async def beat(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal count
        await asyncio.sleep(number / agents)
        while True:
            async with session.post(url, data=BODY, headers={"Content-Type": "application/json"}) as reply:
                json.loads(await reply.read())
            count += 1
            await asyncio.sleep(1)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
        tasks = [asyncio.create_task(beat(session, number)) for number in range(agents)]
        await asyncio.sleep(3)
        before = cpu_seconds(process.pid), cpu_seconds(), count
        await asyncio.sleep(seconds)
        after = cpu_seconds(process.pid), cpu_seconds(), count
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


def measure_ours(agents: int, seconds: float) -> tuple[float, float, int]:
    """CPU seconds of our server and our fleet, and the heartbeats between them."""
    return asyncio.run(ours(agents, seconds))


def measure_plain(agents: int, seconds: float) -> tuple[float, float, int]:
    """The same with a handler that does nothing and a task for each agent."""
    process = subprocess.Popen([sys.executable, "-c", NULL_SERVER], stdout=subprocess.PIPE, text=True)
    try:
        return asyncio.run(_beating(process, agents, seconds))
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--agents", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = measured(options.rounds, lambda: one_round(options.agents, options.seconds))
    costs = {name: [found[name] for found in rounds.found] for name in rounds.found[0]}
    figures = [Figure(f"CPU per request: {name}", values, "µs") for name, values in costs.items()]
    figures += [
        Figure("our server ÷ aiohttp.web", ratios(costs["our server"], costs["plain server"])),
        Figure("our fleet ÷ aiohttp's client", ratios(costs["our fleet"], costs["plain client"])),
    ]
    tell("requests", figures, rounds.share, rounds.spoilt)


def one_round(agents: int, seconds: float) -> dict[str, float]:
    """Microseconds of CPU per request of both pairs, in turn."""
    costs: dict[str, float] = {}
    for names, measure in (
        (("our server", "our fleet"), measure_ours),
        (("plain server", "plain client"), measure_plain),
    ):
        *spent, requests = measure(agents, seconds)
        costs |= {name: 1e6 * used / requests for name, used in zip(names, spent, strict=True)}
    return costs


if __name__ == "__main__":
    main()
