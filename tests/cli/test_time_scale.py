"""`agent-sim run --time-scale`: what it is for, and what the embedded server is told."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_sim.cli.main import app
from agent_sim.cli.reach import scaled
from agent_sim.errors import UsageError
from agent_sim.instants import HOUR, MINUTE
from agent_sim.settings import ServerSettings

LAB = """
version: 1
name: tiny
fleets: [{name: lab, count: 2, capabilities: [LOGS], heartbeat: {every: 5s}}]
"""
STORM = LAB + "storms: [{name: again, at: 1s, op: reschedule, load: {rate: 1/s}, for: 1s}]\n"


def test_the_servers_own_times_pass_as_fast_as_the_scenario():
    settings = scaled(ServerSettings(job_timeout=HOUR, session_length=2 * HOUR, heartbeat_minutes=0.5), 60.0)

    assert (settings.job_timeout, settings.session_length) == (MINUTE, 2 * MINUTE)
    assert settings.heartbeat_minutes == 0.5  # an agent waits by its own clock


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (LAB, ("--target", "http://127.0.0.1:1"), "a target keeps its own time"),
        (STORM, (), "storms keep real time"),
    ],
)
def test_what_keeps_its_own_time_is_refused(text, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(text)

    ended = CliRunner().invoke(app, ["run", "tiny.yaml", "--time-scale", "10", *words])

    assert isinstance(ended.exception, UsageError)
    assert said in str(ended.exception)
    assert not Path("runs").exists()
