"""reorder"""

from agent_sim.faults.effects import Reorder as Overtaken
from agent_sim.faults.reorder import Reorder
from agent_sim.instants import SECOND
from tests.faults.struck import struck


def test_a_request_waits_to_be_overtaken():
    assert Reorder(SECOND).strike(struck()) == (Overtaken(SECOND),)
