"""`agent-sim compare` on the folders of real replays: what it prints where, and how it exits."""

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from agent_sim.cli.main import app
from agent_sim.errors import UsageError


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def replayed(folder, *options):
    ended = run("replay", "hello", "--set", "stop.after=2m", "--runs", folder, *options)
    assert ended.exit_code == 0
    [made] = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = tmp_path_factory.mktemp("runs")
    return replayed(made / "a", "--seed", "1"), replayed(made / "b", "--seed", "2")


def test_two_runs_side_by_side(runs):
    ended = run("compare", *runs)

    assert ended.exit_code == 0
    assert f"A: {runs[0]}" in ended.stdout
    assert "heartbeat p50" in ended.stdout
    assert ended.stdout.endswith("no regression beyond 10%\n")


def test_a_regression_fails(runs, tmp_path):
    result = json.loads((runs[1] / "result.json").read_text())
    result["whole"]["operations"]["heartbeat"]["failed"] = 60
    slow = tmp_path / "result.json"
    slow.write_text(json.dumps(result))

    ended = run("compare", runs[0], slow, "--json")
    told = json.loads(ended.stdout)

    assert ended.exit_code == 1
    assert told["regressed"]
    assert [row["name"] for row in told["rows"] if row["regressed"]] == ["heartbeat errors"]


def test_unlike_runs_are_refused_unless_asked_for(runs, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(runs[1], other)
    resolved = other / "scenario.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("every: 1m", "every: 59s"))

    refused = run("compare", runs[0], other)
    compared = run("compare", runs[0], other, "--anyway")

    assert isinstance(refused.exception, UsageError)
    assert "the runs are not alike" in str(refused.exception)
    assert "every: 1m against every: 59s" in str(refused.exception)
    assert compared.exit_code == 0
    assert "remark: resolved scenario" in compared.stderr


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (None, (), "cannot be read (No such file or directory)"),
        ("{", (), "not JSON"),
        ("[" * 100_000, (), "not JSON"),
        ("{}", (), "is no result of agent-sim"),
        ("{}", ("--tolerance", "10"), '--tolerance found "10", expected a share with its unit: write 10%'),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, content, options, said):
    file = tmp_path / "result.json"
    if content is not None:
        file.write_text(content)

    ended = run("compare", file, file, *options)

    assert isinstance(ended.exception, UsageError)
    assert said in str(ended.exception)
    assert len(str(ended.exception).splitlines()) == 1


def test_what_is_no_file_is_refused_and_not_waited_for(runs, tmp_path):
    pipe = tmp_path / "result.json"
    os.mkfifo(pipe)

    ended = run("compare", runs[0], pipe)

    assert isinstance(ended.exception, UsageError)
    assert str(ended.exception) == f"{pipe}: not a file, expected a run's folder or its result.json"
