"""Whole runs through a broker: the outcomes of HTTP and of virtual time, whatever the broker does meanwhile."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_sim.cli import brokers
from agent_sim.cli.main import app
from agent_sim.cli.mosquitto import Mosquitto, installed
from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from tests.end_to_end.conftest import ACCOUNTS, COMMAND, environment
from tests.server.test_bridge import a_world, until
from tests.transports.brokers import AGENT

pytestmark = pytest.mark.slow

HELLO = ("--seed", "3", "--set", "stop.after=5s", "--set", "stop.drain=60s", "--set", "fleets.lab.count=12")


def agent_sim(*words: str, cwd: Path, **accounts: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent_sim.cli.main", *words],
        cwd=cwd, env=environment(**accounts), capture_output=True, text=True, timeout=150,
    )  # fmt: skip


def outcome(*words: str, cwd: Path) -> dict:
    """The result of a run that must pass."""
    ended = agent_sim(*words, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    newest = max((cwd / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    return json.loads((newest / "result.json").read_text())


def test_hello_comes_to_the_same_over_http_over_mqtt_and_in_virtual_time(tmp_path):
    fast = (*HELLO, "--set", "fleets.lab.heartbeat.every=1s", "--set", "schedules.fetch.every=2s")
    http = outcome("run", "hello", *fast, cwd=tmp_path)
    mqtt = outcome("run", "hello", *fast, "--transport", "mqtt", cwd=tmp_path)
    virtual = outcome("replay", "hello", *fast, cwd=tmp_path)

    assert http["outcome_digest"] == mqtt["outcome_digest"] == virtual["outcome_digest"]
    assert "notified" in mqtt["environment"]["mqtt_server"]
    # The same operations, with the same percentiles.
    assert [row["operation"] for row in http["operations"]] == [row["operation"] for row in mqtt["operations"]]


def test_a_mixed_fleet_comes_to_what_it_comes_to_in_virtual_time(tmp_path):
    small = ("mixed-fleet", "--param", "agents=10", "--param", "for=8s")
    live = outcome("run", *small, cwd=tmp_path)
    virtual = outcome("replay", *small, cwd=tmp_path)

    assert live["outcome_digest"] == virtual["outcome_digest"]
    assert live["environment"]["mqtt_agents"].startswith("4 connections, 0 lost")


def test_a_broker_that_restarts_twice_loses_no_job_and_changes_no_outcome(tmp_path):
    small = ("broker-restart", "--param", "agents=10", "--param", "for=15s")
    live = outcome("run", *small, cwd=tmp_path)
    virtual = outcome("replay", *small, cwd=tmp_path)

    assert live["outcome_digest"] == virtual["outcome_digest"]
    connections, lost = (int(part.split()[0]) for part in live["environment"]["mqtt_agents"].split(", ")[:2])
    assert connections >= 4 + 2 * 4 + 1  # at first, after each restart, after the cable
    assert lost >= 2 * 4 + 1


def test_on_a_machine_without_mosquitto_the_embedded_broker_serves(tmp_path, monkeypatch):
    monkeypatch.setattr(brokers, "installed", lambda: None)
    monkeypatch.chdir(tmp_path)
    fast = (*HELLO, "--set", "fleets.lab.heartbeat.every=1s", "--set", "schedules.fetch.every=2s")

    ended = CliRunner().invoke(app, ["run", "hello", *fast, "--transport", "mqtt"])

    assert ended.exit_code == 0, ended.output
    [folder] = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "result.json").read_text())["environment"]["mqtt_broker"] == "amqtt, embedded"


async def test_with_neither_broker_the_mend_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(brokers, "installed", lambda: None)
    monkeypatch.setitem(sys.modules, "agent_sim.cli.amqtt_broker", None)

    with pytest.raises(UsageError, match=r"apt-get install mosquitto.*agent-sim\[broker\].*--mqtt URL"):
        async with brokers.own_broker(AGENT, tmp_path):
            pass


def test_more_connections_than_this_process_may_have_are_refused_before_anything_starts(tmp_path):
    own = ("--set", "transport.connections.mode=per_agent", "--set", "fleets.lab.count=900000")
    refused = agent_sim("run", "hello", "--transport", "mqtt", *own, cwd=tmp_path)

    assert refused.returncode == 2
    assert "900000 agents with connections per_agent need" in refused.stderr
    assert not (tmp_path / "runs").exists()


async def test_a_server_at_a_named_broker_and_a_fleet_that_finds_it_there(tmp_path):
    program = installed()
    assert program is not None
    server = Credentials("bridge", "bridge's secret")
    agents = Credentials(ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])
    (tmp_path / "broker").mkdir()
    mosquitto = Mosquitto(program, tmp_path / "broker", server, (agents,))
    await mosquitto.start()
    try:
        names = {"AGENT_SIM_MQTT_USERNAME": server.username, "AGENT_SIM_MQTT_PASSWORD": server.password}
        fast = (*HELLO, "--set", "fleets.lab.heartbeat.every=1s")
        words = ("run", "hello", *fast, "--transport", "mqtt", "--mqtt", mosquitto.broker.url)
        ended = await asyncio.to_thread(agent_sim, *words, cwd=tmp_path, **ACCOUNTS, **names)
        assert ended.returncode == 0, ended.stdout + ended.stderr

        names["AGENT_SIM_MQTT_PASSWORD"] = "wrong"
        serve = [*COMMAND, "--port", "0", "--mqtt", mosquitto.broker.url]
        refused = await asyncio.to_thread(
            subprocess.run, serve, env=environment(**ACCOUNTS, **names), capture_output=True, text=True, timeout=60
        )
        assert refused.returncode == 2
        assert "cannot serve at the broker" in refused.stderr
        assert "refuses us" in refused.stderr
    finally:
        await mosquitto.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mqtt", "http://127.0.0.1"), "no broker's address"),
        (("--mqtt", "mqtt://a:b@127.0.0.1"), "credentials go into the environment"),
        (("--mqtt-ca", "ca.pem"), "--mqtt-ca needs --mqtt URL"),
        (("--mqtt", "mqtt://127.0.0.1", "--mqtt-cert", "c.pem"), "write mqtts://"),
        (("--mqtt", "mqtt://127.0.0.1"), "AGENT_SIM_MQTT_USERNAME"),
    ],
)
def test_what_serve_cannot_use_is_one_clear_line(tmp_path, words, said):
    ended = subprocess.run(
        [*COMMAND, "--port", "0", *words], cwd=tmp_path, env=environment(**ACCOUNTS), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip

    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


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
