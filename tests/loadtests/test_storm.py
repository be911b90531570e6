"""Storms by plain Locust, as a process of its own, against a server whose bugs are planted."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agent_sim.instants import MILLISECOND, SECOND, from_iso
from agent_sim.storms.plan import Stage, to_json
from agent_sim.storms.taxonomy import Violation
from tests.loadtests.certificate import server_context
from tests.loadtests.fake_command import PAGE, PASSWORD, USER, FakeCommand, failed_runs, served
from tests.storms.examples import plan

pytestmark = pytest.mark.slow

STORM = Path(__file__).parents[2] / "loadtests" / "storm.py"
CREDENTIALS = {"AGENT_SIM_USERNAME": USER, "AGENT_SIM_PASSWORD": PASSWORD}
OPEN = ("--rate", "20/s", "--batch", "5", "-t", "1s")


@dataclass
class Ended:
    """How a storm's process ended."""

    code: int
    said: str
    complaint: str
    result: dict[str, Any] | None

    @property
    def violations(self) -> dict[str, int]:
        """The broken rules."""
        assert self.result is not None
        return {rule: count for rule, count in self.result["reconciliation"]["violations"].items() if count}

    @property
    def passing(self) -> int:
        """The code of a storm that broke nothing: a machine too busy to measure makes it inconclusive."""
        assert self.result is not None
        return 3 if self.result["generator"]["saturated"] else 0


class Storms:
    """Starts storms that write their results to one folder."""

    def __init__(self, folder: Path) -> None:
        self.result = folder / "storm.json"
        self.folder = folder

    def start(
        self,
        url: str,
        *options: str,
        environment: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        new_session: bool = False,
        page: bool = False,
    ) -> subprocess.Popen[str]:
        fixed = ["--host", url, "--result", str(self.result), "--quiet-period", "0.1"]
        fixed += [] if page else ["--headless", "--only-summary"]
        return subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(STORM), *fixed, *options],
            env={**os.environ, **(CREDENTIALS if environment is None else environment)},
            cwd=self.folder,  # neither the checkout nor its pyproject.toml is needed
            stdin=stdin,
            start_new_session=new_session,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        said, complaint = process.communicate(timeout=150)
        result = json.loads(self.result.read_text()) if self.result.exists() else None
        return Ended(process.returncode, said, complaint, result)

    def run(self, url: str, *options: str, environment: dict[str, str] | None = None) -> Ended:
        return self.end(self.start(url, *options, environment=environment))


@pytest.fixture
def storms(tmp_path: Path) -> Storms:
    return Storms(tmp_path)


# --- verdicts ---------------------------------------------------------------------------------


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


# --- scope ------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["reschedule", "acknowledge"])
def test_no_foreign_id_is_ever_sent(storms: Storms, operation: str):
    theirs = failed_runs(60, machine="web", first=1) + failed_runs(60, machine="x-agentsim-", first=61)
    ours = failed_runs(60, first=121)
    with served(FakeCommand(theirs + ours)) as fake:  # which answers foreign runs whatever the query says
        ended = storms.run(fake.url, "--storm", operation, "--rate", "20/s", "--batch", "10", "-t", "1s")

    assert ended.result is not None
    assert sorted(fake.ids) == list(range(121, 181))
    assert all('Agent -startswith "agentsim-"' in query for query in fake.queries)
    assert ended.result["pool"]["out_of_scope"] == 120
    assert ended.result["pool"]["exhausted_at"] == pytest.approx(0.3)  # visible, and never recycled
    assert ended.result["seconds"] == pytest.approx(0.3)


