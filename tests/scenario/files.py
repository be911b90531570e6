"""Scenario texts for tests, and what loading one of them says."""

from pathlib import Path

import pytest

from agent_sim.errors import ScenarioError
from agent_sim.scenario.load import NOTHING, Overrides, load
from agent_sim.scenario.models import Scenario

LAB = """\
version: 1
name: s
fleets:
  - {name: lab, count: 10, capabilities: [PEM, LOGS]}
"""
"""Four lines that are a scenario; tests add theirs from line 5 on."""


def loaded(text: str, folder: Path, given: Overrides = NOTHING, seed: int = 7) -> Scenario:
    """The scenario that the text is."""
    return load(written(text, folder), given, seed)


def problems(text: str | bytes, folder: Path, given: Overrides = NOTHING) -> list[str]:
    """What is wrong with the text, each as `line:column: ...`, or as it stands for options."""
    path = written(text, folder)
    with pytest.raises(ScenarioError) as caught:
        load(path, given)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def written(text: str | bytes, folder: Path, name: str = "s.yaml") -> Path:
    """A file with that text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
