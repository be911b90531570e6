"""One fleet in a process of its own, and what it cost: `python -m tests.bench.fleet_client ...` prints JSON.

`ours` is a fleet as `agent-sim run` puts it on the live scheduler: planned from a scenario, entered by its cast, over
the fast transport, with journal, tally, traffic histograms and the stop rule; `aiohttp` the same over aiohttp; `tasks`
is what one writes first: a task for each agent that posts its heartbeat through a shared aiohttp session; `handshakes`
no fleet at all, only connections over TLS that are made and closed. Nothing starts that this machine cannot hold.
"""

import argparse
import asyncio
import json
import os
import resource
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import psutil

from agent_sim.cli import ways
from agent_sim.cli.agent_kinds import AgentKinds
from agent_sim.cli.folder import JournalFile
from agent_sim.cli.loops import freeze, run_fast
from agent_sim.cli.pen import Pen
from agent_sim.cli.progress import Progress
from agent_sim.credentials import Credentials
from agent_sim.errors import AgentSimError, TransportError, UsageError
from agent_sim.fleet.cast import Cast
from agent_sim.fleet.live import Actor, Scheduler, WallClock
from agent_sim.fleet.traffic import Traffic
from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.results.watch import Watch
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.plan import Plan, plan
from agent_sim.storms.stop import StopRule
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import authorization
from agent_sim.transports.limits import Wants, check_limits

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
        self.first_failure = ""
        self.marks: list[tuple[float, float, int]] = []

    def mark(self) -> None:
        self.marks.append((time.monotonic(), cpu(), self.polls))

    def fail(self, what: str) -> None:
        self.failed += 1
        self.first_failure = self.first_failure or what

    def told(self) -> dict[str, Any]:
        (began, cpu_began, polls), (ended, cpu_ended, more) = self.marks[-2:]
        done = more - polls
        return {
            "polls": done,
            "rate": done / (ended - began),
            "us": 1e6 * (cpu_ended - cpu_began) / max(done, 1),
            "core": (cpu_ended - cpu_began) / (ended - began),
            "failed": self.failed,
            "first_failure": self.first_failure,
        }


SCENARIO = """\
version: 1
name: bench
seed: 1
stop: {{after: 1d}}
fleets: [{{name: all, count: {agents}, capabilities: [LOGS], heartbeat: {{every: 60s}}}}]
phases: [{{name: ramp, duration: {ramp}ms, online: 100%, shape: linear}}]
checks: {{invariants: {{at_most_once: true}}}}
"""
PLANNED_IN_A_SECOND = 20_000  # agents, and put on the stage: the first one is to come when all are there
PATIENCE = 300  # seconds


