"""The embedded server at a broker, beside its HTTP."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from agent_sim.cli.mqtt_options import MqttOptions
from agent_sim.credentials import MQTT_NAMES, need
from agent_sim.server.bridge import AtBroker, serving
from agent_sim.server.core import Server
from agent_sim.server.http.desk import Desk
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings

Beside = Callable[[Desk], AbstractAsyncContextManager[None]]


def beside(
    options: MqttOptions, credentials: Path | None, server: Server, settings: ServerSettings = DEFAULT_SETTINGS
) -> tuple[Beside, ...]:
    """What makes a server serve at the broker as well; nothing if there is none. Raises UsageError."""
    at = options.broker()
    if at is None:
        return ()
    login = need(MQTT_NAMES, os.environ, credentials)
    how = AtBroker(
        at, login, options.tls(), options.version, options.connections,
        settings.mqtt_clean_start, settings.mqtt_session_expiry,
    )  # fmt: skip  # where, then how
    return (lambda desk: serving(how, desk, server, desk.committer.after),)
