"""`agent-sim run --processes N`: one fleet in many processes, whose outcomes are those of one, and which is never
smaller than it says."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from agent_sim.cli.crew import refuse_what_needs_one_process
from agent_sim.errors import UsageError
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from tests.end_to_end.conftest import environment
from tests.fleet.replays import play

pytestmark = pytest.mark.slow

SCENARIO = """\
version: 1
name: shared-out
seed: 11
stop: {after: 3s, drain: 60s}
server: {retries: 0}
transport: {timeouts: {connect: 20s, request: 60s}}
fleets:
  - {name: lab, count: 7, capabilities: [LOGS, "custom:Patch"], heartbeat: {every: 500ms}}
  - name: site
    count: 10
    capabilities: [LOGS]
    heartbeat: {every: 500ms}
    personas: [{name: good, share: 70%}, {name: bad, share: 30%, behaviour: bad}]
behaviours:
  - name: default
    jobs: [{type: LOGS, duration: 20ms, outcomes: [{result: success, weight: 60%}, {result: warning, weight: 40%}]}]
  - name: bad
    jobs: [{type: LOGS, duration: 20ms, outcomes: [{result: failure}]}]
schedules:
  - {name: fetch, type: LOGS, at: 500ms}
  - {name: patch, type: "custom:Patch", at: 500ms}
faults:
  - {name: slow, at: 0s, on: [complete], do: {latency: 20ms}}
checks:
  invariants: {no_lost_jobs: true, at_most_once: true, fleet_count: true}
"""


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "shared-out.yaml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


def agent_sim(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "agent_sim.cli.main", *map(str, words)],
        cwd=cwd, env=environment(), capture_output=True, text=True, timeout=200,
    )  # fmt: skip  # two lines are enough


def result(folder):
    [file] = (folder / "runs").glob("*/result.json")
    return json.loads(file.read_text("utf-8"))


def test_outcomes_are_the_same_in_any_number_of_processes_and_in_a_replay(scenario, tmp_path):
    digests, met = {"replay": play(tmp_path, SCENARIO).digest}, {}
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        folder.mkdir()
        ended = agent_sim("run", scenario, "--processes", processes, cwd=folder)
        assert ended.returncode == 0, (processes, ended.stdout, ended.stderr)
        found = result(folder)
        digests[processes] = found["outcome_digest"]
        met[processes] = [(each["name"], each["windows"], each["requests"], each["agents"]) for each in found["faults"]]
        assert found["environment"].get("processes", "1,").startswith(f"{processes},")

    assert len(set(digests.values())) == 1, digests
    assert met == {each: [("slow", 1, 24, 17)] for each in met}


def shard_of(process):
    """The second process of a run, once it is there."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for child in psutil.Process(process.pid).children(recursive=True):
            if "agent_sim.cli.shard" in child.cmdline():
                return child
        time.sleep(0.05)
    raise AssertionError("there is no second process")


def test_a_process_that_is_lost_ends_the_run_and_the_verdict_names_its_agents(scenario, tmp_path):
    words = ["run", scenario, "--processes", "2", "--set", "stop.after=120s"]
    with subprocess.Popen(
        [sys.executable, "-m", "agent_sim.cli.main", *map(str, words)],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip  # two lines are enough
        shard = shard_of(process)
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and not any((tmp_path / "runs").glob("*/journal.jsonl")):
            time.sleep(0.05)
        shard.kill()
        said, _ = process.communicate(timeout=150)

    assert process.returncode == 3, said
    assert "process 2 of 2 is gone (exit code -9), and its 8 of 17 agents with it" in " ".join(said.split())


def test_agents_over_mqtt_share_connections_and_need_one_process(scenario):
    text = SCENARIO.replace("transport: {timeouts: {connect: 20s, request: 60s}}\n", "transport: {kind: mqtt}\n")
    scenario.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match="--processes: agents over MQTT need one process"):
        refuse_what_needs_one_process(plan(load(scenario), 0))
