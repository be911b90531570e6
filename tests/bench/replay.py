"""How fast virtual time passes: the replay's heap beside the same agents as asyncio tasks under a clock that jumps,
ours and that of looptime, which does the same for tests.

    python -m tests.bench.replay [--hours 24] [--agents 1000] [--every 30s] [--rounds 3]

All drive the same agent core against the same server core with the same round trip; what differs is the shell. Each
is measured in a process of its own: CPU seconds of the run alone, and the peak memory of the process, beside that of
one that only imported everything. The baselines' runs are shorter (`--tasks-minutes`, `--looptime-minutes`): what is
compared is the cost of a request.
"""

import argparse
import asyncio
import json
import resource
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import looptime

from agent_sim.agent.core import Agent
from agent_sim.agent.events import Answered, Event, Woken
from agent_sim.cli.replay import START, backend
from agent_sim.fleet.replay import Backend, Replay
from agent_sim.fleet.virtual import ROUND_TRIP
from agent_sim.instants import MINUTE, SECOND, Instant, from_iso
from agent_sim.protocol.enums import BY_GUID
from agent_sim.results import journal
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.plan import Plan, plan
from agent_sim.server.store import SqliteStore
from tests.bench.figures import Bound, Figure, ratios, tell
from tests.bench.quiet import measured

SCENARIO = """
version: 1
name: bench
seed: 1
stop: {{after: {hours}h, drain: 0s}}
fleets: [{{name: lab, count: {agents}, capabilities: [LOGS], heartbeat: {{every: {every}}}}}]
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way of running cost; `lines` are the journal's."""

    cpu_seconds: float
    requests: int
    lines: int
    peak_mb: float

    @property
    def per_request(self) -> float:
        """Microseconds."""
        return 1e6 * self.cpu_seconds / self.requests


# --- ours ---------------------------------------------------------------------------------------


def by_heap(planned: Plan, server: Backend) -> int:
    """The replay itself; returns how many lines it wrote."""
    lines = 0

    def count(_: journal.Line) -> None:
        nonlocal lines
        lines += 1

    Replay(planned, server, count, 0).run()
    return lines


# --- the baseline -------------------------------------------------------------------------------


class JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: the time that it was to wait has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.seconds += timeout or 0.0
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jumping.seconds


def by_tasks(planned: Plan, server: Backend) -> int:
    """A task for each agent."""
    loop = JumpingLoop()
    now = lambda: planned.start + round(loop.time() * SECOND)  # noqa: E731  # as short as its use
    try:
        loop.run_until_complete(_everybody(planned, server, now))
    finally:
        loop.close()
    return 0


def by_looptime(planned: Plan, server: Backend) -> int:
    """The same tasks under looptime's loop, as it comes."""
    loop = looptime.new_event_loop(start=0.0)
    now = lambda: planned.start + round(loop.time() * SECOND)  # noqa: E731  # as short as its use
    try:
        loop.run_until_complete(_everybody(planned, server, now))
    finally:
        loop.close()
    return 0


async def _everybody(planned: Plan, server: Backend, now: Callable[[], Instant]) -> None:
    agents = [Agent(member.identity, member.behaviour, BY_GUID, member.online) for member in planned.members]
    async with asyncio.TaskGroup() as group:
        for agent in agents:
            group.create_task(_life(agent, server, now, planned.stop))


async def _life(agent: Agent, server: Backend, now: Callable[[], Instant], stop: Instant) -> None:
    event: Event = Woken()
    while (wake := agent.next_wake()) <= stop:
        await asyncio.sleep(max(wake - now(), 0) / SECOND)
        requests = agent.handle(event, now())
        agent.take_facts()
        while requests:
            request = requests.pop(0)
            reply = server.agents(request, now())
            await asyncio.sleep(ROUND_TRIP / SECOND)
            requests += agent.handle(Answered(request, reply), now())
            agent.take_facts()


# --- measuring ----------------------------------------------------------------------------------

AIMS = 24, 1000, "30s"
WAYS = {
    "replay": by_heap,
    "asyncio tasks": by_tasks,
    "looptime": by_looptime,
    "imports only": lambda planned, server: 0,
}


