"""session_takeover"""

from agent_sim.faults.effects import SessionTakeover as TakenOver
from agent_sim.faults.session_takeover import SessionTakeover
from tests.faults.struck import struck


def test_somebody_else_connects_once():
    assert SessionTakeover().begin(struck(operation="")) == (TakenOver(),)
    assert SessionTakeover().end(struck(operation="")) == ()
