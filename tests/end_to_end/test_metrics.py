"""The metrics of a real run, read while it goes on, and what it says to a program in the end."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.test_telemetry import collecting
from tests.end_to_end.conftest import environment

pytestmark = pytest.mark.slow

PATIENCE = 120.0

SCENARIO = """
version: 1
name: told
seed: 5
stop: {after: 9s, drain: 10s}
server: {retries: 0}
fleets: [{name: lab, count: 5, capabilities: [PEM], heartbeat: {every: 500ms}}]
behaviours:
  - {name: default, jobs: [{type: Management, duration: 100ms, outcomes: [{result: failure}]}]}
schedules: [{name: fail, type: Management, at: 500ms}]
storms:
  - {name: again, at: 4s, op: reschedule, target: {batch: 1}, load: {rate: 2/s}, for: 3s}
"""


def until(address: str, wanted: str) -> dict[str, float]:
    """The samples at an address, as soon as one of the wanted name is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        text = urllib.request.urlopen(address, timeout=PATIENCE).read().decode()
        families = text_string_to_metric_families(text)
        found = {sample.name: sample.value for family in families for sample in family.samples}
        if found.get(wanted):
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {wanted} at {address}")


@pytest.mark.timeout(600)
def test_a_run_shows_its_fleet_and_its_storms_and_ends_with_one_object(tmp_path: Path) -> None:
    (tmp_path / "told.yaml").write_text(SCENARIO)
    words = ("run", "told.yaml", "--json", "--quiet", "--metrics-port", "0", "--otel")
    with collecting() as (collector, bodies):
        process = subprocess.Popen(
            [sys.executable, "-m", "agent_sim.cli.main", *words],
            cwd=tmp_path,
            env=environment(OTEL_EXPORTER_OTLP_ENDPOINT=collector),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("metrics: "), line
            address = line.split()[1]
            found = until(address, "agent_sim_storm_requests_completed_total")
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()

    assert {"agent_sim_fleet_agents", "agent_sim_fleet_request_duration_seconds_count"} <= set(found)
    told = json.loads(out)
    assert (told["verb"], told["exit_code"]) == ("run", process.returncode), err
    assert told["verdict"] in ("PASS", "INCONCLUSIVE"), told  # a busy machine makes a late generator
    assert "agents" not in err  # quiet: no line of progress
    assert bodies
