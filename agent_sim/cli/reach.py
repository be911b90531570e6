"""Where a run goes: what the command line may ask of which target, and the target itself, ours or somebody's."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agent_sim.cli import ways
from agent_sim.cli.brokers import BrokerInUse, own_broker
from agent_sim.cli.crew import refuse_what_needs_one_process
from agent_sim.cli.embedded import Embedded, ca_file, embedded_server, made_logins, options_for
from agent_sim.cli.folder import RunFolder
from agent_sim.cli.mqtt_options import MqttOptions
from agent_sim.cli.past import database
from agent_sim.cli.showing import IfInconclusive, Showing
from agent_sim.cli.sign_in import Certificate, Parties, agents_login, has_certificates
from agent_sim.credentials import AGENT_NAMES, MQTT_NAMES, Credentials, need
from agent_sim.errors import UsageError
from agent_sim.instants import SECOND
from agent_sim.logins import need_operator
from agent_sim.scenario.load import Overrides
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import TransportPlan, plan
from agent_sim.settings import ServerSettings
from agent_sim.storms import guard
from agent_sim.transports.base import Connections, HttpClient, Target


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    scenario: str
    overrides: Overrides
    target: str | None
    api_url: str | None
    agents_url: str | None
    ca: Path | None
    credentials: Path | None
    owned: str | None
    certificate_id: int | None
    certificate: Certificate | None
    state: Path | None
    foreign: tuple[str, ...]
    runs: Path
    db: str
    port: int
    showing: Showing
    inconclusive: IfInconclusive | None
    time_scale: float
    mqtt: MqttOptions = MqttOptions()
    http_client: HttpClient = "fast"
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Outline:
    """What has to be known of a run before it is planned: of a large fleet the plan is large, and not kept twice."""

    agents: int
    wants_broker: bool
    signs_in: frozenset[str]  # by what its agents do
    server: ServerSettings
    limits: Connections
    processes: int = 1


def outlined(options: Options, scenario: Scenario) -> Outline:
    """The outline of a run. Raises UsageError for what cannot be had here."""
    whole = plan(scenario, 0)
    shareable = options.target is None and not has_certificates(scenario)
    limits = replace(_connections(whole.transport, shareable=shareable), client=options.http_client)
    if options.processes > 1:
        refuse_what_needs_one_process(whole)
    processes = _processes(options.processes, len(whole.members))
    ways.check(
        whole,
        limits,
        guard.host_of(options.agents_url or options.target or "http://127.0.0.1"),
        processes=processes,
        is_ours=options.target is None,
        beats_per_second=_beats_per_second(scenario),
    )
    return Outline(
        agents=len(whole.members),
        wants_broker=any(member.wire == "mqtt" for member in whole.members),
        signs_in=frozenset(member.auth for member in whole.members),
        server=whole.server,
        limits=limits,
        processes=processes,
    )


def _processes(asked: int, agents: int) -> int:
    """How many a fleet can be shared out to; one without agents would only cost."""
    most = max(agents, 1)
    if asked > most:
        sys.stderr.write(
            f"remark: --processes {asked}: the fleet has fewer agents ({agents}), so the run takes {most}\n"
        )
    return min(asked, most)


def _beats_per_second(scenario: Scenario) -> float:
    over_http = [fleet for fleet in scenario.fleets if (fleet.transport or scenario.transport).kind == "http"]
    return sum(fleet.count * SECOND / fleet.heartbeat.every for fleet in over_http)


def _connections(said: TransportPlan, *, shareable: bool) -> Connections:
    mode = said.mode
    if mode == "auto":
        # The vendor's agent opens a connection per request; a pool would hide the handshakes from a real server.
        mode = "shared" if shareable else "per_request"
    return Connections(mode, said.limit, said.connect_timeout, said.request_timeout)


# --- what is refused ---------------------------------------------------------------------------


def refuse_what_no_target_takes(options: Options) -> None:
    if options.target is not None:
        return
    for name in ("api_url", "agents_url", "ca", "credentials", "owned"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-').replace('owned', 'i-own-this-target')} needs --target")


def guarded(options: Options, scenario: Scenario) -> bool:
    """Raise UsageError for what may not be done to this target; True if agents may be approved there."""
    if options.target is None:
        return True
    agents = sum(fleet.count for fleet in scenario.fleets)
    may_approve = True
    for url in (options.target, options.api_url, options.agents_url, options.mqtt.url):
        if url is None:
            continue
        host = guard.host_of(url)
        jobs = sum(job.count for job in scenario.oig.jobs) if scenario.oig else 0
        intent = guard.Intent(storms=bool(scenario.storms), agents=agents, jobs=jobs)
        if (why := guard.refuse(host, options.owned, intent, options.foreign)) is not None:
            raise UsageError(why)
        refused = guard.refuse(host, options.owned, guard.Intent(approvals=True), options.foreign)
        may_approve = may_approve and refused is None
    return may_approve


def refuse_what_has_its_own_time(options: Options, scenario: Scenario) -> None:
    if options.time_scale == 1.0:
        return
    if options.target is not None:
        raise UsageError("--time-scale is for the embedded server: a target keeps its own time")
    if scenario.storms:
        raise UsageError("--time-scale: storms keep real time; leave it out, or replay the scenario")
    if scenario.oig is not None:
        raise UsageError("--time-scale: Oracle's scheduler keeps real time; leave it out, or replay the scenario")


def scaled(settings: ServerSettings, scale: float) -> ServerSettings:
    """Settings of a server whose clock is the wall's, for a scenario that passes `scale` times as fast."""
    return replace(
        settings,
        job_timeout=max(round(settings.job_timeout / scale), 1),
        session_length=max(round(settings.session_length / scale), 1),
    )


