"""Custom job types over the management API (command-api 3.4)."""

from agent_sim.instants import Instant
from agent_sim.protocol import command, job_commands
from agent_sim.protocol.command import CommandReply, JobTypeField, JobTypeRecord
from agent_sim.protocol.enums import FETCH_LOGS
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations import job_fields
from agent_sim.server.operations.listing import JOB_TYPES, Found, find
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.job_types import JobTypes, job_type_record
from agent_sim.server.tables.jobs import Jobs
from agent_sim.settings import ServerSettings


class JobTypeOperations:
    """Reads and changes custom job types."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint, jobs: Jobs) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._types, self._jobs = JobTypes(store), jobs

    def listed(self, wanted: command.ListJobTypes, caller: Caller, now: Instant) -> CommandReply:
        """Custom job types; the built-in ones are not listed."""
        found = find(self._store, JOB_TYPES, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(job_type_record, found.rows)), found.total)

    def create(self, wanted: command.CreateJobType, caller: Caller, now: Instant) -> CommandReply:
        """A new type; its name has no blanks and, in any case, no twin."""
        record = self._checked(self._mint.guid(), wanted)
        if isinstance(record, CommandReply):
            return record
        self._types.add(record)
        return CommandReply(200, record)

    def get(self, wanted: job_commands.GetJobType, caller: Caller, now: Instant) -> CommandReply:
        """One custom job type."""
        found = self._types.by_id(read_guid(wanted.id) or "")
        return CommandReply(200, found) if found else _missing(wanted.id, Problem.NOT_FOUND)

    def update(self, wanted: job_commands.UpdateJobType, caller: Caller, now: Instant) -> CommandReply:
        """A type as it is to be. One that scheduled jobs use keeps its name: they were asked for by it (our choice)."""
        before = self._types.by_id(read_guid(wanted.id) or "")
        if before is None:
            return _missing(wanted.id, Problem.UNKNOWN_ID)
        record = self._checked(before.id, wanted)
        if isinstance(record, CommandReply):
            return record
        if record.job_type_name != before.job_type_name and self._jobs.of_type(before.id):
            sentence = f"Job type {before.job_type_name} has scheduled jobs, so its name must stay"
            return refuse(Problem.NOT_ELIGIBLE, sentence)
        self._types.change(record)
        return CommandReply(200, record)

    def delete(self, wanted: job_commands.DeleteJobType, caller: Caller, now: Instant) -> CommandReply:
        """Delete a type that no scheduled job uses; the history of its jobs stays."""
        found = self._types.by_id(read_guid(wanted.id) or "")
        if found is None:
            return _missing(wanted.id, Problem.NOT_FOUND)
        if count := self._jobs.of_type(found.id):
            sentence = f"Job type {found.job_type_name} is in use by {count} scheduled jobs"
            return refuse(Problem.NOT_ELIGIBLE, sentence)
        self._types.delete(found.id)
        return CommandReply(204)

    def _checked(
        self, type_id: str, wanted: command.CreateJobType | job_commands.UpdateJobType
    ) -> JobTypeRecord | CommandReply:
        """The type as it is to be kept, if its name and fields can be."""
        name = wanted.job_type_name
        if not name or any(letter.isspace() for letter in name):
            return refuse(Problem.INVALID_VALUE, f"JobTypeName must be a name without spaces, is {name!r}")
        twin = self._types.by_name(name)
        if name.lower() == FETCH_LOGS.history.lower() or (twin is not None and twin.id != type_id):
            return refuse(Problem.DUPLICATE, f"A job type {name!r} exists already")
        fields = _normal(wanted.job_type_fields)
        return fields if isinstance(fields, CommandReply) else JobTypeRecord(type_id, name, wanted.description, fields)


def _missing(type_id: str, problem: Problem) -> CommandReply:
    return refuse(problem, f"Custom job type {type_id!r} does not exist")


def _normal(fields: tuple[JobTypeField, ...]) -> tuple[JobTypeField, ...] | CommandReply:
    known: dict[str, JobTypeField] = {}
    for given in fields:
        field = job_fields.normal(given)
        if isinstance(field, CommandReply):
            return field
        if field.name.lower() in known:
            return refuse(Problem.JOB_FIELDS, f"JobTypeFields has {field.name!r} twice")
        known[field.name.lower()] = field
    return tuple(known.values())
