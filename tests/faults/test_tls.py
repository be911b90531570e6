"""tls"""

import pytest

from agent_sim.faults.tls import Tls
from tests.faults.struck import struck


@pytest.mark.parametrize("failure", ["expired", "untrusted", "wrong_name", "handshake"])
def test_no_secure_connection_comes_about_and_it_is_said_why(failure):
    [effect] = Tls(failure).strike(struck())

    assert effect.why.startswith("TLS: ")
    assert effect.after == 0
