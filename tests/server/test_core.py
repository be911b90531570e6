"""The server as a whole: tables without holes, permissions, restarts, and random walks that never leave the tables."""

from typing import get_args

import pytest

from agent_sim.draws import key, unit
from agent_sim.instants import HOUR, MINUTE
from agent_sim.jobs.model import STATE
from agent_sim.protocol import agent, command
from agent_sim.protocol.command import ACKNOWLEDGEABLE_QUERY, RESCHEDULABLE_QUERY, UNSCHEDULABLE_QUERY
from agent_sim.protocol.endpoints import BY_OPERATION, ENDPOINTS, READ_AGENTS, READ_STORES
from agent_sim.protocol.enums import Result, Status
from agent_sim.protocol.schedule import Interval, Weekly
from agent_sim.server.callers import Caller
from agent_sim.server.store import SqliteStore
from agent_sim.states import JOB, RUN, JobState, RunState
from tests.server.bench import AGENT, OPERATOR, START, Bench, failed
from tests.server.examples import MORE_EXAMPLES

# --- tables -----------------------------------------------------------------------------------


def test_every_operation_has_a_handler_and_every_endpoint_an_operation():
    handled = set(Bench().server._operations)

    assert handled == set(BY_OPERATION)


def test_every_message_of_an_agent_has_a_handler():
    handled = set(Bench().server._agent_requests._handlers)

    assert handled | {agent.Heartbeat, agent.Garbled} == set(get_args(agent.Body))  # what breaks off gets to none


# --- permissions ------------------------------------------------------------------------------

EXAMPLES = [
    command.ListJobHistory(),
    command.ListScheduledJobs(),
    command.GetJobData(1),
    command.ScheduleJob("x", "y"),
    command.Reschedule((1,)),
    command.Acknowledge((1,)),
    command.Unschedule(("x",)),
    command.ListAgents(),
    command.GetAgent("x"),
    command.ApproveAgents(("x",)),
    command.DisapproveAgents(("x",)),
    command.ListJobTypes(),
    command.CreateJobType("X"),
    command.ListStores(),
    command.CreateStore("m", "/p", 2, "x"),
    command.ScheduleInventory(("x",), Interval(1)),
    command.AddCertificate(1, ()),
    command.RemoveCertificate(()),
    command.ListTransitions(),
    *MORE_EXAMPLES,
]


@pytest.mark.parametrize("operation", EXAMPLES, ids=lambda operation: type(operation).__name__)
def test_without_its_permission_an_operation_is_refused_before_anything_else(operation):
    status, error = Bench().refused(operation, Caller("nobody", frozenset()))

    assert (status, error.error_code) == (403, "0xA0140002")
    assert error.message == "User nobody doesn't have the required permission"


@pytest.mark.parametrize("operation", EXAMPLES, ids=lambda operation: type(operation).__name__)
def test_with_exactly_its_permissions_an_operation_is_not_forbidden(operation):
    caller = Caller("clerk", frozenset(BY_OPERATION[type(operation)].permissions))

    assert Bench().ask(operation, caller).status != 403


def test_the_examples_name_every_operation_that_needs_a_permission():
    assert {type(operation) for operation in EXAMPLES} == set(BY_OPERATION) - {command.GetEndpoints}


def test_approving_needs_to_read_and_to_modify():
    modify = Caller("clerk", frozenset({"/agents/management/modify/"}))

    assert Bench().ask(command.ApproveAgents(()), modify).status == 403


@pytest.mark.parametrize(
    ("held", "wanted", "may"),
    [
        ("/", "/agents/management/read/", True),
        ("/agents/", "/agents/management/read/", True),
        ("/agents", "/agents/management/read/", True),
        ("/agents/management/read/", "/agents/management/read/", True),
        ("/agents/management/read/", "/agents/management/", False),
        ("/agents/management/modify/", "/agents/management/read/", False),
        ("/certificate_stores/schedule/3", "/certificate_stores/schedule/30/", False),
    ],
)
def test_a_permission_implies_what_is_below_it(held, wanted, may):
    assert Caller("c", frozenset({held})).may(wanted) is may


