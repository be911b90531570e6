"""The embedded server as a process of its own, for as long as a run needs it."""

import asyncio
import dataclasses
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.settings import ServerSettings
from agent_sim.transports.base import Login

_READY: Final = "ready at "
_READY_SECONDS: Final = 30
_STOP_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Logins:
    """Who the operator and the agents sign in as; None where the target asks nothing."""

    operator: Login | None
    agent: Login | None

    def environment(self) -> dict[str, str]:
        """The same as environment variables, for the server and for Locust: never argv."""
        pairs = {"AGENT_SIM_": self.operator, "AGENT_SIM_AGENT_": self.agent}
        return {
            f"{prefix}{name}": value
            for prefix, login in pairs.items()
            if login is not None
            for name, value in (("USERNAME", login.username), ("PASSWORD", login.password))
        }


def made_logins() -> Logins:
    """Fresh ones, for a server that lives as long as its run."""
    return Logins(Login("operator", secrets.token_urlsafe(24)), Login("agent", secrets.token_urlsafe(24)))


@asynccontextmanager
async def embedded_server(
    settings: ServerSettings, logins: Logins, folder: Path, port: int = 0, db: str = ":memory:"
) -> AsyncIterator[str]:
    """Start a server on loopback and yield its address; it is stopped, or killed, at the end.

    Raises UsageError with the server's own words if it does not become ready.
    """
    written = folder / "server.json"
    written.write_text(json.dumps(dataclasses.asdict(settings)), encoding="utf-8")
    command = [sys.executable, "-m", "agent_sim.cli.main", "serve", "--port", str(port), "--db", db]
    command += ["--settings", str(written), "--sim-api", "--exit-with-parent"]
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=_environment(logins),
            start_new_session=True,  # Ctrl-C is for us: the server outlives it until the report is written
        )
        try:
            yield await _address(process, folder / "server.log")
        finally:
            await _stop(process)


def _environment(logins: Logins) -> Mapping[str, str]:
    return os.environ | logins.environment()


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)).decode()
    except TimeoutError:
        line = ""
    if _READY not in line:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise UsageError(f"the embedded server did not start: {said[-1] if said else 'it said nothing'}")
    return line.split(_READY, 1)[1].strip()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
