"""What is seen of agents' requests: all are counted, and what a fault at the broker cut off is excused."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from agent_sim.cli.agent_kinds import AgentKinds
from agent_sim.errors import TransportError
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, AgentReply, AgentRequest, Heartbeat

BEAT = AgentRequest(HEARTBEAT, Heartbeat(7, NO_TENANT, "m", "t"))
AGENT = SimpleNamespace(identity=SimpleNamespace(fleet="lab", machine="m"))
FAILED = TransportError("the broker went away")


@dataclass
class Ways:
    """One way for all, whose broker is down or not."""

    is_down: bool
    way: object = field(default_factory=lambda: Way())

    def transport(self, number):
        return self.way

    def limit(self, number):
        return None

    def was_cut_off(self, took):
        return self.is_down


class Way:
    async def send(self, request):
        raise AssertionError("nothing is sent here")


@pytest.mark.parametrize(
    ("wire", "is_down", "outcome", "expected"),
    [
        ("mqtt", True, FAILED, ["excused"]),
        ("mqtt", False, FAILED, ["ended"]),
        ("mqtt", True, AgentReply(200, None), ["ended"]),
        ("http", True, FAILED, ["ended"]),  # no broker was on its way
    ],
)
def test_only_what_failed_on_its_way_through_a_broker_that_a_fault_had_down_is_excused(
    wire, is_down, outcome, expected
):
    told, written = [], []
    kinds = AgentKinds(
        Ways(is_down), lambda *seen: told.append("ended"), written.append, lambda: 1.0,
        excused=lambda *seen: told.append("excused"),
    )  # fmt: skip

    kinds.of(0, SimpleNamespace(wire=wire)).ended(AGENT, BEAT, outcome, 5, 0, ())

    assert told == expected
    assert [line.error for line in written] == ([str(outcome)] if outcome is FAILED else [])
