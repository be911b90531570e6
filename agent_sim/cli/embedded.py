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

import psutil

from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, Credentials
from agent_sim.errors import UsageError
from agent_sim.logins import clear
from agent_sim.scenario.models import Scenario
from agent_sim.settings import ServerSettings

_READY: Final = "ready at "
_READY_SECONDS: Final = 30
_STOP_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Logins:
    """Who the operator and the agents sign in as."""

    operator: Credentials
    agent: Credentials

    def environment(self) -> dict[str, str]:
        """The same as environment variables, for the server and for others of ours: never argv."""
        return {
            name: value
            for names, login in ((OPERATOR_NAMES, self.operator), (AGENT_NAMES, self.agent))
            for name, value in zip(names, (login.username, login.password), strict=True)
        }


def made_logins() -> Logins:
    """Fresh ones, for a server that lives as long as its run."""
    return Logins(*(Credentials(name, secrets.token_urlsafe(24)) for name in ("operator", "agent")))


@dataclass(frozen=True, slots=True)
class Embedded:
    """A server that is up."""

    address: str
    pid: int

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        return cpu_seconds(self.pid)


def cpu_seconds(pid: int | None = None) -> float:
    """User and system time of a process so far; of this one unless told otherwise."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def embedded_server(
    settings: ServerSettings,
    logins: Logins,
    folder: Path,
    port: int = 0,
    db: str = ":memory:",
    more: tuple[str, ...] = (),
    secret: Mapping[str, str] | None = None,
) -> AsyncIterator[Embedded]:
    """Start a server on loopback and yield it when ready; it is stopped, or killed, at the end.

    `more` are further options, `secret` further variables of its environment.

    Raises UsageError with the server's own words if it does not become ready.
    """
    written = folder / "server.json"
    written.write_text(json.dumps(dataclasses.asdict(settings)), encoding="utf-8")
    command = [sys.executable, "-m", "agent_sim.cli.main", "serve", "--port", str(port), "--db", db]
    command += ["--settings", str(written), "--sim-api", "--exit-with-parent", *more]
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**clear(os.environ), **logins.environment(), **(secret or {})},
            start_new_session=True,  # Ctrl-C is for us: the server outlives it until the report is written
        )
        try:
            address = await _address(process)
            if address is None:
                said = await asyncio.to_thread((folder / "server.log").read_text, "utf-8", "replace")
                raise UsageError(f"the embedded server did not start: {_last_line(said)}")
            yield Embedded(address, process.pid)
        finally:
            await _stop(process)


def ca_file(scenario: Scenario, folder: Path) -> Path | None:
    """Where the embedded server leaves its authority's certificate; None if it needs none, speaking plain HTTP."""
    return folder / "ca.pem" if any(fleet.auth.kind == "client_cert" for fleet in scenario.fleets) else None


def options_for(scenario: Scenario, folder: Path) -> tuple[str, ...]:
    """What else the server is started with, for the ways in which the scenario's agents sign in."""
    oauth = ("--oauth",) if any(fleet.auth.kind == "bearer" for fleet in scenario.fleets) else ()
    authority = ca_file(scenario, folder)
    tls = () if authority is None else ("--tls", "self", "--client-ca", "own", "--ca-file", str(authority))
    return (*oauth, *tls)


async def _address(process: asyncio.subprocess.Process) -> str | None:
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)).decode()
    except TimeoutError:
        return None
    return line.split(_READY, 1)[1].strip() if _READY in line else None


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
