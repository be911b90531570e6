"""A fleet on Locust: each user is a site, a group of agents, so that a fleet may be as large as there are machines.

    locust -f loadtests/fleet.py --headless --host URL --scenario scenarios/steady-fleet.yaml [--processes 2]

On one process, on `--processes`, or with `--master` and `--worker` on many hosts. The master plans the scenario, hands
out the agents by number, is the operator and judges the run; composition and outcome digest are those of
`agent-sim run`. A worker that is lost ends the run and the verdict names its agents. Exit codes: 0 all checks hold, 1
one is broken, 2 usage, 3 inconclusive, 4 the target. Workers need the agents' login only: AGENT_SIM_AGENT_USERNAME and
AGENT_SIM_AGENT_PASSWORD. This file only ties Locust's events to the two sides.
"""

import atexit
import os
import signal
import sys
import time
from argparse import Namespace
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import gevent
import psutil
from fleet_client import Place, Wire
from fleet_master import Run
from fleet_party import Clock, Party
from locust import User, constant, events, task
from locust.argument_parser import timespan
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner
from storm_login import sign_in

from agent_sim.credentials import AGENT_NAMES, find
from agent_sim.errors import AgentSimError, TargetError, TransportError, UsageError
from agent_sim.instants import NEVER, SECOND
from agent_sim.logins import need_operator
from agent_sim.protocol import command
from agent_sim.scenario.load import dump, load, overrides
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import Plan, plan
from agent_sim.storms import guard

USAGE, TARGET = 2, 4
PATIENCE = 10.0
LEAD = 3 * SECOND
"""Between the plan and its first moment: time for workers to plan as well."""


@dataclass(slots=True)
class State:
    """What Locust's events share."""

    run: Run | None = None
    party: Party | None = None
    ask_to_run: Any = None
    is_over: bool = False


STATE = State()


@events.init_command_line_parser.add_listener
def add_arguments(parser: Any, **_: Any) -> None:
    """Fleets have options of their own."""
    group = parser.add_argument_group("Fleet", "Whose agents live against the target.")
    group.add_argument("--scenario", type=Path, metavar="FILE", help="The scenario: fleets, behaviours and schedules.")
    group.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="Any key of the scenario.")
    group.add_argument("--seed", type=int, help="Replaces the scenario's seed (0 if it has none).")
    group.add_argument("--group", type=int, default=100, help="Agents of one user (default 100).")
    group.add_argument("--connections", type=int, default=10, help="Connections of one user (default 10).")
    group.add_argument("--journal", type=Path, metavar="FILE", help="Where to write the journal.")
    group.add_argument("--result", type=Path, metavar="FILE", help="Where to write the result as JSON.")
    group.add_argument("--api-path", default="/KeyfactorAPI", help="Of the management API.")
    group.add_argument("--agents-path", default="/KeyfactorAgents", help="Of the agents' wire.")
    group.add_argument("--credentials", type=Path, metavar="FILE", help="File (mode 0600) with AGENT_SIM_... logins.")
    group.add_argument("--ca", type=Path, metavar="FILE", help="Certificates to trust for TLS, PEM.")
    group.add_argument("--timeout", type=timespan, default="30s", help="For one answer (default 30s).")
    group.add_argument("--i-own-this-target", metavar="HOST", help="Needed for any target but this machine.")


@events.init.add_listener
def prepare(environment: Environment, runner: Any, web_ui: Any, **_: Any) -> None:
    """All that comes before the first agent; ends the process if the run cannot begin."""
    options = environment.parsed_options
    assert options is not None
    if options.processes and isinstance(runner, WorkerRunner):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the master, which asks us to end
    elif options.processes:
        atexit.register(_end_children)
    try:
        if not isinstance(runner, MasterRunner):
            _be_party(environment, runner, options)
        if not isinstance(runner, WorkerRunner):
            _be_master(runner, options, web_ui)
    except TargetError as error:
        _leave(TARGET, str(error))
    except AgentSimError as error:
        _leave(USAGE, str(error))


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """The run goes on beside Locust's users, and ends Locust when it is judged."""
    if STATE.run is not None:
        gevent.spawn(_run, STATE.run, environment)


@events.quitting.add_listener
def conclude(environment: Environment, **_: Any) -> None:
    """Whoever ends Locust early ends the run in good order first."""
    run = STATE.run
    if run is None:
        return
    if not STATE.is_over:
        run.end("interrupted")
        with gevent.Timeout(120, False):
            while not STATE.is_over:
                gevent.sleep(0.05)
    environment.process_exit_code = run.code


class Site(User):
    """A group of agents; it is over when the run is."""

    wait_time = constant(0)

    @task
    def live(self) -> None:
        """One group, for as long as the run lasts."""
        if STATE.party is not None:
            STATE.party.live()
        raise StopUser


def _run(run: Run, environment: Environment) -> None:
    try:
        run.run()
    except TransportError as error:
        run.code = TARGET
        sys.stderr.write(f"fleet: {error}\n")
    finally:
        STATE.is_over = True
        if environment.runner is not None:
            environment.runner.quit()