# --- the target --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reached:
    """A target that we can talk to; `server` only if it is our own."""

    target: Target
    logins: Parties
    server: Embedded | None = None
    broker: BrokerInUse | None = None

    def used(self) -> Mapping[str, str]:
        return {} if self.server is None else {"server_cpu_seconds": f"{self.server.cpu_seconds():.2f}"}


@asynccontextmanager
async def reach(options: Options, scenario: Scenario, outline: Outline, folder: RunFolder) -> AsyncIterator[Reached]:
    """The target, or the embedded server, up and running inside the block. Raises AgentSimError."""
    if options.target is not None:
        if scenario.history is not None:
            sys.stderr.write("remark: history is for the embedded server: this target has its own past\n")
        parties = Parties(
            need_operator(os.environ, options.credentials),
            agents_login(outline.signs_in, os.environ, options.credentials),
        )
        scheduler = None if scenario.fleets else options.api_url  # without agents there is no other API to name
        target = Target.at(options.target, options.agents_url, options.api_url, options.ca, scheduler)
        yield Reached(target, parties, broker=_named_broker(options, None) if outline.wants_broker else None)
        return
    logins, settings = made_logins(), scaled(outline.server, options.time_scale)
    async with AsyncExitStack() as stack:
        broker: BrokerInUse | None = None
        if outline.wants_broker and options.mqtt.url is not None:
            logins = replace(logins, agent=need(AGENT_NAMES, os.environ, None))
            broker = _named_broker(options, need(MQTT_NAMES, os.environ, None))
        elif outline.wants_broker:
            broker = await stack.enter_async_context(own_broker(logins.agent, folder.path))
        more = () if broker is None else (*broker.options, *options.mqtt.files())
        secret = {} if broker is None else broker.environment()
        tasks = ("--tasks", str(folder.path / "scenario.resolved.yaml")) if scenario.oig else ()
        more = (*options_for(scenario, folder.path), *more, *tasks)
        made = stack.enter_context(TemporaryDirectory(prefix="agent-sim-past-"))
        db = await database(scenario, Path(made), options.db, logins.agent.username)
        starting = embedded_server(settings, logins, folder.path, options.port, db, more, secret)
        server = await stack.enter_async_context(starting)
        target = Target.at(server.address, ca=ca_file(scenario, folder.path))
        yield Reached(target, Parties(logins.operator, logins.agent), server, broker)


def _named_broker(options: Options, server: Credentials | None) -> BrokerInUse:
    at = options.mqtt.broker()
    if at is None:
        raise UsageError("agents over MQTT reach a server through its broker: name it with --mqtt URL")
    return BrokerInUse(at, options.mqtt.version, "named", server)
