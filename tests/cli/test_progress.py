"""What a person is told while a run goes on."""

import io

import pytest
from rich.console import Console

from agent_sim.cli.panel import panel
from agent_sim.cli.progress import Progress
from agent_sim.protocol.enums import Result
from agent_sim.results import journal
from tests.results.journals import armed, configured, fleet, phase, posted, registered, second, traffic


def completed(audit: int, outcome: Result, *, accepted: bool) -> journal.JobCompleted:
    return journal.JobCompleted(
        1.0, "lab", "agentsim-s-lab-00000", f"job-{audit}", audit, "LOGS", "", audit, 1, outcome, accepted, 1.0
    )


def shown(progress: Progress) -> str:
    """The panel as a terminal of 100 columns shows it."""
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(panel(progress))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_completion_that_the_server_turns_away_is_no_outcome(capsys: pytest.CaptureFixture[str]):
    progress = Progress("s", 1, 60.0, lambda: 6.0)
    with progress:
        progress.observe(completed(1, Result.SUCCESS, accepted=True))
        progress.observe(completed(2, Result.SUCCESS, accepted=False))
        progress.observe(completed(3, Result.FAILURE, accepted=True))
        progress.second()

    assert "1 success, 0 warning, 1 failure" in capsys.readouterr().err


def test_a_plain_line_names_phase_agents_storms_and_faults(capsys: pytest.CaptureFixture[str]):
    progress = Progress("s", 2, 60.0, lambda: 6.0)
    for line in (fleet(agents=2), phase("steady", 0.0, 60.0), registered(), armed("slow"), traffic(ok=20)):
        progress.observe(line)
    progress.observe(journal.AgentOffline(1.0, "lab", "agent-2"))
    progress.storm("again", second(1.0, requests=20, ids=1000))
    progress.second()

    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        "     6 s  starting: phase steady, 1/2 agents, 1 offline, 0 jobs running, 0 success, 0 warning, 0 failure,"
        " 20 requests/s; storm again: 20 requests/s, 1000 ids/s, 0 failed, p95 48.0 ms; fault slow"
    )


def test_the_panel_shows_states_rates_percentiles_faults_and_storms():
    progress = Progress("agent-sim · demo", 3, 60.0, lambda: 30.0)
    lines = (fleet(agents=3), phase("steady", 0.0, 60.0), registered(), posted(), configured(), armed("slow"))
    for line in (*lines, traffic("heartbeat", ok=400, errors={"read_timeout": 2}, milliseconds=12.0)):
        progress.observe(line)
    progress.storm("again", second(1.0, requests=20, ids=1000))
    progress.second()

    text = shown(progress)
    for said in ("30 of 60 s", "phase steady", "2 starting  1 online", "1 posted, 1 running", "fault slow", "armed"):
        assert said in text
    [row] = [line for line in text.splitlines() if "heartbeat" in line]
    assert row.split("heartbeat")[1].split()[:9] == ["402", "12.0", "ms", "12.0", "ms", "n/a", "(n=402)", "2", "│"]
    assert "20 requests/s, 1000 ids/s, 0 failed, p95 48.0 ms" in text


def test_names_cannot_steer_the_terminal():
    progress = Progress("s", 1, 60.0, lambda: 1.0)
    progress.observe(phase("\x1b[2J[red]gone", 0.0, 60.0))
    progress.storm("[bold]\x07", second(1.0))

    text = shown(progress)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]gone" in text


def test_a_quiet_run_says_nothing(capsys: pytest.CaptureFixture[str]):
    progress = Progress("s", 1, 60.0, lambda: 6.0, is_quiet=True)
    with progress:
        progress.observe(registered())
        progress.second()

    assert capsys.readouterr() == ("", "")
