"""bandwidth"""

from agent_sim.faults.bandwidth import Bandwidth
from agent_sim.faults.effects import Throttle
from tests.faults.struck import struck


def test_both_directions_trickle():
    assert Bandwidth(16_000).strike(struck()) == (Throttle(16_000),)
