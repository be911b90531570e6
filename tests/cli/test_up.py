"""What `agent-sim up` refuses before it starts anything."""

import pytest
from typer.testing import CliRunner

from agent_sim.cli.main import app
from agent_sim.errors import UsageError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nosuch"], "nosuch: no such file, and no scenario of that name; there are"),
        (["hello", "--set", "fleets.lab.count=-1"], "--set fleets.lab.count=-1: fleets[0].count: found -1"),
        (["hello", "--credentials", "/nosuch/credentials"], "cannot write the credential file /nosuch/credentials"),
        (["hello", "--", "/nosuch/command"], "cannot run /nosuch/command: no such command"),
    ],
)
def test_bad_input_is_one_clear_line(options, words):
    ended = CliRunner().invoke(app, ["up", *options])

    assert isinstance(ended.exception, UsageError)
    assert words in str(ended.exception)
    assert len(str(ended.exception).splitlines()) == 1
