"""drop"""

from agent_sim.faults.drop import Drop
from agent_sim.faults.effects import DropReply, DropRequest
from tests.faults.struck import struck


def test_the_request_or_the_answer_is_lost():
    assert Drop("request").strike(struck()) == (DropRequest(),)
    assert Drop("response").strike(struck()) == (DropReply(),)
