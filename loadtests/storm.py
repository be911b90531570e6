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
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import gevent
import psutil
import storm_report as report
from locust import User, constant, events, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import STATE_RUNNING, MasterRunner, Runner, WorkerRunner
from storm_client import require_honest_client
from storm_cluster import READY_WITHIN, Master
from storm_engine import Engine, Prepared
from storm_files import code_of, herd_beside, judged, write_files
from storm_knee import Hunt, alone, by_workers
from storm_metrics import telling
from storm_options import Asked, add_options, read, told
from storm_prepare import nothing, prepared
from storm_web import Rows, extend, rows_of
from storm_worker import Worker

from agent_sim.errors import QueryError, TargetError, UsageError
from agent_sim.instants import SECOND
from agent_sim.logins import need_operator
from agent_sim.results.render.rows import herd_words
from agent_sim.storms.health import Health
from agent_sim.storms.knee import words
from agent_sim.storms.ledger import NONE
from agent_sim.storms.meter import Meter, SeriesEntry
from agent_sim.storms.pool import Harvest
from agent_sim.storms.reconcile import NOTHING
from agent_sim.storms.result import (
    BROKEN,
    INCONCLUSIVE,
    PASSED,
    TARGET,
    USAGE,
    Run,
    StormResult,
    exit_code,
    storm_result,
    verdict,
)
from agent_sim.storms.stop import INTERRUPTED
from agent_sim.storms.trail import to_json

PATIENCE = 5.0
"""Seconds that a worker may take to go in the end."""

_TURNS = 16
"""Requests of a user between two looks of Locust at it."""


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
    begun: int = 0  # storms: the web page may begin another
    codes: list[int] = field(default_factory=list)  # of those that have ended
    trouble: str = ""  # why the last one could not be carried out
    tell_second: Callable[[SeriesEntry], None] = lambda _: None  # until there is somebody to tell
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
    if STATE.worker is None and not STATE.begun:  # nobody pressed the button, or no worker came
        environment.process_exit_code = _worst([*STATE.codes, INCONCLUSIVE])
        return
    if not engine.finished.is_set():
        engine.stop(INTERRUPTED)
    engine.finished.wait()
    if STATE.worker is None:
        environment.process_exit_code = _worst([*STATE.codes, engine.code])


def _worst(codes: Sequence[int]) -> int:
    return next((code for code in (BROKEN, USAGE, TARGET, INCONCLUSIVE) if code in codes), PASSED)


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
        storm = prepared(asked, is_driven=STATE.is_driven)
    except (UsageError, QueryError) as error:
        _leave(USAGE, str(error))
    except TargetError as error:
        _leave(TARGET, str(error))
    except KeyboardInterrupt:
        _nothing_measured(Harvest((), 0, 0), INTERRUPTED, "interrupted before the first request")
    found = storm.found.all
    if not found.tokens:
        _nothing_measured(found, None, nothing(storm))
    _arm(environment, options, storm)
    if web_ui is not None:
        STATE.web_ui = web_ui
        options.run_time = None  # the storm ends the run; a clock of Locust's would seem to be somebody's Stop
        extend(web_ui, _rows)


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """The storm runs beside Locust's users and ends the run when it has its result."""
    if STATE.worker is not None:
        STATE.worker.await_another()  # its master says when
        return
    assert environment.runner is not None
    if environment.web_ui is not None and not _read_anew(environment):
        gevent.spawn(_stop, environment.runner)
        return
    engine = STATE.engine
    assert engine is not None
    STATE.begun += 1
    STATE.is_awaited, STATE.hunt, STATE.trial = False, None, None
    if STATE.master is None:
        engine.begin()
    gevent.spawn(_run, engine, environment)


def _read_anew(environment: Environment) -> bool:
    """Each start of the web page is a storm of its own, on the ids that there are by then; False if it cannot begin."""
    assert STATE.asked is not None
    assert environment.runner is not None
    STATE.asked = STATE.asked.with_users(environment.runner.target_user_count)  # as the page has it
    STATE.trouble = ""
    try:
        storm = prepared(STATE.asked, is_driven=STATE.is_driven, again=True)
        if not storm.found.all.tokens:
            STATE.trouble = nothing(storm)
    except (UsageError, QueryError, TargetError) as error:
        STATE.trouble = str(error)
    if STATE.trouble:
        report.say(f"storm: {STATE.trouble}")
        STATE.codes.append(INCONCLUSIVE)
        return False
    _take_up(environment, storm)
    return True


