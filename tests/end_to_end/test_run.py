"""`agent-sim run` as a person runs it: real processes, a real server, real Locust."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ACCOUNTS, environment

pytestmark = pytest.mark.slow

SCENARIO = """\
version: 1
name: small
seed: 7
stop: {after: 7s, drain: 10s}
server: {retries: 0}
fleets:
  - {name: lab, count: 12, capabilities: [LOGS, PEM, "custom:Patch"], heartbeat: {every: 500ms}}
behaviours:
  - name: default
    jobs:
      - {type: LOGS, duration: 200ms, outcomes: [{result: success, weight: 80%}, {result: warning, weight: 20%}]}
      - {type: Management, duration: 100ms, outcomes: [{result: failure, message: "no {store}"}]}
schedules:
  - {name: fetch, type: LOGS, at: 500ms}
  - {name: inventory, type: Inventory, at: 500ms}
  - {name: remove, type: Management, at: 500ms}
  - {name: patch, type: "custom:Patch", at: 500ms}
storms:
  - {name: again, at: 4s, op: reschedule, target: {batch: 4}, load: {rate: 4/s}, for: 1s}
  - {name: seen, at: 4s, op: acknowledge, target: {batch: 2}, load: {rate: 4/s}, for: 1s}
checks:
  invariants: {no_lost_jobs: true, at_most_once: true}
"""
CALM = SCENARIO.split("storms:")[0] + "checks:\n  invariants: {no_lost_jobs: true, at_most_once: true}\n"


def agent_sim(*words, cwd, timeout=240, **accounts):
    return subprocess.run(
        [sys.executable, "-m", "agent_sim.cli.main", *map(str, words)],
        cwd=cwd,
        env=environment(**accounts),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def calm(tmp_path):
    path = tmp_path / "calm.yaml"
    path.write_text(CALM)
    return path


def only_folder(tmp_path):
    [folder] = [entry for entry in (tmp_path / "runs").iterdir() if entry.is_dir()]
    return folder


def test_a_run_with_storms_ends_by_itself_with_a_verdict_and_all_its_files(scenario, tmp_path):
    ended = agent_sim("run", scenario, cwd=tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "verdict: PASS" in ended.stdout
    folder = only_folder(tmp_path)
    assert {"scenario.resolved.yaml", "journal.jsonl", "result.json", "report.html"} <= {
        p.name for p in folder.iterdir()
    }
    result = json.loads((folder / "result.json").read_text())
    assert (result["verdict"], result["exit_code"]) == ("PASS", 0)
    [again, seen] = sorted(result["storms"], key=lambda storm: storm["name"])
    assert again["result"]["ledger"]["accepted"] > 0
    assert seen["result"]["ledger"]["accepted"] > 0
    journal = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    jobs = [line for line in journal if line["event"] == "job_completed"]
    assert {line["type"] for line in jobs} == {"LOGS", "Inventory", "Management", "custom:Patch"}
    assert {line["outcome"] for line in jobs} == {"success", "warning", "failure"}
    assert len(jobs) > 4 * 12  # rescheduled jobs ran again


def test_the_resolved_scenario_is_a_scenario_and_names_its_seed(calm, tmp_path):
    agent_sim("run", calm, "--set", "stop.after=2s", cwd=tmp_path)
    resolved = only_folder(tmp_path) / "scenario.resolved.yaml"

    checked = agent_sim("check", resolved, cwd=tmp_path)

    assert checked.returncode == 0, checked.stderr
    assert re.search(r"^seed: 7$", resolved.read_text(), re.MULTILINE)


def test_no_secret_is_left_behind(scenario, tmp_path):
    accounts = {name: f"VERY-{name}-SECRET" for name in ACCOUNTS}

    ended = agent_sim("run", scenario, cwd=tmp_path, **accounts)

    for path in only_folder(tmp_path).iterdir():
        text = path.read_text(errors="replace")
        assert "PASSWORD" not in text, path
        assert "-SECRET" not in text, path
    assert "SECRET" not in ended.stdout + ended.stderr


def test_ctrl_c_ends_a_run_cleanly_and_the_report_is_written(scenario, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "agent_sim.cli.main", "run", str(scenario), "--set", "stop.after=60s"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_journal(tmp_path, "storm_started")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)

    folder = only_folder(tmp_path)
    assert "verdict:" in out, out + err
    assert "Traceback" not in err
    assert process.returncode in (0, 1, 3)
    assert (folder / "report.html").stat().st_size > 10_000
    result = json.loads((folder / "result.json").read_text())
    assert result["ended"]["reason"] == "interrupted"
    assert not processes_of(folder)


DOOMED = SCENARIO.split("storms:")[0] + (
    """storms:
  - {name: again, at: 3s, op: reschedule, target: {by: query}, load: {rate: 2/s}, for: 20m}
faults:
  - {name: busy, at: 5s, do: {status: {code: 503}}}
checks:
  thresholds: [{metric: error_rate, max: 5%, abort_on_fail: true}]
