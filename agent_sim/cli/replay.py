"""`agent-sim replay`: a scenario in virtual time, in this process, and the verdict: a day of fleet life in seconds.

The same agents and operator as in a live run, against the same server core, by function calls. Here they are
introduced to each other; what happens is in `fleet.replay`. The journal depends on scenario, seed and start alone.
"""

import contextlib
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from agent_sim.cli.folder import JournalFile, RunFolder
from agent_sim.cli.library import SCENARIO, scenario_file
from agent_sim.cli.oig_tasks import ScenarioTasks
from agent_sim.cli.report import report, say_as
from agent_sim.cli.showing import AsJson, Inconclusive, Quiet
from agent_sim.draws import guid, key
from agent_sim.errors import UsageError
from agent_sim.fleet.oig_replay import OigBackend
from agent_sim.fleet.replay import NOTHING, Backend, Replay
from agent_sim.instants import DAY, NEVER, SECOND, Instant, from_iso, to_iso
from agent_sim.logins import AGENT_ACCOUNT
from agent_sim.operator.readback import Mark, mark
from agent_sim.protocol import command
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.results import journal
from agent_sim.scenario.history import History
from agent_sim.scenario.load import Overrides, dump, load, overrides
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.past import past
from agent_sim.scenario.plan import Plan, plan
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING, Caller
from agent_sim.server.core import Server
from agent_sim.server.oig import OigServer
from agent_sim.server.store import SqliteStore
from agent_sim.settings import ServerSettings

START: Final = "2026-01-01T00:00:00Z"
"""When a replay begins unless told otherwise: a Thursday, midnight (our choice)."""

DEFAULT_SEED: Final = 0
"""The seed of a scenario without one (our choice): a replay makes nothing up, or it would not be one."""

IDS: Final = "ids of the server"

_EARLIEST: Final = from_iso("1971-01-01T00:00:00Z")
_LATEST: Final = from_iso("2200-01-01T00:00:00Z")
_TELL_EVERY: Final = 2.0


