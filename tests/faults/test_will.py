"""will"""

from agent_sim.distributions import Constant
from agent_sim.faults.effects import BrokerDisconnect as Gone
from agent_sim.faults.will import Will
from agent_sim.instants import SECOND
from tests.faults.struck import struck


def test_a_connection_breaks_without_goodbye_so_that_the_will_is_published():
    fault = Will(Constant(5 * SECOND))

    assert fault.begin(struck(operation="")) == (Gone(5 * SECOND, will=True),)
    assert fault.end(struck(operation="")) == ()
