"""`agent-sim run`: a scenario live, against the embedded server or any other, and the verdict."""

import asyncio
import secrets
import shlex
import signal
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from agent_sim.cli import identities, ways
from agent_sim.cli.crew import crew_of, order
from agent_sim.cli.embedded import cpu_seconds
from agent_sim.cli.folder import JournalFile, RunFolder
from agent_sim.cli.library import SCENARIO, scenario_file
from agent_sim.cli.live_run import LiveRun
from agent_sim.cli.loops import run_fast
from agent_sim.cli.mqtt_options import MqttOptions
from agent_sim.cli.preflight import check_scheduler, check_target
from agent_sim.cli.progress import Progress
from agent_sim.cli.reach import (
    Options,
    Outline,
    Reached,
    guarded,
    outlined,
    reach,
    refuse_what_has_its_own_time,
    refuse_what_no_target_takes,
)
from agent_sim.cli.showing import AsJson, Inconclusive, MetricsPort, Otel, Quiet, Showing
from agent_sim.cli.sign_in import Certificate, Parties, api_over, session_for, signed
from agent_sim.cli.storm_process import StormProcess
from agent_sim.cli.targets import drive
from agent_sim.cli.telemetry import telling
from agent_sim.credentials import AGENT_NAMES
from agent_sim.errors import TargetError, TransportError, UsageError
from agent_sim.fleet.live import WallClock
from agent_sim.instants import SECOND, to_iso
from agent_sim.logins import variables
from agent_sim.protocol.mqtt_commands import GetMqtt, MqttState
from agent_sim.results import journal
from agent_sim.results.tally import Tally
from agent_sim.scenario.load import dump, load, overrides
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import Plan, plan
from agent_sim.storms.plan import StormPlan
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import HttpCommand, HttpOig
from agent_sim.transports.limits import MOST_PROCESSES

_OPERATOR_CONNECTIONS = 32

_LEAD = SECOND // 2
"""Between the plan and its first moment: time to put the cast on the stage."""


def run(
    scenario: Annotated[str, SCENARIO],
    target: Annotated[
        str | None, typer.Option(help="Address of a server; without it, an embedded one is started.")
    ] = None,
    api_url: Annotated[str | None, typer.Option(help="Base of the management API, if not TARGET/KeyfactorAPI.")] = None,
    agents_url: Annotated[
        str | None, typer.Option(help="Base of the agents' wire, if not TARGET/KeyfactorAgents.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of certificates that TLS trusts as well.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="File (mode 0600) with AGENT_SIM_USERNAME=... and so on; else the environment.")
    ] = None,
    i_own_this_target: Annotated[
        str | None, typer.Option(metavar="HOST", help="Needed for storms, approvals or more than 10 agents elsewhere.")
    ] = None,
    certificate_id: Annotated[
        int | None, typer.Option(min=1, help="The target's certificate that Management adds; else it only removes.")
    ] = None,
    client_cert: Annotated[
        Path | None, typer.Option(help="PEM file: the certificate of agents with auth client_cert; else they enrol.")
    ] = None,
    client_key: Annotated[Path | None, typer.Option(help="Its key (PEM), if that is not in the same file.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="File that keeps the agents' ids between runs; unless given, one of the target in RUNS."),
    ] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of the scenario.")] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces the scenario's seed.")] = None,
    runs: Annotated[Path, typer.Option(help="Where the run's folder goes.")] = Path("runs"),
    db: Annotated[str, typer.Option(help="Database file of the embedded server.")] = ":memory:",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the embedded server; 0 picks one.")] = 0,
    inconclusive: Inconclusive = None,
    json_: AsJson = False,
    quiet: Quiet = False,
    metrics_port: MetricsPort = None,
    otel: Otel = False,
    time_scale: Annotated[
        float,
        typer.Option(min=0.01, max=1000, help="Seconds of the scenario in one of the wall; embedded server only."),
    ] = 1.0,
    transport: Annotated[
        Literal["http", "mqtt"] | None,
        typer.Option(help="How agents reach the server, unless their fleet says; a broker is started if need be."),
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Use this broker: mqtt://HOST:PORT/TOPIC-PREFIX or mqtts://...; agents sign in as"
            " AGENT_SIM_AGENT_USERNAME, the embedded server as AGENT_SIM_MQTT_USERNAME.",
        ),
    ] = None,
    mqtt_ca: Annotated[
        Path | None, typer.Option(help="PEM file of authorities that TLS to the broker trusts as well.")
    ] = None,
    mqtt_cert: Annotated[Path | None, typer.Option(help="Our client certificate for the broker (PEM).")] = None,
    mqtt_key: Annotated[Path | None, typer.Option(help="The key of --mqtt-cert (PEM, no passphrase).")] = None,
    mqtt_version: Annotated[Literal["5", "3.1.1"], typer.Option(help="The version of MQTT to speak.")] = "5",
    http_client: Annotated[
        Literal["fast", "aiohttp"],
        typer.Option(help="Carries agents with Basic authentication or none; aiohttp costs more."),
    ] = "fast",
    processes: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_PROCESSES, help="Share the fleet out to so many processes; outcomes stay the same."
        ),
    ] = 1,
    foreign: Annotated[list[str] | None, typer.Option(hidden=True, help="Hosts to protect as if not ours.")] = None,
) -> None:
    """Run a scenario and give a verdict: 0 all checks hold, 1 broken, 2 usage, 3 inconclusive, 4 target."""
    wire = [] if transport is None else [f"transport.kind={transport}"]
    given = overrides(profile, param or (), (*(set_ or ()), *wire), seed)
    if client_key is not None and client_cert is None:
        raise UsageError("--client-key needs --client-cert: say whose key it is")
    certificate = None if client_cert is None else Certificate(client_cert, client_key)
    options = Options(
        scenario, given, target, api_url, agents_url, ca, credentials, i_own_this_target, certificate_id,
        certificate, state, tuple(foreign or ()), runs, db, port,
        Showing(json_, quiet, metrics_port, otel), inconclusive, time_scale,
        MqttOptions(mqtt, mqtt_ca, mqtt_cert, mqtt_key, mqtt_version), http_client, processes,
    )  # fmt: skip  # one line per option would fill a screen
    raise typer.Exit(run_fast(_run(options)))


