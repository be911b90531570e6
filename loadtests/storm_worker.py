"""A worker's end of a storm on many processes: it fires its part, and tells the master what came of it.

What is said between the two is drawn in `storm_cluster`, which is the other end.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import WorkerRunner
from storm_client import Target
from storm_cluster import LEAST_LEASE
from storm_engine import Engine, Prepared
from storm_faults import heard
from storm_oig import OigTarget
from storm_options import Asked
from storm_share import Share

from agent_sim.errors import TargetError, UsageError
from agent_sim.instants import Span
from agent_sim.storms.campaign import NOBODY
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.gather import zero
from agent_sim.storms.leases import Leased
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.operations import StormOperation
from agent_sim.storms.plan import from_json


@dataclass(slots=True)
class _Waiting:
    """What a worker knows before it is told to begin."""

    storm: Prepared
    shelves: list[dict[str, Any]]

    def storm_of(self, index: int, shift: Span) -> Prepared:
        """The storm of the process of this index, whose clock is `shift` ahead of the master's."""
        declared = self.storm.declared
        if declared is None:
            return self.storm
        start = None if declared.start is None else declared.start + shift
        return replace(self.storm, declared=replace(declared, start=start, index=index))


@dataclass(slots=True)
class Worker:
    """The end that fires. `ask_for` turns what the master says into what a storm on this machine is asked with."""

    environment: Environment
    ask_for: Callable[[dict[str, Any]], Asked]
    engine: Engine | None = None
    begun: Event = field(default_factory=Event)
    _waiting: _Waiting | None = None
    _share: Share | None = None
    _asked_for: set[str] = field(default_factory=set)

    def listen(self) -> None:
        """Take the master's messages from now on."""
        runner = self._runner
        runner.register_message("storm.prepare", self._on_prepare, concurrent=True)
        runner.register_message("storm.begin", self._on_begin)
        runner.register_message("storm.lease", self._on_lease)
        runner.register_message("storm.settled", self._on_settled)
        runner.register_message("storm.stop", self._on_stop)
        self.environment.events.report_to_master.add_listener(self._on_report)

    def await_another(self) -> None:
        """A run of Locust's begins: its users wait for the storm, if they are not there after it has begun."""
        if self.engine is None or self.engine.finished.is_set():
            self.begun.clear()

    @property
    def _runner(self) -> WorkerRunner:
        return cast(WorkerRunner, self.environment.runner)

    def _on_prepare(self, environment: Environment, msg: Any, **_: Any) -> None:
        problem = ""
        try:
            self._waiting = _Waiting(self._prepared(msg.data), msg.data["shelves"])
        except (TargetError, UsageError) as error:
            problem = str(error)
        self._runner.send_message("storm.ready", {"problem": problem})

    def _prepared(self, said: dict[str, Any]) -> Prepared:
        plan = from_json(said["plan"])
        operation = CATALOGUE[plan.operation]
        asked = self.ask_for(said)
        target = self._connected(asked, operation)
        return Prepared(
            plan, operation, said["query"], said["users"], target, NOBODY, said["timeout"], 0.0,
            satisfied=said["satisfied"],
            declared=None if said["declared"] is None else heard(*said["declared"]),
        )  # fmt: skip

    def _connected(self, asked: Asked, operation: StormOperation | OigStorm) -> Target:
        """The way to the target, which all parts of a storm go."""
        if self._waiting is not None:
            return self._waiting.storm.target
        target = OigTarget(asked) if isinstance(operation, OigStorm) else Target(asked)
        target.preflight()  # one request: the way is open, and our credentials hold
        return target

    def _on_begin(self, environment: Environment, msg: Any, **_: Any) -> None:
        said, waiting = msg.data, self._waiting
        assert waiting is not None
        is_dealt = waiting.storm.plan.kind == "contended" and waiting.storm.users is None
        pools = {
            shelf["name"]: Leased(shelf["ids"], partial(self._ask_for_more, shelf["name"]), is_dealt=is_dealt)
            for shelf in waiting.shelves
        }
        sizes = {shelf["name"]: shelf["batch"] for shelf in waiting.shelves}
        for lease in said["leases"]:
            pools[lease["shelf"]].add(lease)
        begin = zero(said["begin"], said["told_at"], time.time_ns())
        storm = waiting.storm_of(said["index"], begin - said["begin"])
        share = self._share = Share(storm.plan, said["index"], said["count"], pools, sizes, storm.query, said["part"])
        engine = self.engine = Engine(storm, environment.events.request.fire, lambda _: None, share)
        engine.begin(begin)
        self._asked_for.clear()
        self.begun.set()
        gevent.spawn(self._fire, engine)
        gevent.spawn(self._report_often, engine)

    def _fire(self, engine: Engine) -> None:
        try:
            engine.fire()
            self._runner.send_message("storm.ended", cast(dict[str, Any], engine.take_report(is_last=True)))
            self._runner._send_stats()  # or Locust's own table may lack what came to pass since its last report
        finally:
            engine.finished.set()

    def _ask_for_more(self, shelf: str, batches: int) -> None:
        if shelf not in self._asked_for:
            self._asked_for.add(shelf)
            self._runner.send_message("storm.need", {"shelf": shelf, "batches": max(batches, LEAST_LEASE)})

    def _on_lease(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._asked_for.discard(msg.data["shelf"])
        if self._share is not None:
            self._share.pools[msg.data["shelf"]].add(msg.data)

    def _report_often(self, engine: Engine) -> None:
        """How long a warm-up lasts cannot wait for Locust's reports."""
        while engine.is_warming_up:
            gevent.sleep(1.0)
            if engine.has_reported:
                return
            self._runner.send_message("storm.report", cast(dict[str, Any], engine.take_report()))

    def _on_settled(self, environment: Environment, msg: Any, **_: Any) -> None:
        if self.engine is not None:
            self.engine.settle(msg.data["ends"])

    def _on_stop(self, environment: Environment, msg: Any, **_: Any) -> None:
        if self.engine is not None:
            self.engine.stop(msg.data["reason"])

    def _on_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        engine = self.engine
        if engine is not None and not engine.finished.is_set() and not engine.has_reported:
            data["storm"] = engine.take_report()
