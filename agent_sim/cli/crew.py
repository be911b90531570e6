"""A fleet in several processes: the run's own has the agents whose number leaves no rest, the others have theirs.

Everybody plans the whole scenario, so composition and outcomes are those of one process. The run's process has the
operator, the storms and the journal; the others send it their journal lines, and it tells them what only the operator
knows. One that is lost (dead, silent or not to be understood) ends the run, and the verdict says so: a fleet never
shrinks in silence, and no server is blamed for it.

    to them    {"notify": MACHINE} {"learn": TYPE} {"stop": true}
    from them  journal lines, {"alive": true} every second, {"stopped": REASON, "refused": true} if the target suffers,
               and last {"over": CPU SECONDS}
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from agent_sim.cli.sign_in import Certificate
from agent_sim.errors import MalformedMessage, UsageError
from agent_sim.fleet.live import WallClock
from agent_sim.logins import Login, agent_variables, clear
from agent_sim.protocol.enums import JobType
from agent_sim.results import journal, journal_text
from agent_sim.scenario.plan import Plan
from agent_sim.transports.base import Connections, Target

_SHARD: Final = (sys.executable, "-m", "agent_sim.cli.shard")
_LINE_LIMIT: Final = 1 << 24
_START_SECONDS: Final = 120
_END_SECONDS: Final = 120
"""As long as it lives, and says so: what is under way ends within seconds, but a large fleet has much to put away."""

_LOOK_SECONDS: Final = 1
_PATIENCE: Final = 30
"""So many looks in a row at a process that said nothing, and it is lost. Looks and not seconds: if we were held up
ourselves, what it said meanwhile is there to be read."""
_PATIENCE_AT_FIRST: Final = 300
"""While it plans the fleet it says nothing."""


@dataclass(slots=True, eq=False)
class _Mate:
    """One of the other processes, and how it stands with it."""

    number: int
    process: asyncio.subprocess.Process
    patience: int
    following: "asyncio.Task[None] | None" = None
    silent: int = 0
    is_over: bool = False
    is_lost: bool = False

    async def listen(self) -> journal.Line | dict[str, Any] | None:
        """What it says next, None when that is all. Raises MalformedMessage."""
        assert self.process.stdout is not None
        try:
            raw = await self.process.stdout.readline()
            if not raw.endswith(b"\n"):
                return None  # killed, and be it in the middle of a line
            said = json.loads(raw)
            heard: journal.Line | dict[str, Any] = journal_text.decode(raw.decode()) if "event" in said else said
        except (ValueError, TypeError, RecursionError, UsageError) as error:  # not to be read, or a line too long
            raise MalformedMessage(f"said what is no line of a run ({error})") from error
        self.silent, self.patience = 0, _PATIENCE
        return heard

    def tell(self, message: Mapping[str, Any]) -> None:
        """Say it, if there is still somebody who hears."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


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
    command: Sequence[str] = _SHARD
    _mates: list[_Mate] = field(default_factory=list)
    _watching: "asyncio.Task[None] | None" = None
    _may_end: bool = False

    @property
    def mine(self) -> range:
        """The numbers of the agents of the run's own process."""
        return range(0, self.agents, self.processes)

    async def start(self) -> None:
        """Start the others, and wait until they can be told what to do. Raises UsageError."""
        for number in range(1, self.processes):
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    env={**clear(os.environ), **self._login()},
                    start_new_session=True,  # Ctrl-C is for us: they end when we say so
                    limit=_LINE_LIMIT,
                )
            except OSError as error:  # no room for one more
                raise self._not_started(number, error.strerror or str(error)) from error
            self._mates.append(_Mate(number, process, _PATIENCE_AT_FIRST))
        for mate in self._mates:
            await self._ready(mate)

    async def _ready(self, mate: _Mate) -> None:
        assert mate.process.stdout is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                if not await mate.process.stdout.readline():
                    raise self._not_started(mate.number, f"exit code {await mate.process.wait()}")
        except TimeoutError:
            raise self._not_started(mate.number, f"not ready within {_START_SECONDS} s") from None

    def _not_started(self, number: int, why: str) -> UsageError:
        return UsageError(f"{self._name(number)} did not start ({why}): ask for fewer --processes")

    def begin(self, order: Mapping[str, Any]) -> None:
        """Tell them what `shard` needs to know of the run."""
        for mate in self._mates:
            mate.tell({**order, "number": mate.number, "of": self.processes})

    def listen(self) -> None:
        """From now on what they say is heard, and noticed if they say nothing."""
        for mate in self._mates:
            mate.following = asyncio.create_task(self._follow(mate), name=f"process {mate.number}")
        self._watching = asyncio.create_task(self._watch(), name="silent processes")

    async def end(self) -> None:
        """Have them finish what is under way, and wait for it; whoever does not come to an end is lost."""
        self._may_end = True
        self.say({"stop": True})
        following = {mate.following: mate for mate in self._mates if mate.following is not None}
        if not following:
            return
        ended, others = await asyncio.wait(following, timeout=_END_SECONDS)
        for task in others:
            self._lose(following[task], f"did not end within {_END_SECONDS} s of being told to, and was killed")
        for task in ended:
            task.result()

    async def close(self) -> None:
        """End what is left."""
        for mate in self._mates:
            mate.kill()
        tasks = [task for task in (self._watching, *(mate.following for mate in self._mates)) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(mate.process.wait() for mate in self._mates))

    def notify(self, machine: str) -> None:
        """An agent of theirs should look for work."""
        self.say({"notify": machine})

    def learn(self, kind: JobType) -> None:
        """There is one more type of job."""
        self.say({"learn": asdict(kind)})

    def say(self, message: Mapping[str, Any]) -> None:
        """Tell all of them."""
        for mate in self._mates:
            mate.tell(message)

    def _login(self) -> dict[str, str]:
        return {} if self.login is None else agent_variables(self.login)

    def _name(self, number: int) -> str:
        return f"process {number + 1} of {self.processes}"

    # --- what becomes of them -----------------------------------------------------------------

    async def _follow(self, mate: _Mate) -> None:
        try:
            while (said := await mate.listen()) is not None:
                self._take(mate, said)
        except MalformedMessage as malformed:
            self._lose(mate, f"{malformed} and was killed")
        except Exception:  # in what hears it, as of a disk that is full; `end` raises it
            self._lose(mate, "is not heard any more")
            raise
        code = await mate.process.wait()
        if code or not mate.is_over:
            self._lose(mate, f"is gone (exit code {code})")
        elif not self._may_end:
            self._lose(mate, "ended before it was told to")

    def _take(self, mate: _Mate, said: journal.Line | dict[str, Any]) -> None:
        match said:
            case {"alive": True}:
                pass
            case {"stopped": str(why), "refused": bool(refused)}:
                self.stopped(why, refused)
            case {"over": float(seconds)}:
                self.cpu_seconds += seconds
                mate.is_over = True
            case dict():
                raise MalformedMessage(f"said what is no line of a run ({json.dumps(said)[:80]})")
            case line:
                self.hear(line)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for mate in self._mates:
                mate.silent += 1
                if mate.silent > mate.patience and not mate.is_over:
                    self._lose(mate, f"said nothing for {mate.patience} s (stopped, or it hangs) and was killed")

    def _lose(self, mate: _Mate, how: str) -> None:
        mate.kill()
        if not mate.is_lost:
            mate.is_lost = True
            mine = len(range(mate.number, self.agents, self.processes))
            self.lost(f"{self._name(mate.number)} {how}, and its {mine:,} of {self.agents:,} agents with it")


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

    Raises UsageError.
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