def _be_party(environment: Environment, runner: Any, options: Namespace) -> None:
    login = find(AGENT_NAMES, os.environ, options.credentials)
    headers = {} if login is None else sign_in(login)()
    wire = Wire(_place(options), headers, options.connections * 64)

    def fire(operation: str, seconds: float, failed: TransportError | None) -> None:
        environment.events.request.fire(
            request_type="agent", name=operation, response_time=1000 * seconds, response_length=0, exception=failed
        )

    party = STATE.party = Party(
        lambda name, data: runner.send_message(name, dict(data)), wire.send, fire, Clock(), options.connections
    )
    for name, hear in (
        ("fleet_plan", party.begin),
        ("fleet_group", party.given),
        ("fleet_notify", party.notify),
        ("fleet_learn", party.learn),
        ("fleet_stop", party.stop),
    ):
        runner.register_message(name, lambda environment, msg, hear=hear, **_: hear(msg.data))


def _be_master(runner: Any, options: Namespace, web_ui: Any) -> None:
    if web_ui is not None:
        raise UsageError("a fleet runs without the web page for now: add --headless")
    if options.scenario is None:
        raise UsageError("whose agents? add --scenario FILE")
    if options.num_users is not None or options.run_time is not None:
        raise UsageError("the scenario says how many agents there are and for how long: leave out -u and -t")
    if options.group < 1 or options.connections < 1:
        raise UsageError("--group and --connections must be 1 or more")
    scenario = load(options.scenario, overrides(None, (), tuple(options.set), options.seed), seed=0)
    _refuse(scenario, plan(scenario, 0))
    may_approve = _guard(options, scenario)
    clock = Clock()
    wire = Wire(_place(options), sign_in(need_operator(os.environ, options.credentials), str(options.ca or ""))(), 32)
    _preflight(wire, options.host)
    planned = plan(scenario, clock() + LEAD)
    duties = replace(planned.operator, may_approve=may_approve, certificate_id=None, picks_certificate=False)
    run = STATE.run = Run(
        plan=replace(planned, operator=duties),
        scenario=dump(scenario),
        group=options.group,
        target=options.host,
        clock=clock,
        api=wire.call,
        say=lambda name, data, worker: runner.send_message(name, dict(data), worker),
        missing=lambda workers: _missing(runner, workers),
        drain=scenario.stop.drain,
        journal_file=options.journal,
        result_file=options.result,
    )
    options.num_users, options.spawn_rate = run.groups, max(run.groups, 1)
    for name in ("scenario", "journal", "result", "credentials", "ca"):
        setattr(options, name, None)  # Locust sends the options to its workers: these are ours, and no text
    runner.register_message("fleet_ask", lambda environment, msg, **_: run.asked(msg.node_id, msg.data))
    runner.register_message("fleet_lines", lambda environment, msg, **_: run.told(msg.data))
    runner.register_message("fleet_over", lambda environment, msg, **_: run.over(msg.data))
    runner.register_message("fleet_suffers", lambda environment, msg, **_: run.end(f"aborted: {msg.data['why']}"))


def _end_children() -> None:
    """See to it that workers on this machine go, also where the run never began."""
    left = psutil.Process().children()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for child in left:
            with suppress(psutil.NoSuchProcess):
                end(child)
        deadline = time.monotonic() + PATIENCE
        while left and time.monotonic() < deadline:
            left = [child for child in left if _is_alive(child)]
            time.sleep(0.05)


def _is_alive(process: psutil.Process) -> bool:
    """False for one that is over; Locust itself waits for its children."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _missing(runner: Any, workers: set[str]) -> set[str]:
    """Those that are gone, or have not been heard of for a while."""
    if not isinstance(runner, MasterRunner):
        return set()
    there = {client.id for client in runner.clients.all if client.state != "missing"}
    return workers - there


def _refuse(scenario: Scenario, planned: Plan) -> None:
    """Raise UsageError for what a fleet on Locust cannot do."""
    for what, is_there in (
        ("storms (run them beside it, with storm.py)", bool(planned.storms)),
        ("faults", bool(planned.faults)),
        ("jobs of Oracle's scheduler", planned.oig is not None),
        ("agents over MQTT", any(member.wire == "mqtt" for member in planned.members)),
        (
            "agents with bearer tokens or certificates",
            bool({each.auth for each in planned.members} - {"basic", "none"}),
        ),
        ("a run without an end", scenario.length == NEVER),
        ("a scenario without agents", not planned.members),
    ):
        if is_there:
            raise UsageError(f"{scenario.name}: {what}: that is for agent-sim run, not for a fleet on Locust")


def _guard(options: Namespace, scenario: Scenario) -> bool:
    """Raise UsageError for what may not be done to this target; True if agents may be approved there."""
    if not options.host:
        raise UsageError("where is the target? add --host URL")
    host = guard.host_of(options.host)
    agents = sum(fleet.count for fleet in scenario.fleets)
    if (why := guard.refuse(host, options.i_own_this_target, guard.Intent(agents=agents))) is not None:
        raise UsageError(why)
    return guard.refuse(host, options.i_own_this_target, guard.Intent(approvals=True)) is None


def _preflight(wire: Wire, host: str) -> None:
    try:
        reply = wire.call(command.GetEndpoints())
    except TransportError as error:
        raise TargetError(str(error)) from error
    if reply.status >= 300:
        raise TargetError(f"{host} answers {reply.status} to GET /Status/Endpoints: is it a Command server?")


def _place(options: Namespace) -> Place:
    if not options.host:
        raise UsageError("where is the target? add --host URL")
    seconds = max(float(options.timeout), 1.0)
    return Place(
        options.host.rstrip("/"), options.api_path, options.agents_path, options.ca, min(5.0, seconds), seconds
    )


def _leave(code: int, words: str) -> NoReturn:
    sys.stderr.write(f"fleet: {words}\n")
    sys.exit(code)
