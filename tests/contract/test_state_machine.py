"""Random sequences of what operators and agents do, against a plain model and the server side by side.

The model is a page of dictionaries over the tables of `states` (`model.py`); after every step everything that can be
listed must be what the model says. Once with the core called directly, once over HTTP.
"""

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent_sim.instants import HOUR, MINUTE, SECOND, Instant, from_iso
from agent_sim.protocol import command
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    REGISTER,
    Complete,
    CompletionReply,
    Configuration,
    Configure,
    Heartbeat,
    HeartbeatReply,
    Register,
    SessionReply,
)
from agent_sim.protocol.command import (
    ACKNOWLEDGEABLE_QUERY,
    RESCHEDULABLE_QUERY,
    UNSCHEDULABLE_QUERY,
    Page,
)
from agent_sim.protocol.enums import AgentStatus, Category, Result
from agent_sim.protocol.schedule import (
    Daily,
    ExactlyOnce,
    Immediate,
    Interval,
    Monthly,
    Schedule,
    Weekly,
    recurs,
    to_wire,
)
from agent_sim.server.problems import AgentCode
from agent_sim.settings import DEFAULT_SETTINGS
from agent_sim.states import JobState, RunState
from tests.budget import examples
from tests.contract.model import Job, Model
from tests.contract.worlds import CoreWorld, HttpWorld, World

SETTINGS = replace(
    DEFAULT_SETTINGS,
    retries=2,
    job_timeout=10 * MINUTE,
    session_length=40 * MINUTE,
    management_needs_certificate=False,  # these agents show none
)
NOON = from_iso("2026-03-04T12:00:00Z")
SCHEDULES: list[Schedule] = [
    Immediate(),
    Interval(60),
    Daily(NOON),
    Weekly((1, 3), NOON),
    Monthly(31, NOON),
    ExactlyOnce(NOON),
]
MACHINES = ("m0", "m1")
ABILITIES = ("CertStores.PEM.Inventory", "CertStores.PEM.Management", "Custom.FetchLogs", "Custom.Rotate")
AREAS = {
    Category.CUSTOM: "Custom",
    Category.FETCH_LOGS: "FetchLogs",
    Category.MANAGEMENT: "Management",
    Category.INVENTORY: "Inventory",
}
SUPERSEDED_KEPT = 16

machines = st.sampled_from(MACHINES)
schedules = st.sampled_from(SCHEDULES)
indexes = st.integers(0, 2**16)
results = st.sampled_from([Result.SUCCESS, Result.WARNING, Result.FAILURE, Result.FAILURE])


@dataclass
class Agent:
    """An agent as it knows itself: its tokens, newest last, and the jobs on its list."""

    agent_id: str = ""
    tokens: list[str] = field(default_factory=list)
    expires: Instant = 0
    listed: dict[str, str | None] = field(default_factory=dict)

    def forget(self) -> None:
        """Nothing that it was given is worth anything any more."""
        self.tokens, self.expires = [], 0


