"""Storms on Locust: reschedule or acknowledge failed jobs, and find out whether each id changed exactly once.

    locust -f loadtests/storm.py --headless --host URL --storm reschedule --rate 20/s --batch 50 -t 30s

`--rate` keeps arrivals on an absolute schedule and measures latency from when a request was due; `-u N` instead is
a closed loop. Only ids of machines in scope are sent. Exit codes: 0 passed, 1 a rule is broken or the storm stopped
itself, 2 usage, 3 inconclusive, 4 the target. With `--plan FILE` every second of the storm is a line
`progress {json}` on standard output, and so is the line that says why a storm could not begin. This file only ties
Locust's events to the engine.
"""

import atexit
import math
import os
import shlex
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import gevent
import psutil
import storm_report as report
from locust import User, constant, events, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner
from storm_claim import claim
from storm_client import Target, require_honest_client
from storm_cluster import READY_WITHIN, Master, Worker
from storm_engine import Engine, Prepared
from storm_faults import Declared
from storm_files import code_of, herd_beside, judged, write_files
from storm_knee import Hunt, alone, by_workers
from storm_metrics import telling
from storm_oig import OigTarget
from storm_options import Asked, add_options, read, told
from storm_web import Rows, extend, rows_of

from agent_sim.errors import QueryError, TargetError, UsageError
from agent_sim.instants import SECOND
from agent_sim.logins import need_operator
from agent_sim.operator.storm_reader import narrowed_for
from agent_sim.results.render.rows import herd_words
from agent_sim.scenario.load import load
from agent_sim.storms import guard
from agent_sim.storms.budget import most_requests
from agent_sim.storms.campaign import Found, herd, look
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.health import Health
from agent_sim.storms.knee import words
from agent_sim.storms.ledger import NONE
from agent_sim.storms.meter import Meter
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.operations import StormOperation
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Harvest, Token
from agent_sim.storms.reconcile import NOTHING
from agent_sim.storms.result import INCONCLUSIVE, TARGET, USAGE, Run, StormResult, exit_code, storm_result, verdict
from agent_sim.storms.stop import INTERRUPTED
from agent_sim.storms.trail import to_json

PATIENCE = 5.0
"""Seconds that a worker may take to go in the end."""

_TURNS = 16
"""Requests of a user between two looks of Locust at it."""

SHOWN = 10
"""Rows shown before `--scope all` goes on."""


@dataclass(slots=True)
class State:
    """What Locust's events share: there is one storm in a process."""

    parser: Any = None
    asked: Asked | None = None
    engine: Engine | None = None
    worker: Worker | None = None
    master: Master | None = None
    hunt: Hunt | None = None
    trial: Engine | None = None
    web_ui: Any = None
    has_begun: bool = False
    is_driven: bool = False  # by a plan file
    is_awaited: bool = False  # Locust itself is stopping and waits for the storm's end

    @property
    def present(self) -> Engine | None:
        """The storm, or this process's part of it."""
        return self.engine if self.worker is None else self.worker.engine


STATE = State()


# Registered first, so it has the last word: Locust runs listeners of `quitting` in reverse.
@events.quitting.add_listener
def conclude(environment: Environment, **_: Any) -> None:
    """Wait for the result, whoever ends the run, and give it to the process's exit code."""
    engine = STATE.present
    if engine is None:
        return
    STATE.is_awaited = True
    if STATE.worker is None and not STATE.has_begun:  # nobody pressed the button, or no worker came
        environment.process_exit_code = INCONCLUSIVE
        return
    if not engine.finished.is_set():
        engine.stop(INTERRUPTED)
    engine.finished.wait()
    if STATE.worker is None:
        environment.process_exit_code = engine.code


@events.init_command_line_parser.add_listener
def add_arguments(parser: Any, **_: Any) -> None:
    """Storms have options of their own."""
    STATE.parser = parser
    add_options(parser)


