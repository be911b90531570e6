"""`agent-sim init`: a scenario to begin with, explained line by line, and the schema beside it for editors."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from agent_sim.cli.schema import MODELINE, SCHEMA_FILE, schema_text
from agent_sim.errors import UsageError
from agent_sim.scenario.fields import NAME_PATTERN

_STARTER: Final = files("agent_sim.cli") / "starter.yaml"


def init(
    name: Annotated[str, typer.Argument(help="Name of the scenario; the file is NAME.yaml.")],
    folder: Annotated[Path, typer.Option(help="Where it goes.")] = Path(),
) -> None:
    """Write a commented scenario that runs as it is, and its schema for editors; nothing is overwritten."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"{name}: expected a name: a letter, then letters, digits, - and _, at most 40 in all")
    path = folder / f"{name}.yaml"
    text = _STARTER.read_text(encoding="utf-8").replace("NAME", name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(MODELINE + text)
        (folder / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")  # it is ours, and may be an older one
    except FileExistsError:
        raise UsageError(f"{path} is there already: choose another name, or remove it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    typer.echo(f"{path}: written; next: agent-sim explain {path}")


if __name__ == "__main__":
    typer.run(init)
