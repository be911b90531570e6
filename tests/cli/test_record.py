"""`agent-sim record`: fits that behave as what they were fitted to, exact replays, and servers of many habits."""

import contextlib
import json
import os
import time

import pytest
from typer.testing import CliRunner

from agent_sim.cli import folder
from agent_sim.cli.main import app
from agent_sim.cli.play import BEGIN
from agent_sim.cli.record import fitted_text
from agent_sim.cli.replay import backend
from agent_sim.errors import TargetError, UsageError
from agent_sim.fleet.replay import Replay
from agent_sim.instants import SECOND, to_iso
from agent_sim.operator.history import history, orchestrators
from agent_sim.scenario.fields import POSTABLE_WORDS
from agent_sim.scenario.fit import targets
from agent_sim.scenario.load import load
from agent_sim.scenario.observed import observe
from agent_sim.scenario.plan import plan
from agent_sim.server.store import SqliteStore
from tests.loadtests.fake_command import PASSWORD, USER, FakeCommand, served
from tests.operator.test_history import read

SOURCE = """
version: 1
name: source
stop: {after: 2h, drain: 10m}
server: {retries: 2}
fleets:
  - name: a
    count: 40
    capabilities: [PEM, LOGS]
    heartbeat: {every: 1m}
    stores: {per_agent: {dist: discrete, values: {1: 50%, 2: 50%}}}
  - {name: b, count: 25, capabilities: ["custom:Patch"], heartbeat: {every: 1m}}
behaviours:
  - name: default
    jobs:
      - type: Inventory
        duration: {dist: lognormal, median: 3s, p95: 20s}
        outcomes: [{result: success, weight: 92%}, {result: warning, weight: 8%}]
      - type: custom:Patch
        duration: {dist: uniform, min: 1s, max: 4s}
        outcomes: [{result: success, weight: 70%}, {result: failure, weight: 30%}]
schedules:
  - {name: inventory, type: Inventory, schedule: {interval: 6m}}
  - {name: patch, type: "custom:Patch", every: 4m, spread: 3m}
"""


def remembered(path):
    """What the server remembers of a scenario that ran in virtual time."""
    scenario = load(path, seed=5)
    planned = plan(scenario, BEGIN)
    with contextlib.closing(SqliteStore.open(":memory:")) as store:
        server = backend(store, planned.server, planned.seed)
        run = Replay(planned, server, lambda line: None, scenario.stop.drain)
        run.run()

        def ask(operation):
            return server.command(operation, run.now)

        runs = read(history(0, 100_000), ask).runs
        agents = read(orchestrators(100_000), ask)
    return observe(runs, agents, POSTABLE_WORDS, keep_names=False)


def test_a_fit_replayed_has_the_rates_and_medians_of_its_source(tmp_path):
    source, again = tmp_path / "source.yaml", tmp_path / "fit.yaml"
    source.write_text(SOURCE)
    seen = remembered(source)
    again.write_text(fitted_text(seen, "recorded", keep_names=False))

    wanted, found = targets(seen.runs), targets(remembered(again).runs)

    assert wanted.keys() == found.keys() == {"Inventory", "custom:Type1"}
    for word, target in wanted.items():
        assert target.runs >= 1000
        assert found[word].runs == pytest.approx(target.runs, rel=0.05)
        assert found[word].median == pytest.approx(target.median, rel=0.05)
        for result, share in target.shares.items():
            assert found[word].shares[result] == pytest.approx(share, rel=0.05), (word, result)


# --- from a server ----------------------------------------------------------------------------


def kept(number, **changed):
    start = time.time_ns() - (1000 - number) * SECOND
    return {
        "JobHistoryId": number,
        "AgentMachine": f"web-{number % 3}",
        "JobId": f"00000000-0000-4000-8000-{number:012d}",
        "JobType": "FetchLogs",
        "OperationStart": to_iso(start),
        "OperationEnd": to_iso(start + 2 * SECOND),
        "Result": 2,
        "Status": 3,
        **changed,
    }


def old_habits(number):
    """A record as older servers write it: names, nulls, times without a zone and with seven digits."""
    start = time.time_ns() - (1000 - number) * SECOND
    return kept(
        number,
        Result="Success" if number % 10 else "Failure",
        Status="Completed",
        Schedule=None,
        Message=None,
        StorePath=None,
        OperationStart=to_iso(start).removesuffix("Z"),
        OperationEnd=to_iso(start + 2 * SECOND).removesuffix("Z").split(".")[0] + ".1234567",
    )


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AGENT_SIM_USERNAME", USER)
    monkeypatch.setenv("AGENT_SIM_PASSWORD", PASSWORD)


