"""The agents' end of a broker's connection through aiomqtt (once called asyncio-mqtt), and nothing but that.

The server's end is its twin, `server.mqtt`: neither may import the other, and aiomqtt is imported nowhere else. What
is said over a connection is `protocol.mqtt`, who says it `transports.stations`.
"""

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent_sim.credentials import Credentials
from agent_sim.errors import BrokerRefused, ConnectFailed, MalformedMessage
from agent_sim.instants import SECOND, Span
from agent_sim.link import LettingGo
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.mqtt import Broker, Link, Packet, Version

_AT_ONCE: Final = 64
"""Publications on their way at once; aiomqtt looks through all of them for each."""
_KINDS: Final = (PacketTypes.CONNECT, PacketTypes.PUBLISH, PacketTypes.WILLMESSAGE)
_BLANK: Final = {kind: vars(Properties(kind)) for kind in _KINDS}  # type: ignore[no-untyped-call]  # as paho has it
_VERSIONS: Final = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


@contextlib.asynccontextmanager
async def opened(
    broker: Broker,
    login: Credentials,
    tls: ssl.SSLContext | None,
    link: Link,
    patience: Span,
    take: Callable[[Packet], None],
) -> AsyncIterator["Connection"]:
    """A connection; `take` gets each message and `patience` bounds each step. Raises TransportError."""
    is_5 = link.version == "5"
    client = _Client(
        broker.host,
        broker.port,
        username=login.username,
        password=login.password or None,
        identifier=link.name,
        protocol=_VERSIONS[link.version],
        clean_session=None if is_5 else link.clean_start,
        clean_start=link.clean_start if is_5 else MQTT_CLEAN_START_FIRST_ONLY,  # "not said", to paho
        properties=_properties(PacketTypes.CONNECT, link.properties()),
        will=_will(link),
        keepalive=max(round(link.keepalive / SECOND), 1),
        timeout=patience / SECOND,
        max_inflight_messages=_AT_ONCE,
        max_concurrent_outgoing_calls=_AT_ONCE,
        tls_context=tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # else each message waits 40 ms for an ACK
        queue_type=cast(type[_Inbox], partial(_Inbox, take)),  # it is called, and nothing else
    )
    client.pending_calls_threshold = _AT_ONCE  # where it would begin to warn
    try:
        async with client:
            yield Connection(client, broker.url, link.version)
    except aiomqtt.MqttError as error:
        raise _failure(broker.url, error) from error


def _failure(url: str, error: aiomqtt.MqttError) -> ConnectFailed:
    code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
    if isinstance(code, ReasonCode) and code.value in contract.REFUSALS:
        return BrokerRefused(f"{url} refuses us: {code}")
    return ConnectFailed(f"no connection to {url}: {error}")


class _Client(LettingGo, aiomqtt.Client):
    """aiomqtt's, that gets over a broken socket on every event loop."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One open connection (link.Client)."""

    client: aiomqtt.Client
    url: str
    version: Version

    async def publish(self, packet: Packet) -> None:
        """Return once the broker has it, however long that takes. Raises TransportError."""
        payload, properties = contract.carried(packet, self.version)
        made = _properties(PacketTypes.PUBLISH, properties)
        try:
            await self.client.publish(packet.topic, payload, contract.QOS, packet.retain, made, timeout=math.inf)
        except aiomqtt.MqttError as error:
            raise ConnectFailed(f"no connection to {self.url}: {error}") from error

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Return once the broker has agreed. Raises TransportError."""
        try:
            codes = await self.client.subscribe([(topic, contract.QOS) for topic in topics])
        except aiomqtt.MqttError as error:
            raise ConnectFailed(f"{self.url} does not answer: {error}") from error
        if any((code.value if isinstance(code, ReasonCode) else code) >= 0x80 for code in codes):
            raise BrokerRefused(f"{self.url} refuses our subscriptions: its ACL must allow them")

    def cut(self) -> None:
        """Break the connection without a word, as a network or a crash does."""
        wire = self.client._client.socket()  # the only way to it that aiomqtt leaves
        if isinstance(wire, socket.socket):
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    async def lost(self) -> None:
        """Return when the connection is over."""
        with contextlib.suppress(aiomqtt.MqttError):
            async for _ in self.client.messages:
                pass  # none comes this way: see _Inbox


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """A queue that keeps nothing and hands on at once: iterating over messages costs a task for each of them."""

    def __init__(self, take: Callable[[Packet], None], maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._hand_on = take

    def put_nowait(self, item: aiomqtt.Message) -> None:
        payload = item.payload if isinstance(item.payload, bytes) else b""
        properties = {} if item.properties is None else vars(item.properties)
        with contextlib.suppress(MalformedMessage):
            self._hand_on(contract.read_packet(item.topic.value, payload, properties, retain=item.retain))


def _will(link: Link) -> aiomqtt.Will | None:
    if link.will is None:
        return None
    properties = _properties(PacketTypes.WILLMESSAGE, link.will_properties())
    return aiomqtt.Will(link.will.topic, link.will.payload, contract.QOS, link.will.retain, properties)


def _properties(kind: int, named: contract.Properties) -> Properties | None:
    """paho's, made without its searches through lists for every name: they cost a quarter of each message."""
    if not named:
        return None
    made = Properties.__new__(Properties)
    vars(made).update(_BLANK[kind], **named)
    return made
