"""A broker for a run that was told of none: Mosquitto if it is on this machine, else amqtt in this process.

Either way it is ours alone, on loopback, with users made for this run.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent_sim.cli.mosquitto import Mosquitto, installed, running
from agent_sim.credentials import MQTT_NAMES, Credentials
from agent_sim.errors import UsageError
from agent_sim.protocol.mqtt import Broker, Version

_NONE: Final = (
    "agents over MQTT need a broker and there is none: install Mosquitto (apt-get install mosquitto), or the embedded"
    " one (pip install 'agent-sim[broker]'), or name a broker with --mqtt URL"
)


@dataclass(frozen=True, slots=True)
class BrokerInUse:
    """A broker, what it speaks, who the server is there; `ours` if we can restart it."""

    at: Broker
    version: Version
    name: str
    server: Credentials | None = field(default=None, repr=False)
    ours: Mosquitto | None = field(default=None, repr=False)

    @property
    def options(self) -> tuple[str, ...]:
        """What `serve` is told, to serve there."""
        return ("--mqtt", self.at.url, "--mqtt-version", self.version)

    def environment(self) -> dict[str, str]:
        """The server's login as environment variables: never argv."""
        pair = () if self.server is None else (self.server.username, self.server.password)
        return dict(zip(MQTT_NAMES, pair, strict=False))


@contextlib.asynccontextmanager
async def own_broker(agents: Credentials, folder: Path) -> AsyncIterator[BrokerInUse]:
    """A broker that runs inside the block. Raises UsageError, with the mend, if none can be had."""
    server = Credentials("agent-sim-server", secrets.token_urlsafe(24))
    program = installed()
    if program is not None:
        place = folder / "broker"
        place.mkdir()
        async with running(Mosquitto(program, place, server, (agents,))) as broker:
            yield BrokerInUse(broker.broker, "5", "mosquitto", server, broker)
        return
    try:
        from agent_sim.cli.amqtt_broker import VERSION, amqtt_running
    except ImportError:
        raise UsageError(_NONE) from None
    async with amqtt_running(server, (agents,)) as at:
        yield BrokerInUse(at, VERSION, "amqtt, embedded", server)