def test_the_status_endpoint_lists_what_the_caller_may_use():
    bench = Bench()
    reader = Caller("reader", frozenset({READ_AGENTS, READ_STORES}))

    assert set(bench.ask(command.GetEndpoints()).body) == {row.name for row in ENDPOINTS}
    assert "POST /Agents/Approve" not in bench.ask(command.GetEndpoints(), reader).body
    assert "GET /Agents" in bench.ask(command.GetEndpoints(), reader).body
    assert bench.ask(command.GetEndpoints(), Caller("nobody", frozenset())).body == ("GET /Status/Endpoints",)


def test_an_operator_may_speak_as_an_agent_and_an_agent_not_as_an_operator():
    bench = Bench()

    assert bench.registration(caller=OPERATOR).session is not None
    assert bench.ask(command.ListAgents(), AGENT).status == 403


# --- what lasts -------------------------------------------------------------------------------


def test_history_survives_a_restart_and_audit_ids_go_on(tmp_path):
    path = str(tmp_path / "sim.db")
    bench = Bench(SqliteStore.open(path), retries=0)
    session = bench.register()
    done = bench.run(session, bench.schedule(), Result.FAILURE)
    running_job = bench.schedule()
    running = bench.configure(session, running_job).audit_id
    waiting = bench.schedule()
    before = bench.history()
    bench.store.commit()
    bench.store.close()

    again = Bench(SqliteStore.open(path), retries=0)
    again.mint.given, again.now = 1000, bench.now

    assert again.history() == before
    assert not again.holds(session)
    assert failed(again.complete(session, running_job, running))
    session = again.register()
    assert [job.job_id for job in session.jobs] == [waiting]
    assert not failed(again.complete(session, running_job, running))
    assert again.run(session, waiting) == running + 1
    assert again.ask(command.Acknowledge((done,))).status == 204
    again.store.close()


def test_a_run_that_was_in_process_at_a_restart_times_out_like_any_other(tmp_path):
    path = str(tmp_path / "sim.db")
    bench = Bench(SqliteStore.open(path))
    job_id = bench.configure(bench.register(), bench.schedule()).audit_id
    bench.store.close()

    again = Bench(SqliteStore.open(path), job_timeout=HOUR)
    again.server.sweep(START + 2 * HOUR)
    assert [(run.job_history_id, run.status) for run in again.history()] == [(job_id, Status.COMPLETED_WILL_RETRY)]
    again.store.close()


def test_a_request_that_hits_a_bug_changes_nothing():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    bench.server._work.transitions.add = None  # type: ignore[assignment]
    before = bench.everything()

    with pytest.raises(TypeError):
        bench.configure(session, job_id)
    with pytest.raises(TypeError):
        bench.schedule()
    assert bench.everything() == before


def test_reading_leaves_nothing_to_commit():
    bench = Bench()
    session = bench.register()
    bench.schedule()
    bench.store.commit()
    bench.history()
    bench.scheduled()
    bench.holds(session)
    bench.refused(command.Reschedule((99,)))
    bench.register()

    assert not bench.store.dirty


# --- random walks -----------------------------------------------------------------------------