"""
)


def test_a_threshold_that_aborts_ends_the_run_its_storms_and_gives_exit_code_1(scenario, tmp_path):
    scenario.write_text(DOOMED)

    ended = agent_sim("run", scenario, "--set", "stop.after=1h", cwd=tmp_path, timeout=300)

    folder = only_folder(tmp_path)
    result = json.loads((folder / "result.json").read_text())
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert re.search("BROKEN +error_rate <= 5%", ended.stdout)
    assert result["ended"]["reason"].startswith("aborted: threshold error_rate <= 5% is broken: ")
    assert result["seconds"] < 3600
    assert '"event":"storm_started"' in (folder / "journal.jsonl").read_text()
    assert not processes_of(folder)
    for name in ("report.html", "junit.xml", "summary.md"):
        assert "aborted: threshold" in (folder / name).read_text()
    assert "Traceback" not in ended.stderr


def wait_for_journal(tmp_path, event):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in (tmp_path / "runs").glob("*/journal.jsonl") if (tmp_path / "runs").exists() else ():
            if f'"event":"{event}"' in path.read_text():
                return
        time.sleep(0.1)
    raise AssertionError(f"no {event} in time")


def processes_of(folder):
    """Processes whose command line names the run's folder: the server and Locust."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in command:
                found.append(command)
    return found


# --- another target ---------------------------------------------------------------------------


def test_the_same_scenario_runs_against_a_target_that_was_there_before(scenario, tmp_path, start_server):
    server = start_server("--sim-api", "--settings", str(settings_file(tmp_path, retries=0, heartbeat_minutes=0.01)))

    ended = agent_sim("run", scenario, "--target", server.url, cwd=tmp_path, **ACCOUNTS)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    opening = json.loads((only_folder(tmp_path) / "journal.jsonl").read_text().splitlines()[0])
    assert (opening["embedded"], opening["connections"]) == (False, "per_request")
    assert {row["ClientMachine"][:15] for row in server.operator.get("/Agents?ReturnLimit=100").json} == {
        "agentsim-small-"
    }


def settings_file(tmp_path, **settings):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings))
    return path


def test_credentials_may_come_from_a_file_that_only_its_owner_reads(calm, tmp_path, start_server):
    server = start_server("--settings", str(settings_file(tmp_path, heartbeat_minutes=0.01)))
    file = tmp_path / "accounts"
    file.write_text("".join(f"{name}={value}\n" for name, value in ACCOUNTS.items()))
    words = ("run", calm, "--target", server.url, "--credentials", file, "--set", "stop.after=2s")

    file.chmod(0o644)
    refused = agent_sim(*words, cwd=tmp_path)
    file.chmod(0o600)
    ended = agent_sim(*words, cwd=tmp_path)

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "0600" in refused.stderr
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_wrong_password_is_one_line_and_exit_code_4(calm, tmp_path, server_process):
    wrong = {**ACCOUNTS, "AGENT_SIM_PASSWORD": "guess"}

    ended = agent_sim("run", calm, "--target", server_process.url, cwd=tmp_path, **wrong)

    assert (ended.returncode, ended.stderr.count("\n")) == (4, 1)
    assert "refuses our credentials" in ended.stderr
    assert "guess" not in ended.stderr


def test_a_wrong_password_of_the_agents_ends_the_run_at_the_first_401(calm, tmp_path, server_process):
    wrong = {**ACCOUNTS, "AGENT_SIM_AGENT_PASSWORD": "guess"}

    ended = agent_sim("run", calm, "--target", server_process.url, cwd=tmp_path, **wrong)

    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert "401" in ended.stdout
    assert json.loads((only_folder(tmp_path) / "result.json").read_text())["seconds"] < 5


def test_a_target_that_is_not_there_is_one_line_and_exit_code_4(calm, tmp_path):
    with free_port() as port:
        pass

    ended = agent_sim("run", calm, "--target", f"http://127.0.0.1:{port}", cwd=tmp_path, **ACCOUNTS)

    assert (ended.returncode, ended.stderr.count("\n")) == (4, 1)
    assert "cannot be reached" in ended.stderr


@contextmanager
def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening.getsockname()[1]


