"""Whole runs through a broker: the outcomes of HTTP and of virtual time, whatever the broker does meanwhile."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_sim.cli import brokers
from agent_sim.cli.main import app
from agent_sim.cli.mosquitto import Mosquitto, free_port, installed
from agent_sim.credentials import MQTT_NAMES, Credentials
from agent_sim.errors import UsageError
from tests.end_to_end.conftest import ACCOUNTS, COMMAND, environment
from tests.server.test_bridge import a_world, until
from tests.transports.brokers import AGENT, SERVER

pytestmark = pytest.mark.slow

CHANGES = {
    "stop.after": "5s", "stop.drain": "60s", "fleets.lab.count": "12", "fleets.lab.heartbeat.every": "1s",
    "schedules.fetch.every": "2s",
}  # fmt: skip
HELLO = ("--seed", "3", *(word for name, value in CHANGES.items() for word in ("--set", f"{name}={value}")))


def outcome(folder: Path, *words: str) -> dict:
    """The result of a run that must pass; in this process, but for the server."""
    ended = CliRunner().invoke(app, [*words, "--runs", str(folder)])
    assert ended.exit_code == 0, (ended.output, ended.exception)
    newest = max(folder.iterdir(), key=lambda one: one.stat().st_mtime_ns)
    return json.loads((newest / "result.json").read_text())


@contextlib.contextmanager
def named_broker(folder: Path) -> Iterator[str]:
    """A Mosquitto that a run is told of, with the logins in the environment."""
    program = installed()
    assert program is not None
    agents = Credentials(ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])
    folder.mkdir()
    mosquitto = Mosquitto(program, folder, SERVER, (agents,), port=free_port())
    mosquitto.write()
    process = subprocess.Popen([program, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        yield mosquitto.broker.url
    finally:
        process.terminate()
        process.wait()


def test_hello_comes_to_the_same_over_http_over_mqtt_by_two_brokers_and_in_virtual_time(tmp_path, monkeypatch):
    http = outcome(tmp_path / "http", "run", "hello", *HELLO)
    virtual = outcome(tmp_path / "virtual", "replay", "hello", *HELLO)
    with named_broker(tmp_path / "broker") as url, monkeypatch.context() as patch:
        for name, value in {
            **ACCOUNTS,
            **dict(zip(MQTT_NAMES, (SERVER.username, SERVER.password), strict=True)),
        }.items():
            patch.setenv(name, value)
        mqtt = outcome(tmp_path / "mqtt", "run", "hello", *HELLO, "--transport", "mqtt", "--mqtt", url)
    monkeypatch.setattr(brokers, "installed", lambda: None)
    embedded = outcome(tmp_path / "embedded", "run", "hello", *HELLO, "--transport", "mqtt")

    assert len({run["outcome_digest"] for run in (http, virtual, mqtt, embedded)}) == 1
    assert embedded["environment"]["mqtt_broker"] == "amqtt, embedded"
    # The same operations in the report, each with its percentiles.
    assert http["whole"]["operations"].keys() == mqtt["whole"]["operations"].keys()


def test_a_mixed_fleet_comes_to_what_it_comes_to_in_virtual_time(tmp_path):
    small = ("mixed-fleet", "--param", "agents=10", "--param", "for=8s")
    live, virtual = outcome(tmp_path / "live", "run", *small), outcome(tmp_path / "virtual", "replay", *small)

    assert live["outcome_digest"] == virtual["outcome_digest"]
    assert live["environment"]["mqtt_agents"].startswith("4 connections, 0 lost")


def test_a_broker_that_restarts_twice_loses_no_job_and_changes_no_outcome(tmp_path):
    small = ("broker-restart", "--param", "agents=10", "--param", "for=15s")
    live, virtual = outcome(tmp_path / "live", "run", *small), outcome(tmp_path / "virtual", "replay", *small)

    assert live["outcome_digest"] == virtual["outcome_digest"]
    connections, lost = (int(part.split()[0]) for part in live["environment"]["mqtt_agents"].split(", ")[:2])
    assert connections > 2 * 4  # four gateways, all of them back after a restart at least, and one after its cable
    assert lost > 4


async def test_with_neither_broker_the_mend_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(brokers, "installed", lambda: None)
    monkeypatch.setitem(sys.modules, "agent_sim.cli.amqtt_broker", None)

    with pytest.raises(UsageError, match=r"apt-get install mosquitto.*agent-sim\[broker\].*--mqtt URL"):
        async with brokers.own_broker(AGENT, tmp_path):
            pass


def test_more_connections_than_this_process_may_have_are_refused_before_anything_starts(tmp_path):
    own = "--set transport.connections.mode=per_agent --set fleets.lab.count=500 --transport mqtt"
    limited = f"ulimit -n 300 && exec {sys.executable} -m agent_sim.cli.main run hello {own}"
    refused = subprocess.run(["sh", "-c", limited], cwd=tmp_path, capture_output=True, text=True, timeout=100)

    assert refused.returncode == 2
    assert "500 agents with connections per_agent need 628 open files and this process may have 300" in refused.stderr
    assert not (tmp_path / "runs").exists()


def test_a_server_that_the_broker_refuses_ends_with_one_clear_line(tmp_path):
    wrong = dict(zip(MQTT_NAMES, (SERVER.username, "wrong"), strict=True))
    with named_broker(tmp_path / "broker") as url:
        refused = subprocess.run(
            [*COMMAND, "--port", "0", "--mqtt", url],
            env=environment(**ACCOUNTS, **wrong), capture_output=True, text=True, timeout=100,
        )  # fmt: skip

    assert refused.returncode == 2
    assert "cannot serve at the broker: " in refused.stderr
    assert "refuses us" in refused.stderr
    assert "Traceback" not in refused.stderr


CRASHING = """
import asyncio, sys
from agent_sim.instants import SECOND
from agent_sim.protocol.mqtt import Broker, Life
from agent_sim.transports.base import Stations
from agent_sim.transports.stations import MqttPool
from tests.server.test_bridge import registration
from tests.transports.brokers import AGENT
async def main():
    how = Stations(gateways=2, will_delay=SECOND, request_timeout=60 * SECOND)
    async with MqttPool(Broker.at(sys.argv[1]), AGENT, how, Life(1), "gateway") as pool:
        for number in range(6):
            await pool.agent(number, f"m{number}").send(registration(f"m{number}"))
        print("there", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_fleet_that_is_killed_is_shown_offline_once_the_wills_delay_is_over():
    async with a_world() as world:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CRASHING, world.mosquitto.broker.url, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            assert await asyncio.wait_for(process.stdout.readline(), 60) == b"there\n"
            assert world.presence.state().online == 6
            killed = time.monotonic()
            os.kill(process.pid, signal.SIGKILL)

            await until(lambda: world.presence.state().online == 0)

            assert time.monotonic() - killed >= 0.9  # the will waits for its delay
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
