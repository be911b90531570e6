"""A scenario's past, made up by a process of its own in the file that the embedded server then opens.

The process is this module, so that what it needs is gone with it: a demo that runs for days keeps none of it.
"""

import asyncio
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from agent_sim.cli.replay import AGENT, backfilled
from agent_sim.cli.serve import told_to_stop
from agent_sim.errors import AgentSimError, UsageError
from agent_sim.instants import DAY
from agent_sim.logins import clear
from agent_sim.scenario.load import dump, load
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.units import duration_text
from agent_sim.server.store import SqliteStore

IN_MEMORY: Final = ":memory:"
_SO_FAR: Final = b"so far: "
_TELL_EVERY: Final = 5.0


@dataclass(frozen=True, slots=True)
class Made:
    """What was made up: in which file, how many runs, in what time of the wall and of the processor."""

    db: str
    runs: int
    seconds: float
    cpu_seconds: float


async def database(scenario: Scenario, folder: Path, db: str, account: str = AGENT, *, quiet: bool = False) -> str:
    """The server's database, with the scenario's past if it has one; a person is told what it took."""
    if scenario.history is None:
        return db
    if not quiet:
        typer.echo(f"making up the last {duration_text(scenario.history.backfill)} …", err=True)
    made = await with_past(scenario, folder, db, account)
    if made is None:
        typer.echo(f"remark: {db} has a past of its own: none is made up", err=True)
        return db
    if not quiet:
        typer.echo(f"made up {made.runs:,} runs in {made.seconds:.1f} s", err=True)
    return made.db


async def with_past(scenario: Scenario, folder: Path, db: str, account: str = AGENT) -> Made | None:
    """Give the server's database the scenario's past, in a file of `folder` if it was to be in memory.

    None if the scenario has no past to make up, or the file has one of its own. Raises UsageError.
    """
    if scenario.history is None:
        return None
    db = str(folder / "server.db") if db == IN_MEMORY else db
    file = folder / "scenario.past.yaml"
    file.write_text(dump(scenario), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent_sim.cli.backfill", str(file), db, "--account", account, "--exit-with-parent"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clear(os.environ),
        start_new_session=True,  # Ctrl-C is for us
    )
    with told_to_stop(exit_with_parent=False) as stop:
        out, err = await _finished(process, stop)
    said = out.decode().strip()
    if process.returncode or not said:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise UsageError(f"the past could not be made up: {last[0].removeprefix('error: ')}")
    runs, seconds, used = json.loads(said)
    return None if runs < 0 else Made(db, runs, seconds, used)


async def _finished(process: asyncio.subprocess.Process, stop: asyncio.Event) -> tuple[bytes, bytes]:
    """What it says by its end; it is ended if we are told to stop."""
    stopping, ending = asyncio.create_task(stop.wait()), asyncio.create_task(_said(process))
    try:
        await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            raise UsageError("stopped before the past was made up")
        return ending.result()
    finally:
        stopping.cancel()
        if process.returncode is None:
            process.kill()
            await asyncio.wait({ending})


async def _said(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """Its input stays open for as long as we live: the end of it tells it that we do not."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = await asyncio.gather(process.stdout.read(), _heard(process.stderr))
    await process.wait()
    return out, err


async def _heard(stream: asyncio.StreamReader) -> bytes:
    """What it says of how far it is, is passed on; the rest is its last words."""
    rest = b""
    async for line in stream:
        if line.startswith(_SO_FAR):
            sys.stderr.write(line.removeprefix(_SO_FAR).decode())
        else:
            rest += line
    return rest


class _Progress:
    """Says how far it is, every few seconds of the wall."""

    def __init__(self, days: float) -> None:
        self._days, self._said = days, time.monotonic()

    def __call__(self, days: float, runs: int) -> None:
        if time.monotonic() - self._said >= _TELL_EVERY:
            self._said = time.monotonic()
            sys.stderr.write(f"{_SO_FAR.decode()}{days:.0f} of {self._days:.0f} days, {runs:,} runs\n")
            sys.stderr.flush()


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def main(
    scenario: Annotated[Path, typer.Argument()],
    db: Annotated[str, typer.Argument()],
    account: Annotated[str, typer.Option()] = AGENT,
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
