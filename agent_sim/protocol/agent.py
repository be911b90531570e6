"""The agents' wire: every message an orchestrator and its server exchange, as frozen values.

Names follow the wire's fields in snake_case; `protocol.codec` turns them into the wire's exact PascalCase
JSON and back. Source: agent-protocol 2 to 4; what is marked "ours" there is not public and was made up.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Final, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_pascal

from agent_sim.protocol.enums import ItemStatus, Operation, Platform, ReplyStatus, Result
from agent_sim.values import value

REGISTER: Final = "/Session/Register"
HEARTBEAT: Final = "/Session/Heartbeat"
NO_TENANT: Final = "00000000-0000-0000-0000-000000000000"

RENEWAL_CODES: Final = ("A0100007", "A0100008")
"""Codes that ask the agent for a new certificate of its own (agent-protocol 2.4)."""

SESSION_UNKNOWN: Final = "A0100009"
"""Our server's code for a session token that it does not know (ours: the vendor's code is not public)."""

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def wire(cls: type[_T]) -> type[_T]:
    """A frozen value whose JSON names are PascalCase; unknown JSON names are ignored."""
    made = value(cls)
    made.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]  # pydantic looks for this attribute
        alias_generator=to_pascal,
        populate_by_name=True,
        extra="ignore",
        cache_strings="keys",  # nearly every text is an id that is met once: remembering them takes two megabytes
    )
    return made


def _is_none(value: object) -> bool:
    return value is None


OMITTED_IF_NONE: Final = Field(exclude_if=_is_none)


# --- what agents say --------------------------------------------------------------------------


@wire
class Register:
    """Opens a session (agent-protocol 2.1). `agent_id` is empty on first contact."""

    agent_platform: int
    agent_version: int
    tenant_id: str
    client_machine: str
    csr: Annotated[str | None, Field(alias="CSR")]
    agent_id: str | None
    capabilities: tuple[str, ...]
    client_parameters: Mapping[str, str] = field(default_factory=dict)


@wire
class Heartbeat:
    """Asks whether the session still holds (agent-protocol 3)."""

    agent_platform: int
    tenant_id: str
    client_machine: str
    session_token: str


@wire
class Configure:
    """Takes a listed job: the server mints the run and its audit id (agent-protocol 4.0)."""

    session_token: str
    job_id: str


@wire
class InventoryItem:
    """One entry of a store as the agent found it (agent-protocol 4.1)."""

    alias: str
    certificates: tuple[str, ...] = ()
    private_key_entry: bool = False
    use_chain_level: bool = False
    item_status: ItemStatus = ItemStatus.UNKNOWN


@wire
class UpdateInventory:
    """The store's whole content with delta marks (agent-protocol 4.1)."""

    session_token: str
    job_id: str
    inventory: tuple[InventoryItem, ...]


@wire
class Enroll:
    """A request for the certificate of a key that the agent made (agent-protocol 4.3)."""

    session_token: str
    job_id: str
    csr_text: Annotated[str, Field(alias="CSRText")]


@wire
class UpdateLocations:
    """Store paths that a discovery found (ours: agent-protocol 4.5)."""

    session_token: str
    job_id: str
    locations: tuple[str, ...]


@wire
class Complete:
    """The final word on a run; `log` only from log fetching, `data` only from custom jobs (ours)."""

    status: Result
    audit_id: int
    job_id: str
    message: str
    session_token: str
    log: Annotated[str | None, OMITTED_IF_NONE] = None
    data: Annotated[str | None, OMITTED_IF_NONE] = None


@value
class Garbled:
    """A message whose bytes break off before its end: no server can parse it."""

    intended: Complete


Body = Register | Heartbeat | Configure | UpdateInventory | Enroll | UpdateLocations | Complete | Garbled


@value
class AgentRequest:
    """One POST of an agent. `endpoint` is REGISTER, HEARTBEAT or what the server gave, unchanged."""

    endpoint: str
    body: Body


# --- what servers answer ----------------------------------------------------------------------


@wire
class ReplyError:
    """Details of a refusal; readers take `code_string`, else `h_result` (agent-protocol 2.3)."""

    code: int = 0
    h_result: Annotated[str | int | None, Field(alias="HResult")] = None
    code_string: str | None = None
    message: str | None = None


@wire
class Outcome:
    """The `Result` object that every answer carries (agent-protocol 2.3)."""

    status: ReplyStatus = ReplyStatus.UNKNOWN
    error: ReplyError = ReplyError()

    @property
    def is_refusal(self) -> bool:
        return self.status in _REFUSALS

    @property
    def code(self) -> str:
        """The code string, or "" if there is none."""
        if isinstance(self.error.code_string, str):
            return self.error.code_string
        return self.error.h_result if isinstance(self.error.h_result, str) else ""


OK: Final = Outcome(ReplyStatus.SUCCESS)


_REFUSALS: Final = (ReplyStatus.WARNING, ReplyStatus.ERROR)


def refusal(code: str, message: str, status: ReplyStatus = ReplyStatus.ERROR) -> Outcome:
    """A `Result` that says no, with the code under both its names."""
    return Outcome(status, ReplyError(h_result=code, code_string=code, message=message))


