"""`agent-sim schema`: the JSON Schema of scenario files, for editors."""

import json
import sys

import typer

from agent_sim.scenario import schema as scenario_schema


def schema() -> None:
    """Print the JSON Schema (2020-12) of a scenario file; name it in a yaml-language-server modeline."""
    sys.stdout.write(json.dumps(scenario_schema.schema(), indent=2) + "\n")


if __name__ == "__main__":
    typer.run(schema)
