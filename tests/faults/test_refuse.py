"""refuse"""

from agent_sim.faults.effects import Refuse as NoConnection
from agent_sim.faults.refuse import Refuse
from tests.faults.struck import struck


def test_nobody_listens_and_that_is_known_at_once():
    assert Refuse().strike(struck()) == (NoConnection("connection refused", after=0),)
