"""What a run leaves for CI: files, annotations, exit codes; replays in this process."""

import json
import os
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from agent_sim.cli.main import app
from agent_sim.results.render.result_schema import result_schema

SCENARIO = """
version: 1
name: tiny
seed: 5
stop: {after: 1m, drain: 1m}
fleets: [{name: lab, count: 2, capabilities: [LOGS], heartbeat: {every: 5s}}]
schedules: [{name: logs, type: LOGS, at: 10s}]
checks: {invariants: {no_lost_jobs: true, fleet_count: true}}
"""
BROKEN = ("--set", "checks.thresholds=[{metric: throughput, min: 1000/s}]")
OPEN = ("--set", "checks.thresholds=[{metric: 'latency{op=upload}', max: 1s}]")


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch, tmp_path):
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(SCENARIO)


def replayed(*words):
    return CliRunner().invoke(app, ["replay", "tiny.yaml", *words])


def left(name):
    [folder] = Path("runs").iterdir()
    return (folder / name).read_text()


def test_a_run_leaves_what_ci_reads():
    ended = replayed()

    assert ended.exit_code == 0, ended.output
    assert left("junit.xml").count("<testcase ") == 2
    assert left("summary.md").startswith("## agent-sim · tiny: PASS")
    jsonschema.validate(json.loads(left("result.json")), result_schema())
    assert "replay it" not in ended.output


def test_a_broken_run_says_how_to_replay_it_and_that_command_gives_the_same_journal_anywhere(monkeypatch, tmp_path):
    here, elsewhere = tmp_path / "the 'first' place", tmp_path / "another"
    here.mkdir()
    elsewhere.mkdir()
    (tmp_path / "tiny.yaml").rename(here / "tiny.yaml")
    monkeypatch.chdir(here)
    ended = replayed(*BROKEN)

    assert ended.exit_code == 1
    [command] = re.findall("replay it: agent-sim (.*)", ended.output)
    before, result = left("journal.jsonl"), json.loads(left("result.json"))
    assert result["replay"] == f"agent-sim {command}"
    monkeypatch.chdir(elsewhere)
    again = CliRunner().invoke(app, [*shlex.split(command), "--runs", "again"])
    [folder] = Path("again").iterdir()
    assert again.exit_code == 1
    assert (folder / "journal.jsonl").read_text() == before
    assert str(tmp_path) not in before


@pytest.mark.parametrize(("words", "code"), [((), 3), (("--inconclusive", "pass"), 0), (("--inconclusive", "fail"), 1)])
def test_what_could_not_be_decided_counts_as_the_user_says(words, code):
    ended = replayed(*OPEN, *words)

    assert ended.exit_code == code
    result = json.loads(left("result.json"))
    assert (result["verdict"], result["exit_code"]) == ("INCONCLUSIVE", code)
    assert result["settled_as"] == (words[-1] if words else None)
    said = f"INCONCLUSIVE, settled as {words[-1]}" if words else "INCONCLUSIVE"
    assert f"verdict: {said}\n" in ended.output
    assert left("summary.md").splitlines()[0].endswith(f": {said}")
    assert f"<strong>{said}</strong>" in left("report.html")


def test_a_job_that_hangs_past_the_drain_leaves_the_run_open_and_the_report_says_what_would_help():
    hangs = ("--set", "behaviours=[{name: default, jobs: [{type: LOGS, outcomes: [{result: hang, weight: 100%}]}]}]")

    ended = replayed(*hangs)

    said = "server.job_timeout, which must be shorter than stop.drain"
    assert ended.exit_code == 3
    [case] = [each for each in json.loads(left("result.json"))["verdicts"] if each["name"] == "no_lost_jobs"]
    assert (case["answer"], said in case["detail"]) == ("unknown", True)
    mended = replayed(*hangs, "--set", "server.job_timeout=30s", "--set", "server.retries=0", "--runs", "mended")
    assert mended.exit_code == 0


def test_on_github_checks_that_do_not_hold_are_annotations_and_the_summary_is_added(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "page.md")
    Path("page.md").write_text("# before\n")

    ended = replayed(*BROKEN)

    lines = [line for line in ended.output.splitlines() if line.startswith("::")]
    assert len(lines) == 1
    assert lines[0].startswith("::error title=agent-sim%3A throughput >= 1000/s::")
    assert Path("page.md").read_text() == f"# before\n{left('summary.md')}"
    assert ended.output.splitlines()[-1].startswith("outcome digest: ")


def test_a_summary_page_that_cannot_be_written_is_a_remark(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", os.path.join("not", "there.md"))

    ended = replayed()

    assert ended.exit_code == 0
    assert f"remark: {os.path.join('not', 'there.md')}: the summary cannot be added" in ended.output


def test_elsewhere_nothing_is_annotated():
    assert "::error" not in replayed(*BROKEN).output


def test_the_schema_of_results_is_printed():
    printed = CliRunner().invoke(app, ["schema", "--result"])

    assert json.loads(printed.output) == result_schema()
