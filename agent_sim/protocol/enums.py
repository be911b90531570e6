"""The numbers and names of the wire, and the one table that says what each kind of job is called where.

Data only. Sources: agent-protocol 6, command-api 4.3 to 4.6; the scenario words are our choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class Result(IntEnum):
    """How a run ended; also the `Status` of an agent's completion (agent-protocol 6.2)."""

    UNKNOWN = 0
    IN_PROCESS = 1
    SUCCESS = 2
    WARNING = 3
    FAILURE = 4


class Status(IntEnum):
    """Where a run stands in Command's job history (command-api 4.4)."""

    UNKNOWN = 0
    WAITING = 1
    IN_PROCESS = 2
    COMPLETED = 3
    ACKNOWLEDGED = 4
    COMPLETED_WILL_RETRY = 5


class AgentStatus(IntEnum):
    """Whether an orchestrator may work (command-api 3.1)."""

    NEW = 1
    APPROVED = 2
    DISAPPROVED = 3


class Platform(IntEnum):
    """`AgentPlatform` (agent-protocol 6.1)."""

    UNKNOWN = 0
    DOTNET = 1
    JAVA = 2
    MAC = 3
    ANDROID = 4
    NATIVE = 5
    BASH = 6
    UNIVERSAL = 7


class ReplyStatus(IntEnum):
    """`Result.Status` of every answer to an agent; 2 and 3 count as failure (agent-protocol 2.3)."""

    UNKNOWN = 0
    SUCCESS = 1
    WARNING = 2
    ERROR = 3


class Operation(IntEnum):
    """`OperationType` of a management job (agent-protocol 6.4)."""

    UNKNOWN = 0
    INVENTORY = 1
    ADD = 2
    REMOVE = 3
    CREATE = 4
    CREATE_AND_ADD = 5


class ItemStatus(IntEnum):
    """The delta mark of an inventory item (agent-protocol 6.3)."""

    UNKNOWN = 0
    ADDED = 1
    MODIFIED = 2
    REMOVED = 3
    UNCHANGED = 4


class Category(StrEnum):
    """What kind of work a job is; the value is the scenario's word (command-api 4.6)."""

    INVENTORY = "Inventory"
    MANAGEMENT = "Management"
    REENROLLMENT = "Reenrollment"
    DISCOVERY = "Discovery"
    SSL_DISCOVERY = "SslDiscovery"
    MONITORING = "Monitoring"
    SYNC = "Sync"
    SSH_SYNC = "SSHSync"
    FETCH_LOGS = "LOGS"
    CUSTOM = "custom"


STORE_CATEGORIES: Final = (
    Category.INVENTORY,
    Category.MANAGEMENT,
    Category.REENROLLMENT,
    Category.DISCOVERY,
)


_SUFFIXES: Final = (  # longest first: SslDiscovery is not a Discovery (command-api 4.6)
    *(Category.SSL_DISCOVERY, Category.REENROLLMENT, Category.MANAGEMENT, Category.MONITORING),
    *(Category.INVENTORY, Category.DISCOVERY, Category.SSH_SYNC, Category.SYNC),
)


def category_by_suffix(job_type: str) -> Category | None:
    """The category that the name of a job type ends in, the longest one that fits (command-api 4.6)."""
    return next((category for category in _SUFFIXES if job_type.endswith(category.value)), None)


@dataclass(frozen=True, slots=True)
class JobType:
    """One kind of job under each of its names.

    `word` in scenarios, `wire` in an agent's Register, `capability` in the agents' list of the
    management API, `history` in JobHistory's JobType, `guid` in the job lists agents receive.
    """

    category: Category
    word: str
    wire: str
    capability: str
    history: str
    guid: str


_STORE_GUIDS: Final[Mapping[str, tuple[str | None, ...]]] = {  # agent-protocol 6.5, in STORE_CATEGORIES' order
    "PEM": (
        "a809ce1f-1eea-4738-a38e-15708c89c981",
        "1d411b36-ae72-433f-9f3f-8593e836a1af",
        "aa015d10-cffc-41f7-a9a4-c9615f6f3bdf",
        "e98151de-53ad-4b99-b52a-f37118ec0c5c",
    ),
    "JKS": (
        "67b63010-d738-47c3-87a2-9f289466c881",
        "b614f9e2-c56b-421c-b548-03d42eb32f8a",
        "48743e90-108e-4dc3-b81c-7fb830215d1f",
        "74d9f7c5-b2ac-4f21-a72b-29b5adc90651",
    ),
    "IIS": (
        "5b9cf048-e95f-4331-a510-0cdfabac1703",
        "ce2325e3-801c-4576-9b0a-5fdcaf66aa88",
        "b80019d6-df3d-4a8c-9e60-1977b806f545",
        None,
    ),
    "F5": (
        "9b04e8de-e2ce-4a50-bd3f-31037d3ee751",
        "e9a34338-c99f-46da-94d2-4f97dc6943af",
        None,
        None,
    ),
    "NetScaler": (
        "78ff1c19-893f-4e5e-90a5-0459f1823778",
        "b7c94ad1-8a33-45ea-98b3-d77ca14e7830",
        None,
        None,
    ),
    "AWS": ("afb8c78d-1436-4c93-a8e7-0218c2cb6955", "56c1e4f9-366c-44b3-8cae-1b8f39e2026c", None, None),
    "FTP": ("76f99194-c129-4954-b76e-11c80816643e", "4ae72d54-7f91-4359-9da5-e1f633031070", None, None),
}