async def _run(options: Options) -> int:
    path = scenario_file(options.scenario)
    scenario = load(path, options.overrides, seed=secrets.randbelow(2**31))
    refuse_what_no_target_takes(options)
    refuse_what_has_its_own_time(options, scenario)
    approve = guarded(options, scenario)
    outline = outlined(options, scenario)
    tls = options.mqtt.tls()
    folder = RunFolder(options.runs, scenario.name)
    folder.write("scenario.resolved.yaml", dump(scenario))
    again = [] if options.overrides.seed is not None else ["--seed", str(scenario.seed)]
    command = shlex.join(["agent-sim", *sys.argv[1:], *again])
    tally = Tally()
    async with AsyncExitStack() as stack:
        stack.enter_context(telling(options.showing, tally))
        reached = await stack.enter_async_context(reach(options, scenario, outline, folder))
        before = cpu_seconds()
        refused, through = await _live(options, scenario, folder, reached, outline, tls, tally, approve=approve)
        used = {"fleet_cpu_seconds": f"{cpu_seconds() - before:.2f}", **reached.used(), **through}
        used |= {"time_scale": f"{options.time_scale:g}"} if options.time_scale != 1.0 else {}
    from agent_sim.cli.report import report, say_as  # it brings all that draws reports: not beside a fleet

    tell = (lambda _: None) if refused else say_as("run")  # who was refused hears so from the rim
    _, code = report(
        folder, scenario, command, used, options.inconclusive, tell=tell if options.showing.as_json else None
    )
    if refused:
        raise TargetError(
            f"{reached.target.agents_url} refuses our credentials (401 or 403): set {' and '.join(AGENT_NAMES)},"
            " or name a file with --credentials"
        )
    return code


# --- the run ----------------------------------------------------------------------------------