def run(*arguments):
    return CliRunner().invoke(app, ["record", *map(str, arguments)])


@pytest.mark.parametrize("habit", [kept, old_habits])
def test_a_scenario_is_written_from_servers_of_either_habit(tmp_path, habit):
    file = tmp_path / "recorded.yaml"
    running = kept(500, OperationEnd=None, Result=0, Status=2)
    with served(FakeCommand([*map(habit, range(1, 101)), running])) as fake:
        ended = run("--target", fake.url, "--since", "1h", "--name", "mine", "-o", file)

    assert ended.exit_code == 0, ended.stderr
    assert fake.asked == []  # it only read
    assert "remark: left out: 1 runs that had not ended" in ended.stderr
    assert "the fleets are those that the job history shows" in ended.stderr  # it lists no orchestrators
    scenario = load(file)
    assert (scenario.name, [fleet.count for fleet in scenario.fleets]) == ("mine", [3])
    assert file.read_text().startswith("# Fitted to 100 LOGS in ")


def test_old_history_and_nothing_but_old_history():
    with served(FakeCommand([kept(number) for number in range(1, 11)])) as fake:
        ended = run("--target", fake.url, "--since", "1m")

    assert isinstance(ended.exception, UsageError)
    assert str(ended.exception) == "no run that a scenario can say ended in the last 1m"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"endpoints": {"not": "a list"}}, "is no Command server"),
        ({"runs": [{"JobHistoryId": "x"}]}, "the target would not be read (status 502)"),
    ],
)
def test_targets_that_are_none_are_told(change, said):
    with served(FakeCommand([])) as fake:
        for name, value in change.items():
            setattr(fake, name, value)
        ended = run("--target", fake.url)

    assert isinstance(ended.exception, TargetError)
    assert said in str(ended.exception)


def test_refused_credentials_are_told(monkeypatch):
    monkeypatch.setenv("AGENT_SIM_PASSWORD", "wrong")
    with served(FakeCommand([])) as fake:
        ended = run("--target", fake.url)

    assert isinstance(ended.exception, TargetError)
    assert "refuses our credentials" in str(ended.exception)
    assert "wrong" not in str(ended.exception)


# --- from a journal ---------------------------------------------------------------------------

BUSY = {
    "version": 1,
    "name": "busy",
    "stop": {"after": "4m", "drain": "2m"},
    "server": {"retries": 0},
    "fleets": [{"name": "lab", "count": 12, "capabilities": ["PEM", "LOGS"], "heartbeat": {"every": "5s"}}],
    "behaviours": [
        {
            "name": "default",
            "jobs": [
                {
                    "type": "Management",
                    "duration": {"dist": "lognormal", "median": "2s", "p95": "9s"},
                    "outcomes": [
                        {"result": "success", "weight": "50%"},
                        {"result": "failure", "weight": "50%", "message": "costs $${n}"},
                    ],
                }
            ],
        }
    ],
    "schedules": [{"name": "logs", "type": "LOGS", "every": "30s"}, {"name": "m", "type": "Management", "at": "1m"}],
    "storms": [{"name": "again", "at": "2m", "op": "reschedule", "load": {"rate": "1/s"}, "for": "2s"}],
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("busy")
    (folder / "busy.yaml").write_text(json.dumps(BUSY))
    start = "2026-05-04T03:02:01Z"
    command = ["replay", str(folder / "busy.yaml"), "--seed", "9", "--start", start, "--runs", str(folder / "runs")]
    ended = CliRunner().invoke(app, command)
    [made] = (folder / "runs").iterdir()
    return made, ended.stdout.split()[-1]


@pytest.mark.parametrize("speed", ["1", "10", "0.5"])
def test_a_journal_becomes_the_scenario_that_happens_again_at_any_speed(busy, tmp_path, speed):
    folder, digest = busy
    file = tmp_path / "again.yaml"

    ended = run("--journal", folder, "--speed", speed, "-o", file)
    replayed = CliRunner().invoke(app, ["replay", str(file), "--runs", str(tmp_path / "runs")])

    assert ended.exit_code == 0
    assert ended.stderr == ""
    assert file.read_text().splitlines()[1:3] == [
        f"# outcome digest of the run: {digest}",
        "# a replay of this file comes to the same",
    ]
    assert replayed.stdout.split()[-1] == digest


def test_at_its_own_start_the_journal_is_the_same_to_the_byte(busy, tmp_path):
    folder, _ = busy
    file = tmp_path / "again.yaml"
    run("--journal", folder / "journal.jsonl", "-o", file)
    start = file.read_text().splitlines()[0].split()[-1]

    CliRunner().invoke(app, ["replay", str(file), "--start", start, "--runs", str(tmp_path / "runs")])
    [made] = (tmp_path / "runs").iterdir()

    assert (made / "journal.jsonl").read_bytes() == (folder / "journal.jsonl").read_bytes()


def test_a_run_that_went_otherwise_is_told(busy, tmp_path):
    folder, _ = busy
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    torn = [line for line in lines if '"job_completed"' not in line or '"agentsim-busy-lab-00003"' not in line]
    (tmp_path / "journal.jsonl").write_text("".join(torn))
    (tmp_path / "scenario.resolved.yaml").write_text((folder / "scenario.resolved.yaml").read_text())

    ended = run("--journal", tmp_path)

    assert ended.exit_code == 0
    assert "remark: a replay comes to other outcomes than the run did" in ended.stderr
    assert "# a replay of this file: " in ended.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "its journal is torn, it lacks the end of the run"),
        (lambda lines: [*lines[:-1], lines[-1][:20]], "its journal is torn, it lacks the end of the run"),
        (lambda lines: lines[:1], "its journal is torn, it lacks the end of the run"),
        (lambda lines: [*lines, "[" * 100_000], "journal line"),
        (lambda lines: [*lines, "[" * 100_000 + "]" * 100_000], "journal line"),
        (lambda lines: ["[" * 100_000 + "\n", *lines], "journal line 1: "),
    ],
)
def test_a_journal_that_is_torn_or_none_is_told_in_one_line(busy, tmp_path, change, said):
    folder, _ = busy
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(change(lines)))
    (tmp_path / "scenario.resolved.yaml").write_text((folder / "scenario.resolved.yaml").read_text())

    ended = run("--journal", tmp_path)

    assert isinstance(ended.exception, UsageError)
    assert said in str(ended.exception)
    assert len(str(ended.exception).splitlines()) == 1
    assert "other outcomes" not in ended.stderr


