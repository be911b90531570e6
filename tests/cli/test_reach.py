"""What is known of a run before it is planned, and what of it cannot be had here."""

from pathlib import Path

import pytest

from agent_sim.cli.reach import Options, outlined
from agent_sim.cli.showing import Showing
from agent_sim.errors import UsageError
from agent_sim.scenario.load import NOTHING
from agent_sim.transports import limits
from agent_sim.transports.limits import Machine
from tests.scenario.files import loaded

LAB = "{version: 1, name: s, fleets: [{name: lab, count: 1000, heartbeat: {every: 1s}}]%s}"
PER_AGENT = ", transport: {connections: {mode: per_agent}}"
ELSEWHERE = "https://command.example"


def options(target: str | None = None, processes: int = 1) -> Options:
    return Options(
        "s.yaml", NOTHING, target, None, None, None, None, None, None, None, None, (), Path("runs"), ":memory:", 0,
        Showing(), None, 1.0, processes=processes,
    )  # fmt: skip  # most is not asked for


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(limits, "this_machine", lambda: Machine(700, 700, 50_000))


@pytest.mark.parametrize(("count", "asked", "taken"), [(3, 8, 3), (0, 2, 1), (8, 8, 8), (1000, 1, 1)])
def test_there_are_no_more_processes_than_agents_and_that_is_remarked_once(tmp_path, capsys, count, asked, taken):
    fleets = "" if not count else f", fleets: [{{name: lab, count: {count}}}]"
    oig = "" if count else ", oig: {jobs: [{name: A, task: T}]}"
    scenario = loaded(f"{{version: 1, name: s{fleets}{oig}}}", tmp_path)

    assert outlined(options(processes=asked), scenario).processes == taken
    said = capsys.readouterr().err
    assert said == (
        "" if asked == taken
        else f"remark: --processes {asked}: the fleet has fewer agents ({count}), so the run takes {taken}\n"
    )  # fmt: skip  # the two cases


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("target", "processes", "problem"),
    [
        (None, 1, "need 1128 open files and this process may have 700"),
        (None, 2, "need 1128 open files and this process may have 700"),  # the embedded server is one process
        (ELSEWHERE, 1, "need 1128 open files and .* or run with --processes 2, "),
        (ELSEWHERE, 2, None),
    ],
)
def test_a_connection_for_each_agent_needs_files_where_it_is_held(tmp_path, target, processes, problem):
    scenario = loaded(LAB % PER_AGENT, tmp_path)

    if problem is None:
        assert outlined(options(target, processes), scenario).processes == processes
        return
    with pytest.raises(UsageError, match=problem):
        outlined(options(target, processes), scenario)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("mode", ["", ", transport: {connections: {mode: per_request}}"])
def test_connections_that_are_closed_each_second_may_leave_no_ports_at_a_distance(tmp_path, capsys, mode):
    outlined(options("http://127.0.0.1:1"), loaded(LAB % mode, tmp_path))
    outlined(options(ELSEWHERE), loaded(LAB % ", transport: {connections: {mode: shared}}", tmp_path))
    outlined(options(ELSEWHERE), loaded((LAB % mode).replace("1s", "2s"), tmp_path))
    assert capsys.readouterr().err == ""

    outlined(options(ELSEWHERE), loaded(LAB % mode, tmp_path))
    said = capsys.readouterr().err
    assert said.startswith("remark: 1000 agents with connections per_request need 61100 local ports, if the server")
    assert said.count("\n") == 1
