"""jitter"""

from agent_sim.faults.effects import Delay
from agent_sim.faults.jitter import Jitter
from agent_sim.instants import MILLISECOND
from tests.faults.struck import struck


def test_a_request_takes_longer_by_up_to_the_most():
    jitter = Jitter(200 * MILLISECOND)

    assert [jitter.strike(struck(draw)) for draw in (0.0, 0.5, 0.9)] == [
        (Delay(0),),
        (Delay(100 * MILLISECOND),),
        (Delay(180 * MILLISECOND),),
    ]
