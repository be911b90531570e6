"""Nothing to do, bad input, a bad target: each is one clear line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.loadtests.fake_command import FakeCommand, failed_runs, served
from tests.loadtests.storms import CREDENTIALS, OPEN, STORM, Storms

pytestmark = pytest.mark.slow


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
        (("--storm", "reschedule", *OPEN, "--query", "Result -equals 4"), "unknown operator"),
        (("--plan", "missing.json"), "--plan missing.json: No such file"),
        (("--storm", "reshedule", *OPEN), "invalid choice: 'reshedule'"),
    ],
)
def test_bad_usage_is_one_clear_line(storms: Storms, options: tuple[str, ...], complaint: str):
    ended = storms.run("http://127.0.0.1:9", *options)

    heard = ended.said if "--plan" in options else ended.complaint  # who drives by a plan reads standard output
    assert ended.code == 2
    assert complaint in heard
    assert "Traceback" not in ended.complaint
    assert ended.result is None


BAD = (
    (("--storm", "acknowledge", *OPEN, "--agents-journal", "missing.jsonl"), "is for a herd: add --kind herd"),
    (("-T", "acknowledge", "herd", *OPEN, "--agents-journal", "missing.jsonl"), "missing.jsonl: there is no such file"),
    (("--storm", "reschedule", "--rate", "20/s", "-u", "3", "-t", "1s"), "give one of them"),
    (("--storm", "reschedule", "-t", "1s"), "add --rate 20/s for arrivals, or -u 10"),
    (("--storm", "reschedule", "--rate", "20/s"), "how long? add -t 30s"),
    (("--rate", "20/s", "-t", "1s"), "which storm? add --storm reschedule|acknowledge"),
    (("--storm", "reschedule", "--rate", "20", "-t", "1s"), "must be like 20/s"),
    (("--storm", "reschedule", "--rate", "20/s", "--batch", "0", "-t", "1s"), "batch must be 1 to 10000"),
    (("--storm", "reschedule", "-u", "0", "-t", "1s"), "-u must be 1 or more"),
    (("--plan", "missing.json", "--batch", "5"), "leave out --batch"),
    (("--storm", "reschedule", "--rate", "20/s..", "-t", "1s"), "must be like 20/s"),
    (("--storm", "reschedule", *OPEN, "--threshold", "latensy p99 <= 3ms"), "no metric"),
    (("--storm", "reschedule", *OPEN, "--find-knee"), "--find-knee takes --rate"),
    (("--storm", "reschedule", "--find-knee", "--rate", "1/s..2/s"), "takes one rate"),
    (("--storm", "reschedule", "--rate", "20/s,", "-t", "1s"), "must be like 20/s"),
    (("--storm", "custom", *OPEN[:2], "-t", "1s"), "custom needs a job type: --job-type NAME"),
    (("-T", "acknowledge", "unschedule", *OPEN), "-T names acknowledge and unschedule: one storm at a time"),
)

READ = """
import json, sys
sys.path.insert(0, {folder!r})
from locust.argument_parser import get_parser
from storm_options import add_options, read
from agent_sim.errors import UsageError

for given in json.load(sys.stdin):
    parser = get_parser()
    add_options(parser)
    try:
        read(parser.parse_args(["--host", "http://127.0.0.1:9", *given]), parser)
        print("nothing")
    except UsageError as error:
        print(str(error).replace(chr(10), " "))
"""


def test_every_other_bad_option_is_one_clear_line_as_well(tmp_path: Path):
    """All of them in one process: a Locust for each would take longer than it tells."""
    ended = subprocess.run(
        [sys.executable, "-c", READ.format(folder=str(STORM.parent))],
        input=json.dumps([options for options, _ in BAD]),
        env={**os.environ, **CREDENTIALS},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert len(said) == len(BAD)
    assert [line for line, (_, complaint) in zip(said, BAD, strict=True) if complaint not in line] == []


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
