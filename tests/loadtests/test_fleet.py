"""A fleet on Locust, as a person runs it: in one process or several, with the outcomes of `agent-sim run`."""

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from agent_sim.cli.embedded import embedded_server, made_logins
from agent_sim.cli.mosquitto import free_port
from agent_sim.logins import clear
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from tests.end_to_end.test_processes import SCENARIO as WITH_FAULTS
from tests.fleet.replays import play

pytestmark = pytest.mark.slow

SCENARIO = re.sub("faults:\n.*\n", "", WITH_FAULTS)  # which a fleet on Locust refuses
FLEET = Path(__file__).parents[2] / "loadtests" / "fleet.py"


@asynccontextmanager
async def served(folder, text=SCENARIO):
    """A server whose agents' settings are the scenario's; gives the words that begin a command line, and logins."""
    file = folder / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    logins = made_logins()
    async with embedded_server(plan(load(file), 0).server, logins, folder) as server:
        words = [sys.executable, "-m", "locust", "-f", str(FLEET), "--headless", "--only-summary"]
        words += ["--host", server.address, "--scenario", str(file), "--group", "4", "--timeout", "60s"]
        yield words, {**clear(os.environ), **logins.environment()}


async def started(words, environment, *more):
    if "--processes" in more:  # others may have a master of their own
        port = str(free_port())
        more = (*more, "--master-bind-port", port, "--master-port", port)
    return await asyncio.create_subprocess_exec(
        *words, *more, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


async def ended(process):
    said, _ = await asyncio.wait_for(process.communicate(), 200)
    return process.returncode, said.decode()


@pytest.mark.parametrize("more", [(), ("--processes", "2")])
async def test_outcomes_are_those_of_a_replay_in_one_process_and_in_two(tmp_path, more):
    async with served(tmp_path) as (words, environment):
        code, said = await ended(await started(words, environment, *more))

    assert code == 0, said
    assert f"outcome digest: {play(tmp_path, SCENARIO).digest}" in said


async def worker_of(process):
    """A worker, once agents live in it."""
    async with asyncio.timeout(150):
        async for line in process.stdout:
            if b"agents are handed out, to 2 processes" in line:
                return psutil.Process(process.pid).children()[0]
    raise AssertionError("the run does not begin")


async def test_a_worker_that_is_lost_ends_the_run_and_the_verdict_names_its_agents(tmp_path):
    text = SCENARIO.replace("after: 3s", "after: 120s")
    async with served(tmp_path, text) as (words, environment):
        process = await started(words, environment, "--processes", "2")
        (await worker_of(process)).kill()
        code, said = await ended(process)

    assert code == 3, said
    assert "is gone, and its" in said
    assert "of 17 agents with it" in " ".join(said.split())


async def test_what_cannot_be_done_is_told_and_no_worker_stays_behind(tmp_path):
    text = SCENARIO + "faults:\n  - {name: slow, at: 1s, for: 1s, do: {latency: 1s}}\n"
    async with served(tmp_path, text) as (words, environment):
        code, said = await ended(await started(words, environment, "--processes", "2"))

    assert code == 2
    assert "fleet: shared-out: faults: that is for agent-sim run, not for a fleet on Locust" in said
