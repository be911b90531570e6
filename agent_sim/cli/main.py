"""The command `agent-sim`: its verbs are listed in `verbs`, one a module.

The rim of the program: errors become one line on stderr and an exit code (scenario-format, "Exit codes");
tracebacks are for bugs.
"""

import sys

import typer

from agent_sim.cli.showing import say_failed
from agent_sim.cli.verbs import Verbs
from agent_sim.errors import AgentSimError, TargetError, UsageError

app = typer.Typer(
    name="agent-sim", cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True
)


@app.callback()
def _agent_sim() -> None:
    """Simulate certificate orchestrator agents by the thousand, and storm the server they talk to."""


EXIT_CODES = {UsageError: 2, TargetError: 4}


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
