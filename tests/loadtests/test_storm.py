"""Storms by plain Locust, as a process of its own, against a server whose bugs are planted."""

import json
import os
import subprocess
import sys
import time
from itertools import accumulate
from typing import Any

import pytest

from agent_sim.instants import MILLISECOND, SECOND, from_iso
from agent_sim.storms.plan import Stage
from tests.loadtests.certificate import server_context
from tests.loadtests.fake_command import PASSWORD, USER, FakeCommand, failed_runs, served
from tests.loadtests.storms import CREDENTIALS, OPEN, STORM, Storms, run_plan
from tests.storms.examples import plan

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("operation", ["reschedule", "acknowledge"])
def test_a_storm_on_an_honest_server_passes_and_uses_each_id_once(storms: Storms, operation: str):
    with served(FakeCommand(failed_runs(120))) as fake:
        ended = storms.run(fake.url, "--storm", operation, *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert sorted(fake.ids) == list(range(1, 101))  # answered side by side, so in any order
    assert ended.result["ledger"] == {"sent": 100, "accepted": 100, "refused": 0, "unknown": 0}
    assert ended.result["pool"] == {"eligible": 120, "out_of_scope": 0, "used": 100, "exhausted_at": None}
    assert (ended.result["planned"], ended.result["completed"], ended.result["dropped"]) == (20, 20, 0)
    assert (ended.result["offered_rate"], ended.result["achieved_rate"], ended.result["ids_per_second"]) == (
        20,
        20,
        100,
    )
    assert ended.result["response"]["count"] == ended.result["service"]["count"] == 20
    assert ended.result["reconciliation"]["not_checkable"] == []
    assert f"{operation.title()}[ids=5]" in ended.complaint  # Locust's own tables work
    assert "ids: 100 needed" in ended.said


@pytest.mark.parametrize(
    ("bugs", "rule"),
    [
        ({"loses": {7}}, "lost_update"),
        ({"doubles": {7}}, "double_transition"),
        ({"phantoms": {115}}, "phantom_transition"),  # never asked for
    ],
)
@pytest.mark.parametrize("operation", ["reschedule", "acknowledge"])
def test_one_planted_bug_breaks_one_rule_and_the_sum(storms: Storms, operation: str, bugs: dict[str, Any], rule: str):
    with served(FakeCommand(failed_runs(120), **bugs)) as fake:
        ended = storms.run(fake.url, "--storm", operation, *OPEN)

    assert ended.code == 1
    assert ended.violations == {rule: 1, "conservation": 1}
    assert f"broken: 1 {rule}" in ended.said


def test_refused_ids_that_stay_as_they_are_break_nothing_and_prove_nothing(storms: Storms):
    with served(FakeCommand(failed_runs(50), status=lambda number: 400)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (3, {})
    assert ended.result["ledger"] == {"sent": 50, "accepted": 0, "refused": 50, "unknown": 0}
    assert ended.result["errors"] == {"http_4xx_contract": 10}
    assert "http_4xx_contract: 400 answer 400" in ended.said
    assert "inconclusive: no id was accepted" in ended.said


def test_a_refused_id_that_changed_all_the_same_is_a_phantom(storms: Storms):
    with served(FakeCommand(failed_runs(50), phantoms={3}, status=lambda number: 400)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert (ended.code, ended.violations) == (1, {"phantom_transition": 1, "conservation": 1})
    assert "phantom_transition: id 3: 1 refused; 1 transition, expected 0" in ended.said


def test_an_accepted_job_that_waits_already_is_a_no_op(storms: Storms):
    with served(FakeCommand(failed_runs(100), waiting={3, 4})) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["reconciliation"]["no_op"] == 2


@pytest.mark.parametrize("operation", ["reschedule", "acknowledge"])
def test_without_transitions_the_final_state_decides_and_the_rest_is_named(storms: Storms, operation: str):
    with served(FakeCommand(failed_runs(100), shows_transitions=False, loses={9})) as fake:
        ended = storms.run(fake.url, "--storm", operation, *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (1, {"lost_update": 1, "conservation": 1})
    assert any("double_transition" in rule for rule in ended.result["reconciliation"]["not_checkable"])
    assert "not checkable: double_transition" in ended.said


def test_a_query_changes_each_id_once(storms: Storms):
    with served(FakeCommand(failed_runs(30))) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", "--by", "query", "--rate", "5/s", "-t", "1s")

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"]["accepted"] == 30
    assert {body["Query"] for body in fake.asked} == {
        '((Result -eq "4" OR Result -eq "3") AND (Status -eq "3" OR Status -eq "5")) AND Agent -startswith "agentsim-"'
    }


# --- ways to ask ------------------------------------------------------------------------------


def test_a_plan_file_drives_a_storm_and_every_second_is_a_line(storms: Storms):
    asked = plan(name="mass", batch=2, stages=(Stage(10, 0), Stage(10, 2 * SECOND)), start=time.time_ns() + 3 * SECOND)
    with served(FakeCommand(failed_runs(100))) as fake:
        ended = run_plan(storms, fake, asked)

    assert ended.result is not None
    progress = [
        json.loads(line.removeprefix("progress ")) for line in ended.said.splitlines() if line.startswith("progress ")
    ]
    assert progress == ended.result["series"]
    assert len(progress) >= 2  # a busy machine may book an arrival a second later
    so_far = list(accumulate(entry["offered"] for entry in progress))
    assert all(offered <= 10 * (second + 1) for second, offered in enumerate(so_far))  # never before it is due
    assert so_far[-1] == 20
    assert sum(entry["ids"] for entry in progress) == 40
    assert ended.result["name"] == "mass"
    assert from_iso(ended.result["started_at"]) >= asked.start - MILLISECOND  # as text it is cut to milliseconds
    assert from_iso(fake.transitions[-40]["At"]) >= asked.start - MILLISECOND


def test_a_closed_loop_uses_each_id_once_and_is_called_closed(storms: Storms):
    with served(FakeCommand(failed_runs(60), delay=0.02)) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", "-u", "3", "-r", "10", "--batch", "2", "-t", "10s")

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert sorted(fake.ids) == list(range(1, 61))
    assert (ended.result["model"], ended.result["users"]) == ("closed", 3)
    assert ended.result["pool"]["exhausted_at"] < 5
    assert ended.result["ledger"]["accepted"] == 60
    assert "closed loop of 3 users" in ended.said


def test_a_closed_loop_ends_with_its_time(storms: Storms):
    with served(FakeCommand(failed_runs(400), delay=0.05)) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", "-u", "2", "-r", "10", "--batch", "1", "-t", "1s")

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert 5 <= ended.result["ledger"]["accepted"] == len(fake.ids) <= 40
    assert ended.result["pool"]["exhausted_at"] is None


def test_results_and_statuses_may_come_by_name(storms: Storms):
    with served(FakeCommand(failed_runs(20, Result="Failure", Status="Completed"))) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert ended.result is not None
    assert ended.result["pool"]["eligible"] == 20


def test_credentials_come_from_a_private_file_too(storms: Storms):
    file = storms.folder / "credentials"
    file.write_text(f"# ours\nAGENT_SIM_USERNAME = {USER}\nAGENT_SIM_PASSWORD={PASSWORD}\n")
    options = ("--storm", "acknowledge", *OPEN, "--credentials", str(file))
    with served(FakeCommand(failed_runs(20))) as fake:
        file.chmod(0o644)
        readable = storms.run(fake.url, *options, environment={})
        file.chmod(0o600)
        private = storms.run(fake.url, *options, environment={})

    assert readable.code == 2
    assert "chmod 600" in readable.complaint
    assert private.code == private.passing


def test_tls_is_verified_unless_told_otherwise(storms: Storms):
    tls, trusted = server_context(storms.folder)
    options = ("--storm", "acknowledge", *OPEN)
    with served(FakeCommand(failed_runs(200)), tls=tls) as fake:
        untrusted = storms.run(fake.url, *options)
        asked_before = len(fake.asked) + len(fake.queries)
        trusting = storms.run(fake.url, *options, "--ca", str(trusted))
        insecure = storms.run(fake.url, *options, "--insecure")
        missing = storms.run(fake.url, *options, "--ca", "missing.pem")

    assert untrusted.code == 4
    assert "TLS: certificate verify failed" in untrusted.complaint
    assert asked_before == 0
    assert trusting.code == trusting.passing
    assert insecure.code == insecure.passing
    assert missing.code == 2
    assert "--ca missing.pem" in missing.complaint
    assert len(fake.ids) == len(set(fake.ids)) == 200


def test_the_settings_file_and_locusts_own_files_work(storms: Storms):
    csv, html = str(storms.folder / "csv"), str(storms.folder / "storm.html")
    options = ("--storm", "acknowledge", *OPEN, "--csv", csv, "--html", html)
    with served(FakeCommand(failed_runs(20))) as fake:
        done = subprocess.run(
            [sys.executable, "-m", "locust", "--config", "loadtests/locust.conf", "--host", fake.url, *options],
            env=os.environ | CREDENTIALS,
            cwd=STORM.parents[1],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )

    assert done.returncode in (0, 3)
    assert len(fake.ids) == 20
    assert "Acknowledge[ids=5],4,0" in (storms.folder / "csv_stats.csv").read_text()
    assert "Acknowledge[ids=5]" in (storms.folder / "storm.html").read_text()
