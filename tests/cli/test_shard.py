"""A part of a fleet, run here with no agents of its own: what it says and does beside them."""

import asyncio
import json

from agent_sim.cli import shard
from agent_sim.cli.shard import Shard
from agent_sim.fleet.live import WallClock
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from tests.scenario.files import written

ONE_AGENT = "{version: 1, name: lonely, fleets: [{name: lab, count: 1}]}"


async def test_it_says_that_it_lives_and_keeps_the_collector_off_its_fleet(tmp_path, monkeypatch):
    frozen, said, messages = [], asyncio.Queue(), asyncio.StreamReader()

    async def keep_frozen():
        frozen.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            frozen.append("ended")

    class Out:
        def write(self, text):
            for line in text.splitlines():
                said.put_nowait(json.loads(line))

        def flush(self):
            pass

    monkeypatch.setattr(shard, "keep_frozen", keep_frozen)
    monkeypatch.setattr(shard, "freeze", lambda: None)  # of the tests' own process
    monkeypatch.setattr(shard.sys, "stdout", Out())
    clock = WallClock()
    planned = plan(load(written(ONE_AGENT, tmp_path), seed=1), clock())
    running = asyncio.create_task(Shard(planned, number=1, of=2, clock=clock).run(None, messages))

    async with asyncio.timeout(60):
        assert await said.get() == {"alive": True}
        assert frozen == ["begun"]
        messages.feed_data(b'{"stop": true}\n')
        await running

    assert frozen == ["begun", "ended"]
    assert "over" in said.get_nowait()
