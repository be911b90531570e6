"""Storms on several processes: `--processes`, and master and workers started one by one."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.loadtests.fake_command import FakeCommand, failed_runs, served
from tests.loadtests.storms import CREDENTIALS, OPEN, STORM, Storms, wait_for
from tests.loadtests.test_storm_faults import SCENARIO

pytestmark = pytest.mark.slow


class ManyStorms(Storms):
    """As `Storms`, on two forked workers in a process group of their own."""

    def start(self, url: str, *options: str, **more: Any) -> subprocess.Popen[str]:
        port = str(_free_port())
        ports = ("--processes", "2", "--master-bind-port", port, "--master-port", port)
        return super().start(url, *options, *ports, new_session=True, **more)


@pytest.fixture
def storms(tmp_path: Path) -> ManyStorms:
    return ManyStorms(tmp_path)


def test_two_processes_are_one_storm_and_each_carries_out_declared_faults(storms: ManyStorms, tmp_path: Path):
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO + "  - {name: busy, at: 0s, on: reschedule, probability: 30%, do: {status: 503}}\n")
    options = ("--rate", "40/s", "--batch", "5", "-t", "2s", "--faults", str(scenario))
    with served(FakeCommand(failed_runs(440))) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *options)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    met = ended.result["faults"]["busy"]
    assert 0 < met < 80
    assert ended.result["errors"] == {"http_5xx": met}
    assert sorted(fake.ids) == sorted(set(fake.ids))
    assert len(fake.ids) == 5 * (80 - met)
    assert ended.result["ledger"] == {"sent": 400, "accepted": 400 - 5 * met, "refused": 0, "unknown": 5 * met}
    assert ended.result["workers"] == {"asked": 2, "lost": 0, "starved": 0}
    assert (ended.result["planned"], ended.result["started"], ended.result["completed"]) == (80, 80, 80)
    assert (ended.result["offered_rate"], ended.result["seconds"]) == (40, 2)
    assert ended.result["response"]["count"] == ended.result["wait"]["count"] == 80
    assert sum(second["completed"] for second in ended.result["series"]) == 80
    assert ended.result["steps"][0]["little"] == pytest.approx(1, abs=0.05)


def test_rivals_are_in_several_processes_and_two_that_win_are_found_out(storms: ManyStorms):
    options = ("--kind", "contended", "--copies", "2", *OPEN)
    with served(FakeCommand(failed_runs(60))) as fake:  # which reschedules again whatever waits already
        ended = storms.run(fake.url, "--storm", "reschedule", *options)

    assert (ended.code, ended.violations) == (1, {"two_winners": 50})
    assert sorted(fake.ids) == sorted([*range(1, 51)] * 2)


def test_the_search_for_a_knee_goes_on_with_the_ids_that_a_trial_left(storms: ManyStorms):
    options = ("--batch", "1", "--rate", "2000/s", "--find-knee")
    with served(FakeCommand(failed_runs(1100))) as fake:  # the first trial takes a thousand
        ended = storms.run(fake.url, "--storm", "acknowledge", *options)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (3, {})
    assert ended.result["knee"]["bound"] == "the pool ran out of ids"
    assert ": the pool ran out of ids" in ended.said
    assert len(fake.ids) == len(set(fake.ids)) == ended.result["ledger"]["sent"] > 500
    assert ended.result["workers"]["asked"] == 2


def test_a_worker_killed_in_the_middle_is_told_and_nothing_counts_twice(storms: ManyStorms):
    with served(FakeCommand(failed_runs(600))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "2", "-t", "9s")
        wait_for(lambda: len(fake.asked) >= 10)
        psutil.Process(process.pid).children()[0].kill()
        ended = storms.end(process)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (3, {})
    assert "inconclusive: 1 of 2 workers were lost" in ended.said
    assert len(fake.ids) == len(set(fake.ids))
    assert ended.result["workers"]["lost"] == 1
    ledger = ended.result["ledger"]
    assert ledger["unknown"] > 0
    assert ledger["accepted"] <= len(fake.ids) <= ledger["accepted"] + ledger["unknown"]


def test_ctrl_c_reaches_all_and_they_end_in_good_order(storms: ManyStorms):
    with served(FakeCommand(failed_runs(600))) as fake:
        process = storms.start(fake.url, "--storm", "acknowledge", "--rate", "20/s", "--batch", "2", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 10)
        children = psutil.Process(process.pid).children()
        os.killpg(process.pid, signal.SIGINT)
        ended = storms.end(process)

    assert ended.result is not None
    assert ended.result["stopped"] == "interrupted"
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"]["accepted"] == len(fake.ids) == len(set(fake.ids))
    assert ended.result["workers"] == {"asked": 2, "lost": 0, "starved": 0}
    assert not any(child.is_running() for child in children)


def test_a_storm_that_cannot_begin_leaves_no_worker_behind(storms: ManyStorms):
    process = storms.start("http://127.0.0.1:9", "--storm", "reschedule", *OPEN)
    wait_for(lambda: len(psutil.Process(process.pid).children()) == 2 or process.poll() is not None)
    children = psutil.Process(process.pid).children() if process.poll() is None else []
    ended = storms.end(process)

    assert ended.code == 4
    assert "cannot reach http://127.0.0.1:9" in ended.complaint
    assert not any(child.is_running() for child in children)


def test_a_closed_loop_over_a_master_and_a_worker_started_by_hand(tmp_path: Path):
    port = str(_free_port())
    with served(FakeCommand(failed_runs(60), delay=0.02)) as fake:
        worker = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(STORM), "--worker", "--master-port", port],
            env={**os.environ, **CREDENTIALS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        options = ("--storm", "acknowledge", "-u", "3", "-r", "10", "--batch", "2", "-t", "20s")
        ended = Storms(tmp_path).run(
            fake.url, *options, "--master", "--expect-workers", "1", "--master-bind-port", port
        )
        worker.wait(30)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert sorted(fake.ids) == list(range(1, 61))
    assert (ended.result["model"], ended.result["workers"]["asked"]) == ("closed", 1)
    assert ended.result["pool"]["exhausted_at"] is not None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the web page -----------------------------------------------------------------------------


def test_the_web_page_begins_one_storm_after_the_other_and_has_a_tab_for_it(storms: ManyStorms, tmp_path: Path):
    """Plain requests against the page of a real Locust, whose two workers send."""
    port = _free_port()
    options = ("--storm", "reschedule", "--rate", "20/s", "--batch", "2", "-t", "600s")
    with served(FakeCommand(failed_runs(1000))) as fake:
        process = storms.start(fake.url, *options, "--web-host", "127.0.0.1", "--web-port", str(port), page=True)
        try:
            wait_for(lambda: b"extended_tabs" in _got(port, "/"))
            assert _tab(port)["verdict"].startswith("not begun")
            assert fake.asked == []
            wait_for(lambda: b'"success": true' in _got(port, "/swarm", b"user_count=1&spawn_rate=1"))
            wait_for(lambda: len(fake.asked) >= 5 and _tab(port).get("workers") == "2, 0 lost")
            _got(port, "/stop", b"")
            wait_for(lambda: _tab(port)["verdict"].startswith(ENDS))
            first = len(fake.asked)
            _got(port, "/swarm", b"user_count=1&spawn_rate=1")
            wait_for(lambda: len(fake.asked) >= first + 5 and _tab(port).get("workers") == "2, 0 lost")
            _got(port, "/stop", b"")
            wait_for(lambda: _tab(port)["verdict"].startswith(ENDS))
        finally:
            process.send_signal(signal.SIGINT)
        ended = storms.end(process)

    second = json.loads((tmp_path / "storm-2.json").read_text())
    assert ended.result is not None
    assert ended.code in (0, 3)
    assert [ended.violations, {rule for rule, count in second["reconciliation"]["violations"].items() if count}] == [
        {},
        set(),
    ]
    assert ended.result["ledger"]["accepted"] == 2 * first
    assert second["ledger"]["accepted"] == len(fake.ids) - 2 * first
    assert [ended.result["stopped"], second["stopped"]] == ["interrupted"] * 2
    assert [ended.result["workers"]["asked"], second["workers"]["asked"]] == [2, 2]


def test_the_web_page_says_how_many_users_a_closed_loop_has(tmp_path: Path):
    port = _free_port()
    options = ("--storm", "acknowledge", "-u", "2", "-r", "10", "--batch", "1", "-t", "600s")
    storms = Storms(tmp_path)  # one process
    with served(FakeCommand(failed_runs(2000), delay=0.05)) as fake:
        process = storms.start(fake.url, *options, "--web-host", "127.0.0.1", "--web-port", str(port), page=True)
        try:
            wait_for(lambda: b'"success": true' in _got(port, "/swarm", b"user_count=4&spawn_rate=10"))
            wait_for(lambda: len(fake.asked) >= 20)
            _got(port, "/stop", b"")
            wait_for(lambda: _tab(port)["verdict"].startswith(ENDS))
        finally:
            process.send_signal(signal.SIGINT)
        ended = storms.end(process)

    assert ended.result is not None
    assert (ended.violations, ended.result["users"]) == ({}, 4)
    assert ended.result["steps"][-1]["in_flight_max"] <= 4


ENDS = ("every accepted id changed exactly once", "inconclusive")  # a busy machine cannot tell


def _tab(port: int) -> dict[str, str]:
    told = json.loads(_got(port, "/stats/requests"))
    [rows] = [table["data"] for table in told["extended_stats"] if table["key"] == "storm"]
    return {row["name"]: row["value"] for row in rows}


def _got(port: int, path: str, data: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=30) as reply:
            return bytes(reply.read())
    except OSError:
        return b""
