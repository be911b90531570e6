"""One fleet in a process of its own, and what it cost: `python -m tests.bench.fleet_client ...` prints JSON.

`ours` is the agent core on the live scheduler over the fast transport, with journal, traffic histograms and the stop
rule, as in a run; `aiohttp` the same over aiohttp; `tasks` is what one writes first: a task for each agent that posts
its heartbeat through a shared aiohttp session.
"""

import argparse
import asyncio
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import orjson
import psutil

from agent_sim.agent import events
from agent_sim.agent.behaviour import Behaviour
from agent_sim.agent.core import Agent
from agent_sim.agent.identity import Identity, Stock
from agent_sim.cli.folder import JournalFile
from agent_sim.cli.loops import freeze, run_fast
from agent_sim.credentials import Credentials
from agent_sim.draws import root
from agent_sim.fleet import lines
from agent_sim.fleet.live import Kind, Scheduler, WallClock
from agent_sim.fleet.traffic import Traffic
from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND
from agent_sim.protocol.agent import AgentReply
from agent_sim.protocol.enums import BY_GUID
from agent_sim.storms.stop import StopRule
from agent_sim.transports.aiohttp_pool import HttpPool
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.fast_agents import FastPool
from agent_sim.transports.http import authorization

LOGIN = Credentials("agent", "secret")
BODY = orjson.dumps({"AgentPlatform": 7, "TenantId": "0" * 36, "ClientMachine": "m" * 30, "SessionToken": "t" * 36})


def cpu() -> float:
    """User and system seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> int:
    """Bytes that this process has in memory."""
    return int(psutil.Process(os.getpid()).memory_info().rss)


class Measured:
    """What a run under way counts."""

    def __init__(self) -> None:
        self.polls = 0
        self.failed = 0
        self.marks: list[tuple[float, float, int]] = []

    def mark(self) -> None:
        self.marks.append((time.monotonic(), cpu(), self.polls))

    def told(self) -> dict[str, float]:
        (began, cpu_began, polls), (ended, cpu_ended, more) = self.marks[-2:]
        done = more - polls
        return {
            "polls": done,
            "rate": done / (ended - began),
            "us": 1e6 * (cpu_ended - cpu_began) / max(done, 1),
            "core": (cpu_ended - cpu_began) / (ended - began),
            "failed": self.failed,
        }


async def ours(options: argparse.Namespace) -> dict[str, float]:
    """The fleet, from its making to the end of what is measured."""
    target = Target.at(options.url, ca=options.ca)
    how = Connections(options.mode, limit=options.connections)
    pool = (FastPool if options.client == "ours" else HttpPool)(target, LOGIN, how)
    before = resident()
    with journal() as written:
        async with pool:
            return await driven(options, pool, written, before)


@contextmanager
def journal() -> Iterator[JournalFile]:
    with tempfile.TemporaryDirectory() as folder, JournalFile(Path(folder) / "journal.jsonl") as written:
        yield written


async def driven(
    options: argparse.Namespace, pool: FastPool | HttpPool, written: JournalFile, before: int
) -> dict[str, float]:
    clock, traffic, stop, measured = WallClock().now, Traffic(), StopRule(), Measured()
    scheduler, began = Scheduler(clock), clock()

    def ended(agent: Agent, request: object, outcome: object, wire: int, waited: int, faults: tuple[str, ...]) -> None:
        measured.polls += 1
        end = outcome.status if isinstance(outcome, AgentReply) else outcome
        measured.failed += end != 200
        stop.see(traffic.ended(lines.operation_of(request), end, wire, waited, faults), clock())

    def settle(agent: Agent) -> None:
        if agent.facts is not None:
            for fact in agent.take_facts():
                t = (clock() - began) / SECOND
                written.write(lines.of_agent(fact, "bench", agent.identity.machine, t, began))

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            for line in traffic.take((clock() - began) / SECOND):
                written.write(line)

    limit, kinds, behaviour = asyncio.Semaphore(options.connections), {}, Behaviour()
    for number in range(options.agents):
        way = pool.agent(number)
        if way not in kinds:
            kinds[way] = Kind(way.send, events.Woken(), events.Answered, events.SendFailed, ended, limit,
                              start=getattr(way, "start", None), heard=Agent.heard)  # fmt: skip
        agent = Agent(
            Identity(STOCK, number),
            behaviour,
            BY_GUID,
            clock() + round(number * options.ramp * SECOND / options.agents),
        )
        scheduler.add(agent, kinds[way], settle)
    freeze()
    driving, ticking = asyncio.create_task(scheduler.run()), asyncio.create_task(tick())
    await asyncio.sleep(options.ramp + options.settle)
    freeze()
    idle = resident()
    scheduler.late = Histogram()
    measured.mark()
    await asyncio.sleep(options.seconds)
    measured.mark()
    late = scheduler.late
    told = {"resident": idle, "bytes": (idle - before) / options.agents, "late_p99_ms": late.percentile(0.99) / 1000}
    ticking.cancel()
    scheduler.stop()
    await driving
    return {**measured.told(), **told}


STOCK = Stock("bench", "agentsim-bench-fleet-", ("Custom.FetchLogs",), root("bench"), digits=7)


async def tasks(options: argparse.Namespace) -> dict[str, float]:
    """A task for each agent."""
    measured, before = Measured(), resident()
    url = f"{options.url}/KeyfactorAgents/Session/Heartbeat"

    async def beat(session: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(number * options.interval / options.agents)
        while True:
            async with session.post(url, data=BODY) as reply:
                orjson.loads(await reply.read())
            measured.polls += 1
            await asyncio.sleep(options.interval)

    connector = aiohttp.TCPConnector(limit=options.connections)
    headers = {"Authorization": authorization(LOGIN), "Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        running = [asyncio.create_task(beat(session, number)) for number in range(options.agents)]
        await asyncio.sleep(options.interval + options.settle)
        idle = resident()
        measured.mark()
        await asyncio.sleep(options.seconds)
        measured.mark()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return {**measured.told(), "resident": idle, "bytes": (idle - before) / options.agents}


def main() -> None:
    """Run one fleet and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=["ours", "aiohttp", "tasks"])
    parser.add_argument("url")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=5.0)
    parser.add_argument("--ramp", type=float, default=5.0)
    parser.add_argument("--settle", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--mode", default="shared")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--ca", type=Path)
    options = parser.parse_args()
    print(json.dumps(run_fast(tasks(options) if options.client == "tasks" else ours(options))))


if __name__ == "__main__":
    main()