def test_a_foreign_target_is_refused_unless_its_host_is_named(storms: Storms):
    foreign = ("--storm", "acknowledge", *OPEN, "--foreign", "127.0.0.2")
    with served(FakeCommand(failed_runs(20)), "127.0.0.2") as fake:
        refused = storms.run(fake.url, *foreign)
        unnamed = storms.run(fake.url, *foreign, "--i-own-this-target", "127.0.0.3")
        too_wide = storms.run(fake.url, *foreign, "--i-own-this-target", "127.0.0.2", "--prefix", "web")
        by_environment = storms.run(
            fake.url, *foreign, environment={**CREDENTIALS, "LOCUST_I_OWN_THIS_TARGET": "127.0.0.2"}
        )
        (storms.folder / "locust.conf").write_text("i-own-this-target = 127.0.0.2\n")
        by_file = storms.run(fake.url, *foreign)
        (storms.folder / "locust.conf").unlink()
        asked_before = len(fake.asked) + len(fake.queries)
        allowed = storms.run(fake.url, *foreign, "--i-own-this-target", "127.0.0.2")

    assert [ended.code for ended in (refused, unnamed, too_wide, by_environment, by_file)] == [2] * 5
    assert "add --i-own-this-target 127.0.0.2" in refused.complaint
    assert "counts on the command line only" in by_file.complaint
    assert asked_before == 0
    assert allowed.code == allowed.passing
    assert len(fake.ids) == 20


def test_the_whole_of_a_target_is_not_in_scope_without_a_person(storms: Storms):
    with served(FakeCommand(failed_runs(25, machine="web"))) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN, "--scope", "all")

    assert ended.code == 2
    assert "--scope all: 25 ids on 127.0.0.1" in ended.said
    assert ended.said.count("PEMManagement") == 10
    assert "no terminal to ask on" in ended.complaint
    assert fake.ids == []


@pytest.mark.parametrize(("typed", "sent"), [("127.0.0.1", 25), ("yes", 0)])
def test_the_whole_of_a_target_is_in_scope_once_a_person_typed_its_host(storms: Storms, typed: str, sent: int):
    person, terminal = pty.openpty()
    options = ("--storm", "acknowledge", "--rate", "20/s", "--batch", "5", "-t", "1s", "--scope", "all")
    with served(FakeCommand(failed_runs(25, machine="web"))) as fake:
        process = storms.start(fake.url, *options, stdin=terminal)
        os.write(person, f"{typed}\n".encode())
        ended = storms.end(process)
    os.close(person)
    os.close(terminal)

    assert len(fake.ids) == sent
    assert ended.code == (ended.passing if sent else 2)
    assert not any("startswith" in query for query in fake.queries)


# --- stopping ---------------------------------------------------------------------------------


def test_the_first_401_stops_the_storm(storms: Storms):
    with served(FakeCommand(failed_runs(500), status=lambda number: 401 if number == 5 else 204)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "5", "-t", "20s")

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "first 401/403")
    assert len(fake.asked) <= 6
    assert ended.violations == {}
    assert ended.result["ledger"]["refused"] == 5


def test_a_target_that_fails_a_fifth_of_the_time_is_left_alone(storms: Storms):
    with served(FakeCommand(failed_runs(500), status=lambda number: 500 if number % 4 == 0 else 204)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "1", "-t", "20s")

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "20 % 5xx or timeouts in 10 s")
    assert 10 <= len(fake.asked) <= 16
    assert ended.violations == {}  # it acted and then failed: unknown, and within the bounds
    assert ended.result["ledger"]["unknown"] >= 2


@pytest.mark.parametrize("acted", [True, False])
def test_a_hanging_answer_is_unknown_and_not_failed(storms: Storms, acted: bool):
    fake = FakeCommand(failed_runs(100), hangs=lambda number: number == 3, acts_before_hanging=acted)
    with served(fake):
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN, "--timeout", "1s")

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"] == {"sent": 100, "accepted": 95, "refused": 0, "unknown": 5}
    assert ended.result["errors"] == {"read_timeout": 1}
    assert ended.result["response"]["max_us"] >= 1_000_000


def test_a_post_whose_connection_closes_is_never_sent_again(storms: Storms):
    # Every tenth request is read, carried out, and its connection closed without an answer.
    with served(FakeCommand(failed_runs(100), closes=lambda number: number % 10 == 0)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert ended.result is not None
    assert ended.result["started"] == len(fake.asked) == 20
    assert sorted(fake.ids) == list(range(1, 101))  # answered side by side, so in any order
    assert ended.result["errors"] == {"reset_before_response": 2}
    assert ended.result["ledger"]["unknown"] == 10
    assert ended.violations == {}


def test_a_target_that_goes_away_ends_the_storm_and_is_not_judged(storms: Storms):
    with served(FakeCommand(failed_runs(500))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "1", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 5)
    ended = storms.end(process)

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "20 % 5xx or timeouts in 10 s")
    assert ended.result["reconciliation"]["checked"] == 0
    assert len(ended.result["reconciliation"]["not_checkable"]) == len(Violation)
    assert "connect_refused" in ended.result["errors"]


