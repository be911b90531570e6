"""clock"""

from agent_sim.faults.clock import Clock
from agent_sim.faults.effects import ClockOffset
from agent_sim.instants import HOUR
from tests.faults.struck import struck


def test_a_clock_is_set_wrong_and_in_the_end_right():
    clock = Clock(-2 * HOUR, 0.01)

    assert clock.begin(struck(operation="")) == (ClockOffset(-2 * HOUR, 0.01),)
    assert clock.end(struck(operation="")) == (ClockOffset(0),)
