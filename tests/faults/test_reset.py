"""reset"""

from agent_sim.faults.effects import Reset as Broken
from agent_sim.faults.reset import Reset
from tests.faults.struck import struck


def test_the_connection_breaks_before_or_after_the_server_has_acted():
    assert Reset("request").strike(struck()) == (Broken(acted=False),)
    assert Reset("response").strike(struck()) == (Broken(acted=True),)
