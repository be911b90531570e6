"""A scenario's past, made up in the file that the embedded server then opens: we start the process that does it.

It is a process of its own (`backfill`), so that what it needs is gone with it: a demo that runs for days keeps none.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from agent_sim.cli.told import told_to_stop
from agent_sim.errors import UsageError
from agent_sim.logins import AGENT_ACCOUNT, clear
from agent_sim.scenario.load import dump
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.units import duration_text

IN_MEMORY: Final = ":memory:"
SO_FAR: Final = b"so far: "
"""How the process begins a line of its standard error that is for the person who waits."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made up: in which file, how many runs, in what time of the wall and of the processor."""

    db: str
    runs: int
    seconds: float
    cpu_seconds: float


async def database(
    scenario: Scenario, folder: Path, db: str, account: str = AGENT_ACCOUNT, *, quiet: bool = False
) -> str:
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


async def with_past(scenario: Scenario, folder: Path, db: str, account: str = AGENT_ACCOUNT) -> Made | None:
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
        if line.startswith(SO_FAR):
            sys.stderr.write(line.removeprefix(SO_FAR).decode())
        else:
            rest += line
    return rest
