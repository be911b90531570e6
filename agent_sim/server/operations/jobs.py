"""Jobs over the management API: history, schedule, data, and new custom jobs (command-api 2)."""

from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs.model import new_job
from agent_sim.protocol import command
from agent_sim.protocol.command import CommandReply, JobField, JobHistoryRecord, ScheduledJob, ScheduledJobRecord
from agent_sim.protocol.enums import FETCH_LOGS, JobType, Result, Status, custom
from agent_sim.protocol.schedule import Immediate
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations import job_fields
from agent_sim.server.operations.checks import incapable, unapproved, unusable
from agent_sim.server.operations.listing import JOB_HISTORY, SCHEDULED_JOBS, Found, find
from agent_sim.server.ports import Mint, Row, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.columns import optional, schedule
from agent_sim.server.tables.job_types import JobTypes
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings

_MOST_TRANSITIONS: Final = 50_000


class JobOperations:
    """Reads runs and jobs, and schedules custom ones."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint, work: Work) -> None:
        self._store, self._settings, self._mint, self._work = store, settings, mint, work
        self._agents = Agents(store)
        self._types = JobTypes(store)

    def history(self, wanted: command.ListJobHistory, caller: Caller, now: Instant) -> CommandReply:
        """Runs, in process or ended (command-api 4.1)."""
        found = find(self._store, JOB_HISTORY, wanted.page, self._settings.max_return_limit, caller, now)
        return CommandReply(200, tuple(map(_run, found.rows)), found.total) if isinstance(found, Found) else found

    def scheduled(self, wanted: command.ListScheduledJobs, caller: Caller, now: Instant) -> CommandReply:
        """Jobs that wait or recur (command-api 4.2)."""
        found = find(self._store, SCHEDULED_JOBS, wanted.page, self._settings.max_return_limit, caller, now)
        return CommandReply(200, tuple(map(_job, found.rows)), found.total) if isinstance(found, Found) else found

    def data(self, wanted: command.GetJobData, caller: Caller, now: Instant) -> CommandReply:
        """What a log-fetching or custom run returned, if anything (command-api 2.1)."""
        if not self._work.runs.exists(wanted.job_history_id):
            return refuse(Problem.NOT_FOUND, f"Job history {wanted.job_history_id} does not exist")
        data = self._work.runs.data(wanted.job_history_id)
        return CommandReply(200, command.JobData(wanted.job_history_id, data))

    def transitions(self, wanted: command.ListTransitions, caller: Caller, now: Instant) -> CommandReply:
        """Ours: what happened since, in order (load-testing 3.4)."""
        if not self._settings.sim_api:
            return refuse(Problem.NOT_FOUND, "This server was started without --sim-api")
        page = self._work.transitions.page(wanted.after, min(wanted.limit, _MOST_TRANSITIONS))
        return CommandReply(200, command.Transitions(self._work.transitions.last(), page))

    # --- custom jobs --------------------------------------------------------------------------

    def schedule(self, wanted: command.ScheduleJob, caller: Caller, now: Instant) -> CommandReply:
        """Schedule a custom or log-fetching job; what is wrong is found in the order of command-api 2.2."""
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {wanted.agent_id!r} does not exist")
        if refused := unapproved(agent):
            return refused
        known = self._known_type(wanted.job_type_name)
        if known is None:
            return refuse(Problem.UNKNOWN_ID, f"Custom job type {wanted.job_type_name!r} does not exist")
        kind, fields = known
        values = job_fields.values(fields, wanted.job_fields)
        when = wanted.schedule or Immediate()
        if refused := incapable(agent, kind):
            return refused
        if isinstance(values, CommandReply):
            return values
        if refused := unusable(when):
            return refused
        job = new_job(self._mint.guid(), agent.agent_id, kind, when, now, details=values)
        self._work.accept(job)
        shown = tuple(JobField(name, value) for name, value in values.items())
        return CommandReply(200, ScheduledJob(job.job_id, agent.agent_id, kind.history, when, shown, now))

    def _known_type(self, name: str) -> tuple[JobType, tuple[command.JobTypeField, ...]] | None:
        if name.lower() == FETCH_LOGS.history.lower():
            return FETCH_LOGS, ()
        record = self._types.by_name(name)
        return None if record is None else (custom(record.job_type_name, record.id), record.job_type_fields)


def _run(row: Row) -> JobHistoryRecord:
    audit_id, machine, job_id, kind, result, status, start, end, text, time, message, path, client = row
    when = optional(schedule(text, time))
    return JobHistoryRecord(
        audit_id, machine, job_id, kind, Result(result), Status(status), start, end, when, message, path, client
    )


def _job(row: Row) -> ScheduledJobRecord:
    job_id, machine, target, text, time, requested, kind = row
    return ScheduledJobRecord(job_id, machine, requested, kind, target, optional(schedule(text, time)))
