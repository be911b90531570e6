"""status"""

from agent_sim.faults.effects import Answer
from agent_sim.faults.status import Status
from agent_sim.instants import MILLISECOND, SECOND
from tests.faults.struck import struck


def test_a_proxy_answers_and_may_say_when_to_come_back():
    assert Status(503).strike(struck()) == (Answer(503),)
    assert Status(429, 30 * SECOND, "busy").strike(struck()) == (Answer(429, (("Retry-After", "30"),), b"busy"),)
    assert Status(429, 1500 * MILLISECOND).strike(struck()) == (Answer(429, (("Retry-After", "2"),)),)
