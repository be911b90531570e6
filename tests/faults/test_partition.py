"""partition"""

from agent_sim.faults.effects import DropReply, DropRequest, Refuse
from agent_sim.faults.partition import Partition
from tests.faults.struck import struck


def test_each_direction_has_its_own_way_to_fail():
    assert Partition("out").strike(struck()) == (DropRequest(),)
    assert Partition("in").strike(struck()) == (DropReply(),)
    assert Partition("both").strike(struck()) == (Refuse("network unreachable", after=None),)
