"""The management API on jobs and job types, beyond what every scenario uses: bulk jobs, custom types, counts.

Operations and records as frozen values, like those of `protocol.command`. Source: command-api 2.4, 3.4, 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.instants import Instant
from agent_sim.protocol.agent import wire
from agent_sim.protocol.command import JobField, JobTypeField, Operation, Record, Scalar
from agent_sim.protocol.schedule import Schedule

# --- operations -------------------------------------------------------------------------------


@wire
class ScheduleBulkJob(Operation):
    """One custom job for each of several orchestrators; `schedule` None means Immediate (command-api 2.4)."""

    orchestrator_ids: tuple[str, ...]
    job_type_name: str
    schedule: Schedule | None = None
    job_fields: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GetJobType(Operation):
    """One custom job type."""

    id: str


@wire
class UpdateJobType(Operation):
    """A custom job type as it is to be; the id is in the body (command-api 3.4)."""

    id: str
    job_type_name: str
    description: str | None = None
    job_type_fields: tuple[JobTypeField, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteJobType(Operation):
    """Deletes a custom job type that no scheduled job uses."""

    id: str


@dataclass(frozen=True, slots=True)
class GetCounts(Operation):
    """Ours: how many failures and warnings the portal would show (command-api 7)."""


# --- records ----------------------------------------------------------------------------------


@wire
class JobPair:
    """A job of a bulk, and the orchestrator that it is for."""

    job_id: str
    orchestrator_id: str


@wire
class BulkJobs(Record):
    """The answer to ScheduleBulkJob; orchestrators that cannot have the job are named, not refused."""

    orchestrator_job_pairs: tuple[JobPair, ...]
    failed_orchestrator_ids: tuple[str, ...]
    job_type_name: str
    schedule: Schedule | None
    job_fields: tuple[JobField, ...]
    request_timestamp: Instant


@wire
class Counts(Record):
    """Ours: runs that ended within the age-out window and nobody acknowledged; `count` is all of them."""

    failures: int
    warnings: int
    count: int
    age_out_days: int
    since: Instant
