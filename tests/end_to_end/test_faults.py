"""A run with faults as a person starts it: real processes, a storm by real Locust, the report in the end."""

import json

import pytest

from tests.end_to_end.test_run import agent_sim, only_folder

pytestmark = pytest.mark.slow

SCENARIO = """\
version: 1
name: rough
seed: 7
stop: {after: 20s, drain: 10s}  # long after the storm: Locust may start late on a busy machine
server: {retries: 0}
fleets:
  - {name: lab, count: 12, capabilities: [PEM], heartbeat: {every: 500ms}}
  - {name: far, count: 4, capabilities: [LOGS], heartbeat: {every: 500ms}}
behaviours:
  - name: default
    jobs:
      - {type: Management, duration: 100ms, outcomes: [{result: failure}]}
      - {type: LOGS, duration: 100ms}
schedules:
  - {name: remove, type: Management, at: 500ms}
  - {name: fetch, type: LOGS, at: 3s}
faults:
  - {name: busy, at: 2s, on: reschedule, do: {status: 503}}
  - {name: island, at: 2s, for: 2s, select: {fleets: [far]}, do: {partition: both}}
storms:
  - {name: again, at: 5s, op: reschedule, target: {batch: 1}, load: {rate: 12/s}, for: 1s}
checks:
  invariants: {no_lost_jobs: true, at_most_once: true}
"""


def test_faults_of_agents_and_storms_are_carried_out_and_told(tmp_path):
    scenario = tmp_path / "rough.yaml"
    scenario.write_text(SCENARIO)

    ended = agent_sim("run", scenario, cwd=tmp_path)

    told = json.loads((only_folder(tmp_path) / "result.json").read_text())
    [storm] = told["storms"]
    assert storm["result"]["faults"] == {"busy": storm["result"]["started"]}
    assert storm["result"]["errors"] == {"http_5xx": storm["result"]["started"]}
    assert storm["result"]["stopped"] is None  # it is our own doing: no reason to spare the target
    faults = {fault["name"]: fault for fault in told["faults"]}
    assert faults["island"]["stretches"] == [[2.0, 4.0]]
    assert faults["island"]["agents"] == 4
    assert faults["busy"]["requests"] == storm["result"]["started"]
    assert {verdict["name"]: verdict["answer"] for verdict in told["verdicts"]}["no_lost_jobs"] == "kept"
    assert "fault  island · armed 1 time, met" in ended.stdout
    page = (only_folder(tmp_path) / "report.html").read_text()
    assert page.count('class="fault"') == 2
