"""`agent-sim up`: server and fleet without storms, for somebody else's script or tests, until told to stop.

The fleet works and fails as the scenario says; what is thrown at the server is the caller's business. With a command
after `--` it lasts as long as that command, which finds addresses and credentials in its environment.
"""

import asyncio
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer

from agent_sim.cli import ways
from agent_sim.cli.brokers import BrokerInUse, own_broker
from agent_sim.cli.embedded import CONTROLS, SIGN_IN_LINK, Embedded, Logins, embedded_server, made_logins, options_for
from agent_sim.cli.library import scenario_file
from agent_sim.cli.live_run import LiveRun
from agent_sim.cli.past import database
from agent_sim.cli.progress import Progress
from agent_sim.cli.reach import scaled
from agent_sim.cli.shown import shown, toured
from agent_sim.cli.sign_in import has_certificates
from agent_sim.cli.storm_process import StormProcess
from agent_sim.cli.told import told_to_stop
from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, append_private, find
from agent_sim.errors import TargetError, UsageError
from agent_sim.fleet.live import WallClock
from agent_sim.instants import NEVER, SECOND
from agent_sim.results import journal
from agent_sim.scenario.load import Overrides, dump, load, overrides
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import Plan, plan
from agent_sim.storms.plan import StormPlan
from agent_sim.transports.aiohttp_pool import HttpSession
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import HttpCommand

API_URL: Final = "AGENT_SIM_API_URL"
AGENTS_URL: Final = "AGENT_SIM_AGENTS_URL"
"""Where a command finds the two addresses, beside the variables of `credentials`."""

_READY_SECONDS: Final = 60
_CHILD_SECONDS: Final = 10
_LEAD: Final = SECOND // 10
_OPERATOR_CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    scenario: str
    overrides: Overrides
    credentials: Path | None
    port: int
    db: str
    json: bool
    exit_with_parent: bool
    command: tuple[str, ...]
    is_shown: bool = False  # with its page: a link to it, and buttons there for faults and storms
    tour: bool = False
    time_scale: float = 1.0


