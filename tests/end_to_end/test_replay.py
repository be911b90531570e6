"""`agent-sim replay` as a process: the same bytes everywhere, the digest last, and a live run that agrees."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent_sim.results import journal_text
from agent_sim.results.summary import summarise
from tests.fleet.replays import EVERY_LAW

pytestmark = pytest.mark.slow

PATIENCE = 120.0

WRAPPER = """
import sys
from agent_sim.cli import main
from agent_sim.cli.replay import replay
main.app.command()(replay)

def forbid(event, arguments):
    if event in ("socket.__new__", "time.sleep"):
        sys.exit(f"a replay used {event}")

sys.addaudithook(forbid)
main.main()
"""
"""The command line, in an interpreter that ends where a replay opens a socket or sleeps."""

BUSY = """
version: 1
name: busy
seed: 11
stop: {after: 10m, drain: 2m}
server: {retries: 0, job_timeout: 1m, auto_approve: false, registration_check: 1m}
fleets:
  - {name: one, count: 20, capabilities: [LOGS, PEM, "custom:Patch"], heartbeat: {every: 10s}, stores: {per_agent: 2}}
  - {name: two, count: 10, capabilities: [LOGS, JKS, "custom:PATCH"], heartbeat: {every: 20s, jitter: 50%}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: {dist: lognormal, median: 2s, p95: 20s}
        outcomes: [{result: success, weight: 60%}, {result: warning, weight: 10%}, {result: failure, weight: 30%}]
      - {type: Management, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%, message: "ü"}]}
phases: [{name: ramp, duration: 1m, online: 100%, shape: poisson}, {name: work, duration: 9m}]
schedules:
  - {name: logs, type: LOGS, every: 1m, from: work, until: 8m}
  - {name: renewals, type: Management, at: work}
  - {name: patches, type: "custom:Patch", at: work+1m}
storms:
  - {name: again, at: work+4m, op: reschedule, target: {batch: 3}, load: {arrivals: poisson, rate: 2/s}, for: 5s}
faults:
  - {name: unheard, at: work, for: 5m, probability: 5%, do: {drop: response}}
  - {name: island, at: work+2m, for: 1m, select: {percent: 30%}, do: {partition: both}}
  - {name: dies, every: 40s, during: [work], select: {count: 1},
      do: {crash: {point: before_complete, restart_after: 5s}}}
checks: {invariants: EVERY_LAW}
""".replace("EVERY_LAW", EVERY_LAW)

FINITE = """
version: 1
name: finite
seed: 7
stop: {after: 8s, drain: 30s}
server: {retries: 2, auto_approve: false, registration_check: 1m}
fleets:
  - {name: one, count: 8, capabilities: [LOGS, PEM, "custom:Patch"], heartbeat: {every: 1s}, stores: {per_agent: 2}}
  - {name: two, count: 4, capabilities: [LOGS, JKS], heartbeat: {every: 1s, jitter: 30%}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: {dist: lognormal, median: 100ms, p95: 500ms}
        outcomes: [{result: success, weight: 60%}, {result: warning, weight: 10%}, {result: failure, weight: 30%}]
      - {type: Management, duration: 100ms, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
      - {type: custom, duration: 100ms, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
      - {type: Inventory, duration: 100ms, outcomes: [{result: success, weight: 50%}, {result: warning, weight: 50%}]}
schedules:
  - {name: logs, type: LOGS, every: 2s, from: 1s, until: 6s}
  - {name: renewals, type: Management, at: 2s}
  - {name: inventory, type: Inventory, at: 3s}
  - {name: patches, type: "custom:Patch", at: 2s}
checks: {invariants: EVERY_LAW}
""".replace("EVERY_LAW", EVERY_LAW)
"""All of its work is posted well before its end, and all of it ends in the drain."""


def replay(*arguments, cwd, **environment):
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-c", WRAPPER, "replay", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def only_run(folder: Path) -> Path:
    [run] = folder.iterdir()
    return run


def digest_of(run: Path) -> str:
    with (run / "journal.jsonl").open(encoding="utf-8") as lines:
        return summarise(journal_text.read(lines)).outcome_digest


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """The busy scenario, replayed once: its process and its run's folder."""
    folder = tmp_path_factory.mktemp("busy")
    done = replay(str(written(folder, BUSY)), "--runs", str(folder / "runs"), cwd=folder, PYTHONHASHSEED="0")
    return done, only_run(folder / "runs")


def test_it_ends_with_the_digest_after_the_table_and_the_verdict(busy):
    done, run = busy

    assert done.returncode == 0, done.stderr
    *before, last = done.stdout.splitlines()
    assert re.fullmatch("outcome digest: [0-9a-f]{64}", last)
    assert last == f"outcome digest: {digest_of(run)}"
    assert "verdict: PASS" in before
    assert done.stdout.splitlines()[0].startswith("busy against the embedded server in virtual time, seed 11")


def test_it_leaves_the_files_of_a_live_run(busy):
    _, run = busy

    assert {file.name for file in run.iterdir()} == {
        "scenario.resolved.yaml",
        "journal.jsonl",
        "result.json",
        "junit.xml",
        "summary.md",
        "report.html",
        "storm-again.json",
    }
    assert json.loads((run / "storm-again.json").read_text(encoding="utf-8"))["ledger"]["accepted"] > 0


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "0"},
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "31337", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8", "COLUMNS": "40"},
        {"PYTHONHASHSEED": "random", "PYTHONUTF8": "1", "PYTHONOPTIMIZE": "1"},
    ],
)
def test_the_journal_is_the_same_to_the_byte_whatever_surrounds_it(busy, environment, tmp_path):
    _, run = busy
    elsewhere = tmp_path / "elsewhere"
    file = written(elsewhere / "deeper", BUSY)

    done = replay(str(file.relative_to(elsewhere)), cwd=elsewhere, **environment)

    assert done.returncode == 0, done.stderr
    again = only_run(elsewhere / "runs") / "journal.jsonl"
    assert again.read_bytes() == (run / "journal.jsonl").read_bytes()


