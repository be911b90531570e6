"""From what cores report to what the journal keeps: one table from facts to lines.

Shared by the live fleet and by replays, so that both leave the same journal.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, assert_never

from agent_sim.agent import events as agent
from agent_sim.agent.behaviour import Occasion
from agent_sim.instants import SECOND, Instant
from agent_sim.operator import events as operator
from agent_sim.operator.oig import Asked
from agent_sim.operator.readback import Said
from agent_sim.protocol import oig
from agent_sim.protocol.agent import AgentRequest, Complete, Configure, Garbled, Heartbeat, Register
from agent_sim.protocol.command import AgentRecord, JobHistoryRecord, ScheduledJobRecord, Transition
from agent_sim.protocol.enums import CUSTOM_PREFIX, FETCH_LOGS
from agent_sim.protocol.oig_reading import Found
from agent_sim.protocol.schedule import to_wire
from agent_sim.results import journal
from agent_sim.scenario.duties import FleetNeed
from agent_sim.storms.trail import Trail

_OPERATIONS = {
    Register: "register",
    Heartbeat: "heartbeat",
    Configure: "configure",
    Complete: "complete",
    Garbled: "complete",
}


def operation_of(request: AgentRequest) -> str:
    """What the report calls a request of an agent."""
    return _OPERATIONS.get(type(request.body), "upload")


def of_agent(fact: agent.Fact, fleet: str, name: str, t: float, started: Instant) -> journal.Line:
    """The line for one fact of one agent, `t` seconds into the run that began at `started`; what is frequent, first."""
    match fact:
        case agent.JobConfigured(job, audit, occasion):
            return journal.JobConfigured(t, fleet, name, job, audit, *_where(occasion))
        case agent.JobCompleted(job, audit, occasion, result, accepted, worked):
            return journal.JobCompleted(
                t, fleet, name, job, audit, *_where(occasion), result, accepted, worked / SECOND
            )
        case agent.Registered(first, jobs):
            return journal.AgentRegistered(t, fleet, name, first, jobs)
        case agent.SessionLost():
            return journal.SessionLost(t, fleet, name)
        case agent.RegistrationRefused(code, message):
            return journal.AgentRefused(t, fleet, name, code, message)
        case agent.AgentCrashed(restart_at, keeps_identity):
            return journal.AgentCrashed(t, fleet, name, (restart_at - started) / SECOND, keeps_identity)
        case agent.AgentOffline():
            return journal.AgentOffline(t, fleet, name)
        case agent.AgentOnline():
            return journal.AgentOnline(t, fleet, name)
        case agent.JobLeft(job, audit, occasion, why):
            return journal.JobLeft(t, fleet, name, job, audit, *_where(occasion), why)
        case agent.JobCancelled(job):
            return journal.JobCancelled(t, fleet, name, job)
        case agent.JobRefused(job, message):
            return journal.JobRefused(t, fleet, name, job, message)
        case agent.CompletionRepeated(job, audit, occasion, accepted):
            return journal.CompletionRepeated(t, fleet, name, job, audit, *_where(occasion), accepted)
        case _:
            assert_never(fact)


def _where(occasion: Occasion) -> tuple[str, str, int, int]:
    return occasion.job.word, occasion.store, occasion.occurrence, occasion.attempt


def of_operator(fact: operator.Fact, t: float) -> Iterator[journal.Line]:
    """The lines for one fact of the operator; what concerns nobody's job has none."""
    match fact:
        case operator.JobTypeKnown():
            return
        case operator.AgentApproved(machine):
            yield journal.AgentApproved(t, machine)
        case operator.JobPosted(posting, kind, machine, job_id):
            yield journal.JobPosted(t, posting, kind, machine, job_id or None)
        case operator.PostFailed(posting, kind, machine, status, message):
            yield journal.PostFailed(t, posting, kind, machine, status, message)
        case operator.SetupFailed(what, status, message):
            yield journal.PostFailed(t, "setup", what, "", status, message)
        case _:
            assert_never(fact)


def of_fleet(fleet: FleetNeed) -> journal.FleetDeclared:
    """The line for a fleet that takes part."""
    return journal.FleetDeclared(0.0, fleet.name, len(fleet.machines), fleet.capabilities)


def of_said(said: Said, started: Instant, t: float, scale: float = 1.0) -> Iterator[journal.Line]:
    """The lines for a page of what the server says, `t` seconds into the run that began at `started` by its clock.

    `scale` is how many seconds of the run passed in one of the server's.
    """
    for run in said.runs:
        yield of_run(run, started, t, scale)
    for job in said.waiting:
        yield of_job(job, t)
    yield from of_transitions(said.transitions, started, t, scale)
    for listed in said.agents:
        yield of_server_agent(listed, started, t, scale)
    if said.census is not None:
        yield journal.ServerCensus(t, said.census.counted, said.census.shows_transitions)