def up(
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the name of one that comes with agent-sim.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="Run this, then stop with its exit code.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of the scenario.")] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces the scenario's seed.")] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="File (mode 0600) to take user names and passwords from, or to write fresh ones to if it is not"
            " there; unless given, a file that is removed in the end."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the server; 0 picks one.")] = 0,
    db: Annotated[str, typer.Option(help="Database file of the server.")] = ":memory:",
    json_: Annotated[bool, typer.Option("--json", help="Say what is up as one line of JSON.")] = False,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Start the server and a fleet that works and fails, without storms, and stay until told to stop.

    Prints the address of the management API and the file with its credentials, for a script or service to be tried
    against. With a command after `--`, that command runs with both in its environment (AGENT_SIM_API_URL,
    AGENT_SIM_USERNAME, AGENT_SIM_PASSWORD and so on), and its exit code is the result.
    """
    given = overrides(profile, param or (), set_ or (), seed)
    options = Options(scenario, given, credentials, port, db, json_, exit_with_parent, tuple(command or ()))
    raise typer.Exit(asyncio.run(brought_up(options)))


async def brought_up(options: Options) -> int:
    """Start everything, stay, stop everything; returns the exit code. Raises UsageError and TargetError."""
    if options.command and shutil.which(options.command[0]) is None:
        raise UsageError(f"cannot run {options.command[0]}: no such command")
    scenario = load(scenario_file(options.scenario), options.overrides, seed=secrets.randbelow(2**31))
    if has_certificates(scenario):
        raise UsageError(f"{options.scenario}: agents that sign in by certificate are for agent-sim run")
    limits = _connections(scenario)
    outline = plan(scenario, 0)
    ways.check(outline, limits, "127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="agent-sim-up-") as made:
        folder = Path(made)
        file = options.credentials or folder / "credentials"
        logins = _logins(file)
        async with AsyncExitStack() as stack:
            wants_broker = any(member.wire == "mqtt" for member in outline.members)
            broker = await stack.enter_async_context(own_broker(logins.agent, folder)) if wants_broker else None
            more, secret = (broker.options, broker.environment()) if broker is not None else ((), {})
            link = (SIGN_IN_LINK, CONTROLS) if options.is_shown else ()
            db = await database(scenario, folder, options.db, logins.agent.username, quiet=options.json)
            more = (*options_for(scenario, folder), *more, *link)
            if scenario.oig is not None:
                (folder / "scenario.yaml").write_text(dump(scenario), encoding="utf-8")
                more = (*more, "--tasks", str(folder / "scenario.yaml"))
            settings = scaled(outline.server, options.time_scale)
            starting = embedded_server(settings, logins, folder, options.port, db, more, secret)
            server = await stack.enter_async_context(starting)
            fleet = await stack.enter_async_context(
                _fleet(scenario, server, logins, limits, broker, options.time_scale)
            )
            if options.is_shown:
                lasting = shown(scenario, fleet.live, server, logins, folder)
                board = await stack.enter_async_context(lasting)
                if options.tour:
                    await stack.enter_async_context(toured(board, fleet.ready))
            return await _stay(options, fleet, _facts(scenario, server, file), logins)


def _connections(scenario: Scenario) -> Connections:
    said = plan(scenario, 0).transport
    mode = "shared" if said.mode == "auto" else said.mode
    return Connections(mode, said.limit, said.connect_timeout, said.request_timeout)


def _logins(file: Path) -> Logins:
    """The ones in that file; what it lacks is made up and added to it. Raises UsageError."""
    made = made_logins()
    found: list[str] = []
    pairs = []
    for names, fresh in ((OPERATOR_NAMES, made.operator), (AGENT_NAMES, made.agent)):
        held = find(names, {}, file)
        pairs.append(held or fresh)
        if held is None:
            found += [f"{names[0]}={fresh.username}\n", f"{names[1]}={fresh.password}\n"]
    if found:
        append_private(file, "".join(found), "credential file")
    return Logins(*pairs)


# --- the fleet --------------------------------------------------------------------------------


class _Roll(Progress):
    """Says nothing; notes when everybody who comes at once is there, and who came."""

    def __init__(self, planned: Plan) -> None:
        super().__init__(planned.name, len(planned.members), 0.0, lambda: 0.0)
        self.complete = asyncio.Event()
        self._missing = {member.identity.machine for member in planned.members if member.online <= planned.start}
        self._look()

    def second(self) -> None:
        """No line every few seconds: this may stay for days."""

    def observe(self, line: journal.Line) -> None:
        if isinstance(line, journal.AgentRegistered):
            self._missing.discard(line.agent)
            self._look()

    def _look(self) -> None:
        if not self._missing:
            self.complete.set()


@dataclass(frozen=True, slots=True)
class _Fleet:
    """A fleet at work; `running` ends only if something is wrong."""

    live: LiveRun
    roll: _Roll
    running: "asyncio.Task[None]"
    server: Embedded

    async def ready(self) -> None:
        """Wait until everybody who comes at once is registered, or the run is over."""
        complete = asyncio.create_task(self.roll.complete.wait())
        await asyncio.wait({complete, self.running}, timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        complete.cancel()
        if self.running.done():
            self.check()
        if not self.roll.complete.is_set():
            raise TargetError(f"the agents did not all register within {_READY_SECONDS} s")

    def check(self) -> None:
        """Raise what ended the run by itself."""
        self.running.result()
        raise TargetError(f"the fleet stopped by itself: {self.live.reason}")

    async def gone(self) -> None:
        """Return when the server's process is no longer there."""
        while psutil.pid_exists(self.server.pid):  # noqa: ASYNC110  # another process's end sets no event here
            await asyncio.sleep(0.5)


