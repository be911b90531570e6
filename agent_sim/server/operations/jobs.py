"""Jobs over the management API: history, schedule, data, and new custom jobs (command-api 2)."""

from typing import Final

from agent_sim.instants import DAY, Instant
from agent_sim.jobs.model import new_job
from agent_sim.protocol import agent_commands, command, job_commands
from agent_sim.protocol.command import CommandReply, JobField, JobHistoryRecord, ScheduledJob, ScheduledJobRecord
from agent_sim.protocol.enums import FETCH_LOGS, JobType, Result, Status, custom
from agent_sim.protocol.job_commands import BulkJobs, Counts, JobPair
from agent_sim.protocol.schedule import Immediate, Schedule
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations import job_fields
from agent_sim.server.operations.checks import incapable, unapproved, unusable
from agent_sim.server.operations.listing import JOB_HISTORY, SCHEDULED_JOBS, Found, find
from agent_sim.server.ports import Mint, Row, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents, Orchestrator
from agent_sim.server.tables.columns import optional, schedule
from agent_sim.server.tables.job_types import JobTypes
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings

_MOST_TRANSITIONS: Final = 50_000
_BY_ID: Final = ("", "jobhistoryid")  # the orders of history in which a page's first audit id tells where it is


class JobOperations:
    """Reads runs and jobs, and schedules custom ones."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint, work: Work) -> None:
        self._store, self._settings, self._mint, self._work = store, settings, mint, work
        self._agents = Agents(store)
        self._types = JobTypes(store)

    def history(self, wanted: command.ListJobHistory, caller: Caller, now: Instant) -> CommandReply:
        """Runs, in process or ended (command-api 4.1)."""
        page = wanted.page
        if not page.query.strip() and page.sort_field.strip().lower() in _BY_ID:
            found: Found | CommandReply = self._history_by_id(page)
        else:
            most, counted_to = self._settings.max_return_limit, self._settings.count_most
            found = find(self._store, JOB_HISTORY, page, most, caller, now, counted_to=counted_to)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(_run, found.rows)), found.total, found.is_least)

    def _history_by_id(self, page: command.Page) -> Found:
        """A page of all there is: found by its first audit id, so that the last page costs what the first does."""
        limit = min(page.limit, self._settings.max_return_limit)
        offset, total = page.skip + (page.number - 1) * limit, self._work.runs.total()
        if offset >= total:
            return Found([], total)
        first = self._work.runs.at(total - 1 - offset if page.descending else offset)
        way = ("<=", "DESC") if page.descending else (">=", "ASC")
        filling = {"where": f"job_history_id {way[0]} ?", "order": f"job_history_id {way[1]}"}
        return Found(self._store.select("history_page", filling, (first, limit, 0)), total)

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

    def counts(self, wanted: job_commands.GetCounts, caller: Caller, now: Instant) -> CommandReply:
        """Ours: what the portal's job history would count as failed (command-api 7)."""
        if not self._settings.sim_api:
            return refuse(Problem.NOT_FOUND, "This server was started without --sim-api")
        days = self._settings.age_out_days
        since = max(now - days * DAY, 0)
        failures, warnings = self._work.runs.counted(since)
        return CommandReply(200, Counts(failures, warnings, failures + warnings, days, since))

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
        job_id = self._accept(agent, kind, when, values, now)
        return CommandReply(200, ScheduledJob(job_id, agent.agent_id, kind.history, when, _shown(values), now))

    def schedule_bulk(self, wanted: job_commands.ScheduleBulkJob, caller: Caller, now: Instant) -> CommandReply:
        """One custom job for each orchestrator; those that cannot have it are named in the answer (command-api 2.4)."""
        ids = list(dict.fromkeys(read_guid(text) or text for text in wanted.orchestrator_ids))
        if not ids:
            return refuse(Problem.INVALID_VALUE, "OrchestratorIds must name at least one orchestrator")
        if len(ids) > self._settings.max_ids:
            most = self._settings.max_ids
            return refuse(Problem.TOO_MANY_IDS, f"OrchestratorIds holds {len(ids)}, at most {most} are allowed at once")
        known = self._known_type(wanted.job_type_name)
        if known is None:
            return refuse(Problem.UNKNOWN_ID, f"Custom job type {wanted.job_type_name!r} does not exist")
        kind, fields = known
        values = job_fields.values(fields, wanted.job_fields)
        when = wanted.schedule or Immediate()
        if isinstance(values, CommandReply):
            return values
        if refused := unusable(when):
            return refused
        pairs, failed = self._accept_each(ids, kind, when, values, now)
        return CommandReply(200, BulkJobs(pairs, failed, kind.history, when, _shown(values), now))

    def _accept_each(
        self, ids: list[str], kind: JobType, when: Schedule, values: dict[str, str], now: Instant
    ) -> tuple[tuple[JobPair, ...], tuple[str, ...]]:
        pairs: list[JobPair] = []
        failed: list[str] = []
        for agent_id in ids:
            agent = self._agents.by_id(agent_id)
            if agent is None or unapproved(agent) or incapable(agent, kind):
                failed.append(agent_id)
            else:
                pairs.append(JobPair(self._accept(agent, kind, when, values, now), agent_id))
        return tuple(pairs), tuple(failed)

    def _accept(self, agent: Orchestrator, kind: JobType, when: Schedule, values: dict[str, str], now: Instant) -> str:
        job = new_job(self._mint.guid(), agent.agent_id, kind, when, now, details=values)
        self._work.accept(job)
        return job.job_id

    def fetch_logs(self, wanted: agent_commands.FetchLogs, caller: Caller, now: Instant) -> CommandReply:
        """A log-fetching job at once (command-api 3.1)."""
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.NOT_FOUND, f"Orchestrator {wanted.agent_id!r} does not exist")
        if refused := unapproved(agent) or incapable(agent, FETCH_LOGS):
            return refused
        self._accept(agent, FETCH_LOGS, Immediate(), {}, now)
        return CommandReply(204)

    def _known_type(self, name: str) -> tuple[JobType, tuple[command.JobTypeField, ...]] | None:
        if name.lower() == FETCH_LOGS.history.lower():
            return FETCH_LOGS, ()
        record = self._types.by_name(name)
        return None if record is None else (custom(record.job_type_name, record.id), record.job_type_fields)


def _shown(values: dict[str, str]) -> tuple[JobField, ...]:
    return tuple(JobField(name, value) for name, value in values.items())


def _run(row: Row) -> JobHistoryRecord:
    audit_id, machine, job_id, kind, result, status, start, end, text, time, message, path, client = row
    when = optional(schedule(text, time))
    return JobHistoryRecord(
        audit_id, machine, job_id, kind, Result(result), Status(status), start, end, when, message, path, client
    )


def _job(row: Row) -> ScheduledJobRecord:
    job_id, machine, target, text, time, requested, kind = row
    return ScheduledJobRecord(job_id, machine, requested, kind, target, optional(schedule(text, time)))
