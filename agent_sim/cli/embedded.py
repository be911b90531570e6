"""The embedded server as a process of its own, for as long as a run needs it."""

import asyncio
import dataclasses
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, Credentials
from agent_sim.errors import UsageError
from agent_sim.logins import clear
from agent_sim.scenario.models import Scenario
from agent_sim.settings import ServerSettings

SIGN_IN_LINK: Final = "--sign-in-link"
CONTROLS: Final = "--controls"
_LEAN: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_ARENA_MAX": "2"}
"""For glibc: what a password hash takes for a moment, 16 MB, goes back to the system and is not kept by each thread."""

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
    sign_in_link: str = ""  # opens the page, once; only if the server was started with SIGN_IN_LINK
    process: asyncio.subprocess.Process | None = None  # if it can be told lines and heard

    def say(self, line: str) -> None:
        """Tell it a line; one that has ended meanwhile hears nothing."""
        assert self.process is not None
        assert self.process.stdin is not None
        if not self.process.stdin.is_closing():
            self.process.stdin.write(f"{line}\n".encode())

    async def hear(self) -> str:
        """What it says next; empty when it has ended."""
        assert self.process is not None
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode()

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        return cpu_seconds(self.pid)


def cpu_seconds(pid: int | None = None) -> float:
    """User and system time of a process so far; of this one unless told otherwise."""
    if pid is None:
        return time.process_time()
    import psutil

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
    command = [sys.executable, "-m", "agent_sim.cli.serve", "--port", str(port), "--db", db]
    command += ["--settings", str(written), "--sim-api", "--exit-with-parent", *more]
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**_LEAN, **clear(os.environ), **logins.environment(), **(secret or {})},
            start_new_session=True,  # Ctrl-C is for us: the server outlives it until the report is written
        )
        try:
            address = await _address(process)
            if address is None:
                said = await asyncio.to_thread((folder / "server.log").read_text, "utf-8", "replace")
                raise UsageError(f"the embedded server did not start: {_last_line(said)}")
            link = await _next_line(process) if SIGN_IN_LINK in more else ""
            yield Embedded(address, process.pid, link.rpartition(": ")[2], process)
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
    line = await _next_line(process)
    return line.split(_READY, 1)[1] if _READY in line else None


async def _next_line(process: asyncio.subprocess.Process) -> str:
    """What the server says next; nothing if it says nothing for long."""
    assert process.stdout is not None
    try:
        return (await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)).decode().strip()
    except TimeoutError:
        return ""


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