def of_run(record: JobHistoryRecord, started: Instant, t: float, scale: float = 1.0) -> journal.ServerRun:
    """The line for one record of the server's job history."""
    return journal.ServerRun(
        t,
        audit=record.job_history_id,
        job=record.job_id,
        type=record.job_type,
        machine=record.agent_machine,
        result=record.result,
        status=record.status,
        start=_since(record.operation_start, started, scale),
        end=_since(record.operation_end, started, scale),
        schedule=to_wire(record.schedule) if record.schedule is not None else None,
    )


def of_job(record: ScheduledJobRecord, t: float) -> journal.ServerJob:
    """The line for one job that the server still has scheduled."""
    schedule = to_wire(record.schedule) if record.schedule is not None else None
    return journal.ServerJob(t, record.id, record.job_type, record.client_machine, schedule)


_OIG_ASKED: Final[Mapping[type[oig.Operation], str]] = {
    oig.CreateJob: "create",
    oig.SetTrigger: "trigger",
    oig.RunJob: "run",
    oig.StopJob: "stop",
    oig.EnableJob: "enable",
    oig.DisableJob: "disable",
    oig.DeleteJob: "delete",
}


def of_oig_operator(fact: Asked, t: float) -> journal.Line:
    """The line for one fact of the scheduler's operator."""
    operation = fact.operation
    name = operation.job.job_name if isinstance(operation, oig.CreateJob) else getattr(operation, "name", "")
    return journal.OigAsked(t, _OIG_ASKED[type(operation)], name, fact.status, fact.message)


def of_oig_job(found: Found, started: Instant, t: float) -> journal.OigJob:
    """The line for one job that the scheduler holds."""
    job, trigger = found.job, found.trigger
    return journal.OigJob(
        t,
        job=job.job_name,
        task=job.task_name,
        retries=job.retry_count,
        concurrent=job.concurrent,
        enabled=job.is_enabled,
        status=job.status.value,
        trigger="None" if trigger is None else trigger.trigger_type.value,
        next_fire=None if trigger is None else _since(trigger.next_fire, started, 1.0),
    )


def of_oig_run(run: oig.History, started: Instant, t: float) -> journal.OigRun:
    """The line for one run of the scheduler's history."""
    start = (run.start - started) / SECOND
    return journal.OigRun(
        t, run.id, run.job_name, run.status.value, start, _since(run.end, started, 1.0), run.error_message or ""
    )


def of_transitions(
    transitions: Iterable[Transition], started: Instant, t: float, scale: float = 1.0
) -> Iterator[journal.ServerStory]:
    """A line for each job that something happened to."""
    stories: dict[str, list[journal.Step]] = {}
    for each in transitions:
        step = each.kind, (each.at - started) / SECOND * scale, each.audit_id
        stories.setdefault(each.job_id, []).append(step)
    for job, steps in stories.items():
        yield journal.ServerStory(t, job, tuple(steps))


def of_trail(storm: str, trail: Trail, t: float) -> Iterator[journal.Line]:
    """The lines for jobs that a storm took off the schedule, or had made."""
    word = FETCH_LOGS.word if trail.job_type == FETCH_LOGS.history else f"{CUSTOM_PREFIX}{trail.job_type}"
    for machine, job in trail.posted:
        yield journal.JobPosted(t, storm, word, machine, job)
    for first in range(0, len(trail.unscheduled), _AT_ONCE):
        yield journal.JobsUnscheduled(t, storm, trail.unscheduled[first : first + _AT_ONCE], ())
    for first in range(0, len(trail.maybe_unscheduled), _AT_ONCE):
        yield journal.JobsUnscheduled(t, storm, (), trail.maybe_unscheduled[first : first + _AT_ONCE])


_AT_ONCE: Final = 1000
"""Ids in one line."""


def of_server_agent(agent: AgentRecord, started: Instant, t: float, scale: float = 1.0) -> journal.ServerAgent:
    """The line for an orchestrator as the server lists it."""
    seen = _since(agent.last_seen, started, scale)
    return journal.ServerAgent(t, agent.agent_id, agent.client_machine, agent.status, seen)


def _since(instant: Instant | None, started: Instant, scale: float) -> float | None:
    return None if instant is None else (instant - started) / SECOND * scale