def one_way(way: str, text: str, minutes: int) -> Cost:
    """One way, measured in this process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        planned = plan(load(file, Overrides()), from_iso(START))
    planned = replace(planned, stop=min(planned.stop, planned.start + minutes * MINUTE))
    store = SqliteStore.open(":memory:")
    counted = _Counted(backend(store, planned.server, planned.seed))
    before = time.process_time()
    lines = WAYS[way](planned, Backend(counted.agents, counted.server.command, counted.server.sweep))
    used = time.process_time() - before
    return Cost(used, counted.requests, lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


class _Counted:
    """Counts agents' requests; costs both ways the same."""

    def __init__(self, server: Backend) -> None:
        self.server, self.requests = server, 0
        ask = server.agents

        def agents(request, now):  # type: ignore[no-untyped-def]  # as Backend.agents
            self.requests += 1
            return ask(request, now)

        self.agents = agents


def in_its_own_process(way: str, arguments: argparse.Namespace, minutes: int) -> Cost:
    """One way, measured in a fresh interpreter."""
    command = [sys.executable, "-m", "tests.bench.replay", "--one", way, "--minutes", str(minutes)]
    for name in ("hours", "agents", "every"):
        command += [f"--{name}", str(getattr(arguments, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Cost(**json.loads(done.stdout))


def main() -> None:
    """Measure, print a table and keep its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24, help="length of the run in virtual time")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--every", default="30s", help="time between heartbeats")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks-minutes", type=int, default=60, help="length of the run of asyncio tasks")
    parser.add_argument("--looptime-minutes", type=int, default=6, help="length of the run under looptime")
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        text = SCENARIO.format(hours=arguments.hours, agents=arguments.agents, every=arguments.every)
        found = one_way(arguments.one, text, arguments.minutes)
        print(json.dumps({name: getattr(found, name) for name in Cost.__slots__}))
        return
    minutes = {"asyncio tasks": arguments.tasks_minutes, "looptime": arguments.looptime_minutes}
    whole = 60 * arguments.hours

    def one_round() -> dict[str, Cost]:
        return {way: in_its_own_process(way, arguments, min(minutes.get(way, whole), whole)) for way in WAYS}

    rounds = measured(arguments.rounds, one_round)
    costs = {way: [found[way] for found in rounds.found] for way in WAYS}
    tell("replay", rows(arguments, costs), rounds.share, rounds.spoilt)


def rows(arguments: argparse.Namespace, costs: dict[str, list[Cost]]) -> list[Figure]:
    """What the table shows."""
    ours, empty = costs["replay"], costs["imports only"]
    each = {way: [cost.per_request for cost in found] for way, found in costs.items() if way != "imports only"}
    asked = arguments.hours, arguments.agents, arguments.every
    unjudged = "" if asked == AIMS else f"not the {AIMS[0]} h of {AIMS[1]:,} agents, every {AIMS[2]}"
    return [
        Figure(
            f"{arguments.hours} h × {arguments.agents:,} agents, heartbeats every {arguments.every}",
            [cost.cpu_seconds for cost in ours],
            "CPU s",
            Bound(20, 8),
            unjudged,
        ),
        Figure("requests in it", [cost.requests for cost in ours]),
        Figure("agent-hours", [arguments.hours * arguments.agents / cost.cpu_seconds for cost in ours], "per CPU s"),
        *(Figure(f"CPU per request: {way}", values, "µs") for way, values in each.items()),
        Figure("asyncio tasks ÷ replay", ratios(each["asyncio tasks"], each["replay"])),
        Figure("looptime ÷ replay", ratios(each["looptime"], each["replay"]), "", Bound(30, 60), unjudged),
        *(
            Figure(f"memory beyond the imports: {way}", _beyond(costs[way], empty), "MB")
            for way in ("replay", "asyncio tasks")
        ),
    ]


def _beyond(found: list[Cost], empty: list[Cost]) -> list[float]:
    return [cost.peak_mb - nothing.peak_mb for cost, nothing in zip(found, empty, strict=True)]


if __name__ == "__main__":
    main()
