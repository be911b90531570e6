"""How agents travel, by the plan: what is said of it, and what a machine cannot hold."""

from pathlib import Path

import pytest

from agent_sim.cli import ways
from agent_sim.errors import UsageError
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
    ways.check(outline, Connections("per_agent"))

    monkeypatch.setattr(limits, "this_machine", lambda: Machine(30 + 50 + 127, 1000, 30_000))
    with pytest.raises(
        UsageError, match="30 agents with connections per_agent and 50 connections to a broker need 208"
    ):
        ways.check(outline, Connections("per_agent"))


def test_gateways_need_as_many_files_as_there_are_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "this_machine", lambda: Machine(4 + 128, 1000, 30_000))
    ways.check(planned(ALL_MQTT, tmp_path), Connections())
