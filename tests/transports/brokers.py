"""Real brokers for tests: Mosquitto on a free port with its own configuration, amqtt in the same process."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from agent_sim.cli.amqtt_broker import VERSION as AMQTT_VERSION
from agent_sim.cli.amqtt_broker import amqtt_running
from agent_sim.cli.mosquitto import Mosquitto, installed, running
from agent_sim.credentials import Credentials
from agent_sim.protocol.mqtt import Broker, Version

SERVER: Final = Credentials("agent-sim-server", "server-password")
AGENT: Final = Credentials("DOMAIN\\agent", "agent-password")
OTHER: Final = Credentials("other", "other-password")


@contextlib.asynccontextmanager
async def a_mosquitto(*more: str) -> AsyncIterator[Mosquitto]:
    """A running Mosquitto; `make test` installs it."""
    program = installed()
    assert program is not None, "install mosquitto (make packages)"
    with tempfile.TemporaryDirectory() as folder:
        async with running(Mosquitto(program, Path(folder), SERVER, (AGENT, OTHER), more=more)) as broker:
            yield broker


@contextlib.asynccontextmanager
async def mosquitto_at() -> AsyncIterator[tuple[Broker, Version]]:
    async with a_mosquitto() as broker:
        yield broker.broker, "5"


@contextlib.asynccontextmanager
async def mosquitto_3_at() -> AsyncIterator[tuple[Broker, Version]]:
    async with a_mosquitto() as broker:
        yield broker.broker, "3.1.1"


@contextlib.asynccontextmanager
async def amqtt_at() -> AsyncIterator[tuple[Broker, Version]]:
    async with amqtt_running(SERVER, (AGENT, OTHER)) as broker:
        yield broker, AMQTT_VERSION
