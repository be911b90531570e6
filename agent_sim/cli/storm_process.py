"""One storm as a Locust process of its own, started from a plan and watched until its result is there."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from agent_sim.cli.library import storm_file
from agent_sim.logins import clear
from agent_sim.results.plain import JsonObject
from agent_sim.storms import plan as storms
from agent_sim.storms import trail as trails
from agent_sim.storms.oig import OIG_OPERATIONS
from agent_sim.storms.trail import NO_TRAIL, Trail
from agent_sim.transports.base import Target

_PROGRESS: Final = "progress "
_LINE_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class StormEnd:
    """How a storm's process ended; `result` is None if it left none."""

    exit_code: int
    result: JsonObject | None
    said: tuple[str, ...] = ()
    trail: Trail = NO_TRAIL


@dataclass(slots=True)
class StormProcess:
    """A storm under way."""

    plan: storms.StormPlan
    target: Target
    folder: Path
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()
    on_progress: Callable[[JsonObject], None] = lambda _: None
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def run(self) -> StormEnd:
        """Start it, follow it, and read what it left."""
        name = self.plan.name
        plan, result = self.folder / f"storm-{name}.plan.json", self.folder / f"storm-{name}.json"
        plan.write_text(storms.to_json(self.plan), encoding="utf-8")
        root, path = _split(self.target.oig_url if self.plan.operation in OIG_OPERATIONS else self.target.api_url)
        command = [sys.executable, "-m", "locust", "-f", str(storm_file()), "--headless", "--host", root]
        command += ["--plan", str(plan), "--result", str(result), "--api-path", path]
        command += ["--csv", str(self.folder / f"storm-{name}"), *self.options]
        if self.target.ca is not None:
            command += ["--ca", str(self.target.ca)]
        with (self.folder / f"storm-{name}.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**clear(os.environ), **self.environment},
                start_new_session=True,
                limit=_LINE_LIMIT,
            )
            said = await self._follow(self._process)
            code = await self._process.wait()
        return StormEnd(code, _read(result), tuple(said[-5:]), _trail(result))

    def interrupt(self) -> None:
        """Ask it to stop, reconcile and write its result."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it now; its result is lost."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _follow(self, process: asyncio.subprocess.Process) -> list[str]:
        assert process.stdout is not None
        said: list[str] = []
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if line.startswith(_PROGRESS):
                self.on_progress(cast(JsonObject, json.loads(line.removeprefix(_PROGRESS))))
            elif line:
                said.append(line)
        return said


def _split(api_url: str) -> tuple[str, str]:
    """An API's base as Locust is told it: the host's address, and the path on it."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"


def _trail(result: Path) -> Trail:
    try:
        return trails.from_json(result.with_suffix(".trail.json").read_bytes())
    except OSError:
        return NO_TRAIL


def _read(path: Path) -> JsonObject | None:
    try:
        return cast(JsonObject, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