@events.init.add_listener
def prepare(environment: Environment, runner: Any, web_ui: Any, **_: Any) -> None:
    """All that comes before the first request; ends the process if the storm cannot begin."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Locust has its own from the start of the run on
    options = environment.parsed_options
    assert options is not None
    STATE.is_driven = options.plan is not None
    if isinstance(runner, WorkerRunner):
        _listen(environment, options)
        return
    if options.processes:
        atexit.register(_end_children)
    try:
        require_honest_client()
        asked = STATE.asked = read(options, STATE.parser)
        storm = _prepared(asked)
    except (UsageError, QueryError) as error:
        _leave(USAGE, str(error))
    except TargetError as error:
        _leave(TARGET, str(error))
    except KeyboardInterrupt:
        _nothing_measured(Harvest((), 0, 0), INTERRUPTED, "interrupted before the first request")
    found = storm.found.all
    if not found.tokens:
        _nothing_measured(found, None, f"nothing to do: {_nothing(storm)} ({found.out_of_scope:,} out of scope)")
    _arm(environment, options, storm)
    if web_ui is not None:
        STATE.web_ui = web_ui
        options.run_time = None  # the storm ends the run; a clock of Locust's would seem to be somebody's Stop
        extend(web_ui, _rows)


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """The storm runs beside Locust's users and ends the run when it has its result."""
    if STATE.worker is not None:
        return  # its master says when
    engine = STATE.engine
    assert engine is not None
    assert environment.runner is not None
    if STATE.has_begun:
        report.say("storm: one process, one storm: its ids are used up; start Locust again for another")
        gevent.spawn(environment.runner.stop)
        return
    STATE.has_begun = True
    if STATE.master is None:
        engine.begin()
    gevent.spawn(_run, engine, environment)


@events.test_stopping.add_listener
def wait_for_the_end(environment: Environment, **_: Any) -> None:
    """Locust's clock may be a little ahead of the storm's: the storm drains and compares first."""
    engine = STATE.present
    if engine is not None and not engine.finished.is_set() and (STATE.has_begun or STATE.worker is not None):
        if environment.web_ui is not None:
            engine.stop(INTERRUPTED)  # somebody pressed Stop
        STATE.is_awaited = True
        engine.finished.wait()


class Storm(User):
    """A user of the closed loop; an open storm has none."""

    wait_time = constant(0)

    @task
    def ask(self) -> None:
        """One request after the other until the storm is over."""
        if STATE.worker is not None:
            STATE.worker.begun.wait(READY_WITHIN)
        engine = STATE.present
        if engine is None or engine.storm.users is None:
            raise StopUser
        # Not a task of Locust's each: they take as long as the request itself.
        for _ in range(_TURNS):
            if not engine.turn():
                raise StopUser


def _run(engine: Engine, environment: Environment) -> None:
    engine.run(lambda result: _conclude(engine, result), _way(engine, environment))
    if STATE.is_awaited or environment.runner is None:
        return
    if environment.web_ui is None:
        environment.runner.quit()
    else:
        environment.runner.stop()  # the page stays, with the verdict on its tab


def _conclude(engine: Engine, result: StormResult) -> None:
    asked = STATE.asked
    if STATE.hunt is not None:
        found = result["knee"] = STATE.hunt.search.result()
        engine.code = exit_code(result, could_read=engine.could_read)
        for line in (*words(found), "all trials together:"):
            report.say(line)
    if asked is not None and asked.result is not None:
        report.write(result, asked.result)
        trail = engine.campaign.trail()
        if not trail.is_empty:
            report.write_text(to_json(trail), asked.result.with_suffix(".trail.json"))
    report.show(result, engine.said, could_read=engine.could_read)
    if asked is None:
        return
    herd = herd_beside(asked, result)
    if herd is not None:
        report.say(f"herd: {herd_words(herd)}")
    elif asked.agents_journal is not None:
        report.say(f"herd: not compared: {asked.agents_journal} is no journal of a run that has begun")
    summary, verdicts = judged(asked, result, asked.thresholds, herd)
    engine.code = code_of(engine.code, verdicts)
    report.show_thresholds(verdicts)
    if asked.report is not None:
        write_files(asked.report, summary, verdicts, asked, shlex.join(["locust", *sys.argv[1:]]))


def _way(engine: Engine, environment: Environment) -> Callable[[], None] | None:
    """How the storm is carried out; None for one that this process does in one go."""
    asked, master = STATE.asked, STATE.master
    if asked is None or not asked.finds_knee:
        return None if master is None else _by_workers(master, master.whole)
    fire = alone(engine, environment.events.request.fire, _show_trial) if master is None else by_workers(master)
    hunt = STATE.hunt = Hunt(engine, asked.slowest, fire, report.say)
    return hunt.go if master is None else _by_workers(master, lambda: hunt.go(master.close_books))


