"""A fleet that is looked at: its page's buttons work, and a tour leads through its story."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from agent_sim.cli.board import Board
from agent_sim.cli.embedded import Embedded, Logins
from agent_sim.cli.live_run import LiveRun
from agent_sim.cli.storm_process import StormProcess
from agent_sim.cli.tour import lead
from agent_sim.logins import variables
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan
from agent_sim.storms.plan import StormPlan
from agent_sim.transports.base import Target


@asynccontextmanager
async def shown(
    scenario: Scenario, live: LiveRun, server: Embedded, logins: Logins, folder: Path
) -> AsyncIterator[Board]:
    """Let the page start the scenario's faults and storms inside the block."""
    target = Target.at(server.address)

    def make(storm: StormPlan) -> StormProcess:
        return StormProcess(storm, target, folder, variables(logins.operator))

    board = Board(scenario, plan(scenario, 0).storms, live.troubles, make, live.clock)
    serving = asyncio.create_task(board.serve(server), name="board")
    try:
        yield board
    finally:
        await _end(serving)
        await board.close()


@asynccontextmanager
async def toured(board: Board, ready: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Tell the story once, when everybody is there."""

    async def tour() -> None:
        await ready()
        await lead(board, typer.echo)

    leading = asyncio.create_task(tour(), name="tour")
    try:
        yield
    finally:
        await _end(leading)


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel it; what went wrong in it is raised."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
