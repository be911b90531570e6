"""The management API on types of certificate stores: the built-in ones, and those that users define.

Operations and records as frozen values, like those of `protocol.command`. Source: agent-protocol 6.6, and for the
members of a type the published client; this server acts on few of them and keeps the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agent_sim.protocol.agent import wire
from agent_sim.protocol.command import Operation, Page, Record


@wire
class SupportedOperations:
    """What jobs there are for stores of a type, besides inventory."""

    add: bool = True
    create: bool = False
    discovery: bool = False
    enrollment: bool = False
    remove: bool = True


@wire
class PasswordOptions:
    """Which passwords a store of this type has."""

    entry_supported: bool = False
    store_required: bool = False
    style: int | str = 0


Member = Mapping[str, object]
"""A property or entry parameter, kept as it came."""


@dataclass(frozen=True, slots=True)
class ListStoreTypes(Operation):
    """Types of certificate stores."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetStoreType(Operation):
    """One type, by its number."""

    id: int


@dataclass(frozen=True, slots=True)
class FindStoreType(Operation):
    """One type, by its short name; answered as a list of one, as the published clients read it."""

    name: str


@wire
class CreateStoreType(Operation):
    """A new type; the server mints the GUIDs of its jobs unless they are given."""

    name: str
    short_name: str
    capability: str | None = None
    local_store: bool = False
    supported_operations: SupportedOperations = SupportedOperations()
    properties: tuple[Member, ...] = ()
    entry_parameters: tuple[Member, ...] = ()
    password_options: PasswordOptions = PasswordOptions()
    store_path_type: str | None = None
    store_path_value: str | None = None
    private_key_allowed: int | str = 1
    server_required: bool = False
    power_shell: bool = False
    blueprint_allowed: bool = True
    custom_alias_allowed: int | str = 1
    inventory_job_type_id: str | None = None
    management_job_type_id: str | None = None
    discovery_job_type_id: str | None = None
    enrollment_job_type_id: str | None = None


@wire
class UpdateStoreType(Operation):
    """A type as it is to be; its number is in the body. Built-in types cannot be changed."""

    store_type: int
    name: str
    short_name: str
    capability: str | None = None
    local_store: bool = False
    supported_operations: SupportedOperations = SupportedOperations()
    properties: tuple[Member, ...] = ()
    entry_parameters: tuple[Member, ...] = ()
    password_options: PasswordOptions = PasswordOptions()
    store_path_type: str | None = None
    store_path_value: str | None = None
    private_key_allowed: int | str = 1
    server_required: bool = False
    power_shell: bool = False
    blueprint_allowed: bool = True
    custom_alias_allowed: int | str = 1


@dataclass(frozen=True, slots=True)
class DeleteStoreType(Operation):
    """Deletes a type that no store has."""

    id: int


@dataclass(frozen=True, slots=True)
class DeleteStoreTypes(Operation):
    """The same for several, all or none."""

    ids: tuple[int, ...]


@wire
class StoreType(Record):
    """One type. An agent learns from the GUIDs which of its handlers a job is for (agent-protocol 8.2.4)."""

    name: str
    short_name: str
    capability: str
    store_type: int
    import_type: int
    local_store: bool = False
    supported_operations: SupportedOperations = SupportedOperations()
    properties: tuple[Member, ...] = ()
    entry_parameters: tuple[Member, ...] = ()
    password_options: PasswordOptions = PasswordOptions()
    store_path_type: str | None = None
    store_path_value: str | None = None
    private_key_allowed: int = 1
    job_properties: tuple[str, ...] = ()
    server_required: bool = False
    power_shell: bool = False
    blueprint_allowed: bool = True
    custom_alias_allowed: int = 1
    server_registration: int | None = None
    inventory_endpoint: str = "/AnyInventory/Update"
    inventory_job_type: str | None = None
    management_job_type: str | None = None
    discovery_job_type: str | None = None
    enrollment_job_type: str | None = None
