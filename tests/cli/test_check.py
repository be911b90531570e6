"""`agent-sim check` and `agent-sim schema`: what they print where, and how they exit."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from agent_sim.cli.check import check
from agent_sim.cli.library import scenario_files
from agent_sim.cli.schema import schema
from agent_sim.scenario.load import load
from tests.scenario.files import LAB, written

APP = typer.Typer()
APP.command()(check)
APP.command()(schema)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def test_a_good_file_is_ok_with_what_it_comes_to(tmp_path: Path):
    path = written(LAB, tmp_path)
    result = run("check", path)

    assert result.exit_code == 0
    assert result.stdout == (
        f"{path}: ok\n10 agents in 1 fleet, 0 schedules, 0 storms, 0 phases; lasts 5m and up to 1m more to drain\n"
    )
    assert (
        result.stderr == "note: heartbeat.every and server hold for the embedded server; any other target has its own\n"
    )


def test_a_run_without_an_end_says_so(tmp_path: Path):
    result = run("check", written(LAB, tmp_path), "--set", "stop.after=never")

    assert result.stdout.endswith("0 phases; never ends\n")


def test_every_problem_has_its_own_line_on_stderr(tmp_path: Path):
    path = written(LAB.replace("count: 10", "count: 0") + "flets: []\n", tmp_path)
    result = run("check", path)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{path}:4:24: fleets[0].count: found 0, expected at least 1",
        f"{path}:5:1: flets: unknown key, did you mean fleets?",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml: no such file"),
        (["{file}", "--set", "stop"], "--set stop: expected NAME=VALUE"),
        (
            ["{file}", "--param", "agents=5"],
            '--param agents=5: found the unknown parameter "agents", the scenario has no params',
        ),
        (["{file}", "--profile", "ci"], "--profile ci: no such profile, the file has none"),
        (
            ["{file}", "--set", "stop.after=5"],
            "--set stop.after=5: stop.after: found 5, expected a duration with its unit: write 5s",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path):
    path = written(LAB, tmp_path)
    result = run("check", *(argument.replace("{file}", str(path)) for argument in arguments))

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{said}\n")


def test_a_resolved_scenario_is_printed_as_a_scenario(tmp_path: Path):
    path = written(LAB + "seed: 5\n", tmp_path)
    result = run("check", path, "--resolved", "--set", "fleets.lab.count=3")

    assert result.exit_code == 0
    resolved = load(written(result.stdout, tmp_path, "resolved.yaml"))
    assert (resolved.seed, resolved.fleets[0].count) == (5, 3)


def test_a_profile_that_is_wrong_is_told_without_being_asked_for(tmp_path: Path):
    path = written(LAB + "profiles: {ci: {stop: {after: 5}}, demo: {stop: {after: 5m}}}\n", tmp_path)
    wrong, right = run("check", path), run("check", path, "--profile", "demo")

    assert wrong.stderr == f"{path}:5:31: stop.after: found 5, expected a duration with its unit: write 5s\n"
    assert (wrong.exit_code, right.exit_code) == (2, 0)


@pytest.mark.parametrize("path", scenario_files(), ids=lambda path: path.stem)
def test_the_scenarios_that_come_with_agent_sim_are_found_by_name(path: Path):
    assert run("check", path.stem).exit_code == 0


def test_the_schema_is_printed_as_json():
    result = run("schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "agent-sim scenario"
