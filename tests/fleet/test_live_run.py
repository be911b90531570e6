"""What befalls a live run itself."""

import pytest

from agent_sim.cli.progress import Progress
from tests.fleet.live_runs import run_live

LONG = """\
version: 1
name: long
stop: {after: 10m, drain: 5s}
fleets: [{name: lab, count: 2}]
"""


def test_an_error_in_what_happens_beside_the_fleet_ends_the_run_and_is_told(tmp_path, monkeypatch):
    def broken(_self):
        raise RuntimeError("no second")

    monkeypatch.setattr(Progress, "second", broken)

    with pytest.raises(RuntimeError, match="no second"):
        run_live(tmp_path, LONG)
