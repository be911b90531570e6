"""Which fields each collection has, what they hold, and which operators fit (command-api 5.1, 5.4).

Tables only. A column here is what the default views of the store call it, snake case and without an
alias; a store with other names makes its own Collection, whose columns may be any SQL expression (in
parentheses if it has operators).
Columns hold: dates as integer nanoseconds since the epoch (`instants.Instant`), enums and booleans as
integers, GUIDs in lower case with hyphens, collections as JSON arrays of texts, schedules as the
agents' wire text (`I_60`, null for Immediate).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from agent_sim.protocol.enums import AgentStatus, Platform, Result, Status
from agent_sim.query.nodes import Operator


class Kind(Enum):
    """What a field holds, in the words of its errors."""

    STRING = "a text"
    USER = "a user's name"
    INTEGER = "a whole number"
    ENUM = "a number with names"
    DATE = "a date"
    BOOLEAN = "true or false"
    GUID = "a GUID"
    COLLECTION = "a list of texts"
    JOB_TYPE = "a job type"
    SCHEDULE_TYPE = "a schedule"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its kind and column; `names` of an enum's numbers, `category` column of a job type.

    `apart`: the number by which the column's partial indexes are divided (`implied`), because runs do not keep it.
    """

    kind: Kind
    column: str
    names: Mapping[str, int] = dataclasses.field(default_factory=dict)
    category: str = ""
    apart: int | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """What a query ranges over; `fields` by name, aliases being names of their own."""

    name: str
    fields: Mapping[str, Field]
    _by_folded_name: Mapping[str, Field] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folded = {name.casefold(): field for name, field in self.fields.items()}
        object.__setattr__(self, "_by_folded_name", folded)

    def find(self, name: str) -> Field | None:
        """The field of that name or alias, in any case."""
        return self._by_folded_name.get(name.casefold())


_EQUALITY: Final = frozenset({Operator.EQ, Operator.NE})
_ORDER: Final = _EQUALITY | {Operator.LT, Operator.LE, Operator.GT, Operator.GE}
SUBSTRING: Final = frozenset({Operator.CONTAINS, Operator.NOTCONTAINS, Operator.STARTSWITH, Operator.ENDSWITH})
"""Operators that look inside a text."""

OPERATORS: Final[Mapping[Kind, frozenset[Operator]]] = {
    Kind.STRING: _EQUALITY | SUBSTRING,
    Kind.USER: _EQUALITY | SUBSTRING,
    Kind.INTEGER: _ORDER,
    Kind.ENUM: _ORDER,  # an integer to the vendor
    Kind.DATE: _ORDER,
    Kind.BOOLEAN: _EQUALITY,
    Kind.GUID: _EQUALITY | SUBSTRING,
    Kind.COLLECTION: _EQUALITY | SUBSTRING,
    Kind.JOB_TYPE: _EQUALITY | SUBSTRING,
    Kind.SCHEDULE_TYPE: _EQUALITY | SUBSTRING,
}
"""What may be asked of each kind; the null tests -eq NULL and -ne NULL fit every one."""


def _names(numbers: type[IntEnum]) -> dict[str, int]:
    """IN_PROCESS of the protocol is InProcess here."""
    return {name.title().replace("_", ""): int(number) for name, number in numbers.__members__.items()}


RESULTS: Final[Mapping[str, int]] = {**_names(Result), "Failed": Result.FAILURE}  # the seeds' prose says Failed
STATUSES: Final[Mapping[str, int]] = _names(Status)
AGENT_STATUSES: Final[Mapping[str, int]] = _names(AgentStatus)
PLATFORMS: Final[Mapping[str, int]] = {
    **_names(Platform),
    ".NET": Platform.DOTNET,
    "NET": Platform.DOTNET,
    "UniversalOrchestrator": Platform.UNIVERSAL,
}

_AGENT_ID: Final = Field(Kind.GUID, "agent_id")
_AGENT_MACHINE: Final = Field(Kind.STRING, "agent_machine")
_JOB_ID: Final = Field(Kind.GUID, "job_id")
_JOB_TYPE: Final = Field(Kind.JOB_TYPE, "job_type", category="job_category")
_SCHEDULE: Final = Field(Kind.SCHEDULE_TYPE, "schedule")
_CLIENT_MACHINE: Final = Field(Kind.STRING, "client_machine")
_STORE_PATH: Final = Field(Kind.STRING, "store_path")

