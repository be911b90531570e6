"""Scenarios as text, run live in this process: real agents over real HTTP against the real server core."""

import asyncio
from dataclasses import dataclass

from aiohttp.test_utils import TestServer

from agent_sim.cli.live_run import LiveRun
from agent_sim.cli.progress import Progress
from agent_sim.cli.replay import KeyedMint
from agent_sim.cli.ways import opened
from agent_sim.credentials import Credentials
from agent_sim.fleet.live import WallClock
from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.protocol.agent import Register
from agent_sim.results.judge import judge
from agent_sim.results.summary import summarise
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.plan import plan
from agent_sim.server.auth import Accounts
from agent_sim.server.core import Server
from agent_sim.server.http.app import make_app
from agent_sim.server.store import SqliteStore
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.fast_command import FastCommand
from agent_sim.transports.fast_http import FastSession

OPERATOR, AGENT = Credentials("operator", "secret-1"), Credentials("agent", "secret-2")


@dataclass(frozen=True)
class Asked:
    """One request of an agent as the server had it, and when, in seconds since the run's start."""

    t: float
    machine: str
    operation: str
    body: object


class Watched:
    """The server's core, with notes of what agents ask."""

    def __init__(self, core):
        self._core, self.seen, self.start, self._machines = core, [], 0, {}

    def handle(self, request, caller, now):
        reply = self._core.handle(request, caller, now)
        body = getattr(request, "body", None)
        if hasattr(request, "endpoint"):
            session = getattr(reply.body, "session", None)
            if isinstance(body, Register) and session is not None:
                self._machines[session.token] = body.client_machine
            name = getattr(body, "client_machine", "") or self._machines.get(body.session_token, "")
            self.seen.append(Asked((now - self.start) / SECOND, name, type(body).__name__, body))
        return reply

    def __getattr__(self, name):
        return getattr(self._core, name)


@dataclass(frozen=True)
class Run:
    """A live run that is over."""

    lines: list
    seen: list
    summary: object
    answers: dict

    def of(self, kind):
        return [line for line in self.lines if isinstance(line, kind)]


def run_live(folder, text):
    """Run a scenario and wait for its end."""
    return asyncio.run(_run(folder, text))


async def _run(folder, text):
    file = folder / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    scenario = load(file, Overrides(), seed=1)
    store = SqliteStore.open(":memory:")
    settings = plan(scenario, 0).server
    core = Watched(Server(store, settings, KeyedMint(1)))
    server = TestServer(make_app(core, store, Accounts(OPERATOR, AGENT), settings))
    await server.start_server()
    target = Target.at(str(server.make_url("/")).rstrip("/"))
    try:
        lines = await _against(target, scenario, core)
    finally:
        await server.close()
        store.close()
    summary = summarise(lines)
    verdicts = judge(summary, plan(scenario, 0).checks)
    return Run(lines, core.seen, summary, {verdict.name: verdict.answer for verdict in verdicts})


async def _against(target, scenario, core):
    clock, lines = WallClock(), []
    planned = plan(scenario, clock() + 300 * MILLISECOND)
    core.start = planned.start
    how = planned.transport
    limits = Connections("shared", how.limit, how.connect_timeout, how.request_timeout)
    async with (
        FastSession(target, OPERATOR, limits) as operator,
        opened(planned, target, AGENT, limits, None, None, clock()) as ways,
    ):
        run = LiveRun(
            plan=planned,
            ways=ways,
            api=FastCommand(operator, target),
            storm_process=lambda storm: None,
            record=lines.append,
            progress=Progress("test", len(planned.members), 1.0, lambda: 0.0),
            clock=clock,
            drain=scenario.stop.drain,
        )
        await run.run()
    return lines
