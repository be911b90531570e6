"""latency"""

from agent_sim.distributions import Uniform
from agent_sim.faults.effects import Delay
from agent_sim.faults.latency import Latency
from agent_sim.instants import MILLISECOND, SECOND
from tests.faults.struck import struck


def test_each_request_takes_longer_by_a_draw_of_its_own():
    latency = Latency(Uniform(SECOND, 3 * SECOND))

    assert latency.strike(struck(0.0)) == (Delay(SECOND),)
    assert latency.strike(struck(0.25)) == (Delay(1500 * MILLISECOND),)