def replay(
    scenario: Annotated[str, SCENARIO],
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of the scenario.")] = None,
    seed: Annotated[
        int | None, typer.Option(help=f"Replaces the scenario's seed; without one it is {DEFAULT_SEED}.")
    ] = None,
    start: Annotated[str, typer.Option(metavar="TIME", help="When it begins, in virtual time.")] = START,
    runs: Annotated[Path, typer.Option(help="Where the run's folder goes.")] = Path("runs"),
    inconclusive: Inconclusive = None,
    json_: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a scenario in virtual time and give a verdict: 0 all checks hold, 1 broken, 2 usage, 3 inconclusive.

    Agents, operator, storms and server are those of a live run, without sockets or waiting. The same scenario, seed
    and start give the same journal, byte for byte; the last line is the digest of what the agents' jobs came to. A
    past that the scenario has (history) is made up before --start: journal and digest are of the run alone.
    """
    begin = _instant(start)
    chosen = _load(scenario_file(scenario), overrides(profile, param or (), set_ or (), seed))
    folder = RunFolder(runs, chosen.name)
    folder.write("scenario.resolved.yaml", dump(chosen))
    planned, before = plan(chosen, begin), time.process_time()
    _replay(planned, chosen, folder, is_quiet=quiet)
    used = {"replay_cpu_seconds": f"{time.process_time() - before:.2f}"}
    again = shlex.join(["agent-sim", *sys.argv[1:]])
    tell = say_as("replay") if json_ else None
    summary, code = report(folder, chosen, again, used, inconclusive, tell=tell)
    if not json_:
        typer.echo(f"outcome digest: {summary.outcome_digest}")
    raise typer.Exit(code)


def _instant(text: str) -> Instant:
    try:
        instant = from_iso(text)
    except ValueError:
        raise UsageError(f"--start {text!r} must be a time such as {START}") from None
    if not _EARLIEST <= instant <= _LATEST:
        raise UsageError(f"--start {text!r} must lie between the years 1971 and 2200")
    return instant


def _load(path: Path, given: Overrides) -> Scenario:
    scenario = load(path, given, seed=DEFAULT_SEED)
    if scenario.length == NEVER:
        raise UsageError(
            f"{path}: the scenario never ends (stop.after: never), and a replay would not either;"
            " give it an end with --set stop.after=24h"
        )
    return scenario


# --- the run ----------------------------------------------------------------------------------


def _replay(planned: Plan, chosen: Scenario, folder: RunFolder, *, is_quiet: bool) -> None:
    with (
        JournalFile(folder.path / "journal.jsonl") as written,
        contextlib.closing(SqliteStore.open(":memory:")) as store,
    ):
        watch = _Watch(planned)

        def record(line: journal.Line) -> None:
            written.write(line)
            if not is_quiet:
                watch.observe(line)
            if isinstance(line, journal.StormEnded):
                folder.write(f"storm-{line.storm}.json", json.dumps(line.result, indent=1) + "\n")

        before = NOTHING
        if chosen.history is not None:
            before = backfilled(store, chosen, chosen.history, planned.start).mark
        record(opening(planned))
        run = Replay(planned, whole_backend(store, planned), record, chosen.stop.drain, before)
        with _interrupts(run.interrupt):
            run.run()


@dataclass(frozen=True, slots=True)
class Backfilled:
    """A past that is made up: how many runs it holds, and the mark behind it."""

    runs: int
    mark: Mark


def backfilled(
    store: SqliteStore,
    scenario: Scenario,
    history: History,
    end: Instant,
    account: str = AGENT_ACCOUNT,
    tell: Callable[[float, int], None] = lambda days, runs: None,
) -> Backfilled:
    """Make up the scenario's past until `end`, in a database that has none yet; of its work nothing is left to do.

    `tell` hears now and then how many days have passed, and how many runs there are.
    """
    planned = past(scenario, history, end)
    ended = 0

    def count(line: journal.Line) -> None:
        nonlocal ended
        ended += isinstance(line, journal.JobCompleted)
        if isinstance(line, journal.Traffic):
            tell(line.t * SECOND / DAY, ended)

    server = backend(store, planned.server, planned.seed, "ids of the history", account)
    Replay(planned, server, count, 0).pass_by()
    # Whatever is still in process then never ends, and what still waits belongs to nobody in the run to come.
    impatient = replace(planned.server, job_timeout=1)
    backend(store, impatient, planned.seed, "ids of the end", account).sweep(end)
    store.run("jobs_close", {})
    store.commit()
    return Backfilled(ended, _drive(mark(planned.operator.prefix), server, end))


def _drive(reading: Generator[command.Operation, command.CommandReply, Mark], server: Backend, now: Instant) -> Mark:
    """What a reading comes to, all at one instant."""
    operation = next(reading)
    while True:
        try:
            operation = reading.send(server.command(operation, now))
        except StopIteration as ended:
            return cast(Mark, ended.value)


def opening(planned: Plan) -> journal.RunStarted:
    """The journal's first line; nothing in it depends on the machine."""
    return journal.RunStarted(
        0.0,
        scenario=planned.name,
        seed=planned.seed,
        target="the embedded server in virtual time",
        embedded=True,
        agents=len(planned.members),
        prefix=planned.operator.prefix,
        started_at=to_iso(planned.start),
        version=version("agent-sim"),
        connections="none",
    )


def whole_backend(store: SqliteStore, planned: Plan) -> Backend:
    """The embedded server with all targets that the plan needs."""
    command_side = backend(store, planned.server, planned.seed)
    if planned.oig is None:
        return command_side
    scheduler = OigServer(store, planned.server, ScenarioTasks(planned.oig.tasks))
    operator = Caller("operator", EVERYTHING)
    side = OigBackend(
        lambda operation, now: scheduler.handle(operation, operator, now), scheduler.wake, scheduler.next_wake
    )
    return replace(command_side, oig=side)


def backend(
    store: SqliteStore, settings: ServerSettings, seed: int, ids: str = IDS, account: str = AGENT_ACCOUNT
) -> Backend:
    """The embedded server over a database, behind the three functions that a replay knows.

    `ids` tells its ids from those of another one with the same seed; `account` is who the agents sign in as.
    """
    server = Server(store, replace(settings, sim_api=True), KeyedMint(seed, ids))
    agent, operator = Caller(account, frozenset({AGENT_SESSION})), Caller("operator", EVERYTHING)

    def agents(request: AgentRequest, now: Instant) -> AgentReply:
        return server.handle(request, agent, now)

    def management(operation: command.Operation, now: Instant) -> command.CommandReply:
        return server.handle(operation, operator, now)

    def sweep(now: Instant) -> Instant:
        wanted = server.sweep(now)
        store.commit()  # nobody waits for it: it only keeps the open transaction from growing
        return wanted

    return Backend(agents, management, sweep)


class KeyedMint:
    """Ids that the seed settles: the n-th is always the same."""

    def __init__(self, seed: int, ids: str = IDS) -> None:
        self._key = key(seed, ids)
        self._minted = 0

    def guid(self) -> str:
        self._minted += 1
        return guid(self._key, self._minted)


class _Watch:
    """Tells a person how far a long replay has come, every few seconds of theirs."""

    def __init__(self, planned: Plan) -> None:
        self._seconds = (planned.stop - planned.start) / SECOND
        self._done = 0
        self._said = time.monotonic()

    def observe(self, line: journal.Line) -> None:
        """Count a line; those of traffic come in regularly."""
        self._done += isinstance(line, journal.JobCompleted)
        if isinstance(line, journal.Traffic) and time.monotonic() - self._said >= _TELL_EVERY:
            self._said = time.monotonic()
            sys.stderr.write(f"{line.t:,.0f} of {self._seconds:,.0f} s of virtual time, {self._done:,} jobs done\n")


@contextlib.contextmanager
def _interrupts(interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in good order; a second one ends it at once."""
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def first(number: int, _: object) -> None:
        signal.signal(number, before[number])
        interrupt()

    for number in before:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
