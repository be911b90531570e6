"""duplicate_delivery"""

from agent_sim.faults.duplicate_delivery import DuplicateDelivery
from agent_sim.faults.effects import DuplicateDelivery as Twice
from tests.faults.struck import struck


def test_a_message_comes_twice():
    assert DuplicateDelivery().strike(struck(operation="notification")) == (Twice(),)