def planned(agents: int, ramp: float, now: Instant) -> Plan:
    """What the scenario comes to; its heartbeat is the server's to say."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(SCENARIO.format(agents=agents, ramp=max(round(1000 * ramp), 1)), encoding="utf-8")
        return plan(load(file, Overrides()), now + SECOND + agents * SECOND // PLANNED_IN_A_SECOND)


class Fleet:
    """What `cli.live_run` has around its agents, without operator, storms and faults."""

    def __init__(self, plan: Plan, through: ways.Ways, written: JournalFile, clock: Callable[[], Instant]) -> None:
        self.plan, self.clock = plan, clock
        self.measured, self.traffic, self.stop_rule = Measured(), Traffic(), StopRule()
        self.progress = Progress("bench", len(plan.members), 0, self.elapsed, is_quiet=True)
        self.pen = Pen(written.write, self.progress.observe, Watch(plan.checks).see)
        self.write = self.pen.write
        self.scheduler = Scheduler(clock)
        self.cast = Cast[Actor](plan, self.write, self.elapsed)
        kinds = AgentKinds(through, self.ended, self.write, self.elapsed)
        self.cast.enter_agents(self.scheduler, kinds.of, range(len(plan.members)))

    def elapsed(self) -> float:
        return (self.clock() - self.plan.start) / SECOND

    def ended(
        self, operation: str, outcome: int | TransportError, wire: Span, waited: Span, faults: tuple[str, ...]
    ) -> None:
        self.measured.polls += 1
        if outcome != 200:
            self.measured.fail(f"{operation}: {outcome}")
        self.stop_rule.see(self.traffic.ended(operation, outcome, wire, waited, faults), self.clock())

    async def tick(self) -> None:
        """Once a second, as a run does."""
        while True:
            await asyncio.sleep(1)
            for line in self.traffic.take(self.elapsed()):
                self.write(line)
            self.pen.settle()
            self.progress.second()

    async def come(self, ramp: float) -> None:
        """Wait until the ramp is over and everybody has a session. Raises UsageError if that takes too long."""
        await asyncio.sleep(max(ramp - self.elapsed(), 0))
        while (online := self.progress.tally.agents.get("online", 0)) < len(self.plan.members):
            if self.elapsed() > ramp + PATIENCE:
                late = f"{online:,} of {len(self.plan.members):,} agents came online {PATIENCE} s after the ramp"
                raise UsageError(f"only {late}; first failure: {self.measured.first_failure or 'none'}")
            await asyncio.sleep(0.1)


async def ours(options: argparse.Namespace) -> dict[str, Any]:
    """The fleet, from its making to the end of what is measured."""
    target = Target.at(options.url, ca=options.ca)
    how = Connections(options.mode, options.connections, client="fast" if options.client == "ours" else "aiohttp")
    clock, before = WallClock(), resident()
    async with AsyncExitStack() as stack:
        plan = planned(options.agents, options.ramp, clock())
        ways.check(plan, how, urlsplit(options.url).hostname or "")
        through = await stack.enter_async_context(ways.opened(plan, target, LOGIN, how, None, None, clock()))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        written = stack.enter_context(JournalFile(Path(folder) / "journal.jsonl"))
        fleet = Fleet(plan, through, written, clock.now)
        freeze()
        helpers = [asyncio.create_task(fleet.scheduler.run()), asyncio.create_task(fleet.tick())]
        found = await watched(fleet, options)
        helpers[1].cancel()
        fleet.scheduler.stop()
        await helpers[0]
    return {**found, "bytes": (found["resident"] - before) / options.agents}


async def watched(fleet: Fleet, options: argparse.Namespace) -> dict[str, Any]:
    """What a fleet costs once it has settled; and what it holds `longer` seconds after that."""
    await fleet.come(options.ramp)
    await asyncio.sleep(options.settle)
    freeze()
    idle = resident()
    scheduler, measured = fleet.scheduler, fleet.measured
    scheduler.late = Histogram()
    measured.mark()
    await asyncio.sleep(options.seconds)
    measured.mark()
    found = {**measured.told(), "resident": idle, "late_p99_ms": scheduler.late.percentile(0.99) / 1000}
    if options.longer:
        await asyncio.sleep(options.longer)
        freeze()
        found |= {"resident_late": resident(), "failed": measured.failed, "polls_in_all": measured.polls}
    return found


async def tasks(options: argparse.Namespace) -> dict[str, Any]:
    """A task for each agent."""
    check_limits(Wants(options.agents, "shared", options.connections))
    measured, before = Measured(), resident()
    url = f"{options.url}/KeyfactorAgents/Session/Heartbeat"

    async def beat(session: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(number * options.interval / options.agents)
        while True:
            try:
                async with session.post(url, data=BODY) as reply:
                    orjson.loads(await reply.read())
                    if reply.status != 200:
                        measured.fail(str(reply.status))
            except (aiohttp.ClientError, TimeoutError) as error:
                measured.fail(repr(error))
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


async def handshakes(options: argparse.Namespace) -> dict[str, Any]:
    """Connections over TLS, whole handshakes, nothing said: so many at once for so long."""
    check_limits(Wants(options.connections, "per_agent"))
    parts, trusted, measured = urlsplit(options.url), ssl.create_default_context(cafile=options.ca), Measured()
    ended = time.monotonic() + options.settle + options.seconds

    async def one_after_another() -> None:
        while time.monotonic() < ended:
            try:
                _, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=trusted)
            except OSError as error:
                measured.fail(repr(error))
            else:
                writer.transport.abort()
            measured.polls += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(options.connections):
            group.create_task(one_after_another())
        await asyncio.sleep(options.settle)
        measured.mark()
        await asyncio.sleep(options.seconds)
        measured.mark()
    return measured.told()


WAYS = {"ours": ours, "aiohttp": ours, "tasks": tasks, "handshakes": handshakes}


def main() -> None:
    """Run one fleet and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=list(WAYS))
    parser.add_argument("url")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=5.0)
    parser.add_argument("--ramp", type=float, default=5.0)
    parser.add_argument("--settle", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--longer", type=float, default=0.0, help="seconds more, until memory is read once more")
    parser.add_argument("--mode", default="shared")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--ca", type=Path)
    options = parser.parse_args()
    try:
        print(json.dumps(run_fast(WAYS[options.client](options))))
    except AgentSimError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