def test_a_target_that_comes_back_is_compared_after_all(storms: Storms):
    with served(FakeCommand(failed_runs(500))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "1", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 5)
        fake.is_gone = True
        wait_for(lambda: fake.lost >= 12)  # by then the storm has seen enough
        fake.is_gone = False
        ended = storms.end(process)

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "20 % 5xx or timeouts in 10 s")
    assert ended.result["reconciliation"]["checked"] == 500
    assert ended.violations == {}
    assert ended.result["ledger"]["accepted"] == len(fake.ids)


def test_a_target_that_asks_to_come_back_later_refused_and_broke_nothing(storms: Storms):
    with served(FakeCommand(failed_runs(100), status=lambda number: 429 if number % 3 == 0 else 204)) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations, ended.result["stopped"]) == (ended.passing, {}, None)
    assert ended.result["ledger"] == {"sent": 100, "accepted": 70, "refused": 30, "unknown": 0}
    assert ended.result["errors"] == {"http_429": 6}
    assert "http_429: 429 answer 429 (Retry-After: 7)" in ended.said


def test_a_page_for_people_is_no_yes_and_no_no(storms: Storms):
    with served(FakeCommand(failed_runs(100), html=lambda number: number % 5 == 0)) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["errors"] == {"wrong_2xx": 4}
    assert ended.result["ledger"] == {"sent": 100, "accepted": 80, "refused": 0, "unknown": 20}


def test_a_target_that_is_all_pages_is_none_before_the_storm_and_unreadable_after_it(storms: Storms):
    with served(FakeCommand(failed_runs(5), endpoints=PAGE)) as fake:
        before = storms.run(fake.url, "--storm", "acknowledge", *OPEN)
    with served(FakeCommand(failed_runs(20), shows_transitions=False, html_history=True)) as fake:
        after = storms.run(fake.url, "--storm", "acknowledge", *OPEN)

    assert (before.code, before.result) == (4, None)
    assert "is not a Command server" in before.complaint
    assert after.result is not None
    assert after.code == 4
    assert after.result["ledger"]["accepted"] == 20
    assert after.result["reconciliation"]["checked"] == 0


def test_two_storms_at_once_that_ask_the_same_need_shares_and_then_count_nothing_twice(storms: Storms, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = Storms(tmp_path / "other")
    asked = ("--storm", "acknowledge", "--rate", "10/s", "--batch", "1")
    with served(FakeCommand(failed_runs(2000))) as fake:
        first = storms.start(fake.url, *asked, "-t", "90s", "--share", "1/2")
        wait_for(lambda: len(fake.asked) >= 3)
        refused = other.run(fake.url, *asked, "-t", "2s")
        second = other.run(fake.url, *asked, "-t", "2s", "--share", "2/2")
        first.send_signal(signal.SIGINT)
        ended = storms.end(first)

    assert refused.code == 2
    assert "another storm on this machine asks the same" in refused.complaint
    assert "--share 1/2 and --share 2/2" in refused.complaint
    assert ended.violations == second.violations == {}
    assert second.result is not None
    assert ended.result is not None
    assert len(fake.ids) == len(set(fake.ids))
    assert ended.result["ledger"]["accepted"] + second.result["ledger"]["accepted"] == len(fake.ids)
    assert min(ended.result["ledger"]["accepted"], second.result["ledger"]["accepted"]) > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_storm_still_compares_and_writes_its_result(storms: Storms, number: signal.Signals):
    with served(FakeCommand(failed_runs(500))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "5", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 5)
        process.send_signal(number)
        ended = storms.end(process)

    assert ended.result is not None
    assert ended.result["stopped"] == "interrupted"
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"]["sent"] == ended.result["ledger"]["accepted"] == len(fake.ids)
    assert ended.result["reconciliation"]["checked"] == 500


def test_a_person_who_insists_waits_for_nothing(storms: Storms):
    with served(FakeCommand(failed_runs(500), hangs=lambda number: number > 2)) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "2/s", "--batch", "5", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 3)
        process.send_signal(signal.SIGINT)
        time.sleep(2.3)
        process.send_signal(signal.SIGINT)
        insisted = time.monotonic()
        ended = storms.end(process)
        waited = time.monotonic() - insisted

    assert waited < 2
    assert ended.result is not None
    assert ended.result["stopped"] == "interrupted"
    assert ended.result["ledger"]["accepted"] == 10
    assert ended.result["ledger"]["unknown"] == len(fake.ids) - 10 > 0
    assert "lost_update: interrupted twice" in ended.result["reconciliation"]["not_checkable"]


