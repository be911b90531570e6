"""The command line as a whole: every verb can tell what it does, and loads no more than it needs."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from agent_sim.cli.main import app

VERBS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_help_names_every_verb():
    shown = CliRunner().invoke(app, ["--help"])

    assert shown.exit_code == 0
    assert [verb for verb in VERBS if verb not in shown.output] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_its_options_and_no_text_is_lost_on_the_way(verb):
    shown = CliRunner(env={"COLUMNS": "400"}).invoke(app, [verb, "--help"])

    assert shown.exit_code == 0, shown.exception
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    flat = "".join(shown.output.split())
    for parameter in command.params:
        help_text = getattr(parameter, "help", None)
        if help_text and not getattr(parameter, "hidden", False):
            assert "".join(help_text.split()) in flat, parameter.name


def test_a_verb_does_not_load_what_others_need():
    # What only some runs need, and then when they need it: a token, certificates, MQTT, metrics, a report, a terminal.
    some = "aiohttp cryptography jinja2 rich.console prometheus_client psutil jwt paho sqlite3 agent_sim.results.judge"
    steps = (
        ("main", f"{some} pydantic lark asyncio agent_sim.scenario agent_sim.protocol"),
        ("check", f"{some} agent_sim.server.core agent_sim.fleet.replay agent_sim.transports"),
        ("run", f"{some} agent_sim.server agent_sim.fleet.replay locust"),
    )
    lines = [f"import agent_sim.cli.{verb}; print(*{{*{heavy.split()}}} & {{*sys.modules}})" for verb, heavy in steps]

    loaded = subprocess.run([sys.executable, "-c", "\n".join(["import sys", *lines])], check=True, capture_output=True)

    assert loaded.stdout.split() == [], loaded.stdout