class Walker:
    """Agents and an operator that do anything at any time, by chance."""

    def __init__(self, seed: int) -> None:
        self.seed, self.step = seed, 0
        self.bench = Bench(retries=1, job_timeout=10 * MINUTE, partial_policy="best_effort")
        self.sessions = [self.bench.register("m1"), self.bench.register("m2")]
        self.bench.new_type()
        self.stores = [self.bench.new_store(machine=machine).id for machine in ("m1", "m2")]

    def pick(self, options, purpose):
        return options[int(unit(key(self.seed, self.step), purpose) * len(options))]

    def go(self) -> None:
        self.step += 1
        who = self.pick((0, 1), "who")
        self.pick(self.DEEDS, "deed")(self, who)

    def register(self, who):
        self.sessions[who] = self.bench.register(f"m{who + 1}")

    def configure(self, who):
        jobs = [row[0] for row in self.bench.store._connection.execute("SELECT job_id FROM job")]
        if jobs:
            self.bench.configure(self.sessions[who], self.pick(jobs, "job"))

    def complete(self, who):
        runs = self.bench.history()
        if runs:
            run = self.pick(runs, "run")
            result = self.pick((Result.SUCCESS, Result.WARNING, Result.FAILURE), "result")
            self.bench.complete(self.sessions[who], run.job_id, run.job_history_id, result)

    def post(self, who):
        schedule = self.pick((None, Interval(5), Weekly((1,), START)), "schedule")
        if self.pick((True, False), "kind"):
            self.bench.schedule("Rotate", schedule, f"m{who + 1}")
        else:
            self.bench.add_certificate(self.stores[who], when=schedule)

    def inventory(self, who):
        self.bench.ask(command.ScheduleInventory((self.stores[who],), self.pick((Interval(5), Interval(6)), "when")))

    def reschedule(self, who):
        self.bench.ask(command.Reschedule(None, RESCHEDULABLE_QUERY))

    def reschedule_one(self, who):
        self.bench.ask(command.Reschedule((self.pick(range(1, 30), "id"),)))

    def acknowledge(self, who):
        self.bench.ask(command.Acknowledge(None, f"({ACKNOWLEDGEABLE_QUERY}) AND Agent -eq m{who + 1}"))

    def unschedule(self, who):
        jobs = self.bench.scheduled(UNSCHEDULABLE_QUERY)
        if jobs:
            self.bench.ask(command.Unschedule((self.pick(jobs, "job").id,)))

    def sweep(self, who):
        self.bench.now += self.pick((MINUTE, 6 * MINUTE), "pause")
        self.bench.server.sweep(self.bench.now)

    DEEDS = (
        *(register, configure, configure, configure, complete, complete, complete, post),
        *(inventory, reschedule, reschedule_one, acknowledge, unschedule, sweep),
    )

    def states(self) -> tuple[dict[str, JobState], dict[int, tuple[RunState, int]]]:
        self.bench.store.settle()
        connection = self.bench.store._connection
        jobs = {job: JobState(state) for job, state in connection.execute("SELECT job_id, state FROM job")}
        runs = connection.execute("SELECT job_history_id, status, result FROM run")
        return jobs, {audit_id: (STATE[Status(status)], result) for audit_id, status, result in runs}


@pytest.mark.parametrize("seed", range(100))
def test_no_random_walk_of_agents_and_operators_leaves_the_tables(seed):
    walker = Walker(seed)
    for _ in range(120):
        jobs_before, runs_before = walker.states()
        walker.go()
        jobs, runs = walker.states()

        for job_id, state in jobs_before.items():
            following = {after for (before, _), after in JOB.items() if before is state}
            assert jobs[job_id] in following | {state}
        for audit_id, (state, result) in runs_before.items():
            following = {after for (before, _), after in RUN.items() if before is state}
            assert runs[audit_id][0] in following | {state}
            assert state is RunState.IN_PROCESS or runs[audit_id][1] == result  # a result never changes
    accepted = [row.audit_id for row in walker.bench.transitions() if row.kind in ("completed", "timed_out")]
    assert len(accepted) == len(set(accepted))  # at most once
    assert set(runs) == set(range(1, len(runs) + 1))  # audit ids have no gap and none is given twice


def test_a_walk_meets_every_kind_of_transition():
    kinds = set()
    for seed in range(5):
        walker = Walker(seed)
        for _ in range(120):
            walker.go()
        kinds |= set(walker.bench.kinds())

    assert kinds == {
        "queued",
        "configured",
        "completed",
        "timed_out",
        "rescheduled",
        "acknowledged",
        "unscheduled",
    }
