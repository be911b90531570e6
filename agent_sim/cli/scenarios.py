"""`agent-sim scenarios`: what comes with agent-sim, by name."""

import typer
from rich.console import Console
from rich.table import Table

from agent_sim.cli.library import scenario_files
from agent_sim.cli.schema import MODELINE


def scenarios() -> None:
    """List the scenarios that come with agent-sim; `agent-sim run NAME` finds them by name."""
    table = Table(box=None, pad_edge=False)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what it shows")
    for path in scenario_files():
        table.add_row(path.stem, _first_words(path.read_text(encoding="utf-8")))
    Console().print(table)


def _first_words(text: str) -> str:
    """The comment that a scenario opens with, up to its first empty line; a line for editors may precede it."""
    words = []
    for line in text.removeprefix(MODELINE).splitlines():
        if not line.startswith("#") or not line.strip("# "):
            break
        words.append(line.lstrip("# ").rstrip())
    return " ".join(words)


if __name__ == "__main__":
    typer.run(scenarios)