async def _live(
    options: Options,
    scenario: Scenario,
    folder: RunFolder,
    reached: Reached,
    outline: Outline,
    tls: ssl.SSLContext | None,
    tally: Tally,
    *,
    approve: bool,
) -> tuple[bool, Mapping[str, str]]:
    """Run it; true if the target refused somebody's credentials, and what the ways there have to tell."""
    clock, target, logins, limits = WallClock(options.time_scale), reached.target, reached.logins, outline.limits
    async with AsyncExitStack() as stack:
        ours = replace(limits, mode="shared", limit=_OPERATOR_CONNECTIONS)
        sign_in = await stack.enter_async_context(signed(logins.operator, target.ca))
        made = session_for(target, sign_in, ours, is_ours=reached.server is not None)
        session = await stack.enter_async_context(made)
        api, scheduler = api_over(session, target), HttpOig(session, target)
        if scenario.fleets:
            await check_target(api, target)
        if scenario.oig is not None:
            await check_scheduler(scheduler, target)
        crew = await crew_of(outline.processes, logins.agent, outline.agents, stack)
        planned = plan(scenario, clock() + round(_LEAD * clock.scale))
        duties = replace(
            planned.operator,
            may_approve=planned.operator.may_approve and approve,
            certificate_id=options.certificate_id,
            picks_certificate=reached.server is not None,
        )
        planned = replace(planned, operator=duties)
        state = _state(options)
        planned = planned if state is None else identities.known(planned, identities.read(state))
        if crew is not None:
            crew.begin(
                order(
                    folder.path / "scenario.resolved.yaml", planned, target, limits, clock, state, options.certificate
                )
            )
        through = await stack.enter_async_context(
            ways.opened(planned, target, logins.agent, limits, reached.broker, tls, clock(), options.certificate)
        )
        written = stack.enter_context(JournalFile(folder.path / "journal.jsonl"))
        progress = stack.enter_context(_progress(planned, clock, tally, is_quiet=options.showing.is_quiet))
        opening = _opening(options, scenario, planned, target, limits)
        written.write(opening)
        progress.observe(opening)
        live = LiveRun(
            plan=planned,
            ways=through,
            api=api,
            storm_process=lambda storm: _storm(storm, planned, options, target, logins, folder),
            record=written.write,
            progress=progress,
            clock=clock,
            drain=scenario.stop.drain,
            oig_api=scheduler,
            crew=crew,
        )
        stack.enter_context(_interrupts(live.interrupt))
        await live.run()
        if state is not None and not live.refused:
            await _keep(state, target, planned, api)
        told = {} if crew is None else {"processes": f"{crew.processes}, {crew.cpu_seconds:.2f} s CPU in the others"}
        return live.refused, {**through.used(), **told, **await _told_of_mqtt(api, reached)}


async def _told_of_mqtt(api: HttpCommand, reached: Reached) -> Mapping[str, str]:
    """What our own server counted at the broker."""
    if reached.server is None or reached.broker is None:
        return {}
    with suppress(TransportError):
        said = (await api.call(GetMqtt())).body
        if isinstance(said, MqttState):
            names = ("requests", "duplicates", "refused", "dropped", "stale", "notified")
            counted = ", ".join(f"{getattr(said, name)} {name}" for name in names)
            return {"mqtt_broker": reached.broker.name, "mqtt_server": counted}
    return {}


def _state(options: Options) -> Path | None:
    """Where identities are kept; the embedded server forgets them itself, unless told to keep its own."""
    if options.state is not None or options.target is None:
        return options.state
    return identities.file_for(options.target, options.runs)


async def _keep(state: Path, target: Target, planned: Plan, api: HttpCommand) -> None:
    try:
        agents = await drive(identities.given(planned.operator.prefix), api)
    except TargetError as error:
        sys.stderr.write(f"remark: the agents' ids are not kept: {error}\n")
        return
    identities.write(state, target.sim_url, {agent.client_machine: agent.agent_id for agent in agents})


def _progress(planned: Plan, clock: WallClock, tally: Tally, *, is_quiet: bool) -> Progress:
    seconds = (planned.stop - planned.start) / SECOND
    title = f"agent-sim · {planned.name}"
    agents = len(planned.members)
    return Progress(title, agents, seconds, lambda: (clock() - planned.start) / SECOND, tally, is_quiet=is_quiet)


def _opening(
    options: Options, scenario: Scenario, planned: Plan, target: Target, limits: Connections
) -> journal.RunStarted:
    return journal.RunStarted(
        0.0,
        scenario=scenario.name,
        seed=planned.seed,
        target=target.sim_url,
        embedded=options.target is None,
        agents=len(planned.members),
        prefix=planned.operator.prefix,
        started_at=to_iso(planned.start),
        version=version("agent-sim"),
        connections=ways.described(planned, limits),
    )


def _storm(
    storm: StormPlan, planned: Plan, options: Options, target: Target, logins: Parties, folder: RunFolder
) -> StormProcess:
    more: list[str] = [f"--foreign={host}" for host in options.foreign]
    if options.owned is not None:
        more += ["--i-own-this-target", options.owned]
    if any(storm.operation in fault.operations for fault in planned.faults):
        more += ["--faults", str(folder.path / "scenario.resolved.yaml"), "--faults-start", str(planned.start)]
    return StormProcess(storm, target, folder.path, variables(logins.operator), tuple(more))


@contextmanager
def _interrupts(interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in good order; a second one ends it at once."""
    loop = asyncio.get_running_loop()

    def first(number: int) -> None:
        loop.remove_signal_handler(number)
        interrupt()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