def test_overload_drops_arrivals_and_says_so(storms: Storms):
    overload = plan(operation="acknowledge", batch=1, stages=(Stage(50, 0), Stage(50, SECOND)), max_in_flight=2)
    with served(FakeCommand(failed_runs(100), delay=0.1)) as fake:  # two at once, 0.1 s each: 20 a second
        ended = run_plan(storms, fake, overload)

    assert ended.result is not None
    assert ended.result["planned"] == 50
    assert ended.result["started"] + ended.result["dropped"] == 50
    assert ended.result["dropped"] >= 20
    assert len(fake.asked) == ended.result["started"]  # a dropped arrival uses up no ids
    assert ended.result["pool"]["used"] == ended.result["started"]
    assert ended.result["response"]["count"] == 50  # and still leaves a latency behind
    assert "dropped" in ended.said


# --- ways to ask ------------------------------------------------------------------------------


def run_plan(storms: Storms, fake: FakeCommand, asked: Any) -> Ended:
    file = storms.folder / "plan.json"
    file.write_text(to_json(asked))
    return storms.run(fake.url, "--plan", str(file))


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
    assert ended.result["model"] == "closed"
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


# --- nothing to do, bad input, a bad target ---------------------------------------------------


def test_steps_thresholds_and_a_warm_up_make_the_report_of_a_run(storms: Storms):
    folder = storms.folder / "report"
    options = ("--rate", "10/s,20/s", "--batch", "1", "-t", "2s", "--warm-up", "1s", "--report", str(folder))
    bounds = ("--threshold", "error_rate <= 1%", "--threshold", "latency p99 <= 250ms")
    with served(FakeCommand(failed_runs(100))) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *options, *bounds)

    assert ended.result is not None
    assert ended.code == 3  # 30 requests have no p99
    assert len(fake.ids) == 40
    steps = ended.result["steps"]
    assert [(step["begins"], step["planned"], step["warm_up"]) for step in steps] == [
        (0, 10, True),
        (1, 10, False),
        (2, 20, False),
    ]
    assert (ended.result["planned"], ended.result["seconds"], ended.result["ids_per_second"]) == (30, 2, 15)
    assert ended.result["ledger"]["accepted"] == 40
    assert all(step["little"] == pytest.approx(1, abs=0.05) for step in steps)
    assert "threshold error_rate <= 1%: held" in ended.said
    assert "threshold latency p99 <= 250ms: not measured: p99 needs 1,000 requests, there were 30" in ended.said
    junit = (folder / "junit.xml").read_text()
    assert ElementTree.fromstring(junit).tag in ("testsuite", "testsuites")
    assert "no lost_update" in junit
    assert junit.count("error_rate &lt;= 1% · storm reschedule, step 2 (20.0/s)") == 1
    assert json.loads((folder / "result.json").read_text())["schema"] == "agent-sim/result/1"
    assert "storm reschedule" in (folder / "summary.md").read_text()
    assert "storm reschedule" in (folder / "report.html").read_text()


def test_a_search_for_the_knee_ends_with_the_ids_and_says_so(storms: Storms):
    with served(FakeCommand(failed_runs(60))) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", "--batch", "2", "--rate", "100/s", "--find-knee")

    assert ended.result is not None
    assert ended.result["knee"]["bound"] == "the pool ran out of ids"
    assert ": the pool ran out of ids" in ended.said
    assert sorted(fake.ids) == list(range(1, 61))
    assert ended.violations == {}


