"""The command `agent-sim`: one verb a module, wired here and nowhere else.

The rim of the program: errors become one line on stderr and an exit code (scenario-format, "Exit codes");
tracebacks are for bugs.
"""

import sys

import typer

from agent_sim.cli.check import check
from agent_sim.cli.cleanup import cleanup
from agent_sim.cli.compare import compare_runs
from agent_sim.cli.compare_storms import compare_storms
from agent_sim.cli.demo import demo
from agent_sim.cli.doctor import doctor
from agent_sim.cli.explain import explain
from agent_sim.cli.fuzz import fuzz
from agent_sim.cli.init import init
from agent_sim.cli.record import record
from agent_sim.cli.replay import replay
from agent_sim.cli.reports import report_runs
from agent_sim.cli.run import run
from agent_sim.cli.scenarios import scenarios
from agent_sim.cli.schema import schema
from agent_sim.cli.serve import serve
from agent_sim.cli.showing import say_failed
from agent_sim.cli.up import up
from agent_sim.cli.users import users
from agent_sim.errors import AgentSimError, TargetError, UsageError

app = typer.Typer(
    name="agent-sim",
    help="Simulate certificate orchestrator agents by the thousand, and storm the server they talk to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for verb in (run, replay, demo, up, record, fuzz, serve, init, check, explain, schema, scenarios, doctor, cleanup):
    app.command()(verb)
app.command("report")(report_runs)
app.command("compare")(compare_runs)
app.command("compare-storms")(compare_storms)
app.add_typer(users, name="users")

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
