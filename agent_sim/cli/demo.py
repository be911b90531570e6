"""`agent-sim demo`: a live system to look at, with its page, until told to stop.

What it shows is a scenario like any other; how it is brought up is `up`'s business.
"""

import asyncio
from typing import Annotated, Final, Literal

import typer

from agent_sim.cli.up import Options, brought_up
from agent_sim.scenario.load import overrides

SHOWN: Final = "showroom"
PROFILE: Final = "demo"


def demo(
    transport: Annotated[
        Literal["http", "mqtt"],
        typer.Option(help="How agents reach the server; mqtt brings a broker up: Mosquitto, or amqtt without one."),
    ] = "http",
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of showroom.yaml.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed shows the same.")] = 42,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the server; 0 picks one.")] = 0,
    tour: Annotated[
        bool, typer.Option("--tour", help="Tell its story step by step, here and on the page, once that is open.")
    ] = False,
    time_scale: Annotated[
        float, typer.Option(min=0.01, max=1000, hidden=True, help="Seconds of the scenario in one of the wall.")
    ] = 1.0,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Bring up a fleet that works and fails, with its page, and print a link that signs one browser in.

    The scenario is showroom.yaml, with a month behind it that is made up first; it goes on until told to stop.
    """
    given = overrides(PROFILE, param or (), (f"transport.kind={transport}",), seed)
    options = Options(
        SHOWN,
        given,
        None,
        port,
        ":memory:",
        False,
        exit_with_parent,
        (),
        is_shown=True,
        tour=tour,
        time_scale=time_scale,
    )
    raise typer.Exit(asyncio.run(brought_up(options)))
