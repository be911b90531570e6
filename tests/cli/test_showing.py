"""What verbs say to programs and shells: one JSON object whatever comes of it; completion."""

import json
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from agent_sim.cli import main
from agent_sim.cli.showing import SCHEMA, VERBS

SCENARIO = """
version: 1
name: tiny
seed: 5
stop: {after: 1m, drain: 1m}
fleets: [{name: lab, count: 2, capabilities: [LOGS], heartbeat: {every: 5s}}]
schedules: [{name: logs, type: LOGS, at: 10s}]
checks: {invariants: {no_lost_jobs: true}}
"""


@pytest.fixture(autouse=True)
def _there(monkeypatch, tmp_path):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(SCENARIO)


def said(*words: str) -> dict:
    """The one object on standard output; its exit code is the process's."""
    ended = CliRunner().invoke(main.app, [*words, "--json"])
    told = json.loads(ended.stdout)
    assert (told["schema"], told["verb"], told["exit_code"]) == (SCHEMA, words[0], ended.exit_code)
    assert isinstance(told["errors"], list)
    return told


def test_a_replay_tells_its_verdict_and_where_its_files_are():
    told = said("replay", "tiny.yaml", "--quiet")

    assert (told["verdict"], told["exit_code"], told["errors"]) == ("PASS", 0, [])
    assert [check["answer"] for check in told["checks"]] == ["kept"]
    assert all(Path(file).is_file() for file in told["files"].values())
    assert told["outcome_digest"] == json.loads(Path(told["files"]["result.json"]).read_text())["outcome_digest"]


def test_a_replay_that_fails_says_why():
    told = said("replay", "tiny.yaml", "--set", "checks.thresholds=[{metric: throughput, min: 1000/s}]")

    assert (told["verdict"], told["exit_code"]) == ("FAIL", 1)
    assert told["because"] == "1 of 2 checks is broken."
    assert told["replay"].startswith("agent-sim replay ")


def test_on_github_annotations_leave_standard_output_alone(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    assert said("replay", "tiny.yaml", "--set", "checks.thresholds=[{metric: throughput, min: 1000/s}]")


def test_a_report_made_again_and_a_comparison_tell_the_same_shape():
    first, second = (said("replay", "tiny.yaml", "--seed", seed)["folder"] for seed in "12")

    assert said("report", first)["folder"] == first
    assert [run["verdict"] for run in said("report", first, second)["runs"]] == ["PASS", "PASS"]
    assert said("compare", first, second)["regressed"] is False


def test_a_scenario_that_is_right_says_what_it_comes_to():
    told = said("check", "tiny.yaml")

    assert told["problems"] == []
    assert told["summary"].startswith("2 agents in 1 fleet")


def test_a_scenario_that_is_wrong_tells_each_place():
    Path("tiny.yaml").write_text(SCENARIO.replace("count: 2", "count: 0").replace("seed: 5", "sed: 5"))

    told = said("check", "tiny.yaml")

    assert told["exit_code"] == 2
    assert [(each["line"], each["path"]) for each in told["problems"]] == [(4, "tiny.yaml"), (6, "tiny.yaml")]
    assert len(told["errors"]) == 2


REFUSED = [
    ("run", "no-such-scenario"),
    ("run", "tiny.yaml", "--otel"),
    ("replay", "tiny.yaml", "--start", "soon"),
    ("report", "no-such-folder"),
    ("compare", "no-such-folder", "nor-this"),
    ("check", "no-such-scenario"),
    ("doctor", "tiny.yaml", "--target", "ftp://127.0.0.1"),
]


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: words[0])
def test_what_cannot_be_done_is_told_by_the_same_shape(words, monkeypatch, capsys):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.setattr("sys.argv", ["agent-sim", *words, "--json"])

    with pytest.raises(SystemExit) as ended:
        main.main()

    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["schema"], told["verb"], told["exit_code"]) == (SCHEMA, words[0], ended.value.code)
    assert told["exit_code"] in (2, 4)
    assert err == "".join(f"error: {error}\n" for error in told["errors"])


def test_nobody_who_asked_for_no_json_gets_any(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["agent-sim", "replay", "no-such-scenario"])

    with pytest.raises(SystemExit):
        main.main()

    assert capsys.readouterr().out == ""


def test_every_verb_of_that_shape_takes_the_option():
    known = get_command(main.app).commands  # type: ignore[attr-defined]  # it is a group

    assert {verb for verb in VERBS if any("--json" in each.opts for each in known[verb].params)} == VERBS


# --- completion -------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_for(shell, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

    ended = CliRunner().invoke(main.app, ["--show-completion", shell], prog_name="agent-sim")

    assert ended.exit_code == 0, ended.output
    assert "_AGENT_SIM_COMPLETE" in ended.stdout


def test_verbs_and_scenarios_complete(monkeypatch):
    def completed(line: str) -> list[str]:
        env = {"_AGENT_SIM_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        return CliRunner().invoke(main.app, [], prog_name="agent-sim", env=env).stdout.split()

    assert completed("agent-sim rep") == ["replay", "report"]
    assert "reschedule-storm" in completed("agent-sim replay resch")