@asynccontextmanager
async def _fleet(
    scenario: Scenario,
    server: Embedded,
    logins: Logins,
    limits: Connections,
    broker: BrokerInUse | None,
    time_scale: float,
) -> AsyncIterator[_Fleet]:
    clock, target = WallClock(time_scale), Target.at(server.address)
    async with AsyncExitStack() as stack:
        ours = replace(limits, mode="shared", limit=_OPERATOR_CONNECTIONS)
        api = HttpCommand(await stack.enter_async_context(HttpSession(target, logins.operator, ours)), target)
        planned = _endless(scenario, clock)
        opening = ways.opened(planned, target, logins.agent, limits, broker, None, clock())
        roll = _Roll(planned)
        live = LiveRun(
            plan=planned,
            ways=await stack.enter_async_context(opening),
            api=api,
            storm_process=_no_storm,
            record=lambda line: None,
            progress=roll,
            clock=clock,
            drain=0,
        )
        running = asyncio.create_task(live.run(), name="fleet")
        try:
            yield _Fleet(live, roll, running, server)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def _endless(scenario: Scenario, clock: WallClock) -> Plan:
    """The plan without storms, going on for ever: what is posted `every` so often goes on too."""
    stop = scenario.stop.model_copy(update={"after": NEVER})
    return replace(plan(scenario.model_copy(update={"stop": stop}), clock() + round(_LEAD * clock.scale)), storms=())


def _no_storm(storm: StormPlan) -> StormProcess:
    raise AssertionError("there are no storms here")


# --- until it ends ----------------------------------------------------------------------------


def _facts(scenario: Scenario, server: Embedded, file: Path) -> dict[str, str | int]:
    target = Target.at(server.address)
    facts: dict[str, str | int] = {
        "scenario": scenario.name,
        "seed": scenario.seed,
        "agents": sum(fleet.count for fleet in scenario.fleets),
        "api_url": target.api_url,
        "agents_url": target.agents_url,
        "credentials": str(file.resolve()),
    }
    return facts | ({"sign_in_link": server.sign_in_link} if server.sign_in_link else {})


async def _stay(options: Options, fleet: _Fleet, facts: Mapping[str, str | int], logins: Logins) -> int:
    with told_to_stop(exit_with_parent=options.exit_with_parent) as stop:
        stopping = asyncio.create_task(stop.wait())
        gone = asyncio.create_task(fleet.gone())
        work = asyncio.create_task(_work(options, fleet, facts, logins))
        await asyncio.wait({stopping, gone, work, fleet.running}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        for task in (stopping, gone):
            task.cancel()
        if stop.is_set():
            return 0
        if gone.done() and not gone.cancelled():
            raise TargetError("the embedded server has ended")
        if fleet.running.done():
            fleet.check()
        return work.result()


async def _work(options: Options, fleet: _Fleet, facts: Mapping[str, str | int], logins: Logins) -> int:
    """Say what is up, then run the command, or wait for ever."""
    await fleet.ready()
    typer.echo(json.dumps(facts) if options.json else _told(facts), err=bool(options.command))
    if options.command:
        return await _run(options.command, facts, logins)
    await asyncio.get_running_loop().create_future()
    return 0


def _told(facts: Mapping[str, str | int]) -> str:
    link = f"the page        {facts['sign_in_link']} (signs you in once)\n" if "sign_in_link" in facts else ""
    return (
        f"{facts['scenario']} is up: {facts['agents']:,} agents, seed {facts['seed']}\n"
        f"management API  {facts['api_url']}\n"
        f"agents' wire    {facts['agents_url']}\n"
        f"credentials     {facts['credentials']} (mode 0600)\n"
        f"{link}Ctrl-C stops it"
    )


async def _run(command: tuple[str, ...], facts: Mapping[str, str | int], logins: Logins) -> int:
    addresses = {API_URL: str(facts["api_url"]), AGENTS_URL: str(facts["agents_url"])}
    try:
        process = await asyncio.create_subprocess_exec(*command, env=os.environ | logins.environment() | addresses)
    except OSError as error:  # such as a script without its first line
        raise UsageError(f"cannot run {command[0]}: {error.strerror}") from error
    try:
        code = await process.wait()
    finally:
        await _end(process)
    return code if code >= 0 else 128 - code


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _CHILD_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
