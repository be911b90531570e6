"""`agent-sim fuzz`: planted races are found and made small, a sound server is left in peace, cases can be replayed."""

import pytest
from typer.testing import CliRunner

from agent_sim.cli.fuzz import _short, _to_search, _with_time_to_drain, examine, search
from agent_sim.cli.main import app
from agent_sim.errors import ScenarioError, UsageError
from agent_sim.scenario.load import as_tree, load
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.vary import varied
from tests.cli.races import BUGS, session_replaced_during_run

RACE = """
version: 1
name: race
stop: {after: 40s}
server: {retries: 0, job_timeout: 20s}
fleets:
  - {name: lab, count: 6, capabilities: [PEM, LOGS], heartbeat: {every: 2s}}
behaviours:
  - name: default
    jobs:
      - {type: Management, duration: 2s, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
schedules:
  - {name: renew, type: Management, every: 10s}
  - {name: logs, type: LOGS, every: 20s}
"""


@pytest.fixture
def race(tmp_path):
    (tmp_path / "race.yaml").write_text(RACE)
    return tmp_path / "race.yaml"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(("bug", "seed"), BUGS.items())
def test_a_planted_race_is_found_and_shrunk_to_a_few_agents(race, bug, seed):
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        failure = next(search(load(race, seed=0), runs=500, seed=seed))

    assert sum(fleet["count"] for fleet in failure.small["fleets"]) <= 3
    # It is the bug: without it, neither the case nor what was made of it breaks anything.
    assert examine(failure.tree) == examine(failure.small) == ()


def test_a_sound_server_breaks_no_law(race, tmp_path):
    ended = run("fuzz", race, "--runs", "25", "--seed", "7", "--out", tmp_path / "fuzz")

    assert ended.exit_code == 0
    assert ended.stdout == "25 runs, and every law of jobs held\n"
    assert list((tmp_path / "fuzz" / "race").iterdir()) == []


SLOW = """
version: 1
name: slow
stop: {after: 1m, drain: 5m}
fleets:
  - {name: lab, count: 2, capabilities: [LOGS], heartbeat: {every: 2s}}
behaviours:
  - name: default
    jobs:
      - {type: LOGS, duration: 60s, outcomes: [{result: success, weight: 100%}]}
schedules:
  - {name: fetch, type: LOGS, at: 1s}
"""


@pytest.mark.parametrize("number", [22, 27])
def test_work_that_is_slower_than_the_server_waits_breaks_no_law(tmp_path, number):
    (tmp_path / "slow.yaml").write_text(SLOW)
    tree = varied(_to_search(load(tmp_path / "slow.yaml", seed=0)), 0, number)

    assert examine(tree) == ("no_lost_jobs",)  # in the time that its author gave it
    assert examine(_with_time_to_drain(tree)) == ()


def test_a_case_says_only_what_differs_from_the_defaults(race):
    scenario = load(race, seed=3)
    short = _short(dict(as_tree(scenario)))

    assert Scenario.model_validate(short) == scenario
    assert short == {
        "version": 1,
        "name": "race",
        "seed": 3,
        "stop": {"after": "40s"},
        "server": {"retries": 0, "job_timeout": "20s"},
        "fleets": [{"name": "lab", "count": 6, "capabilities": ["PEM", "LOGS"], "heartbeat": {"every": "2s"}}],
        "behaviours": [
            {
                "name": "default",
                "jobs": [
                    {
                        "type": "Management",
                        "duration": "2s",
                        "outcomes": [{"result": "success", "weight": "50%"}, {"result": "failure", "weight": "50%"}],
                    }
                ],
            }
        ],
        "schedules": [
            {"name": "renew", "type": "Management", "every": "10s"},
            {"name": "logs", "type": "LOGS", "every": "20s"},
        ],
    }


def test_every_case_is_a_scenario_that_fails_when_it_is_replayed(race, tmp_path, monkeypatch):
    session_replaced_during_run(monkeypatch)
    seed = BUGS[session_replaced_during_run]
    ended = run("fuzz", race, "--runs", "6", "--seed", seed, "--out", tmp_path / "fuzz")
    cases = sorted((tmp_path / "fuzz" / "race").iterdir())

    assert ended.exit_code == 1
    assert "broke no_lost_jobs" in ended.stdout
    assert any(case.name.endswith(".small.yaml") for case in cases)
    for case in cases:
        assert run("replay", case, "--runs", tmp_path / "runs").exit_code == 1, case.read_text()
        assert f"# See it fail: agent-sim replay {case}\n" in case.read_text()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (["nosuch"], UsageError, "nosuch: no such file"),
        (["hello", "--set", "stop.after=never"], UsageError, "hello never ends (stop.after: never)"),
        (["hello", "--set", "fleets.lab.count=0"], ScenarioError, "fleets[0].count"),
        (["hello", "--out", "/proc/nosuch"], UsageError, "/proc/nosuch/hello: the folder cannot be made"),
    ],
)
def test_bad_input_is_one_clear_line(options, error, said):
    ended = run("fuzz", *options)

    assert isinstance(ended.exception, error)
    assert said in str(ended.exception)
    assert len(str(ended.exception).splitlines()) == 1
