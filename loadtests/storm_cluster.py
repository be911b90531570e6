"""One storm on many processes: what the master says, what the workers say, all of it Locust's custom messages.

    master                              worker
    storm.prepare: target, plan   --->  connects
                                  <---  storm.ready: or what is wrong
    storm.begin: when, first ids  --->  fires its part
                                  <---  storm.need: more ids
    storm.lease: ids              --->
                                  <---  Locust's report every three seconds, ours in it
                                  <---  storm.report: ours alone, every second of a warm-up that may end
    storm.settled: its end        --->
    storm.stop                    --->  (a person, a rule, an empty pool)
                                  <---  storm.ended: the last report

The master reads the pool, leases the ids, merges the reports and judges; a worker that is gone is noticed by Locust's
heartbeats. What a lease or a report means is `agent_sim.storms.leases` and `gather`.
"""

import gc
import math
import time
from typing import Any, Final

import gevent
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner
from storm_engine import Engine
from storm_options import Asked

from agent_sim.errors import TargetError
from agent_sim.instants import SECOND, Instant
from agent_sim.storms.gather import Gathering, ReportJson, book
from agent_sim.storms.leases import AHEAD, LeaseJson, Lessor, Shelf
from agent_sim.storms.plan import StormPlan, to_json
from agent_sim.storms.steps import steps
from agent_sim.storms.stop import SUFFERS

READY_WITHIN: Final = 60.0
"""Seconds that a worker may take to connect."""

HEAD_START: Final = SECOND // 2
"""Between the message that says when to begin, and that moment."""

PATIENCE: Final = 20.0
"""Seconds beyond the plan, the timeout and the drain until a worker that says nothing is given up."""

LOOKS_EVERY: Final = 0.1

LEAST_LEASE: Final = 16
"""Batches that a worker asks for at least."""

CLOSED_LEASE: Final = 512
"""Batches of the first lease in a closed loop, of which nobody knows how fast it will be."""


