"""A storm by plain `locust -f loadtests/storm.py`, against `agent-sim serve` with failed jobs in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ACCOUNTS, environment
from tests.end_to_end.test_run import REGISTRATION, agent_sim, settings_file

pytestmark = pytest.mark.slow

STORM = Path(__file__).parents[2] / "loadtests" / "storm.py"
FAILING = """\
version: 1
name: failing
stop: {after: 4s, drain: 10s}
fleets:
  - {name: lab, count: 10, capabilities: [PEM], heartbeat: {every: 500ms}, stores: {per_agent: 4}}
behaviours:
  - {name: default, jobs: [{type: Management, duration: 50ms, outcomes: [{result: failure}]}]}
schedules:
  - {name: remove, type: Management, at: 1s}
checks: {invariants: {no_lost_jobs: true, at_most_once: true}}
"""


@pytest.fixture
def server(start_server, tmp_path):
    """A server with forty failed jobs of simulated agents, and one of somebody else's orchestrator."""
    settings = settings_file(tmp_path, retries=0, heartbeat_minutes=0.01)
    server = start_server("--sim-api", "--settings", str(settings))
    (tmp_path / "failing.yaml").write_text(FAILING)
    ended = agent_sim("run", "failing.yaml", "--target", server.url, cwd=tmp_path, **ACCOUNTS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    strangers_failed_job(server)
    return server


def strangers_failed_job(server):
    told = server.wire.post(
        "/Session/Register",
        {**REGISTRATION, "ClientMachine": "real-machine", "Capabilities": ["CertStores.PEM.Management"]},
    ).json["Session"]
    store = {"ClientMachine": "real-machine", "Storepath": "/s.pem", "CertStoreType": 2, "AgentId": told["AgentId"]}
    store_id = server.operator.post("/CertificateStores", store).json["Id"]
    entry = {"CertificateStores": [{"CertificateStoreId": store_id, "Alias": "a"}], "Schedule": {"Immediate": True}}
    [job_id] = server.operator.post("/CertificateStores/Certificates/Remove", entry).json
    session = server.wire.post(
        "/Session/Register",
        {**REGISTRATION, "ClientMachine": "real-machine", "Capabilities": ["CertStores.PEM.Management"]},
    ).json["Session"]
    ids = {"SessionToken": session["Token"], "JobId": job_id}
    audit = server.wire.post("/Management/Configure", ids).json["AuditId"]
    done = server.wire.post("/Management/Complete", {**ids, "AuditId": audit, "Status": 4, "Message": "no"})
    assert done.json["Result"]["Status"] == 1


def storm(server, tmp_path, *words):
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "locust", "-f", STORM, "--headless", "--host", server.url]
    ended = subprocess.run(
        [*map(str, command), *words, "--result", str(result)],
        cwd=tmp_path,
        env=environment(**ACCOUNTS),
        capture_output=True,
        text=True,
        timeout=90,
    )
    return ended, json.loads(result.read_text()) if result.exists() else None


def kinds(server, kind):
    told = server.operator.get("/transitions?limit=5000", base="/sim").json["Transitions"]
    return [row["JobId"] for row in told if row["Kind"] == kind]


def test_a_reschedule_storm_queues_each_job_once_and_no_strangers(server, tmp_path):
    ended, result = storm(server, tmp_path, "--storm", "reschedule", "--rate", "5/s", "--batch", "4", "-t", "3s")

    assert ended.returncode in (0, 3), ended.stdout + ended.stderr  # 3: this machine was too busy to keep the rate
    assert result["ledger"] == {"sent": 40, "accepted": 40, "refused": 0, "unknown": 0}
    assert set(result["reconciliation"]["violations"].values()) == {0}
    queued = kinds(server, "rescheduled")
    assert len(queued) == len(set(queued)) == 40
    strangers = [row for row in server.operator.history() if row["AgentMachine"] == "real-machine"]
    assert [row["JobId"] in queued for row in strangers] == [False]


def test_an_acknowledge_storm_by_query_stays_in_scope(server, tmp_path):
    words = ("--storm", "acknowledge", "--by", "query", "--rate", "2/s", "-t", "2s")

    ended, result = storm(server, tmp_path, *words)

    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    assert set(result["reconciliation"]["violations"].values()) == {0}
    status = {row["AgentMachine"][:9]: row["Status"] for row in server.operator.history()}
    assert status == {"agentsim-": 4, "real-mach": 3}


def test_a_closed_loop_says_that_it_is_one(server, tmp_path):
    ended, result = storm(server, tmp_path, "--storm", "acknowledge", "-u", "2", "--batch", "5", "-t", "2s")

    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    assert result["model"] == "closed"
    assert result["ledger"]["accepted"] == 40


@pytest.fixture
def newcomers(start_server):
    """A server at whose door six orchestrators wait, and a custom job type."""
    server = start_server("--sim-api", "--no-auto-approve")
    able = ["Custom.FetchLogs", "Custom.Patch"]
    for number in range(6):
        server.wire.post(
            "/Session/Register", {**REGISTRATION, "ClientMachine": f"agentsim-new-{number}", "Capabilities": able}
        )
    server.operator.post("/JobTypes/Custom", {"JobTypeName": "Patch"})
    return server


@pytest.mark.parametrize("seconds", ["2s"])
def test_storms_that_approve_make_jobs_and_unschedule_them_do_each_exactly_once(newcomers, tmp_path, seconds):
    asked = [
        (("-T", "approve", "--batch", "2", "--rate", "3/s"), 6),
        (("-T", "custom_bulk", "--job-type", "Patch", "--batch", "4", "--rate", "3/s", "--alone"), 24),
        (("--storm", "fetch_logs", "-T", "herd", "--rate", "5/s", "--alone"), 10),
        (("--storm", "custom", "--job-type", "FetchLogs", "--rate", "5/s", "--alone"), 10),
        (("--storm", "unschedule", "--kind", "contended", "--copies", "2", "--batch", "5", "--rate", "4/s"), 20),
        (("--storm", "unschedule", "--kind", "query", "--rate", "2/s"), 24),
    ]
    for words, expected in asked:
        ended, result = storm(newcomers, tmp_path, *words, "-t", seconds)

        assert ended.returncode in (0, 3), ended.stdout + ended.stderr  # 3: too busy a machine to keep the rate
        assert {rule: count for rule, count in result["reconciliation"]["violations"].items() if count} == {}
        assert result["reconciliation"]["not_checkable"] == []
        assert result["ledger"]["accepted"] == expected, (words, result["ledger"])
    assert newcomers.operator.get("/OrchestratorJobs/ScheduledJobs").json == []
    queued, off = kinds(newcomers, "queued"), kinds(newcomers, "unscheduled")
    assert len(queued) == len(set(off)) == len(off) == 44
    assert len(kinds(newcomers, "approved")) == 6


def test_a_herd_without_agents_is_refused_and_says_how_to_get_some(server_process, tmp_path):
    words = ("--storm", "reschedule", "--kind", "herd", "--rate", "5/s", "-t", "2s", "--prefix", "agentsim-nobody-")
    ended, result = storm(server_process, tmp_path, *words)

    assert (ended.returncode, result) == (2, None)
    assert "a herd needs agents that poll meanwhile" in ended.stderr
    assert "agent-sim up" in ended.stderr


def test_arrivals_and_users_together_are_a_usage_error(server_process, tmp_path):
    ended, result = storm(server_process, tmp_path, "--storm", "reschedule", "--rate", "5/s", "-u", "3", "-t", "2s")

    assert (ended.returncode, result) == (2, None)
    assert "--rate" in ended.stderr + ended.stdout
