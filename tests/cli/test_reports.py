"""`agent-sim report`: one run rendered again, several side by side; on the folders of real replays."""

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_sim.cli.main import app
from agent_sim.errors import UsageError

FILES = ("report.html", "summary.md", "result.json", "junit.xml")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def replays(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    for seed in (1, 2, 3):
        ended = run("replay", "hello", "--set", "stop.after=1m", "--runs", runs / str(seed), "--seed", seed)
        assert ended.exit_code == 0, ended.output
    return [next((runs / str(seed)).iterdir()) for seed in (1, 2, 3)]


@pytest.fixture
def folder(replays, tmp_path):
    return Path(shutil.copytree(replays[0], tmp_path / "run"))


def test_a_run_is_rendered_again_from_its_journal_to_the_byte(replays):
    folder = replays[2]
    before = {name: (folder / name).read_text() for name in FILES}
    for name in set(FILES) - {"result.json"}:  # which says where it ran
        (folder / name).unlink()

    ended = run("report", folder)

    assert ended.exit_code == 0, ended.output
    assert "verdict: PASS" in ended.stdout
    assert {name: (folder / name).read_text() for name in FILES} == before


def test_the_exit_code_is_the_runs_verdict(folder):
    resolved = folder / "scenario.resolved.yaml"
    resolved.write_text(
        resolved.read_text().replace("thresholds: []", "thresholds: [{metric: throughput, min: 9000/s}]")
    )

    ended = run("report", folder)

    assert ended.exit_code == 1, ended.output
    assert "verdict: FAIL" in ended.stdout


def test_a_run_that_was_killed_before_its_results_has_a_report_all_the_same(folder):
    (folder / "result.json").unlink()
    journal = folder / "journal.jsonl"
    journal.write_text(journal.read_text()[:-40])

    ended = run("report", folder)

    assert ended.exit_code == 3, ended.output
    assert "what the run ran on is not known" in ended.stderr
    assert "its journal has no end" in (folder / "report.html").read_text()


def test_a_folder_of_something_else_is_refused(tmp_path):
    ended = run("report", tmp_path)

    assert isinstance(ended.exception, UsageError)
    assert str(ended.exception) == f"{tmp_path}: no folder of a run: it lacks journal.jsonl"


def test_a_journal_that_is_none_is_refused_with_its_line(folder):
    (folder / "journal.jsonl").write_text('{"t": 0, "event": "nonsense"}\n')

    ended = run("report", folder)

    assert isinstance(ended.exception, UsageError)
    assert "journal line 1: unknown event" in str(ended.exception)


def test_a_journal_that_would_never_end_is_refused(folder):
    (folder / "journal.jsonl").unlink()
    os.mkfifo(folder / "journal.jsonl")

    ended = run("report", folder)

    assert isinstance(ended.exception, UsageError)
    assert str(ended.exception).endswith("must be a file or the folder of a run, is a pipe")


@pytest.mark.parametrize("result", ["[]", "{", '{"environment": [1], "command": 7, "settled_as": {}}'])
def test_a_result_that_is_none_costs_only_what_it_would_have_told(folder, result):
    (folder / "result.json").write_text(result)

    ended = run("report", folder)

    assert ended.exit_code == 0, ended.output
    assert json.loads((folder / "result.json").read_text())["environment"] == {}


def test_several_runs_are_put_side_by_side(replays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    ended = run("report", *replays)

    assert ended.exit_code == 0, ended.output
    page, text = Path("comparison.html").read_text(), Path("comparison.md").read_text()
    assert page.count('<th scope="col">') == 4
    assert "<script" not in page
    assert "| heartbeat achieved |" in text
    assert text.count("| PASS") == 3
    assert "2 runs held against" in ended.stdout
    assert not any((replay / "comparison.html").exists() for replay in replays)


def test_the_page_about_several_cannot_be_named_like_its_markdown(replays, tmp_path):
    ended = run("report", *replays, "--output", tmp_path / "all.md")

    assert isinstance(ended.exception, UsageError)


def test_runs_that_are_not_alike_are_compared_and_said_so(replays, tmp_path):
    other = Path(shutil.copytree(replays[1], tmp_path / "<b>other"))
    result = json.loads((other / "result.json").read_text())
    result["run"]["agents"] = 7
    (other / "result.json").write_text(json.dumps(result))

    ended = run("report", replays[0], other, "--output", tmp_path / "all.html")

    assert ended.exit_code == 0, ended.output
    assert "agents: 100 against 7" in ended.stderr
    page = (tmp_path / "all.html").read_text()
    assert "&lt;b&gt;other" in page
    assert "<b>other" not in page
