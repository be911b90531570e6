"""`agent-sim init`: a scenario to begin with."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent_sim.cli.init import init
from agent_sim.cli.schema import MODELINE
from agent_sim.errors import UsageError
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.schema import schema
from agent_sim.scenario.sense import remarks
from tests.fleet.replays import play

APP = typer.Typer()
APP.command()(init)


def made(folder: Path) -> Path:
    result = CliRunner().invoke(APP, ["mine", "--folder", str(folder)])
    assert result.exit_code == 0
    return folder / "mine.yaml"


def test_what_is_written_is_right_and_explains_itself(tmp_path: Path):
    path = made(tmp_path / "new")
    text = path.read_text()

    assert load(path).name == "mine"
    assert load(path, Overrides("ci")).fleets[0].count == 9
    assert text.startswith(MODELINE)
    assert json.loads((path.parent / "scenario.schema.json").read_text()) == schema()
    for block in ("fleets", "behaviours", "phases", "storms", "checks", "profiles", "params", "stop", "server"):
        before = text.partition(f"\n{block}:")[0].splitlines()[-1]
        assert before.startswith("#"), f"{block} stands there without a comment"
    assert len(list(remarks(load(path)))) == 1  # what holds for the embedded server alone


def test_what_is_written_runs_and_passes(tmp_path: Path):
    played = play(tmp_path, made(tmp_path).read_text())

    assert set(played.answers.values()) <= {"kept", "held"}
    assert played.summary.storms[0].result.ledger.accepted > 0


def test_nothing_is_overwritten_and_names_are_names(tmp_path: Path):
    path = made(tmp_path)
    path.write_text("mine already\n")

    for name, said in (("mine", "is there already"), ("my scenario", "expected a name")):
        with pytest.raises(UsageError, match=said):
            init(name, tmp_path)
    assert path.read_text() == "mine already\n"