def _show_trial(trial: Engine) -> None:
    STATE.trial = trial


def _interrupt_all(engine: Engine) -> None:
    """A person's wish, to the trial under way too; the web page's process ends by it where no storm is under way."""
    web_ui = STATE.web_ui
    if web_ui is not None and (not STATE.has_begun or engine.finished.is_set()):
        web_ui.stop()
        return
    engine.interrupt()
    if STATE.trial is not None:
        STATE.trial.interrupt()


def _by_workers(master: Master, carry_out: Callable[[], object]) -> Callable[[], None]:
    def go() -> None:
        try:
            carry_out()
        except TargetError as error:
            report.say(f"storm: {error}")
            master.engine.code = TARGET

    return go


def _rows() -> Rows:
    """What the web page shows of the storm at this moment."""
    engine, master = STATE.trial or STATE.engine, STATE.master
    if engine is None:
        return []
    if engine.result is not None:
        said = verdict(engine.result, could_read=engine.could_read)
    else:
        said = "under way" if STATE.has_begun else "not begun: Start begins it as the command line has it"
    gathering = None if master is None else master.gathering
    if gathering is None or engine.result is not None:
        return rows_of(engine.meter, engine.campaign.roughly(), engine.elapsed, engine.cpu_percent, said, "")
    lost = len(gathering.lost)
    workers = f"{len(gathering.processes)}, {lost} lost"
    totals = gathering.totals()
    return rows_of(gathering.meter(), totals, engine.elapsed, gathering.cpu_percent, said, workers)


def _listen(environment: Environment, options: Namespace) -> None:
    """A worker is told by its master what to do; it brings only what is secret, and whom to trust."""
    try:
        require_honest_client()
        login = need_operator(os.environ, options.credentials)
    except UsageError as error:
        _leave(USAGE, str(error))
    worker = STATE.worker = Worker(environment, lambda said: told(said, login, options.ca))
    worker.listen()
    gevent.signal_handler(signal.SIGINT, _interrupt, worker)


def _interrupt(worker: Worker) -> None:
    """Ctrl-C in a terminal reaches the workers too: they stop in good order, and without a storm they go."""
    engine = worker.engine
    if engine is not None and not engine.finished.is_set():
        engine.interrupt()
    elif worker.environment.runner is not None:
        worker.environment.runner.quit()


def _end_children() -> None:
    """Locust asks its workers to go; see to it that they have, also where the storm never began.

    They are not waited for here: Locust does, and complains about what somebody else has waited for.
    """
    left = psutil.Process().children()
    for number, wait in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 1.0)):
        deadline = time.monotonic() + wait
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(number)
        while left and time.monotonic() < deadline:
            left = [child for child in left if _is_alive(child)]
            time.sleep(0.05)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _prepared(asked: Asked) -> Prepared:
    """Preflight, wait for the planned beginning, read the pool."""
    plan, operation = asked.plan, CATALOGUE[asked.plan.operation]
    if isinstance(operation, OigStorm):
        return _prepared_jobs(asked, operation)
    target = Target(asked)
    query = narrowed_for(plan, operation)
    target.preflight()
    gevent.sleep(max(plan.start - time.time_ns(), 0) / SECOND)
    claim(asked.url, plan, must=not STATE.is_driven)  # who drives us has shared the ids out
    if plan.kind == "herd":
        _meet(herd(target, time.time_ns()), plan, asked.agents_journal)
    found = look(plan, target, time.time_ns())
    if asked.everything:
        _confirm(asked, found.all, [_shown(token) for token in found.all.tokens[:SHOWN]])
    report.announce(plan, operation, found.all, asked.users, query, is_search=asked.finds_knee)
    declared = None if asked.faults is None else Declared(load(asked.faults[0]), asked.faults[1])
    return Prepared(
        plan,
        operation,
        query,
        asked.users,
        target,
        found,
        asked.timeout,
        asked.quiet,
        satisfied=asked.satisfied,
        declared=declared,
    )


