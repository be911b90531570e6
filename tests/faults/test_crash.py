"""crash"""

from agent_sim.faults.crash import CrashAtRequest, CrashNow
from agent_sim.faults.effects import Crash
from agent_sim.instants import SECOND
from tests.faults.struck import struck


def test_a_process_dies_at_a_request_before_or_after_the_server_acts():
    before = CrashAtRequest(acted=False, restart_after=SECOND, keeps_identity=True)
    after = CrashAtRequest(acted=True, restart_after=SECOND, keeps_identity=False)

    assert before.strike(struck()) == (Crash(SECOND, keeps_identity=True, acted=False),)
    assert after.strike(struck()) == (Crash(SECOND, keeps_identity=False, acted=True),)


def test_or_it_dies_when_the_window_begins():
    crash = CrashNow(SECOND, keeps_identity=True)

    assert crash.begin(struck(operation="")) == (Crash(SECOND),)
    assert crash.end(struck(operation="")) == ()