def test_an_empty_pool_is_inconclusive_and_says_so(storms: Storms):
    with served(FakeCommand(failed_runs(5, machine="web"))) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert ended.code == 3
    assert "nothing to do: no id of machines agentsim-* can be rescheduled (5 out of scope)" in ended.complaint
    assert ended.result is not None
    assert ended.result["pool"]["eligible"] == 0
    assert fake.asked == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--storm", "reschedule", "--rate", "20/s", "-u", "3", "-t", "1s"), "give one of them"),
        (("--storm", "reschedule", "-t", "1s"), "add --rate 20/s for arrivals, or -u 10"),
        (("--storm", "reschedule", "--rate", "20/s"), "how long? add -t 30s"),
        (("--rate", "20/s", "-t", "1s"), "which storm? add --storm reschedule|acknowledge"),
        (("--storm", "reschedule", "--rate", "20", "-t", "1s"), "must be like 20/s"),
        (("--storm", "reschedule", "--rate", "20/s", "--batch", "0", "-t", "1s"), "batch must be 1 to 10000"),
        (("--storm", "reschedule", "-u", "0", "-t", "1s"), "-u must be 1 or more"),
        (("--storm", "reschedule", *OPEN, "--query", "Result -equals 4"), "unknown operator"),
        (("--plan", "missing.json"), "--plan missing.json: No such file"),
        (("--plan", "missing.json", "--batch", "5"), "leave out --batch"),
        (("--storm", "reschedule", "--rate", "20/s..", "-t", "1s"), "must be like 20/s"),
        (("--storm", "reschedule", *OPEN, "--threshold", "latensy p99 <= 3ms"), "no metric"),
        (("--storm", "reschedule", *OPEN, "--find-knee"), "--find-knee takes --rate"),
        (("--storm", "reschedule", "--find-knee", "--rate", "1/s..2/s"), "takes one rate"),
        (("--storm", "reschedule", "--rate", "20/s,", "-t", "1s"), "must be like 20/s"),
        (("--storm", "reshedule", *OPEN), "invalid choice: 'reshedule'"),
        (("--storm", "custom", *OPEN[:2], "-t", "1s"), "custom needs a job type: --job-type NAME"),
        (("-T", "acknowledge", "unschedule", *OPEN), "-T names acknowledge and unschedule: one storm at a time"),
    ],
)
def test_bad_usage_is_one_clear_line(storms: Storms, options: tuple[str, ...], complaint: str):
    ended = storms.run("http://127.0.0.1:9", *options)

    heard = ended.said if "--plan" in options else ended.complaint  # who drives by a plan reads standard output
    assert ended.code == 2
    assert complaint in heard
    assert "Traceback" not in ended.complaint
    assert ended.result is None


def test_missing_credentials_are_named(storms: Storms):
    ended = storms.run("http://127.0.0.1:9", "--storm", "reschedule", *OPEN, environment={"AGENT_SIM_USERNAME": "x"})

    assert ended.code == 2
    assert "the environment has AGENT_SIM_USERNAME but not AGENT_SIM_PASSWORD" in ended.complaint


def test_a_target_that_is_not_there_is_one_clear_line(storms: Storms):
    ended = storms.run("http://127.0.0.1:9", "--storm", "reschedule", *OPEN)

    assert ended.code == 4
    assert "storm: cannot reach http://127.0.0.1:9: Connection refused" in ended.complaint


def test_a_target_that_refuses_us_is_one_clear_line(storms: Storms):
    with served(FakeCommand(failed_runs(5))) as fake:
        wrong = storms.run(
            fake.url, "--storm", "reschedule", *OPEN, environment=CREDENTIALS | {"AGENT_SIM_PASSWORD": "x"}
        )

    assert wrong.code == 4
    assert "refuses our credentials (401" in wrong.complaint
    assert (fake.asked, fake.queries) == ([], [])


@pytest.mark.parametrize("endpoints", [b"<html>welcome</html>", {"Message": "hello"}, [1, 2]])
def test_a_server_that_is_not_command_is_one_clear_line(storms: Storms, endpoints: Any):
    with served(FakeCommand(failed_runs(5), endpoints=endpoints)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)
        elsewhere = storms.run(fake.url, "--storm", "reschedule", *OPEN, "--api-path", "/Other")

    assert (ended.code, elsewhere.code) == (4, 4)
    assert "is not a Command server" in ended.complaint
    assert "/Other/Status/Endpoints answers 404" in elsewhere.complaint


def wait_for(happened: Any) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
