"""`agent-sim explain`: a scenario in plain words, and what it will come to."""

import secrets
import sys
from typing import Annotated

import typer

from agent_sim.cli.library import SCENARIO, scenario_file
from agent_sim.scenario import explain as words
from agent_sim.scenario.forecast import forecast
from agent_sim.scenario.load import load, overrides
from agent_sim.scenario.sense import remarks


def explain(
    file: Annotated[str, SCENARIO],
    profile: Annotated[str | None, typer.Option(help="A profile of the scenario.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces the scenario's seed.")] = None,
) -> None:
    """Say in plain words what a scenario does, and forecast its jobs, outcomes and requests."""
    given = overrides(profile, param or (), set_ or (), seed)
    scenario = load(scenario_file(file), given, seed=secrets.randbelow(2**31))
    sys.stdout.write(words.explain(scenario, forecast(scenario)))
    for remark in remarks(scenario):
        sys.stderr.write(f"note: {remark}\n")


if __name__ == "__main__":
    typer.run(explain)
