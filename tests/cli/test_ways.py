"""How agents travel, by the plan: what is said of it, and what a machine cannot hold."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent_sim.cli import ways
from agent_sim.errors import UsageError
from agent_sim.faults.effects import BrokerDisconnect, BrokerRestart, SessionTakeover
from agent_sim.instants import SECOND
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import Plan, plan
from agent_sim.transports import limits
from agent_sim.transports.base import Connections
from agent_sim.transports.limits import Machine
from tests.scenario.files import written

MIXED = """
version: 1
name: mixed
fleets:
  - {name: wire, count: 30}
  - {name: broker, count: 50, transport: {kind: mqtt}}
"""
ALL_MQTT = MIXED + "transport: {kind: mqtt}\n"


def planned(text: str, folder: Path) -> Plan:
    return plan(load(written(text, folder), seed=1), 0)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (MIXED, "shared", "HTTP shared and MQTT, 4 gateways"),
        (MIXED, "per_agent", "HTTP per_agent and MQTT, one each"),
        (ALL_MQTT, "shared", "MQTT, 4 gateways"),
    ],
)
def test_the_report_names_every_kind_of_connection(tmp_path, text, mode, said):
    assert ways.described(planned(text, tmp_path), Connections(mode)) == said


def test_connections_of_both_kinds_count_together(tmp_path, monkeypatch):
    outline = planned(MIXED, tmp_path)
    monkeypatch.setattr(limits, "this_machine", lambda: Machine(30 + 50 + 128, 1000, 30_000))
    ways.check(outline, Connections("per_agent"), "127.0.0.1")

    monkeypatch.setattr(limits, "this_machine", lambda: Machine(30 + 50 + 127, 1000, 30_000))
    with pytest.raises(
        UsageError, match="30 agents with connections per_agent and 50 connections to a broker need 208"
    ):
        ways.check(outline, Connections("per_agent"), "127.0.0.1")


def test_gateways_need_as_many_files_as_there_are_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "this_machine", lambda: Machine(4 + 128, 1000, 30_000))
    ways.check(planned(ALL_MQTT, tmp_path), Connections(), "127.0.0.1")


@dataclass
class Station:
    """What a station was told to suffer."""

    name: str = "gateway-0"
    suffered: list[str] = field(default_factory=list)

    def leave(self, away: int) -> None:
        self.suffered.append(f"leave for {away}")

    def break_off(self, away: int) -> None:
        self.suffered.append(f"break off for {away}")

    async def be_taken_over(self) -> None:
        self.suffered.append("be taken over")


@dataclass
class Pool:
    station: Station

    def station_of(self, machine: str) -> Station | None:
        return self.station if machine == "over-mqtt" else None


async def test_what_befalls_an_agents_way_to_its_broker_is_carried_out_there():
    station = Station()
    some = asyncio.Semaphore(1)
    travelling = ways.Ways((), lambda number: None, Pool(station), some, some)  # type: ignore[arg-type]

    travelling.suffer("over-mqtt", BrokerDisconnect(5))
    travelling.suffer("over-mqtt", BrokerDisconnect(6, will=True))
    travelling.suffer("over-mqtt", SessionTakeover())
    travelling.suffer("over-mqtt", SessionTakeover())  # of the same gateway: it happens once
    travelling.suffer("over-http", BrokerDisconnect(7))
    await asyncio.sleep(0)
    await travelling.close()

    assert station.suffered == ["leave for 5", "break off for 6", "be taken over"]


class Broker:
    """One of the run's own that goes down and comes back as it is told."""

    def __init__(self) -> None:
        self.starting = asyncio.Event()

    @property
    def ours(self) -> "Broker":
        return self

    async def stop(self) -> None:
        pass

    async def start(self) -> None:
        await self.starting.wait()


async def test_what_fails_while_a_fault_has_the_broker_down_is_told_apart():
    some, now, broker = asyncio.Semaphore(1), [0], Broker()
    travelling = ways.Ways(
        (), lambda number: None, Pool(Station()), some, some, broker, clock=lambda: now[0]  # type: ignore[arg-type]
    )  # fmt: skip
    assert not travelling.was_cut_off(took=SECOND)  # before there was a fault

    travelling.suffer("over-mqtt", BrokerRestart(0))
    assert travelling.was_cut_off(took=0)
    broker.starting.set()
    await travelling._tasks["broker"]

    now[0] = 100 * SECOND
    assert travelling.was_cut_off(took=96 * SECOND)  # began before all were back
    assert not travelling.was_cut_off(took=94 * SECOND)
