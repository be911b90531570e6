"""amqtt embedded in this process: a broker for a machine without Mosquitto. Import it only where it is wanted: it is
the extra `broker`.

It speaks MQTT 3.1.1, is good for some hundreds of agents, and has the users and the ACL that Mosquitto gets.
"""

import contextlib
import hmac
import logging
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from amqtt.broker import Broker as Amqtt
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from agent_sim.cli.mosquitto import free_port
from agent_sim.credentials import Credentials
from agent_sim.protocol.mqtt import PREFIX, Broker, Version

VERSION: Version = "3.1.1"


class Users(BaseAuthPlugin):
    """Lets in whom it was told of."""

    @dataclass
    class Config:
        """Names to passwords; they stay in this process."""

        logins: dict[str, str] = field(default_factory=dict, repr=False)

    async def authenticate(self, *, session: Session) -> bool | None:
        """True for the right password."""
        known = self.config.logins.get(session.username or "")
        return known is not None and hmac.compare_digest(known.encode(), (session.password or "").encode())


class _Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Who wants what. amqtt 0.12 goes through them with awaits between, in which others subscribe: it gets a copy."""

    def items(self) -> Any:
        return list(super().items())

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))


@contextlib.asynccontextmanager
async def amqtt_running(
    server: Credentials, agents: Sequence[Credentials], prefix: str = PREFIX, port: int = 0
) -> AsyncIterator[Broker]:
    """The address of a broker that runs inside the block."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs every disconnection as an error
    at = Broker("127.0.0.1", port or free_port(), prefix=prefix)
    acl = {server.username: [f"{prefix}/#"], **{one.username: [f"{prefix}/{one.username}/#"] for one in agents}}
    logins = {one.username: one.password for one in (server, *agents)}
    with warnings.catch_warnings(action="ignore"):
        broker = Amqtt(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{at.host}:{at.port}"}},
                "plugins": {
                    f"{Users.__module__}.Users": {"logins": logins},
                    "amqtt.plugins.topic_checking.TopicAccessControlListPlugin": {"publish_acl": acl, "acl": acl},
                },
            }
        )
    broker._subscriptions = _Subscriptions()
    await broker.start()
    try:
        yield at
    finally:
        await broker.shutdown()
