"""`agent-sim scenarios`: what comes with agent-sim, by name."""

import sys
from pathlib import Path

import typer

from agent_sim.cli.library import scenario_files
from agent_sim.scenario.tree import Leaf, read


def scenarios() -> None:
    """List the scenarios that come with agent-sim, a line each; `agent-sim run NAME` finds them by name."""
    files = scenario_files()
    width = max(len(path.stem) for path in files)
    sys.stdout.write("".join(f"{path.stem:<{width}}  {description(path)}\n" for path in files))


def description(path: Path) -> str:
    """What a scenario says that it shows."""
    said = read(path).fields.get("description")
    return str(said.value) if isinstance(said, Leaf) else ""


if __name__ == "__main__":
    typer.run(scenarios)
