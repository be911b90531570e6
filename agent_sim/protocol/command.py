"""Command's management API: what operations, records and replies are, and those that every scenario uses.

An operation is what a caller wants, not how HTTP spells it; `protocol.endpoints` holds the table of
methods, paths and permissions, `protocol.codec` the JSON. The rest of the API is in `job_commands`,
`agent_commands`, `store_commands` and `store_type_commands`. Source: command-api 1 to 4 and 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field, StrictInt

from agent_sim.instants import Instant
from agent_sim.protocol.agent import wire
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Schedule
from agent_sim.values import value

Scalar = str | int | float | bool


class Operation:
    """What a caller wants; each kind of it is a frozen value with a row in `protocol.endpoints`."""

    __slots__ = ()


class Record:
    """What a reply shows; each kind of it is a frozen value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a collection is wanted (command-api 1.5). `number` counts from 1."""

    query: str = ""
    number: int = 1
    limit: int = 50
    sort_field: str = ""
    descending: bool = False
    skip: int = 0


# --- operations -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListJobHistory(Operation):
    """Runs, oldest first unless sorted otherwise."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class ListScheduledJobs(Operation):
    """Jobs that wait or recur."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetJobData(Operation):
    """The data a custom or log-fetching run returned (command-api 2.1)."""

    job_history_id: int


@wire
class ScheduleJob(Operation):
    """POST Custom (seed: command-custom). `schedule` None means Immediate."""

    agent_id: str
    job_type_name: str
    schedule: Schedule | None = None
    job_fields: Mapping[str, Scalar] = field(default_factory=dict)


@wire
class Reschedule(Operation):
    """Either audit ids or a query over JobHistory (seed: command-reschedule)."""

    job_audit_ids: tuple[StrictInt, ...] | None = None
    query: str | None = None


@wire
class Acknowledge(Operation):
    """Either audit ids or a query over JobHistory (seed: command-acknowledge)."""

    job_audit_ids: tuple[StrictInt, ...] | None = None
    query: str | None = None


@wire
class Unschedule(Operation):
    """Either job GUIDs or a query over ScheduledJobs (seed: command-unschedule)."""

    job_ids: tuple[str, ...] | None = None
    query: str | None = None


@dataclass(frozen=True, slots=True)
class ListAgents(Operation):
    """Orchestrators, by AgentId unless sorted otherwise."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetAgent(Operation):
    """One orchestrator."""

    agent_id: str


@dataclass(frozen=True, slots=True)
class ApproveAgents(Operation):
    """Lets orchestrators work."""

    agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisapproveAgents(Operation):
    """Stops orchestrators from working."""

    agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListJobTypes(Operation):
    """Custom job types."""

    page: Page = Page()


@wire
class JobTypeField:
    """A field of a custom job type. `type`: 1 String, 2 Int, 3 DateTime, 4 Bool (command-api 3.4)."""

    name: str
    type: int | str = 1
    default_value: Scalar | None = None
    required: bool = False


@wire
class CreateJobType(Operation):
    """A new custom job type; its name has no spaces."""

    job_type_name: str
    description: str | None = None
    job_type_fields: tuple[JobTypeField, ...] = ()


@wire
class Secret:
    """A secret as callers hand it over. It is never answered, and never shown where this value is printed."""

    secret_value: str | None = field(default=None, repr=False)
    parameters: Mapping[str, str] | None = field(default=None, repr=False)
    provider: int | None = None


@dataclass(frozen=True, slots=True)
class ListStores(Operation):
    """Certificate stores."""

    page: Page = Page()


@wire
class CreateStore(Operation):
    """A certificate store on an orchestrator; with a schedule it gets an inventory job (command-api 9)."""

    client_machine: str
    store_path: Annotated[str, Field(alias="Storepath")]
    cert_store_type: int
    agent_id: str
    inventory_schedule: Schedule | None = None
    container_id: int | None = None
    display_name: str | None = None
    approved: bool = True
    create_if_missing: bool = False
    properties: str | None = None
    password: Secret | None = None


@wire
class ScheduleInventory(Operation):
    """An inventory job for each store, by schedule; Off ends it (command-api 9)."""

    store_ids: tuple[str, ...]
    schedule: Schedule


@wire
class StoreEntry:
    """One store that a certificate is added to or removed from."""

    certificate_store_id: str
    alias: str | None = None
    overwrite: bool = False
    include_private_key: bool = False
    job_fields: Mapping[str, Scalar] | None = None


@wire
class AddCertificate(Operation):
    """A management (add) job for each store; answers the jobs' GUIDs."""

    certificate_id: int
    certificate_stores: tuple[StoreEntry, ...]
    schedule: Schedule | None = None
    collection_id: int | None = None


@wire
class RemoveCertificate(Operation):
    """A management (remove) job for each store; answers the jobs' GUIDs."""

    certificate_stores: tuple[StoreEntry, ...]
    schedule: Schedule | None = None
    collection_id: int | None = None


@dataclass(frozen=True, slots=True)
class GetEndpoints(Operation):
    """Which endpoints the caller may use; every published client calls it first."""


@dataclass(frozen=True, slots=True)
class ListTransitions(Operation):
    """Ours, off unless asked for: every change of state since `after` (load-testing 3.4)."""

    after: int = 0
    limit: int = 5000


