"""How the agents' requests of one run travel: over HTTP, through a broker, or some this way and some that.

Wires transports to agents by what the plan says of each; it decides nothing about jobs.
"""

import asyncio
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent_sim.cli.brokers import BrokerInUse
from agent_sim.cli.sign_in import Certificate
from agent_sim.cli.sign_in import ways as http_ways
from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.faults.broker_restart import BrokerRestart as Restarted
from agent_sim.faults.effects import BrokerDisconnect, BrokerEffect, BrokerRestart, SessionTakeover
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.logins import Login
from agent_sim.protocol.mqtt import life_at
from agent_sim.scenario.members import Member
from agent_sim.scenario.plan import Plan, TransportPlan
from agent_sim.storms import guard
from agent_sim.transports.base import AgentTransport, Connections, Stations, Target
from agent_sim.transports.limits import Wants, check_limits, sources

if TYPE_CHECKING:
    from agent_sim.transports.stations import MqttPool

_BROKER: Final = "broker"
_RECOVERS: Final[Span] = 5 * SECOND
"""How long agents and server may take to be at a broker again that was down; our choice."""

_AT_ONCE_PER_GATEWAY: Final = 64
"""Requests in flight for each connection to a broker: more would only wait inside it."""


@dataclass(slots=True)
class Ways:
    """A transport and a limit of requests at once for every agent."""

    members: Sequence[Member]
    http: Callable[[int], AgentTransport]
    mqtt: "MqttPool | None"
    http_limit: asyncio.Semaphore
    mqtt_limit: asyncio.Semaphore
    broker: BrokerInUse | None = None
    hear: Callable[[str], None] = field(default=lambda machine: None)
    deliveries: Callable[[str], int] = field(default=lambda machine: 1)
    clock: Callable[[], Instant] = time.monotonic_ns
    _tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _up_again: Instant | None = None  # when a broker that a fault took down was there again

    def transport(self, number: int) -> AgentTransport:
        """The way of one agent."""
        member = self.members[number]
        if member.wire == "mqtt" and self.mqtt is not None:
            return self.mqtt.agent(number, member.identity.machine)
        return self.http(number)

    def limit(self, number: int) -> asyncio.Semaphore:
        """What it shares with all others that go the same way."""
        return self.mqtt_limit if self.members[number].wire == "mqtt" else self.http_limit

    # --- faults at the broker -----------------------------------------------------------------

    def suffer(self, machine: str, effect: BrokerEffect) -> None:
        """Carry out what befalls an agent's way to the broker; once for all agents of a gateway."""
        station = None if self.mqtt is None else self.mqtt.station_of(machine)
        if station is None:
            return
        match effect:
            case BrokerRestart(down):
                self._begin(_BROKER, self._restart(down))
            case BrokerDisconnect(back_after, will=True):
                station.break_off(back_after)
            case BrokerDisconnect(back_after):
                station.leave(back_after)
            case SessionTakeover():
                self._begin(station.name, station.be_taken_over())

    def _begin(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Have it done beside all else, unless the same is being done just now."""
        if name in self._tasks:
            work.close()
            return
        task = self._tasks[name] = asyncio.create_task(work, name=f"fault at {name}")
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _restart(self, down: Span) -> None:
        assert self.broker is not None, "told apart when the run began"
        assert self.broker.ours is not None
        await self.broker.ours.stop()
        await asyncio.sleep(down / SECOND)
        await self.broker.ours.start()
        self._up_again = self.clock()

    def was_cut_off(self, took: Span) -> bool:
        """True if a request that took so long may have failed because a fault had the broker down."""
        if _BROKER in self._tasks:
            return True
        return self._up_again is not None and self.clock() - took < self._up_again + _RECOVERS

    async def close(self) -> None:
        """End what faults have begun."""
        for task in list(self._tasks.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def used(self) -> Mapping[str, str]:
        """What the report says of it besides the requests themselves."""
        if self.mqtt is None:
            return {}
        counts = self.mqtt.counts
        told = {
            "connections": counts.connections,
            "lost": counts.losses,
            "duplicate replies": counts.duplicate_replies,
            "late replies": counts.late_replies,
        }
        return {"mqtt_agents": ", ".join(f"{number} {name}" for name, number in told.items())}


def stations(said: TransportPlan, broker: BrokerInUse) -> Stations:
    """How agents use this broker."""
    mqtt = said.mqtt
    return Stations(
        mode="per_agent" if said.mode == "per_agent" else "shared",
        gateways=mqtt.gateways,
        version=broker.version,
        clean_start=mqtt.clean_start,
        session_expiry=mqtt.session_expiry,
        keepalive=mqtt.keepalive,
        will_delay=mqtt.will_delay,
        connect_timeout=said.connect_timeout,
        request_timeout=said.request_timeout,
    )


def check(
    planned: Plan,
    limits: Connections,
    host: str,
    *,
    processes: int = 1,
    is_ours: bool = True,
    beats_per_second: float = 0.0,
) -> None:
    """Raise UsageError, with the numbers and the mend, if the connections that the plan wants cannot be had here.

    `host` is where the agents' HTTP goes, `is_ours` true if the server is of this run, `beats_per_second` what the
    agents ask over HTTP if the server has them ask as often as the scenario says; what that takes is only remarked.
    """
    wires = Counter(member.wire for member in planned.members)
    gateways = planned.transport.mqtt.gateways
    through_brokers = wires["mqtt"] if limits.mode == "per_agent" else min(gateways, wires["mqtt"])
    if wires["mqtt"] and not wires["http"]:
        check_limits(Wants(wires["mqtt"], "per_agent" if limits.mode == "per_agent" else "shared", gateways))
        return
    kinds = {member.auth for member in planned.members if member.wire == "http"}
    closes = limits.mode == "per_request" and not guard.is_loopback(host)
    wanted = Wants(
        wires["http"],
        limits.mode,
        limits.limit,
        besides=through_brokers,
        sources=sources(host, limits) if kinds <= {"basic", "none"} else 1,
        processes=processes,
        is_shareable=not is_ours and not through_brokers,
        per_second=beats_per_second if closes else 0.0,
        seconds=(planned.stop - planned.start) / SECOND,  # of a run without an end more than anything is kept
    )
    for doubt in check_limits(wanted):
        sys.stderr.write(f"remark: {doubt}\n")


def described(planned: Plan, limits: Connections) -> str:
    """The connections in a few words, for the report."""
    wires = Counter(member.wire for member in planned.members)
    through = "one each" if limits.mode == "per_agent" else f"{planned.transport.mqtt.gateways} gateways"
    if not wires["mqtt"]:
        return limits.mode
    return f"MQTT, {through}" if not wires["http"] else f"HTTP {limits.mode} and MQTT, {through}"


@asynccontextmanager
async def opened(
    planned: Plan,
    target: Target,
    login: Login | None,
    limits: Connections,
    broker: BrokerInUse | None,
    tls: ssl.SSLContext | None,
    now: Instant,
    certificate: Certificate | None = None,
) -> AsyncIterator[Ways]:
    """All ways that the plan's agents need, open inside the block. Raises UsageError."""
    wires = Counter(member.wire for member in planned.members)
    restarts = any(isinstance(kind, Restarted) for fault in planned.faults for kind in fault.kinds)
    if restarts and (broker is None or broker.ours is None):
        raise UsageError("a fault restarts the broker, which only a Mosquitto that the run has started can suffer")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_ways(planned.members, target, login, limits, certificate))
        mqtt = None
        how = None if broker is None else stations(planned.transport, broker)
        if broker is not None and how is not None:
            if not isinstance(login, Credentials):
                raise UsageError(
                    "agents sign in at a broker with a user name and password, as AGENT_SIM_AGENT_USERNAME"
                )
            from agent_sim.transports.stations import MqttPool

            life = life_at(now)
            name = f"{planned.prefix}gateway-{life:x}"  # its own in every run: two runs do not throw each other out
            mqtt = await stack.enter_async_context(MqttPool(broker.at, login, how, life, name, tls))
        at_once = wires["mqtt"] if limits.mode == "per_agent" else planned.transport.mqtt.gateways
        ways = Ways(
            planned.members,
            http,
            mqtt,
            asyncio.Semaphore(wires["http"] if limits.mode == "per_agent" else limits.limit),
            asyncio.Semaphore(max(at_once, 1) * _AT_ONCE_PER_GATEWAY),
            broker,
        )
        stack.push_async_callback(ways.close)
        if mqtt is not None:
            mqtt.notified = lambda machine: ways.hear(machine)
            mqtt.deliveries = lambda machine: ways.deliveries(machine)
        yield ways
