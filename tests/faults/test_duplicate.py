"""duplicate"""

from agent_sim.distributions import Constant
from agent_sim.faults.duplicate import Duplicate
from agent_sim.faults.effects import Duplicate as Twice
from agent_sim.instants import SECOND
from tests.faults.struck import struck


def test_a_copy_follows():
    assert Duplicate(Constant(2 * SECOND)).strike(struck()) == (Twice(2 * SECOND),)