def _stop(runner: Runner) -> None:
    """End a run of Locust's that is only about to begin: until it runs it cannot be stopped."""
    deadline = time.monotonic() + READY_WITHIN
    while runner.state != STATE_RUNNING and time.monotonic() < deadline:
        gevent.sleep(0.1)
    runner.stop()


@events.test_stopping.add_listener
def wait_for_the_end(environment: Environment, **_: Any) -> None:
    """Locust's clock may be a little ahead of the storm's: the storm drains and compares first."""
    engine = STATE.present
    if engine is not None and not engine.finished.is_set() and (STATE.begun or STATE.worker is not None):
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
    STATE.codes.append(engine.code)
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
        file = _of_this_storm(asked.result)
        report.write(result, file)
        trail = engine.campaign.trail()
        if not trail.is_empty:
            report.write_text(to_json(trail), file.with_suffix(".trail.json"))
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
        write_files(_of_this_storm(asked.report), summary, verdicts, asked, shlex.join(["locust", *sys.argv[1:]]))


def _of_this_storm(path: Path) -> Path:
    """Where the second storm of a process leaves what the first one has left there."""
    return path if STATE.begun == 1 else path.with_stem(f"{path.stem}-{STATE.begun}")


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


def _interrupt_all() -> None:
    """A person's wish, to the trial under way too; the web page's process ends by it where no storm is under way."""
    web_ui, engine = STATE.web_ui, STATE.engine
    assert engine is not None
    if web_ui is not None and (not STATE.begun or engine.finished.is_set()):
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
            STATE.trouble = str(error)
            report.say(f"storm: {error}")
            master.engine.code = TARGET

    return go


def _rows() -> Rows:
    """What the web page shows of the storm at this moment."""
    engine, master = STATE.trial or STATE.engine, STATE.master
    if engine is None:
        return []
    if STATE.trouble:
        said = f"could not begin: {STATE.trouble}"
    elif engine.result is not None:
        said = verdict(engine.result, could_read=engine.could_read)
    else:
        said = "under way" if STATE.begun else "not begun: Start begins it as the command line has it"
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


def _arm(environment: Environment, options: Namespace, storm: Prepared) -> None:
    """Make Locust run as long as the storm, with as many users as it has, and Ctrl-C end it in good order."""
    asked = STATE.asked
    assert asked is not None
    options.run_time = None if asked.finds_knee else math.ceil(storm.plan.span / SECOND)
    options.num_users = storm.users or 0
    try:
        STATE.tell_second = telling(
            options.metrics_port, storm.plan, report.progress if STATE.is_driven else lambda _: None
        )
    except UsageError as error:
        _leave(USAGE, str(error))
    _take_up(environment, storm)
    if STATE.master is not None:
        _make_plain(options)
    gevent.signal_handler(signal.SIGINT, _interrupt_all)


def _take_up(environment: Environment, storm: Prepared) -> None:
    """This is the storm now."""
    assert STATE.asked is not None
    engine = STATE.engine = Engine(storm, environment.events.request.fire, STATE.tell_second, say=report.say)
    if STATE.master is not None:
        STATE.master.take_up(engine)
    elif isinstance(environment.runner, MasterRunner):
        STATE.master = Master(environment, STATE.asked, engine)


def _make_plain(options: Namespace) -> None:
    """Locust sends the options to its workers, and its messages carry no paths."""
    for name, value in vars(options).items():
        if isinstance(value, Path):
            setattr(options, name, str(value))


def _nothing_measured(found: Harvest, stopped: str | None, words: str) -> NoReturn:
    asked = STATE.asked
    if asked is not None and asked.result is not None:
        run = Run("open" if asked.users is None else "closed", time.time_ns(), 0, 0, None, stopped, users=asked.users)
        nothing = storm_result(asked.plan, run, found, Meter(), NONE, NOTHING, Health(0.0, 0.0, False))
        report.write(nothing, asked.result)
    _leave(INCONCLUSIVE, f"inconclusive: {words}")


def _leave(code: int, words: str) -> NoReturn:
    # Who drives us by a plan reads standard output.
    print(f"storm: {words}", file=sys.stdout if STATE.is_driven else sys.stderr, flush=True)
    sys.exit(code)
