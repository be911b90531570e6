"""What a demo's page can start: faults by hand, storms as processes, and what is told of them."""

import asyncio

import pytest

from agent_sim.cli.board import Board
from agent_sim.cli.library import scenario_file
from agent_sim.cli.storm_process import StormEnd
from agent_sim.errors import UsageError
from agent_sim.fleet.troubles import Troubles
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from agent_sim.server.web.remote import pressed


def clock():
    """Time that stands still."""
    return 5


clock.on_the_wall = lambda instant: instant


class Storm:
    """A storm's process that lasts until it is told to end."""

    def __init__(self, plan):
        self.plan = plan
        self.ended = asyncio.Event()
        self.killed = False

    async def run(self):
        self.on_progress({"ids": 40})
        self.on_progress({"ids": 2})
        await self.ended.wait()
        return StormEnd(0, {})

    def interrupt(self):
        self.ended.set()

    def kill(self):
        self.killed = True


def with_board(act):
    """Run `act` with the showroom's board, and the storms it has started."""
    scenario = load(scenario_file("showroom"))
    planned = plan(scenario, 0)
    made = []

    def make(storm):
        made.append(Storm(storm))
        return made[-1]

    async def whole():
        troubles = Troubles(planned, lambda line: None, clock, lambda machine, effect: None)
        board = Board(scenario, planned.storms, troubles, make, clock)
        try:
            await act(board, made)
        finally:
            await board.close()

    asyncio.run(whole())


def running(board):
    return {each.name for each in board.listed() if each.is_running}


def test_everything_that_the_scenario_declares_is_listed_with_what_it_does():
    async def act(board, _):
        listed = {each.name: (each.kind, each.note) for each in board.listed()}
        assert list(listed) == ["shz-flaps", "shz-down", "fra-slow", "mass-reschedule", "mass-acknowledge"]
        assert listed["shz-down"] == ("fault", "agents of shz: the network is cut both ways")
        assert listed["mass-reschedule"] == ("storm", "reschedule, 20 ids a request")
        assert running(board) == set()

    with_board(act)


def test_a_fault_is_armed_and_disarmed():
    async def act(board, _):
        board.start("fault", "shz-down")
        assert running(board) == {"shz-down"}
        board.stop("fault", "shz-down")
        assert running(board) == set()

    with_board(act)


def test_a_storm_begins_now_is_followed_and_ends():
    async def act(board, made):
        board.start("storm", "mass-reschedule")
        await asyncio.sleep(0)
        assert running(board) == {"mass-reschedule"}
        assert made[0].plan.start == 5
        assert next(each.note for each in board.listed() if each.is_running).endswith("42 ids so far")
        with pytest.raises(UsageError, match="under way"):
            board.start("storm", "mass-reschedule")
        board.stop("storm", "mass-reschedule")
        await board.over("mass-reschedule")
        assert running(board) == set()
        assert any(each.note.endswith("the last time 42 ids") for each in board.listed())

    with_board(act)


def test_no_storm_outlives_the_board():
    stopped = []

    async def act(board, made):
        board.start("storm", "mass-acknowledge")
        await asyncio.sleep(0)
        stopped.extend(made)

    with_board(act)

    assert [storm.killed for storm in stopped] == [True]


def test_lines_of_the_server_press_what_they_name_and_others_nothing():
    async def act(board, _):
        for line in (
            "control start fault shz-down",
            "control start fault nosuch",
            "control stop storm nosuch",
            "what?",
        ):
            board.press(line)
        assert running(board) == {"shz-down"}
        assert not board.looked.is_set()
        board.press("looked")
        assert board.looked.is_set()
        assert pressed("control start storm nosuch") is not None
        board.press("control start storm nosuch")

    with_board(act)
