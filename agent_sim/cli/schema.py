"""`agent-sim schema`: the JSON Schema of scenario files, for editors, and of `result.json`, for programs."""

import json
import sys
from typing import Annotated, Final

import typer

from agent_sim.results.render.result_schema import result_schema
from agent_sim.scenario import schema as scenario_schema

SCHEMA_FILE: Final = "scenario.schema.json"
MODELINE: Final = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
"""The first line of a scenario, by which editors find the schema beside it."""


def schema(
    result: Annotated[bool, typer.Option("--result", help="That of a run's result.json instead.")] = False,
) -> None:
    """Print the JSON Schema (2020-12) of a scenario file.

    Kept as scenario.schema.json beside a scenario that begins with the line
    "# yaml-language-server: $schema=scenario.schema.json", it lets an editor complete keys and mark slips.
    """
    sys.stdout.write(json.dumps(result_schema(), indent=2) + "\n" if result else schema_text())


def schema_text() -> str:
    """The schema as it is kept in a file."""
    return json.dumps(scenario_schema.schema(), indent=2) + "\n"


if __name__ == "__main__":
    typer.run(schema)
