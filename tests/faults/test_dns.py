"""dns"""

from agent_sim.faults.dns import Dns
from agent_sim.faults.effects import Refuse
from tests.faults.struck import struck


def test_the_name_does_not_resolve_at_once_or_after_a_wait():
    assert Dns("not_found").strike(struck()) == (Refuse("the server's name does not resolve", after=0),)
    assert Dns("timeout").strike(struck()) == (Refuse("no name server answers", after=None),)
