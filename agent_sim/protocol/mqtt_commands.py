"""Ours: what the server can tell of the agents that reach it over MQTT (`GET /sim/mqtt`)."""

from dataclasses import dataclass

from agent_sim.instants import Instant
from agent_sim.protocol.agent import wire
from agent_sim.protocol.command import Operation, Record


@dataclass(frozen=True, slots=True)
class GetMqtt(Operation):
    """Who is there, and what at-least-once delivery brought."""


@wire
class MqttAgent(Record):
    """An agent that was heard of over MQTT, and since when it is there or not."""

    client_machine: str
    account: str
    station: str
    online: bool
    since: Instant


@wire
class MqttState(Record):
    """Since the server began: requests, deliveries of one that came before, messages that were refused (no such
    account, malformed), dropped (too many waited) or stale (retained or of an earlier life), and notifications."""

    requests: int
    duplicates: int
    refused: int
    dropped: int
    stale: int
    notified: int
    online: int
    agents: tuple[MqttAgent, ...]
