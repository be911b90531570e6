"""A storm's own `/metrics`, in a process that Locust's gevent has taken over."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.storms.examples import plan

LOADTESTS = Path(__file__).parents[2] / "loadtests"
STORM = """
from gevent import monkey
monkey.patch_all()
import contextlib, io, sys, urllib.request
sys.path.insert(0, {folder!r})
from storm_metrics import telling
from agent_sim.errors import UsageError
from tests.results.journals import second
from tests.storms.examples import plan

seen, said = [], io.StringIO()
with contextlib.redirect_stdout(said):
    tell = telling(0, plan(), seen.append)
"""


def storm(script: str) -> list[str]:
    """What it says on standard output."""
    ended = subprocess.run(
        [sys.executable, "-c", STORM.format(folder=str(LOADTESTS)) + script],
        cwd=LOADTESTS.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_its_seconds_are_added_up_and_passed_on_and_a_taken_port_is_told():
    lines = storm("""
tell(second(1.0, requests=20, ids=1000))
tell(second(2.0, requests=10, ids=500))
print("passed on", len(seen))
address = said.getvalue().split()[1]
print(urllib.request.urlopen(address, timeout=60).read().decode())
port = address.split(":")[-1].split("/")[0]
try:
    telling(int(port), plan(), seen.append)
except UsageError as error:
    print("refused", str(error).replace(port, "PORT"))
""")

    name = plan().name
    assert "passed on 2" in lines
    assert f'agent_sim_storm_ids_accepted_total{{storm="{name}"}} 1500.0' in lines
    assert f'agent_sim_storm_response_seconds{{stat="p95",storm="{name}"}} 0.048' in lines
    assert any(line.startswith("process_cpu_seconds_total") for line in lines)
    assert lines[-1] == "refused --metrics-port PORT: cannot be listened on (Address already in use)"