STORE_TYPE_IDS: Final[Mapping[str, int]] = {  # agent-protocol 6.6; several ids share a capability there
    "JKS": 0,
    "PEM": 2,
    "F5": 7,
    "NetScaler": 5,
    "IIS": 6,
    "AWS": 100,
    "FTP": 101,
}

FETCH_LOGS: Final = JobType(
    Category.FETCH_LOGS,
    word="LOGS",
    wire="Custom.FetchLogs",
    capability="LOGS",
    history="FetchLogs",
    guid="0d8cf0c8-56ca-4b8a-b16a-c062018e170d",
)

CUSTOM_PREFIX: Final = "custom:"


def custom(name: str, guid: str = "") -> JobType:
    """The custom job type `name`; its GUID is minted by the server and learned over the management API."""
    return JobType(Category.CUSTOM, f"{CUSTOM_PREFIX}{name}", f"Custom.{name}", name, name, guid.lower())


def store_job(capability: str, category: Category, guid: str) -> JobType:
    """The job of a kind for stores of one capability; for a user-defined type the server mints its GUID."""
    return JobType(
        category,
        word=category.value,
        wire=f"CertStores.{capability}.{category.value}",
        capability=capability,
        history=f"{capability}{category.value}",
        guid=guid,
    )


SSL: Final = "SSL"
"""The capability word of orchestrators that look at TLS endpoints."""

SCANS: Final = (Category.SSL_DISCOVERY, Category.MONITORING)
"""What they do. How the vendor's server hands that out is not public (agent-protocol 4.5): here it is a custom job type
of that name, so that history shows the documented words and the rules by job type hold (command-api 2.7, 4.6)."""


def scan_job(category: Category, guid: str = "") -> JobType:
    """The job of a kind of scan; its GUID is minted by the server as for any custom type."""
    name = category.value
    return JobType(category, name, f"Custom.{name}", name, name, guid.lower())


def made_type(name: str, guid: str) -> JobType:
    """The job type of that name that the operator had made."""
    scan = next((category for category in SCANS if category.value.lower() == name.lower()), None)
    return custom(name, guid) if scan is None else scan_job(scan, guid)


STORE_JOBS: Final[Mapping[tuple[str, Category], JobType]] = {
    (capability, category): store_job(capability, category, guid)
    for capability, guids in _STORE_GUIDS.items()
    for category, guid in zip(STORE_CATEGORIES, guids, strict=True)
    if guid is not None
}

BUILT_IN: Final[tuple[JobType, ...]] = (FETCH_LOGS, *STORE_JOBS.values())
BY_GUID: Final[Mapping[str, JobType]] = {job.guid: job for job in BUILT_IN}
BY_WIRE: Final[Mapping[str, JobType]] = {job.wire: job for job in BUILT_IN}

CAPABILITY_WORDS: Final = ("LOGS", SSL, *_STORE_GUIDS)
"""What a fleet's `capabilities` may name, besides `custom:<JobType>`."""

JOB_WORDS: Final = tuple(category.value for category in Category if category is not Category.CUSTOM)
"""What a behaviour's or schedule's `type` may name, besides `custom:<JobType>`."""


def jobs_of(capability: str) -> tuple[JobType, ...]:
    """Every job an orchestrator with this capability word can be given. Raises KeyError for an unknown word."""
    if capability == FETCH_LOGS.capability:
        return (FETCH_LOGS,)
    if capability.startswith(CUSTOM_PREFIX):
        return (custom(capability.removeprefix(CUSTOM_PREFIX)),)
    if capability == SSL:
        return tuple(map(scan_job, SCANS))
    if capability not in _STORE_GUIDS:
        raise KeyError(capability)
    return tuple(job for (name, _), job in STORE_JOBS.items() if name == capability)


def by_wire(name: str) -> JobType | None:
    """The job type behind a capability name of a Register, or None for one that we do not know."""
    known = BY_WIRE.get(name)
    if known is None and name.startswith("Custom."):
        return custom(name.removeprefix("Custom."))
    return known
