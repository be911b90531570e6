"""Looking at a target and clearing it, against the embedded server's core after a replay of a real scenario."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_sim.cli.replay import backend, opening
from agent_sim.fleet.replay import Backend, Replay
from agent_sim.operator.clearing import Cleared, clear
from agent_sim.operator.survey import Survey, needed, survey
from agent_sim.protocol import command
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.protocol.enums import AgentStatus
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import Plan, plan
from agent_sim.server.store import SqliteStore
from tests.fleet.replays import START
from tests.scenario.files import written

SCENARIO = """\
version: 1
name: left
seed: 1
stop: {after: 1m, drain: 30s}
server: {retries: 0}
fleets:
  - {name: lab, count: 4, capabilities: [PEM, LOGS, "custom:Patch"], heartbeat: {every: 2s}, stores: {per_agent: 2}}
behaviours:
  - {name: default, jobs: [{type: Management, outcomes: [{result: failure}]}]}
schedules:
  - {name: logs, type: LOGS, schedule: {interval: 10m}}
  - {name: renew, type: Management, at: 10s}
  - {name: patch, type: "custom:Patch", at: 10s}
  - {name: look, type: Inventory, schedule: {interval: 5m}}
"""


class World:
    """A server that a run has left, and everything that was asked of it since."""

    def __init__(self, planned: Plan, whole: Backend, end: int) -> None:
        self.plan, self._whole, self._now = planned, whole, end
        self.asked: list[command.Operation] = []

    def drive(self, asking: Any, ask: Callable[[command.Operation], Any] = lambda operation: operation) -> Any:
        """What the asking comes to; `ask` may change an operation on its way, or answer it."""
        operation = next(asking)
        while True:
            self.asked.append(operation)
            changed = ask(operation)
            answered = isinstance(changed, command.CommandReply)
            reply = changed if answered else self._whole.command(changed, self._now)
            try:
                operation = asking.send(reply)
            except StopIteration as end:
                return end.value

    def survey(self, *storms: str) -> Survey:
        return self.drive(survey(self.plan.operator, storms))

    def clear(self, prefix: str = "agentsim-left-", types: tuple[str, ...] = ("Patch",)) -> Cleared:
        return self.drive(clear(prefix, types))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    scenario = load(written(SCENARIO, tmp_path))
    planned = plan(scenario, START)
    store = SqliteStore.open(":memory:")
    lines = [opening(planned)]
    whole = backend(store, planned.server, planned.seed)
    run = Replay(planned, whole, lines.append, scenario.stop.drain)
    run.run()
    yield World(planned, whole, run.now)
    store.close()


def test_what_is_there_is_told_and_nothing_but_reading_is_done(world: World):
    found = world.survey("reschedule", "acknowledge")

    assert found.agents == {AgentStatus.NEW: 0, AgentStatus.APPROVED: 4, AgentStatus.DISAPPROVED: 0}
    assert (found.stores, found.waiting, found.job_types) == (8, 12, ("Patch",))
    assert found.eligible == {
        "reschedule": 8,
        "acknowledge": 8,
        "unschedule": 4,
        **dict.fromkeys(("custom", "custom_bulk", "fetch_logs"), 4),
        "approve": 0,
    }
    assert found.missing == ()
    assert {BY_OPERATION[type(operation)].method for operation in world.asked} == {"GET"}


def test_endpoints_that_a_run_needs_are_those_of_its_plan(world: World):
    whole = needed(world.plan.operator, ("reschedule",))
    few = needed(replace(world.plan.operator, fleets=(), postings=(), may_approve=False), ())

    assert {"POST /OrchestratorJobs/Reschedule", "POST /CertificateStores", "POST /Agents/Approve"} <= set(whole)
    assert few == ("GET /Agents", "GET /OrchestratorJobs/JobHistory", "GET /OrchestratorJobs/ScheduledJobs")


def test_an_endpoint_that_is_not_listed_is_missing(world: World):
    few = command.CommandReply(200, ("get /agents", "GET /OrchestratorJobs/JobHistory"))
    found = world.drive(
        survey(world.plan.operator, ("acknowledge",)),
        lambda operation: few if isinstance(operation, command.GetEndpoints) else operation,
    )

    assert "POST /OrchestratorJobs/Acknowledge" in found.missing
    assert "GET /Agents" not in found.missing


def test_a_cleanup_leaves_only_what_the_api_cannot_remove(world: World):
    before = world.survey()

    cleared = world.clear()

    assert (cleared.unscheduled, cleared.stores, cleared.job_types, cleared.disapproved) == (4, 8, ["Patch"], 4)
    assert (cleared.refused, cleared.running) == ([], 0)
    assert (cleared.agents_left, cleared.runs_left) == (4, before.runs)
    after = world.survey()
    assert (after.stores, after.waiting, after.job_types) == (0, 0, ())
    assert after.agents[AgentStatus.DISAPPROVED] == 4


def test_a_second_cleanup_finds_nothing_to_do(world: World):
    world.clear()
    again = world.clear()

    assert (again.unscheduled, again.stores, again.job_types, again.disapproved) == (0, 0, [], 0)
    assert again.refused == []


def test_others_are_never_touched(world: World):
    cleared = world.clear(prefix="agentsim-other-", types=())

    assert (cleared.unscheduled, cleared.stores, cleared.disapproved, cleared.agents_left) == (0, 0, 0, 0)
    assert world.survey().agents[AgentStatus.APPROVED] == 4


def test_a_server_that_lists_too_much_is_not_believed(world: World):
    """One that ignores the query would otherwise have everybody's stores deleted."""
    cleared = world.drive(clear("agentsim-other-", ()), everything)

    assert (cleared.stores, cleared.disapproved, cleared.agents_left) == (0, 0, 0)
    assert {BY_OPERATION[type(operation)].method for operation in world.asked} == {"GET"}


def everything(operation: Any) -> Any:
    """The same listing without its query."""
    return replace(operation, page=replace(operation.page, query="")) if hasattr(operation, "page") else operation


def test_a_job_type_that_was_there_before_stays(world: World):
    world.drive(iter_once(command.CreateJobType("Older", description="by hand")))

    cleared = world.clear(types=("Patch", "Older"))

    assert cleared.job_types == ["Patch"]
    assert cleared.refused == ["the job type Older stays: it was there before, by its description"]


def iter_once(operation: command.Operation) -> Any:
    reply = yield operation
    return reply
