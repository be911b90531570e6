"""The verbs of the command line, each loaded only when it is asked for.

Every verb draws in what it needs, and together that is most of the program: loading all of it would take longer than
many a verb takes to do its work.
"""

import gc
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

VERBS: Final[Mapping[str, str]] = {
    "run": "run:run",
    "replay": "replay:replay",
    "demo": "demo:demo",
    "up": "up:up",
    "record": "record:record",
    "fuzz": "fuzz:fuzz",
    "serve": "serve:serve",
    "init": "init:init",
    "check": "check:check",
    "explain": "explain:explain",
    "schema": "schema:schema",
    "scenarios": "scenarios:scenarios",
    "doctor": "doctor:doctor",
    "cleanup": "cleanup:cleanup",
    "report": "reports:report_runs",
    "compare": "compare:compare_runs",
    "compare-storms": "compare_storms:compare_storms",
    "users": "users:users",
}
"""By name, in the order of `--help`: the module of this package and what it calls the verb (or the group of verbs)."""


class Lazy(Mapping[str, Any]):
    """Commands by name; to look one up is to load it."""

    def __getitem__(self, name: str) -> Any:  # a command of whatever library typer stands on
        return _command(name)

    def __contains__(self, name: object) -> bool:
        return name in VERBS

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class Verbs(TyperGroup):
    """The group of them all."""

    def __init__(self, **attributes: Any) -> None:  # typer's, handed on
        super().__init__(**attributes)
        self.commands = Lazy()  # type: ignore[assignment]  # nobody adds to it


@cache
def _command(name: str) -> Any:  # see above
    """KeyError if there is none of that name."""
    module, _, called = VERBS[name].partition(":")
    gc.disable()  # what a module makes while it is loaded stays: looking for garbage there is a tenth of the time
    try:
        verb = getattr(import_module(f"agent_sim.cli.{module}"), called)
    finally:
        gc.enable()
    if isinstance(verb, typer.Typer):
        command = typer.main.get_command(verb)
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(verb)
        command = typer.main.get_command(alone)
    command.name = name
    return command