class Lifecycle(RuleBasedStateMachine):
    """Two agents, a store each, and an operator."""

    kind: ClassVar[type[CoreWorld] | type[HttpWorld]]
    examples: ClassVar[int]
    steps: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        type(self).examples += 1
        self.folder = Path(tempfile.mkdtemp(prefix="agent-sim-"))
        self.world: World = self.kind(self.folder, SETTINGS)
        self.model = Model(SETTINGS.retries, SETTINGS.job_timeout)
        self.agents = {machine: Agent() for machine in MACHINES}
        self.stores: dict[str, str] = {}

    def teardown(self) -> None:
        self.world.close()
        shutil.rmtree(self.folder)

    @initialize()
    def everybody_is_there(self) -> None:
        assert self.world.ask(command.CreateJobType("Rotate")).status == 200
        for machine in MACHINES:
            self.model.agents[machine] = AgentStatus.APPROVED
            self.register(machine)
            made = self.world.ask(
                command.CreateStore(machine, "/a.pem", 2, self.agents[machine].agent_id, Interval(60))
            ).body
            assert isinstance(made, command.StoreRecord)
            self.stores[machine] = made.id
            assert made.cert_store_inventory_job_id
            self._accepted(made.cert_store_inventory_job_id, machine, Category.INVENTORY, Interval(60))

    def _accepted(self, job_id: str, machine: str, category: Category, schedule: Schedule) -> None:
        assert job_id not in self.model.jobs
        self.model.jobs[job_id] = Job(machine, category, schedule, at_once=isinstance(schedule, Immediate))

    # --- operators ----------------------------------------------------------------------------

    @rule(machine=machines, name=st.sampled_from(["FetchLogs", "Rotate"]), schedule=schedules)
    def schedule_a_job(self, machine: str, name: str, schedule: Schedule) -> None:
        agent = self.agents[machine]
        reply = self.world.ask(command.ScheduleJob(agent.agent_id, name, schedule))
        if self.model.agents[machine] is not AgentStatus.APPROVED:
            assert reply.status == 400
            return
        assert isinstance(reply.body, command.ScheduledJob)
        category = Category.FETCH_LOGS if name == "FetchLogs" else Category.CUSTOM
        self._accepted(reply.body.job_id, machine, category, schedule)

    @rule(machine=machines, schedule=schedules)
    def add_a_certificate(self, machine: str, schedule: Schedule) -> None:
        entry = command.StoreEntry(self.stores[machine], alias="a")
        reply = self.world.ask(command.AddCertificate(1, (entry,), schedule))
        if self.model.agents[machine] is not AgentStatus.APPROVED:
            assert reply.status == 400
            return
        assert reply.status == 200
        assert isinstance(reply.body, tuple)
        [job_id] = reply.body
        self._accepted(str(job_id), machine, Category.MANAGEMENT, schedule)

    def _audits(self, picks: list[int], unknown: bool) -> tuple[int, ...]:
        """Some of the runs there are; perhaps one that there is not."""
        known = sorted(self.model.runs)
        found = [known[pick % len(known)] for pick in picks if known]
        return tuple(found + [10**6] * (unknown or not found))

    @rule(picks=st.lists(indexes, max_size=3), unknown=st.sampled_from([False, False, False, True]))
    def reschedule(self, picks: list[int], unknown: bool) -> None:
        audits = self._audits(picks, unknown)
        assert self.world.ask(command.Reschedule(audits)).status == self.model.reschedule(audits)

    @rule(pick=indexes)
    def reschedule_what_can_be(self, pick: int) -> None:
        fitting = [audit for audit in self.model.runs if self.model._may_reschedule(audit)]
        audits = (fitting[pick % len(fitting)],) if fitting else (10**6,)
        assert self.world.ask(command.Reschedule(audits)).status == self.model.reschedule(audits)

    @rule()
    def reschedule_by_query(self) -> None:
        reply = self.world.ask(command.Reschedule(query=RESCHEDULABLE_QUERY))
        assert reply.status == self.model.reschedule_by_query() == 204

    @rule(picks=st.lists(indexes, max_size=3), unknown=st.sampled_from([False, False, False, True]))
    def acknowledge(self, picks: list[int], unknown: bool) -> None:
        audits = self._audits(picks, unknown)
        assert self.world.ask(command.Acknowledge(audits)).status == self.model.acknowledge(audits)

    @rule()
    def acknowledge_by_query(self) -> None:
        reply = self.world.ask(command.Acknowledge(query=ACKNOWLEDGEABLE_QUERY))
        assert reply.status == self.model.acknowledge_by_query() == 204

    @rule(picks=st.lists(indexes, max_size=2), unknown=st.sampled_from([False, False, False, True]))
    def unschedule(self, picks: list[int], unknown: bool) -> None:
        known = sorted(self.model.jobs)
        names = tuple([known[pick % len(known)] for pick in picks] + ["nothing"] * (unknown or not picks))
        assert self.world.ask(command.Unschedule(names)).status == self.model.unschedule(names)

    @rule()
    def unschedule_by_query(self) -> None:
        reply = self.world.ask(command.Unschedule(query=UNSCHEDULABLE_QUERY))
        assert reply.status == self.model.unschedule_by_query() == 204

    @rule(machine=machines)
    def approve(self, machine: str) -> None:
        assert self.world.ask(command.ApproveAgents((self.agents[machine].agent_id,))).status == 204
        self.model.agents[machine] = AgentStatus.APPROVED

    @rule(machine=machines)
    def disapprove(self, machine: str) -> None:
        assert self.world.ask(command.DisapproveAgents((self.agents[machine].agent_id,))).status == 204
        if self.model.agents[machine] is AgentStatus.APPROVED:
            self.agents[machine].forget()
        self.model.agents[machine] = AgentStatus.DISAPPROVED

    # --- agents -------------------------------------------------------------------------------

    @rule(machine=machines)
    def register(self, machine: str) -> None:
        agent = self.agents[machine]
        reply = self.world.send(REGISTER, Register(5, 0, NO_TENANT, machine, None, agent.agent_id, ABILITIES)).body
        assert isinstance(reply, SessionReply)
        if self.model.agents[machine] is not AgentStatus.APPROVED:
            assert reply.session is None
            assert reply.result.code == AgentCode.NOT_APPROVED
            return
        assert reply.session is not None
        agent.agent_id, agent.expires = reply.session.agent_id or "", self.world.now + SETTINGS.session_length
        agent.tokens = [*agent.tokens, reply.session.token or ""][-SUPERSEDED_KEPT - 1 :]
        agent.listed = {job.job_id: job.schedule for job in reply.session.jobs or ()}
        assert agent.listed == {name: self._wire(name) for name in self.model.waiting(machine)}
        assert self._holds(machine)

    def _wire(self, name: str) -> str | None:
        job = self.model.jobs[name]
        return None if job.at_once else to_wire(job.schedule)

    def _holds(self, machine: str) -> bool:
        token = (self.agents[machine].tokens or ["none"])[-1]
        reply = self.world.send(HEARTBEAT, Heartbeat(5, NO_TENANT, machine, token)).body
        assert isinstance(reply, HeartbeatReply)
        assert not reply.result.is_refusal
        return reply.session_valid

    @rule(machine=machines, pick=indexes, age=st.sampled_from([0, 0, 0, 0, 1]))
    def configure(self, machine: str, pick: int, age: int) -> None:
        """Any job, also another agent's; mostly under the newest token."""
        self._configure(machine, sorted(self.model.jobs)[pick % len(self.model.jobs)], age)

    @precondition(lambda self: any(self.model.waiting(machine) for machine in MACHINES))
    @rule(pick=indexes)
    def configure_what_waits(self, pick: int) -> None:
        waiting = sorted((name, machine) for machine in MACHINES for name in self.model.waiting(machine))
        name, machine = waiting[pick % len(waiting)]
        self._configure(machine, name, 0)

    @rule(machine=machines, outcomes=st.lists(results, min_size=1, max_size=3))
    def a_shift(self, machine: str, outcomes: list[Result]) -> None:
        """An agent registers and runs all that waits: what most of the time happens, and what uses up retries."""
        self.register(machine)
        for number, name in enumerate(sorted(self.agents[machine].listed)):
            self._configure(machine, name, 0)
            audit = self.model.in_process(name)
            if audit is not None:
                self._complete(audit, outcomes[number % len(outcomes)], "", 0)

    @rule(machine=machines, shifts=st.integers(2, 4))
    def a_bad_day(self, machine: str, shifts: int) -> None:
        """Whatever it tries fails."""
        for _ in range(shifts):
            self.a_shift(machine, [Result.FAILURE])

    def _configure(self, machine: str, name: str, age: int) -> None:
        agent, job = self.agents[machine], self.model.jobs[name]
        token = agent.tokens[-1 - age] if len(agent.tokens) > age else "none"
        reply = self.world.send(f"KeyfactorAgents/{AREAS[job.category]}/Configure", Configure(token, name)).body
        assert isinstance(reply, Configuration)
        if age or not agent.tokens or self.world.now >= agent.expires:
            assert reply.result.code == AgentCode.NO_SESSION
            return
        running = self.model.in_process(name)
        if job.agent != machine or (job.state is not JobState.WAITING and running is None):
            assert reply.job_cancelled
            return
        assert not reply.job_cancelled
        if job.state is not JobState.WAITING:
            assert reply.audit_id == running
            return
        if job.at_once or not recurs(job.schedule):
            agent.listed.pop(name, None)
        self.model.take(name, reply.audit_id, self.world.now)

    @precondition(lambda self: self.model.runs)
    @rule(
        pick=indexes,
        result=results,
        message=st.sampled_from(["", "disk full\n", "timed out"]),
        age=st.sampled_from([0, 0, 1]),
    )
    def complete(self, pick: int, result: Result, message: str, age: int) -> None:
        """Any run, once more or for the first time, in time or late, also under a token that is over."""
        audits = sorted(self.model.runs)
        self._complete(audits[pick % len(audits)], result, message, age)

    @precondition(lambda self: any(run.state is RunState.IN_PROCESS for run in self.model.runs.values()))
    @rule(pick=indexes, result=results, age=st.sampled_from([0, 1]))
    def complete_what_runs(self, pick: int, result: Result, age: int) -> None:
        running = [audit for audit, run in self.model.runs.items() if run.state is RunState.IN_PROCESS]
        self._complete(running[pick % len(running)], result, "", age)

    @precondition(lambda self: self._given_up())
    @rule(pick=indexes)
    def complete_too_late(self, pick: int) -> None:
        """A run that timed out, with the very words that the server found for it."""
        self._complete(self._given_up()[pick % len(self._given_up())], Result.FAILURE, "timed out", 0)

    def _given_up(self) -> list[int]:
        ended = [(audit, run) for audit, run in self.model.runs.items() if run.state is not RunState.IN_PROCESS]
        return [audit for audit, run in ended if run.said is None]

    @precondition(lambda self: any(run.said for run in self.model.runs.values()))
    @rule(pick=indexes)
    def complete_again(self, pick: int) -> None:
        """The very same once more, as an agent that heard no answer does."""
        audits = [audit for audit, run in self.model.runs.items() if run.said]
        audit = audits[pick % len(audits)]
        said = self.model.runs[audit].said
        assert said is not None
        self._complete(audit, said[0], said[1], 0)

    def _complete(self, audit: int, result: Result, message: str, age: int) -> None:
        run = self.model.runs[audit]
        job = self.model.jobs[run.job]
        agent = self.agents[job.agent]
        token = agent.tokens[-1 - age] if len(agent.tokens) > age else "none"
        data = "log" if job.category is Category.FETCH_LOGS else None
        body = Complete(result, audit, run.job, message, token, log=data)
        reply = self.world.send(f"KeyfactorAgents/{AREAS[job.category]}/Complete", body).body
        assert isinstance(reply, CompletionReply)
        if token not in agent.tokens:
            assert reply.result.code == AgentCode.NO_SESSION
        elif run.state is RunState.IN_PROCESS:
            assert not reply.result.is_refusal
            self.model.end(audit, result, (result, message, data))
        elif run.said == (result, message, data):
            assert not reply.result.is_refusal
        else:
            assert reply.result.code == AgentCode.ALREADY_ENDED

    # --- time and death -----------------------------------------------------------------------

    @rule(span=st.sampled_from([SECOND, MINUTE, 11 * MINUTE, 41 * MINUTE, HOUR]))
    def time_passes(self, span: int) -> None:
        self.world.now += span
        self.world.sweep()
        self.model.pass_time(self.world.now)
        for agent in self.agents.values():
            if agent.expires < self.world.now - SETTINGS.job_timeout:
                agent.forget()

    @rule()
    def restart(self) -> None:
        self.world.restart()
        for agent in self.agents.values():
            agent.forget()

    # --- what must always be so ---------------------------------------------------------------

    @invariant()
    def the_history_is_what_happened(self) -> None:
        rows = self.world.ask(command.ListJobHistory(Page(limit=5000))).body
        assert isinstance(rows, tuple)
        found = {row.job_history_id: (row.job_id, row.result, row.status) for row in rows}  # type: ignore[union-attr]
        assert found == self.model.history()

    @invariant()
    def the_schedule_is_what_is_to_happen(self) -> None:
        rows = self.world.ask(command.ListScheduledJobs(Page(limit=5000))).body
        assert isinstance(rows, tuple)
        assert {row.id: row.schedule or Immediate() for row in rows} == self.model.scheduled()  # type: ignore[union-attr]

    @invariant()
    def the_agents_stand_as_they_were_told(self) -> None:
        rows = self.world.ask(command.ListAgents()).body
        assert isinstance(rows, tuple)
        assert {row.client_machine: row.status for row in rows} == self.model.agents  # type: ignore[union-attr]

    @invariant()
    def a_session_that_holds_has_the_jobs_that_wait(self) -> None:
        for machine, agent in self.agents.items():
            if not self._holds(machine):
                continue
            assert agent.tokens
            assert self.world.now < agent.expires
            waiting = {name: self._wire(name) for name in self.model.waiting(machine)}
            assert waiting.items() <= agent.listed.items()
            assert not [name for name in agent.listed if self.model.jobs[name].state is JobState.GONE]


class CoreLifecycle(Lifecycle):
    kind, examples = CoreWorld, 0


class HttpLifecycle(Lifecycle):
    kind, examples = HttpWorld, 0


def _budget(most: int, steps: int) -> settings:
    return settings(
        max_examples=most,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def test_the_core_does_what_the_model_does() -> None:
    run_state_machine_as_test(CoreLifecycle, settings=_budget(examples(40), 50))  # type: ignore[no-untyped-call]

    assert CoreLifecycle.examples >= examples(40)


@pytest.mark.slow
def test_the_server_does_over_http_what_the_model_does() -> None:
    run_state_machine_as_test(HttpLifecycle, settings=_budget(examples(12), 40))  # type: ignore[no-untyped-call]

    assert HttpLifecycle.examples >= examples(12)
