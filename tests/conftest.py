"""What holds for all tests: properties are about values, so no example fails for being slow on a busy machine.

The tests of a file stay on one worker, for they may share a server; those of the files below share nothing and take
long, so any worker takes the next of them.
"""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

settings.register_profile("agent-sim", deadline=None)
settings.load_profile("agent-sim")

SHARE_NOTHING: Final = frozenset(
    {
        "cli/test_fuzz.py",
        "end_to_end/test_enrolment.py",
        "end_to_end/test_mqtt.py",
        "end_to_end/test_oig_scenarios.py",
        "end_to_end/test_oig_storms.py",
        "end_to_end/test_run.py",
        "end_to_end/test_run_certificates.py",
        "end_to_end/test_run_sign_in.py",
        "end_to_end/test_serve.py",
        "end_to_end/test_storm_by_hand.py",
        "end_to_end/test_tls.py",
        "fleet/test_replay_laws.py",
        "loadtests/test_storm.py",
        "loadtests/test_storm_many.py",
    }
)


LONG: Final = tuple(
    line for line in Path(__file__).with_name("long.txt").read_text().splitlines() if not line.startswith("#")
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups for `--dist loadgroup`, and the mark `long`."""
    for item in items:
        if item.nodeid.removeprefix("tests/").startswith(LONG):
            item.add_marker(pytest.mark.long)
        file = "/".join(item.path.parts[-2:])
        if file not in SHARE_NOTHING:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