def _meet(agents: int, plan: StormPlan, journal: Path | None) -> None:
    """A herd is agents that poll and report; without any it would be another kind of storm."""
    if not agents:
        raise UsageError(
            f"a herd needs agents that poll meanwhile, and none of {plan.prefix or '(all)'}* was seen in five minutes:"
            " start some with `agent-sim up`, or with loadtests/fleet.py"
        )
    report.say(f"herd: {agents:,} agents poll and report meanwhile")
    if journal is None and not STATE.is_driven:
        report.say("herd: --agents-journal FILE, of the run whose agents these are, compares their polls with before")


def _prepared_jobs(asked: Asked, operation: OigStorm) -> Prepared:
    """The same for a storm on the scheduler's jobs."""
    plan, target = asked.plan, OigTarget(asked)
    target.preflight()
    gevent.sleep(max(plan.start - time.time_ns(), 0) / SECOND)
    claim(asked.url, plan, must=not STATE.is_driven)  # who drives us has shared the ids out
    found = target.drive(operation.pool(plan, time.time_ns(), most_requests(plan)))
    if asked.everything:
        _confirm(asked, found, [f"  {token.job_id}" for token in found.tokens[:SHOWN]])
    report.announce(plan, operation, found, asked.users, "", is_search=asked.finds_knee)
    all_of_it = Found({operation.name: found}, target.drive(operation.mark(plan)))
    return Prepared(
        plan,
        operation,
        "",
        asked.users,
        target,
        all_of_it,
        asked.timeout,
        asked.quiet,
        satisfied=asked.satisfied,
    )


def _shown(token: Token) -> str:
    what = f"{token.job_type}  " if token.job_type else ""
    return f"  {token.shown}  {token.machine}  {what}{token.job_id}"


def _nothing(storm: Prepared) -> str:
    machines = f"machines {storm.plan.prefix or '(all)'}*"
    if isinstance(storm.operation, StormOperation) and storm.operation.creates:
        return f"none of {machines} is approved and can do such jobs"
    return f"no id of {machines} can be {storm.operation.effect}"


def _confirm(asked: Asked, found: Harvest, examples: Iterable[str]) -> None:
    """Before everything is in scope: how many ids, which, and the host typed again."""
    report.say(f"--scope all: {len(found.tokens):,} ids on {asked.host}, whoever they belong to, for example")
    for line in examples:
        report.say(line)
    if not sys.stdin.isatty():
        raise UsageError("--scope all asks a person: there is no terminal to ask on")
    if not guard.is_confirmed(input(f"type {asked.host} to go on: "), asked.host):
        raise UsageError(f"that was not {asked.host}: nothing was sent")


def _arm(environment: Environment, options: Namespace, storm: Prepared) -> None:
    """Make Locust run as long as the storm, with as many users as it has, and Ctrl-C end it in good order."""
    asked = STATE.asked
    assert asked is not None
    options.run_time = None if asked.finds_knee else math.ceil(storm.plan.span / SECOND)
    options.num_users = storm.users or 0
    try:
        tell_second = telling(options.metrics_port, storm.plan, report.progress if STATE.is_driven else lambda _: None)
    except UsageError as error:
        _leave(USAGE, str(error))
    engine = STATE.engine = Engine(storm, environment.events.request.fire, tell_second, say=report.say)
    if isinstance(environment.runner, MasterRunner):
        STATE.master = Master(environment, asked, engine)
        _make_plain(options)
    gevent.signal_handler(signal.SIGINT, _interrupt_all, engine)


def _make_plain(options: Namespace) -> None:
    """Locust sends the options to its workers, and its messages carry no paths."""
    for name, value in vars(options).items():
        if isinstance(value, Path):
            setattr(options, name, str(value))


def _nothing_measured(found: Harvest, stopped: str | None, words: str) -> NoReturn:
    asked = STATE.asked
    if asked is not None and asked.result is not None:
        run = Run("open" if asked.users is None else "closed", time.time_ns(), 0, 0, None, stopped)
        nothing = storm_result(asked.plan, run, found, Meter(), NONE, NOTHING, Health(0.0, 0.0, False))
        report.write(nothing, asked.result)
    _leave(INCONCLUSIVE, f"inconclusive: {words}")


def _leave(code: int, words: str) -> NoReturn:
    # Who drives us by a plan reads standard output.
    print(f"storm: {words}", file=sys.stdout if STATE.is_driven else sys.stderr, flush=True)
    sys.exit(code)
