"""A part of a fleet, run here with no agents of its own: what it says and does beside them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent_sim.cli import shard
from agent_sim.cli.shard import Shard
from agent_sim.fleet.live import WallClock
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from tests.scenario.files import written

ONE_AGENT = "{version: 1, name: lonely, fleets: [{name: lab, count: 1}]}"


class Out:
    """Its standard output."""

    def __init__(self) -> None:
        self.said = asyncio.Queue()

    def write(self, text: str) -> None:
        for line in text.splitlines():
            self.said.put_nowait(json.loads(line))

    def flush(self) -> None:
        pass


@pytest.fixture
def out(monkeypatch):
    monkeypatch.setattr(shard, "freeze", lambda: None)  # of the tests' own process
    made = Out()
    monkeypatch.setattr(shard, "sys", SimpleNamespace(stdout=made))  # and not that of the tests
    return made


def part_of(folder: Path) -> Shard:
    """The second half of a fleet of one: it has nobody."""
    clock = WallClock()
    return Shard(plan(load(written(ONE_AGENT, folder), seed=1), clock()), number=1, of=2, clock=clock)


async def test_it_says_that_it_lives_and_keeps_the_collector_off_its_fleet(tmp_path, monkeypatch, out):
    frozen, messages = [], asyncio.StreamReader()

    async def keep_frozen():
        frozen.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            frozen.append("ended")

    monkeypatch.setattr(shard, "keep_frozen", keep_frozen)
    running = asyncio.create_task(part_of(tmp_path).run(None, messages))

    async with asyncio.timeout(60):
        assert await out.said.get() == {"alive": True}
        assert frozen == ["begun"]
        messages.feed_data(b'{"stop": true}\n')
        await running

    assert frozen == ["begun", "ended"]
    assert "over" in out.said.get_nowait()


async def test_what_goes_wrong_beside_its_agents_is_no_end_in_good_order(tmp_path, out):
    messages = asyncio.StreamReader()
    messages.feed_data(b"no message\n")

    with pytest.raises(ValueError, match="Expecting value"):
        await asyncio.wait_for(part_of(tmp_path).run(None, messages), 60)

    assert out.said.empty()


@pytest.mark.slow
def test_it_ends_without_a_word_when_nobody_is_there_to_hear_it():
    with subprocess.Popen(
        [sys.executable, "-m", "agent_sim.cli.shard"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip  # two lines are enough
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (1, "")
