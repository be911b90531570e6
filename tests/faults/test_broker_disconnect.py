"""broker_disconnect"""

from agent_sim.distributions import Constant
from agent_sim.faults.broker_disconnect import BrokerDisconnect
from agent_sim.faults.effects import BrokerDisconnect as Gone
from agent_sim.instants import SECOND
from tests.faults.struck import struck


def test_an_agent_says_goodbye_and_comes_back():
    fault = BrokerDisconnect(Constant(5 * SECOND))

    assert fault.begin(struck(operation="")) == (Gone(5 * SECOND, will=False),)
    assert fault.end(struck(operation="")) == ()