@wire
class SessionJob:
    """A job as listed in a session (agent-protocol 2.2)."""

    job_id: str
    job_type_id: str
    schedule: str | None
    configuration_endpoint: str
    completion_endpoint: str
    priority: int = 5
    cron: str | None = None


@wire
class Session:
    """What a registration earned. `heartbeat_interval` is in minutes and may be fractional."""

    token: str | None
    agent_id: str | None
    client_machine: str | None = None
    heartbeat_interval: float = 5
    certificate: str | None = None
    jobs: tuple[SessionJob, ...] | None = ()
    client_parameters: Mapping[str, str] | None = None


@wire
class SessionReply:
    """The answer to Register."""

    session: Session | None = None
    result: Outcome = Outcome()


@wire
class HeartbeatReply:
    """The answer to Heartbeat; `session_valid` False means: register again (agent-protocol 3)."""

    heartbeat_interval: float = 5
    session_valid: bool = False
    result: Outcome = Outcome()


@wire
class KnownItem:
    """What the server believes is in the store."""

    alias: str
    private_key_entry: bool = False
    thumbprints: tuple[str, ...] = ()


@wire
class InventoryJob:
    """The `Job` of an inventory configuration (agent-protocol 4.1)."""

    client_machine: str
    store_path: str
    inventory: tuple[KnownItem, ...]
    store_password: str | None = ""
    category: int = 0


@wire
class ManagementJob:
    """The `Job` of a management configuration (agent-protocol 4.2)."""

    operation_type: Operation
    client_machine: str
    store_path: str
    store_password: str | None = None
    store_type: int = 2
    category: int = 0
    alias: str | None = None
    private_key_entry: bool = False
    entry_password: str | None = None
    thumbprint: str | None = None
    entry_contents: str | None = None
    pfx_password: str | None = None
    overwrite: bool = False
    properties: str | None = None


@wire
class CustomJob:
    """The `Job` of a custom configuration: field names to values (ours: agent-protocol 4.5)."""

    job_fields: Mapping[str, str]


@wire
class DiscoveryJob:
    """The `Job` of a discovery configuration, comma-separated lists (ours: agent-protocol 4.5)."""

    dirs: str
    extensions: str = ""
    ignored_dirs: str = ""
    patterns: str = ""


@wire
class Configuration:
    """The answer to Configure: common fields, and those of the job's kind (agent-protocol 4)."""

    audit_id: int = 0
    job_cancelled: bool = False
    result: Outcome = Outcome()
    job: Annotated[InventoryJob | ManagementJob | CustomJob | DiscoveryJob | None, OMITTED_IF_NONE] = None
    inventory_endpoint: Annotated[str | None, OMITTED_IF_NONE] = None
    discovery_endpoint: Annotated[str | None, OMITTED_IF_NONE] = None
    max_characters_to_return: Annotated[int | None, OMITTED_IF_NONE] = None
    # Re-enrolment is flat (agent-protocol 4.3).
    enroll_endpoint: Annotated[str | None, OMITTED_IF_NONE] = None
    entropy: Annotated[str | None, OMITTED_IF_NONE] = None
    key_size: Annotated[str | int | None, OMITTED_IF_NONE] = None
    key_type: Annotated[str | None, OMITTED_IF_NONE] = None
    subject: Annotated[str | None, OMITTED_IF_NONE] = None
    client_machine: Annotated[str | None, OMITTED_IF_NONE] = None
    store_path: Annotated[str | None, OMITTED_IF_NONE] = None
    store_password: Annotated[str | None, OMITTED_IF_NONE] = None
    properties: Annotated[str | None, OMITTED_IF_NONE] = None


@wire
class Acknowledged:
    """The answer to an upload; `certificate` only for Enroll."""

    result: Outcome = Outcome()
    certificate: Annotated[str | None, OMITTED_IF_NONE] = None


@wire
class CompletionReply:
    """The answer to Complete; `inventory_job` asks to run that listed job now (agent-protocol 4.0)."""

    result: Outcome = Outcome()
    inventory_job: str | None = None


ReplyBody = SessionReply | HeartbeatReply | Configuration | Acknowledged | CompletionReply

REPLY_OF: Final[Mapping[type[Body], type[ReplyBody]]] = {
    Register: SessionReply,
    Heartbeat: HeartbeatReply,
    Configure: Configuration,
    UpdateInventory: Acknowledged,
    Enroll: Acknowledged,
    UpdateLocations: Acknowledged,
    Complete: CompletionReply,
    Garbled: CompletionReply,
}


@value
class AgentReply:
    """An answer: an HTTP status (or its equal) and a body, None where that was empty or unreadable."""

    status: int
    body: ReplyBody | None


DEFAULT_PLATFORM: Final = Platform.UNIVERSAL


def pack_version(major: int, minor: int, micro: int, build: int) -> int:
    """`AgentVersion`: four 16-bit fields in one integer (agent-protocol 2.1)."""
    return major << 48 | minor << 32 | micro << 16 | build


def unpack_version(packed: int) -> str:
    """`25.4.1.0` from the packed integer."""
    return ".".join(str(packed >> shift & 0xFFFF) for shift in (48, 32, 16, 0))
