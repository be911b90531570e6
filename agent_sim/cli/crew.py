"""A fleet in several processes: the run's own has the agents whose number leaves no rest, the others have theirs.

Everybody plans the whole scenario, so composition and outcomes are those of one process. The run's process has the
operator, the storms and the journal; the others send it their journal lines, and it tells them what only the operator
knows. One that is lost ends the run, and the verdict says so: a fleet never shrinks in silence.

    to them    {"notify": MACHINE} {"learn": TYPE} {"stop": true}
    from them  journal lines, {"stopped": REASON, "refused": true} if the target suffers, and last {"over": CPU SECONDS}
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from agent_sim.cli.sign_in import Certificate
from agent_sim.errors import AgentSimError, UsageError
from agent_sim.fleet.live import WallClock
from agent_sim.logins import Login, agent_variables, clear
from agent_sim.protocol.enums import JobType
from agent_sim.results import journal, journal_text
from agent_sim.scenario.plan import Plan
from agent_sim.transports.base import Connections, Target

_LINE_LIMIT: Final = 1 << 24
_START_SECONDS: Final = 120
_END_SECONDS: Final = 30


@dataclass(slots=True)
class Crew:
    """The other processes of a run; `processes` counts them all. `start`, `begin`, `listen`, `end`, and last `close`.

    `hear` is told of each journal line of theirs, `lost` why one is gone,
    `stopped` why one would end the run and whether the target refused it.
    """

    processes: int
    login: Login | None
    agents: int
    hear: Callable[[journal.Line], None] = field(default=lambda line: None)
    lost: Callable[[str], None] = field(default=lambda why: None)
    stopped: Callable[[str, bool], None] = field(default=lambda why, refused: None)
    cpu_seconds: float = 0.0
    _running: list[asyncio.subprocess.Process] = field(default_factory=list)
    _following: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def mine(self) -> range:
        """The numbers of the agents of the run's own process."""
        return range(0, self.agents, self.processes)

    async def start(self) -> None:
        """Start the others, and wait until they can be told what to do. Raises AgentSimError."""
        for _ in range(1, self.processes):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "agent_sim.cli.shard",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**clear(os.environ), **self._login()},
                start_new_session=True,  # Ctrl-C is for us: they end when we say so
                limit=_LINE_LIMIT,
            )
            self._running.append(process)
        for number, process in enumerate(self._running, 1):
            assert process.stdout is not None
            if not await asyncio.wait_for(process.stdout.readline(), _START_SECONDS):
                raise AgentSimError(f"process {number + 1} of {self.processes} did not start")

    def begin(self, order: Mapping[str, Any]) -> None:
        """Tell them what `shard` needs to know of the run."""
        for number, process in enumerate(self._running, 1):
            self._say(process, {**order, "number": number, "of": self.processes})

    def listen(self) -> None:
        """From now on what they say is heard."""
        for number, process in enumerate(self._running, 1):
            self._following.append(asyncio.create_task(self._follow(number, process), name=f"process {number}"))

    async def end(self) -> None:
        """Have them finish what is under way, and wait for it; whoever does not come to an end is ended."""
        self.say({"stop": True})
        if self._following:
            await asyncio.wait(self._following, timeout=_END_SECONDS)

    async def close(self) -> None:
        """End what is left."""
        for process in self._running:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await asyncio.gather(*(process.wait() for process in self._running))

    def notify(self, machine: str) -> None:
        """An agent of theirs should look for work."""
        self.say({"notify": machine})

    def learn(self, kind: JobType) -> None:
        """There is one more type of job."""
        self.say({"learn": asdict(kind)})

    def say(self, message: Mapping[str, Any]) -> None:
        """Tell all of them."""
        for process in self._running:
            self._say(process, message)

    def _say(self, process: asyncio.subprocess.Process, message: Mapping[str, Any]) -> None:
        if process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(message).encode() + b"\n")

    def _login(self) -> dict[str, str]:
        return {} if self.login is None else agent_variables(self.login)

    async def _follow(self, number: int, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        is_over = False
        async for raw in process.stdout:
            said = json.loads(raw)
            if "event" in said:
                self.hear(journal_text.decode(raw.decode()))
            elif "stopped" in said:
                self.stopped(str(said["stopped"]), bool(said["refused"]))
            else:
                self.cpu_seconds += float(said["over"])
                is_over = True
        code = await process.wait()
        if not is_over or code:
            mine = len(range(number, self.agents, self.processes))
            of = f"process {number + 1} of {self.processes}"
            self.lost(f"{of} is gone (exit code {code}), and its {mine:,} of {self.agents:,} agents with it")


# --- from the command line ---------------------------------------------------------------------


def refuse_what_needs_one_process(planned: Plan) -> None:
    """Raise UsageError for what the processes of a fleet would have to agree on."""
    if any(member.wire == "mqtt" for member in planned.members):
        raise UsageError(
            "--processes: agents over MQTT need one process, for they share connections to the broker;"
            " leave the option out"
        )


async def crew_of(processes: int, login: Login | None, agents: int, stack: AsyncExitStack) -> Crew | None:
    """The other processes of the fleet, up and waiting, ended with the stack; None if one is enough.

    Raises AgentSimError.
    """
    if processes == 1:
        return None
    crew = Crew(processes, login, agents)
    stack.push_async_callback(crew.close)
    await crew.start()
    return crew


def order(
    scenario: Path,
    planned: Plan,
    target: Target,
    limits: Connections,
    clock: WallClock,
    state: Path | None,
    certificate: Certificate | None,
) -> Mapping[str, Any]:
    """What `shard` is told of a run; connections are each process's own."""
    return {
        "scenario": str(scenario),
        "start": planned.start,
        "state": None if state is None else str(state),
        "certificate": None if certificate is None else _paths(certificate.certificate, certificate.key),
        "target": {**asdict(target), "ca": None if target.ca is None else str(target.ca)},
        "connections": asdict(limits),
        "scale": clock.scale,
        "began": clock.began,
    }


def _paths(*paths: Path | None) -> list[str | None]:
    return [None if path is None else str(path) for path in paths]
