"""`agent-sim compare-storms` with real storms on tiny targets, and what it refuses before it sends anything."""

import json

import pytest
from typer.testing import CliRunner

from agent_sim.cli.main import app
from agent_sim.errors import TargetError, UsageError
from tests.loadtests.fake_command import PASSWORD, USER, FakeCommand, failed_runs, served

STORM = ("--", "--storm", "acknowledge", "--batch", "1", "--rate", "40/s", "-t", "1s", "--quiet-period", "0")
HERE = "http://127.0.0.1:9"


def compared(*arguments):
    environment = {"AGENT_SIM_USERNAME": USER, "AGENT_SIM_PASSWORD": PASSWORD}
    return CliRunner(env=environment).invoke(app, ["compare-storms", *map(str, arguments)])


@pytest.mark.slow
def test_a_target_that_is_planted_slower_is_a_regression_and_its_kept_runs_say_so_again(tmp_path):
    with (
        served(FakeCommand(failed_runs(150), delay=0.05)) as fast,
        served(FakeCommand(failed_runs(150), delay=0.5)) as slow,
    ):
        ended = compared(fast.url, slow.url, "--pairs", 3, "--runs", tmp_path, "--anyway", "--json", *STORM)
    [session] = tmp_path.iterdir()
    again = compared(session / "a", session / "b", "--anyway", "--json")
    told = json.loads(ended.stdout)

    assert (ended.exit_code, told["answer"], told["decided_by"]) == (1, "worse", "p50")
    assert told["figures"]["p50"]["a_calibrated"] > 0
    assert all(len(pair) == 2 and pair["a"]["null_server_us"] > 0 for pair in told["pairs"])
    assert (len(fast.asked), len(slow.asked)) == (120, 120)
    assert json.loads(again.stdout) == told


@pytest.mark.slow
def test_the_first_broken_rule_ends_the_session(tmp_path):
    with served(FakeCommand(failed_runs(50), loses={3})) as fake:
        ended = compared(fake.url, fake.url, "--runs", tmp_path, *STORM)
    [beside] = tmp_path.glob("*/?/001/beside.json")

    assert ended.exit_code == 1
    assert "broken: " in ended.stdout
    assert "1 lost_update" in ended.stdout
    assert len(fake.asked) == 40
    assert sorted(json.loads(beside.read_text())) == ["foreign_cores", "null_server_us"]


@pytest.mark.slow
def test_a_target_that_is_not_there_is_told_once(tmp_path):
    ended = compared(HERE, HERE, "--runs", tmp_path, "--json", *STORM)

    assert isinstance(ended.exception, TargetError)
    assert str(ended.exception).startswith(f"cannot reach {HERE}: Connection refused (see ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("https://command.example", HERE), "add --i-own-this-target command.example"),
        ((HERE, "https://command.example"), "add --i-own-this-target command.example"),
        ((HERE, "https://command.example", "--i-own-this-target", "command.examples"), "names command.examples, not"),
        (("https://a.example", "https://b.example", "--i-own-this-target", "a.example"), "names a.example, not b"),
    ],
)
def test_somebody_elses_server_is_protected_on_either_side(tmp_path, arguments, problem):
    ended = compared(*arguments, "--runs", tmp_path, *STORM)

    assert isinstance(ended.exception, UsageError)
    assert problem in str(ended.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "option",
    [
        ("--host", "https://command.example"),
        ("--host=https://command.example",),
        ("--hos=https://command.example",),
        ("-Hhttps://command.example",),
        ("--api-url", "https://command.example/api"),
        ("--i-own-this-target", "command.example"),
        ("--i-own=command.example",),
        ("-f", "other.py"),
    ],
)
def test_the_target_cannot_be_named_behind_the_guards_back(tmp_path, option):
    ended = compared(HERE, HERE, "--runs", tmp_path, *STORM, *option)

    assert isinstance(ended.exception, UsageError)
    assert "are told before it, or not at all" in str(ended.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((HERE, HERE), "which storm?"),
        ((HERE, "runs/a", *STORM), "give two URLs, or two folders"),
        (("no/such", "folder"), "no/such: not a folder"),
        (("ftp://x", HERE, *STORM), "must be a URL such as"),
    ],
)
def test_bad_usage_is_one_clear_line(arguments, problem):
    ended = compared(*arguments)

    assert isinstance(ended.exception, UsageError)
    assert problem in str(ended.exception)


def test_a_folder_without_runs_is_none(tmp_path):
    (tmp_path / "001").mkdir()

    ended = compared(tmp_path, tmp_path)

    assert isinstance(ended.exception, UsageError)
    assert "holds no runs" in str(ended.exception)
