"""No false alarm: a correct server under every fault keeps every law, five thousand jobs long (the soak: a million)."""

import pytest

from agent_sim.results import journal
from tests.fleet.replays import play
from tests.mutations.menu import QUARTER, alarms, jobs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    return play(tmp_path_factory.mktemp("menu"), QUARTER)


def test_five_thousand_correct_jobs_under_every_fault_raise_no_alarm(hour):
    assert alarms(hour) == []
    assert jobs(hour) > 5_000


def test_every_fault_of_the_menu_struck(hour):
    armed = {line.fault for line in hour.of(journal.FaultArmed)}
    met = {line.fault for line in hour.of(journal.FaultOver) if line.requests or line.agents}

    assert len(armed) == 20
    assert met == armed
