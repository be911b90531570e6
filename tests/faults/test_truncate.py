"""truncate"""

from agent_sim.faults.effects import Truncate as CutOff
from agent_sim.faults.truncate import Truncate
from tests.faults.struck import struck


def test_a_share_of_the_answer_arrives():
    assert Truncate(0.5).strike(struck()) == (CutOff(0.5),)
