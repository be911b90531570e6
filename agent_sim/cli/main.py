"""The command `agent-sim`: one verb a module, named here and nowhere else, and imported only when it is called.

The rim of the program: errors become one line on stderr and an exit code (scenario-format, "Exit codes");
tracebacks are for bugs. A verb's module brings all that it needs with it, which can take a second: no other verb waits
for that.
"""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from agent_sim.cli.showing import say_failed
from agent_sim.errors import AgentSimError, TargetError, UsageError

VERBS: Final[Mapping[str, str]] = {
    "run": "run.run",
    "replay": "replay.replay",
    "demo": "demo.demo",
    "up": "up.up",
    "record": "record.record",
    "fuzz": "fuzz.fuzz",
    "serve": "serve.serve",
    "init": "init.init",
    "check": "check.check",
    "explain": "explain.explain",
    "schema": "schema.schema",
    "scenarios": "scenarios.scenarios",
    "doctor": "doctor.doctor",
    "cleanup": "cleanup.cleanup",
    "report": "reports.report_runs",
    "compare": "compare.compare_runs",
    "users": "users.users",
}
"""Each verb's module and what is called there: a function, or a group of its own."""


class _Commands(Mapping[str, Any]):
    """The verbs as Typer's commands, made when somebody asks for one."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)

    def __contains__(self, verb: object) -> bool:
        return verb in VERBS  # Mapping's own would make it

    def __getitem__(self, verb: str) -> Any:
        if verb not in self._made:
            module, name = VERBS[verb].split(".")
            self._made[verb] = _command(verb, getattr(import_module(f"agent_sim.cli.{module}"), name))
        return self._made[verb]


def _command(verb: str, found: Any) -> Any:
    alone = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=verb)
        group: Any = typer.main.get_command(alone)
        return group.commands[verb]
    alone.command(verb)(found)
    return typer.main.get_command(alone)


class _Verbs(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added to it

    def list_commands(self, ctx: object) -> list[str]:
        """Their names, without making one."""
        return list(VERBS)


app = typer.Typer(
    name="agent-sim",
    cls=_Verbs,
    help="Simulate certificate orchestrator agents by the thousand, and storm the server they talk to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)

EXIT_CODES = {UsageError: 2, TargetError: 4}


@app.callback()
def _agent_sim() -> None:
    """Without a callback Typer would not take this for a group: it sees no commands."""


def main() -> None:
    """Run the command line; the process ends with the verb's exit code."""
    try:
        app()
    except AgentSimError as error:
        code = next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
        say_failed(sys.argv[1:], error, code)
        sys.stderr.write("".join(f"error: {line}\n" for line in str(error).splitlines()))
        sys.exit(code)


if __name__ == "__main__":
    main()