def huge(path):
    path.touch()
    os.truncate(path, 5 * 1024**3)  # with holes: it takes no room


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "must be a file or the folder of a run, is a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "must be a file or the folder of a run, is a device"),
        (lambda path: path.mkdir(), "must be a file or the folder of a run, is a folder"),
        (lambda path: path.symlink_to(path), "the journal cannot be read (Too many levels of symbolic links)"),
        (lambda path: path.write_text(""), "the journal is empty"),
        (lambda path: path.write_text("x" * 1001), "line 1 is longer than any of a journal"),
        (lambda path: path.write_bytes(b"\xff"), "the journal is not UTF-8 text"),
        (lambda path: path.write_text("\n\n"), "its journal is torn"),
        (huge, "has 5.0 GiB, a journal at most 4"),
    ],
)
def test_what_is_no_journal_is_told_in_one_line_at_once(busy, tmp_path, monkeypatch, make, said):
    monkeypatch.setattr(folder, "_LONGEST", 1000)
    make(tmp_path / "journal.jsonl")
    (tmp_path / "scenario.resolved.yaml").write_text((busy[0] / "scenario.resolved.yaml").read_text())

    ended = run("--journal", tmp_path)

    assert isinstance(ended.exception, UsageError)
    assert said in str(ended.exception)
    assert len(str(ended.exception).splitlines()) == 1


def test_so_is_a_pipe_that_is_named_itself(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    ended = run("--journal", tmp_path / "pipe")

    assert str(ended.exception) == f"{tmp_path / 'pipe'}: must be a file or the folder of a run, is a pipe"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "record needs --target or --journal, one of them"),
        (["--target", "http://127.0.0.1:1", "--journal", "."], "record needs --target or --journal, and not both"),
        (["--target", "http://127.0.0.1:1", "--speed", "2"], "--speed needs --journal"),
        (["--target", "http://127.0.0.1:1", "--since", "7"], '--since found "7", expected a duration with its unit'),
        (["--target", "http://127.0.0.1:1", "--since", "0s"], "--since 0s: expected more than that"),
        (["--target", "nowhere"], "the address 'nowhere/KeyfactorAgents' is not one"),
        (["--journal", "/nosuch"], "/nosuch: the journal cannot be read"),
        (["--target", "http://127.0.0.1:1", "--name", "not a name"], "--name 'not a name' must be a letter"),
    ],
)
def test_bad_input_is_one_clear_line(options, said):
    ended = run(*options)

    assert isinstance(ended.exception, UsageError)
    assert said in str(ended.exception)
    assert len(str(ended.exception).splitlines()) == 1
