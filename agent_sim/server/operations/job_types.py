"""Custom job types over the management API (command-api 3.4)."""

from agent_sim.instants import Instant
from agent_sim.protocol import command
from agent_sim.protocol.command import CommandReply, JobTypeField, JobTypeRecord
from agent_sim.protocol.enums import FETCH_LOGS
from agent_sim.server.callers import Caller
from agent_sim.server.operations import job_fields
from agent_sim.server.operations.listing import JOB_TYPES, Found, find
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.job_types import JobTypes, job_type_record
from agent_sim.settings import ServerSettings


class JobTypeOperations:
    """Reads and creates custom job types."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._types = JobTypes(store)

    def listed(self, wanted: command.ListJobTypes, caller: Caller, now: Instant) -> CommandReply:
        """Custom job types; the built-in ones are not listed."""
        found = find(self._store, JOB_TYPES, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(job_type_record, found.rows)), found.total)

    def create(self, wanted: command.CreateJobType, caller: Caller, now: Instant) -> CommandReply:
        """A new type; its name has no blanks and, in any case, no twin."""
        name = wanted.job_type_name
        if not name or any(letter.isspace() for letter in name):
            return refuse(Problem.INVALID_VALUE, f"JobTypeName must be a name without spaces, is {name!r}")
        if name.lower() == FETCH_LOGS.history.lower() or self._types.by_name(name) is not None:
            return refuse(Problem.DUPLICATE, f"A job type {name!r} exists already")
        fields = _normal(wanted.job_type_fields)
        if isinstance(fields, CommandReply):
            return fields
        record = JobTypeRecord(self._mint.guid(), name, wanted.description, fields)
        self._types.add(record)
        return CommandReply(200, record)


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