class Master:
    """The end that judges. `engine` never fires: it holds the books."""

    def __init__(self, environment: Environment, asked: Asked, engine: Engine) -> None:
        runner = environment.runner
        assert isinstance(runner, MasterRunner)
        self.runner, self.asked, self.engine = runner, asked, engine
        self._ready: dict[str, str] = {}
        self._lessor: Lessor | None = None
        self._parts: list[Gathering] = []
        self._began: Instant = 0
        self._is_stopping = False
        runner.register_message("storm.ready", self._on_ready)
        runner.register_message("storm.need", self._on_need)
        runner.register_message("storm.report", self._on_our_report)
        runner.register_message("storm.ended", self._on_our_report)
        environment.events.worker_report.add_listener(self._on_report)

    def take_up(self, engine: Engine) -> None:
        """Another storm, of which nothing has been sent yet."""
        self.engine, self._lessor = engine, None
        self._parts = []

    @property
    def gathering(self) -> Gathering | None:
        """What the workers tell of the storm, or of its present part."""
        return self._parts[-1] if self._parts else None

    def fire(self, plan: StormPlan | None = None) -> Gathering:
        """The storm from the workers' preparation to the last report; with a `plan` it is one part of it, and others
        follow with the ids that this one leaves.
        """
        plan = self.engine.plan if plan is None else plan
        names = sorted(node.id for node in self.runner.clients.all if node.state != STATE_MISSING)
        self._prepare(names, plan)
        lessor = self._lessor = self._present_lessor(names)
        gc.unfreeze()  # what an earlier part has left behind
        gc.collect()
        gc.freeze()  # as the workers do: to look through all ids for garbage again and again holds up leases
        gathering = Gathering(names, steps(plan), self.engine.storm.satisfied, lessor)
        self._parts.append(gathering)
        self._is_stopping = False
        self._began = time.time_ns() + HEAD_START
        if len(self._parts) == 1:
            self.engine.starts(self._began)
        for index, name in enumerate(names):
            leases = [self._leased(name, shelf, _wanted(plan, len(names))) for shelf in self.engine.campaign.books]
            where = {"index": index, "count": len(names), "part": len(self._parts)}
            self._tell(name, "storm.begin", {**where, "leases": leases, **self._when()})
        deadline = time.monotonic() + plan.span / SECOND + self.engine.storm.timeout + PATIENCE
        while not gathering.is_over:
            gevent.sleep(LOOKS_EVERY)
            self._look(gathering, deadline)
        for name in names:
            gathering.conclude(name, self._began, time.time_ns())
        self._pass_on(gathering)
        return gathering

    def whole(self) -> None:
        """The storm in one part, compared and judged; `engine.result` is there then."""
        gathering = self.fire()
        assert self._lessor is not None
        self.engine.judge_for(self._lessor, gathering, self._began)

    def close_books(self) -> None:
        """Book what all parts sent, for the engine to judge."""
        if self._lessor is not None:
            book(self.engine.campaign, self._lessor)
        self.engine.count_workers(self._parts)

    def _present_lessor(self, names: list[str]) -> Lessor:
        if self._lessor is not None:
            if self._is_dealt:
                self._lessor.deal_anew(names)
            return self._lessor
        storm, books = self.engine.storm, self.engine.campaign.books
        shelves = {name: Shelf(book.supply, book.tokens, book.size) for name, book in books.items()}
        run = storm.plan.copies if storm.plan.kind == "contended" else 1
        return Lessor(shelves, len(names), run, names if self._is_dealt else ())

    @property
    def _is_dealt(self) -> bool:
        """Only an open storm's processes send at one moment; the users of a closed loop are rivals within a process."""
        storm = self.engine.storm
        return storm.plan.kind == "contended" and storm.users is None

    def _prepare(self, names: list[str], plan: StormPlan) -> None:
        asked, storm = self.asked, self.engine.storm
        self._ready.clear()
        if not names:
            raise TargetError("no worker is connected")
        said = {
            "plan": to_json(plan),
            "query": storm.query,
            "users": storm.users,
            "url": asked.url,
            "api_path": asked.api_path,
            "insecure": asked.insecure,
            "ca": None if asked.ca is None else str(asked.ca),
            "timeout": storm.timeout,
            "satisfied": storm.satisfied,
            "declared": None if storm.declared is None else storm.declared.told(),
            "shelves": [
                {"name": name, "ids": book.ledger.size, "batch": book.size}
                for name, book in self.engine.campaign.books.items()
            ],
        }
        for name in names:
            self._tell(name, "storm.prepare", said)
        deadline = time.monotonic() + READY_WITHIN
        while len(self._ready) < len(names):
            if time.monotonic() > deadline or self.engine.is_stopped:
                missing = [name for name in names if name not in self._ready]
                raise TargetError(f"{len(missing)} of {len(names)} workers did not get ready")
            gevent.sleep(LOOKS_EVERY)
        problems = [problem for problem in self._ready.values() if problem]
        if problems:
            raise TargetError(f"a worker cannot begin: {problems[0]}")

    def _look(self, gathering: Gathering, deadline: float) -> None:
        now = time.time_ns()
        is_late = time.monotonic() > deadline
        for name, process in gathering.processes.items():
            node = self.runner.clients.get(name)
            if not process.is_over and (is_late or node is None or node.state == STATE_MISSING):
                gathering.lose(name, self._began, now)
        self._pass_on(gathering)
        reason = self.engine.stopped or gathering.stopped()
        if (self.engine.is_stopped or reason or gathering.exhausted_at() is not None) and not self._is_stopping:
            self._is_stopping = True
            self._tell_all(gathering, "storm.stop", {"reason": reason, "hurry": False})
        if self.engine.is_hurried:
            for name, process in gathering.processes.items():
                if not process.is_over:
                    gathering.lose(name, self._began, now)

    def _pass_on(self, gathering: Gathering) -> None:
        for entry in gathering.whole_seconds():
            ends = self.engine.see_second(entry, time.time_ns() - self._began)
            if ends is not None:
                self._tell_all(gathering, "storm.settled", {"ends": ends})

    # --- what workers say -----------------------------------------------------------------------

    def _on_ready(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._ready[msg.node_id] = msg.data["problem"]

    def _on_need(self, environment: Environment, msg: Any, **_: Any) -> None:
        process = None if self.gathering is None else self.gathering.processes.get(msg.node_id)
        if process is not None and not process.is_over:
            self._tell(msg.node_id, "storm.lease", self._leased(msg.node_id, msg.data["shelf"], msg.data["batches"]))

    def _on_our_report(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._take_in(msg.node_id, msg.data)

    def _on_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if "storm" in data:
            self._take_in(client_id, data["storm"])

    def _take_in(self, name: str, report: ReportJson) -> None:
        if self.gathering is None:
            return
        self.gathering.report(name, report)
        end = report["end"]
        is_trials = self.asked.finds_knee and end is not None and end["stopped"] == SUFFERS
        if end is not None and end["stopped"] and not is_trials:
            self.engine.stop(end["stopped"])

    # --- what the master says -------------------------------------------------------------------

    def _leased(self, name: str, shelf: str, batches: int) -> LeaseJson:
        assert self._lessor is not None
        if self.engine.plan.by == "query":
            return LeaseJson(shelf=shelf, first=0, batches=[], ids=b"", names=[], is_last=True)
        return self._lessor.lease(name, shelf, batches)

    def _when(self) -> dict[str, Instant]:
        return {"begin": self._began, "told_at": time.time_ns()}

    def _tell_all(self, gathering: Gathering, what: str, data: Any) -> None:
        for name, process in gathering.processes.items():
            if not process.is_over:
                self._tell(name, what, data)

    def _tell(self, name: str, what: str, data: Any) -> None:
        self.runner.send_message(what, data, client_id=name)


def _wanted(plan: StormPlan, processes: int) -> int:
    """Batches of a process's first lease."""
    if not any(stage.rate for stage in plan.stages):
        return CLOSED_LEASE
    fastest = max((stage.rate for stage in plan.stages), default=0.0)
    return max(math.ceil(AHEAD * fastest / processes), LEAST_LEASE)