def test_the_journal_names_nothing_of_this_machine(busy):
    _, run = busy
    text = (run / "journal.jsonl").read_text(encoding="utf-8")

    for word in (str(run.parent), str(Path.cwd()), socket.gethostname(), "127.0.0.1", "localhost"):
        assert word not in text


def test_another_start_moves_every_time_and_changes_no_outcome(tmp_path):
    file = written(tmp_path, BUSY.split("faults:")[0])  # what a fault hits depends on who is quicker

    done = replay(str(file), "--runs", str(tmp_path / "earlier"), cwd=tmp_path)
    later = replay(str(file), "--start", "2031-07-15T13:30:00Z", "--runs", str(tmp_path / "runs"), cwd=tmp_path)

    first = (only_run(tmp_path / "runs") / "journal.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert '"started_at":"2031-07-15T13:30:00Z"' in first
    assert later.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("scale", [(), ("--time-scale", "3", "--set", "stop.drain=5m")], ids=["real time", "faster"])
def test_a_live_run_of_the_same_scenario_and_seed_has_the_same_digest(scale, tmp_path):
    file = written(tmp_path, FINITE)
    live = subprocess.run(
        [sys.executable, "-m", "agent_sim.cli.main", "run", str(file), "--runs", str(tmp_path / "live"), *scale],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert live.returncode == 0, live.stdout + live.stderr

    done = replay(str(file), "--runs", str(tmp_path / "virtual"), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"outcome digest: {digest_of(only_run(tmp_path / 'live'))}"
    completed = (only_run(tmp_path / "virtual") / "journal.jsonl").read_text().count('"event":"job_completed"')
    assert completed > 80


def test_a_check_that_does_not_hold_is_exit_code_1_and_the_digest_is_still_last(tmp_path):
    file = written(tmp_path, FINITE)
    unreachable = "checks.thresholds=[{metric: throughput, min: 1000/s}]"

    done = replay(str(file), "--set", unreachable, cwd=tmp_path)

    assert done.returncode == 1, done.stderr
    assert "verdict: FAIL" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("outcome digest: ")


def test_a_scenario_without_a_seed_is_replayed_with_seed_0(tmp_path):
    file = written(tmp_path, FINITE.replace("seed: 7\n", ""))

    done, same = replay(str(file), cwd=tmp_path), replay(str(file), "--seed", "0", cwd=tmp_path)

    assert "seed 0" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[-1] == same.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["scenario.yaml", "--set", "stop.after=never"], "the scenario never ends (stop.after: never)"),
        (["scenario.yaml", "--start", "yesterday"], "--start 'yesterday' must be a time such as 2026-01-01T00:00:00Z"),
        (["scenario.yaml", "--start", "9999-01-01T00:00:00Z"], "between the years 1971 and 2200"),
        (["scenario.yaml", "--set", "fleets.one.cuont=3"], "did you mean"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(arguments, said, tmp_path):
    written(tmp_path, FINITE)

    done = replay(*arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_ends_a_long_replay_with_its_report(tmp_path):
    file = written(tmp_path, FINITE)
    long = [str(file), "--set", "stop.after=30d"]
    process = subprocess.Popen(
        [sys.executable, "-c", WRAPPER, "replay", *long],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    assert " s of virtual time" in process.stderr.readline()  # it is under way

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, out + err  # nothing is broken, and the report says that it was cut short
    assert out.splitlines()[-1].startswith("outcome digest: ")
    last = (only_run(tmp_path / "runs") / "journal.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert '"reason":"interrupted"' in last
    assert (only_run(tmp_path / "runs") / "report.html").exists()
