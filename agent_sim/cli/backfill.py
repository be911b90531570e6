"""The process that makes up a scenario's past: `python -m agent_sim.cli.backfill` (see `past`)."""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from agent_sim.cli.past import SO_FAR
from agent_sim.cli.replay import backfilled
from agent_sim.errors import AgentSimError
from agent_sim.instants import DAY
from agent_sim.logins import AGENT_ACCOUNT
from agent_sim.scenario.load import load
from agent_sim.server.store import SqliteStore

_TELL_EVERY: Final = 5.0


class _Progress:
    """Says how far it is, every few seconds of the wall."""

    def __init__(self, days: float) -> None:
        self._days, self._said = days, time.monotonic()

    def __call__(self, days: float, runs: int) -> None:
        if time.monotonic() - self._said >= _TELL_EVERY:
            self._said = time.monotonic()
            sys.stderr.write(f"{SO_FAR.decode()}{days:.0f} of {self._days:.0f} days, {runs:,} runs\n")
            sys.stderr.flush()


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def main(
    scenario: Annotated[Path, typer.Argument()],
    db: Annotated[str, typer.Argument()],
    account: Annotated[str, typer.Option()] = AGENT_ACCOUNT,
    exit_with_parent: Annotated[bool, typer.Option("--exit-with-parent")] = False,
) -> None:
    """Make up the past of a scenario until now; a database that knows runs is left alone (-1)."""
    begun = time.monotonic()
    if exit_with_parent:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        chosen = load(scenario)
        assert chosen.history is not None
        store = SqliteStore.open(db, chosen.server.durability)
        try:
            is_new = not store.rows("run_first", {})
            tell = _Progress(chosen.history.backfill / DAY)
            runs = backfilled(store, chosen, chosen.history, time.time_ns(), account, tell).runs if is_new else -1
        finally:
            store.close()
    except AgentSimError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps([runs, round(time.monotonic() - begun, 2), round(time.process_time(), 2)]))


if __name__ == "__main__":
    typer.run(main)