def test_a_server_that_is_no_command_is_one_line_and_exit_code_4(calm, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as other:
        assert other.stdout is not None
        port = re.search(r"port (\d+)", other.stdout.readline())[1]
        ended = agent_sim("run", calm, "--target", f"http://127.0.0.1:{port}", cwd=tmp_path, **ACCOUNTS)
        other.terminate()

    assert (ended.returncode, ended.stderr.count("\n")) == (4, 1)
    assert "no Command server" in ended.stderr


def test_a_target_without_credentials_is_one_line_and_exit_code_2(calm, tmp_path):
    ended = agent_sim("run", calm, "--target", "http://127.0.0.1:1", cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "AGENT_SIM_USERNAME" in ended.stderr


# --- somebody else's server -------------------------------------------------------------------

FOREIGN = ("--foreign", "127.0.0.2")


@pytest.fixture
def foreign_server(start_server, tmp_path):
    """A second loopback address, declared foreign; nobody is approved there by himself."""
    settings = settings_file(tmp_path, heartbeat_minutes=0.01, registration_check_minutes=0.01)
    return start_server("--host", "127.0.0.2", "--no-auto-approve", "--settings", str(settings))


def test_storms_on_somebody_elses_server_are_refused(scenario, tmp_path, foreign_server):
    ended = agent_sim("run", scenario, "--target", foreign_server.url, *FOREIGN, cwd=tmp_path, **ACCOUNTS)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "--i-own-this-target 127.0.0.2" in ended.stderr
    assert foreign_server.operator.get("/Agents").json == []
    assert not (tmp_path / "runs").exists()


def test_more_than_ten_agents_on_somebody_elses_server_are_refused(calm, tmp_path, foreign_server):
    ended = agent_sim("run", calm, "--target", foreign_server.url, *FOREIGN, cwd=tmp_path, **ACCOUNTS)

    assert ended.returncode == 2
    assert "12 agents" in ended.stderr


def test_another_hosts_name_is_not_enough(calm, tmp_path, foreign_server):
    words = ("run", calm, "--target", foreign_server.url, *FOREIGN, "--i-own-this-target", "127.0.0.3")

    ended = agent_sim(*words, cwd=tmp_path, **ACCOUNTS)

    assert ended.returncode == 2
    assert "names 127.0.0.3, not 127.0.0.2" in ended.stderr


def test_an_environment_variable_does_not_own_a_target(calm, tmp_path, foreign_server):
    claims = dict.fromkeys(("I_OWN_THIS_TARGET", "AGENT_SIM_I_OWN_THIS_TARGET"), "127.0.0.2")

    ended = agent_sim("run", calm, "--target", foreign_server.url, *FOREIGN, cwd=tmp_path, **ACCOUNTS, **claims)

    assert ended.returncode == 2


def test_a_few_agents_may_be_tried_there_but_none_is_approved(calm, tmp_path, foreign_server):
    few = ("--set", "fleets[0].count=3", "--set", "stop.after=2s", "--set", "stop.drain=1s")

    agent_sim("run", calm, "--target", foreign_server.url, *FOREIGN, *few, cwd=tmp_path, **ACCOUNTS)

    assert [row["Status"] for row in foreign_server.operator.get("/Agents").json] == [1, 1, 1]


def test_the_owner_may_do_all_of_it_and_only_our_agents_are_approved(calm, tmp_path, foreign_server):
    stranger = {**REGISTRATION, "ClientMachine": "somebody-elses-machine"}
    foreign_server.wire.post("/Session/Register", stranger)
    words = ("run", calm, "--target", foreign_server.url, *FOREIGN, "--i-own-this-target", "127.0.0.2")

    ended = agent_sim(*words, cwd=tmp_path, **ACCOUNTS)

    status = {row["ClientMachine"]: row["Status"] for row in foreign_server.operator.get("/Agents").json}
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert status.pop("somebody-elses-machine") == 1
    assert set(status.values()) == {2}


REGISTRATION = {
    "AgentPlatform": 5,
    "AgentVersion": 563031557799936,
    "TenantId": "00000000-0000-0000-0000-000000000000",
    "ClientMachine": "m",
    "CSR": None,
    "AgentId": "",
    "Capabilities": ["Custom.FetchLogs"],
    "ClientParameters": {},
}


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\nname: x\nfleets: [", "small.yaml:"),
        (SCENARIO.replace("fleets:", "fleats:"), "did you mean fleets"),
        (SCENARIO.replace("weight: 80%", "weight: 81%"), "101"),
        ("", "small.yaml"),
    ],
    ids=["malformed", "unknown key", "weights", "empty"],
)
def test_a_broken_scenario_is_refused_with_its_places(scenario, tmp_path, text, said):
    scenario.write_text(text)

    ended = agent_sim("run", scenario, cwd=tmp_path)

    assert ended.returncode == 2
    assert said in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_a_missing_scenario_is_one_line(tmp_path):
    ended = agent_sim("run", "nowhere.yaml", cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "nowhere.yaml" in ended.stderr


def test_a_taken_port_is_one_line(calm, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = agent_sim("run", calm, "--port", taken.getsockname()[1], cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "is taken" in ended.stderr


def test_a_database_from_a_newer_version_is_one_line(calm, tmp_path):
    agent_sim("run", calm, "--db", "sim.db", "--set", "stop.after=1s", cwd=tmp_path)
    with sqlite3.connect(tmp_path / "sim.db") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()

    ended = agent_sim("run", calm, "--db", "sim.db", cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "newer" in ended.stderr


def test_an_option_for_targets_alone_needs_one(calm, tmp_path):
    ended = agent_sim("run", calm, "--api-url", "http://127.0.0.1:1/x", cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (2, "error: --api-url needs --target\n")