JOB_HISTORY: Final = Collection(
    "JobHistory",
    {
        "JobHistoryId": Field(Kind.INTEGER, "job_history_id"),
        "JobAuditId": Field(Kind.INTEGER, "job_history_id"),  # what the storms' endpoints call it
        "AgentId": _AGENT_ID,
        "Agent": _AGENT_MACHINE,
        "AgentMachine": _AGENT_MACHINE,
        "JobId": _JOB_ID,
        "JobType": _JOB_TYPE,
        "Result": Field(Kind.ENUM, "result", RESULTS, apart=Result.UNKNOWN),
        "Status": Field(Kind.ENUM, "status", STATUSES, apart=Status.IN_PROCESS),
        "Message": Field(Kind.STRING, "message"),
        "OperationStart": Field(Kind.DATE, "operation_start"),
        "OperationEnd": Field(Kind.DATE, "operation_end"),
        "ScheduleType": _SCHEDULE,
        "Schedule": _SCHEDULE,
        "TargetPath": _STORE_PATH,
        "StorePath": _STORE_PATH,
        "ClientMachine": _CLIENT_MACHINE,  # the store's machine, as in the record
    },
)

SCHEDULED_JOBS: Final = Collection(
    "ScheduledJobs",
    {
        "Id": _JOB_ID,
        "JobId": _JOB_ID,
        "AgentId": _AGENT_ID,
        "Agent": _AGENT_MACHINE,
        "AgentMachine": _AGENT_MACHINE,
        "ClientMachine": _AGENT_MACHINE,
        "Target": Field(Kind.STRING, "target"),
        "TargetPath": Field(Kind.STRING, "target"),
        "Requested": Field(Kind.DATE, "requested"),
        "ScheduleType": _SCHEDULE,
        "Schedule": _SCHEDULE,
        "JobType": _JOB_TYPE,
    },
)

_USERNAME: Final = Field(Kind.USER, "username")
_PLATFORM: Final = Field(Kind.ENUM, "agent_platform", PLATFORMS)

AGENTS: Final = Collection(
    "Agents",
    {
        "AgentId": _AGENT_ID,
        "Id": _AGENT_ID,
        "ClientMachine": _CLIENT_MACHINE,
        "Identity": _USERNAME,
        "Username": _USERNAME,
        "Platform": _PLATFORM,
        "AgentPlatform": _PLATFORM,
        "Version": Field(Kind.STRING, "version"),
        "Status": Field(Kind.ENUM, "status", AGENT_STATUSES),
        "LastSeen": Field(Kind.DATE, "last_seen"),
        "Capabilities": Field(Kind.COLLECTION, "capabilities"),
        "Blueprint": Field(Kind.STRING, "blueprint"),
        "Thumbprint": Field(Kind.STRING, "thumbprint"),
    },
)

JOB_TYPES: Final = Collection(
    "JobTypes/Custom",
    {
        "Id": Field(Kind.GUID, "id"),
        "JobTypeName": Field(Kind.STRING, "job_type_name"),
        "Description": Field(Kind.STRING, "description"),
    },
)

CERTIFICATE_STORES: Final = Collection(
    "CertificateStores",
    {
        "Id": Field(Kind.GUID, "id"),
        "DisplayName": Field(Kind.STRING, "display_name"),
        "ClientMachine": _CLIENT_MACHINE,
        "StorePath": _STORE_PATH,  # the record spells it Storepath; names are found in any case
        "CertStoreType": Field(Kind.INTEGER, "cert_store_type"),
        "ContainerId": Field(Kind.INTEGER, "container_id"),
        "ContainerName": Field(Kind.STRING, "container_name"),
        "Approved": Field(Kind.BOOLEAN, "approved"),
        "AgentId": _AGENT_ID,
        "AgentAssigned": Field(Kind.BOOLEAN, "agent_assigned"),
    },
)