# --- records ----------------------------------------------------------------------------------


@wire
class JobHistoryRecord(Record):
    """One run (command-api 4.1). Times are instants inside, RFC 3339 on the wire."""

    job_history_id: int
    agent_machine: str
    job_id: str
    job_type: str
    result: Result
    status: Status
    operation_start: Instant | None = None
    operation_end: Instant | None = None
    schedule: Schedule | None = None
    message: str | None = ""
    store_path: str | None = None
    client_machine: str | None = None


@wire
class ScheduledJobRecord(Record):
    """One job that waits or recurs (command-api 4.2)."""

    id: str
    client_machine: str
    requested: Instant
    job_type: str
    target: str | None = None
    schedule: Schedule | None = None


@wire
class AgentJobType:
    """A job type as listed with an orchestrator (command-api 3.1, 25.x)."""

    name: str
    cert_store_type_short_name: str
    cert_store_job_type: str
    job_type_id: str


@wire
class AgentRecord(Record):
    """One orchestrator (command-api 3.1)."""

    agent_id: str
    client_machine: str
    username: str
    agent_platform: int
    version: str
    status: AgentStatus
    capabilities: tuple[str, ...] = ()
    last_seen: Instant | None = None
    blueprint: str | None = None
    thumbprint: str = ""
    legacy_thumbprint: str = ""
    last_thumbprint_used: str = ""
    auth_certificate_reenrollment: str = "None"
    last_error_code: int | None = None
    last_error_message: str | None = None
    job_types: tuple[AgentJobType, ...] = ()


@wire
class JobField:
    """A field's value as a scheduled job answers it: an array going out, an object coming in."""

    job_type_field: str
    value: str


@wire
class ScheduledJob(Record):
    """The answer to ScheduleJob. The seed misspells the time's name; both can be emitted."""

    job_id: str
    orchestrator_id: str
    job_type_name: str
    schedule: Schedule | None
    job_fields: tuple[JobField, ...]
    request_timestamp: Instant


@wire
class JobData(Record):
    """What a run returned; `data` is absent for a run without any."""

    job_history_id: int
    data: str | None = None


@wire
class JobTypeRecord(Record):
    """A custom job type."""

    id: str
    job_type_name: str
    description: str | None = None
    job_type_fields: tuple[JobTypeField, ...] = ()


@wire
class ReenrollmentStatus:
    """Whether a store's orchestrator can re-enrol; `message` says why not (command-api 9)."""

    data: bool
    agent_id: str
    message: str = ""
    job_properties: str | None = None
    custom_alias_allowed: int = 1
    entry_parameters: tuple[Mapping[str, object], ...] = ()


@wire
class StoreRecord(Record):
    """A certificate store."""

    id: str
    client_machine: str
    store_path: Annotated[str, Field(alias="Storepath")]
    cert_store_type: int
    agent_id: str
    agent_assigned: bool = True
    approved: bool = True
    create_if_missing: bool = False
    cert_store_inventory_job_id: str | None = None
    inventory_schedule: Schedule | None = None
    container_id: int | None = None
    container_name: str | None = None
    display_name: str | None = None
    properties: str | None = None
    reenrollment_status: ReenrollmentStatus | None = None
    set_new_password_allowed: bool = True


@wire
class Transition:
    """Ours: one change of state. `kind` is queued, configured, completed, timed_out, rescheduled,
    acknowledged or unscheduled, and unschedule_asked if a request wanted that; `audit_id` is the run concerned (for
    rescheduled: the failed one).

    An orchestrator's own are approved and disapproved; `job_id` is then its AgentId."""

    seq: int
    at: Instant
    kind: str
    job_id: str
    audit_id: int | None = None


@wire
class Transitions(Record):
    """A page of transitions in order; `last_seq` is the newest there is, shown or not."""

    last_seq: int
    transitions: tuple[Transition, ...]


@wire
class FailedOperation:
    """Why one item of a request was refused (command-api 1.4)."""

    reason: str


@wire
class ApiError:
    """The body of every answer outside 2xx (command-api 1.4)."""

    error_code: str
    message: str
    failed_operations: tuple[FailedOperation, ...] = ()


@value
class CommandReply:
    """An answer. `body` is a record, a tuple of them (`total`: how many there are in all), an error or None.

    `is_least`: there may be more than `total`, for nobody counted further.
    """

    status: int
    body: Record | str | tuple[Record | str, ...] | ApiError | None = None
    total: int | None = None
    is_least: bool = False

    @property
    def is_success(self) -> bool:
        return self.status in (200, 204)


APPROVED_LOGS_QUERY: Final = 'Status -eq 2 AND Capabilities -contains "LOGS"'
RESCHEDULABLE_QUERY: Final = 'JobType -ne "Inventory" AND Result -eq "4" AND (Status -eq "4" OR Status -eq "3")'
ACKNOWLEDGEABLE_QUERY: Final = '(Result -eq "4" OR Result -eq "3") AND (Status -eq "3" OR Status -eq "5")'
UNSCHEDULABLE_QUERY: Final = (
    'JobType -notcontains "SslDiscovery" AND JobType -notcontains "Monitoring" AND JobType -notcontains "Sync"'
    ' AND JobType -notcontains "SSHSync" AND JobType -notcontains "Inventory"'
)
"""The seeds' own candidate queries, word for word."""
