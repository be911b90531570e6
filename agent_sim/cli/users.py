"""`agent-sim users`: keeps the users file that `agent-sim serve --users` reads.

Passwords come from a terminal, unseen and twice, or as the first line of standard input; never from the command line.
"""

import getpass
import secrets
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from agent_sim.errors import UsageError
from agent_sim.server.passwords import SALT_BYTES, Hashed
from agent_sim.server.users import BUILT_IN, add_user

LONGEST_PASSWORD: Final = 1024
"""Characters; our choice."""

users = typer.Typer(help="Keep the users of the embedded server.", no_args_is_help=True, add_completion=False)


@users.callback()
def _group() -> None:
    """Keep the users of the embedded server."""


@users.command()
def add(
    name: Annotated[str, typer.Argument(help="What the user signs in as, such as alice or DOMAIN\\alice.")],
    role: Annotated[
        list[str],
        typer.Option(help=f"A role that the user has; may be repeated. {', '.join(BUILT_IN)}, or one of the file."),
    ],
    file: Annotated[Path, typer.Option(help="Users file (mode 0600); it is made if there is none.")],
) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    try:
        add_user(file, name, tuple(dict.fromkeys(role)), Hashed.of(_password(name), secrets.token_bytes(SALT_BYTES)))
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"added {name} to {file}; a running server reads the file when it starts again", err=True)


def _password(name: str) -> str:
    """Raises UsageError."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("Again: ") != password:
            raise UsageError("the two passwords differ: try again")
    else:
        password = sys.stdin.readline(LONGEST_PASSWORD + 2).rstrip("\r\n")
    if not password:
        raise UsageError("no password: type one, or give it as the first line of standard input")
    if len(password) > LONGEST_PASSWORD or not password.isprintable():
        raise UsageError(f"the password must be printable and have at most {LONGEST_PASSWORD} characters")
    return password


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)  # its tracebacks show local variables
    app.add_typer(users, name="users")
    app()
