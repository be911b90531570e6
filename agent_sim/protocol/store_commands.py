"""The management API on certificate stores beyond making and inventorying them, on containers and certificates.

Operations and records as frozen values, like those of `protocol.command`. Source: command-api 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from agent_sim.instants import Instant
from agent_sim.protocol.agent import wire
from agent_sim.protocol.command import Operation, Page, Record, Secret
from agent_sim.protocol.schedule import Schedule

# --- stores -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetStore(Operation):
    """One certificate store."""

    id: str


@wire
class UpdateStore(Operation):
    """Changes a store; the id is in the body, and what is not given stays as it is."""

    id: str
    container_id: int | None = None
    create_if_missing: bool | None = None
    display_name: str | None = None
    properties: str | None = None
    agent_id: str | None = None
    inventory_schedule: Schedule | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class DeleteStore(Operation):
    """Deletes a store with its jobs and what was found in it; the history of its jobs stays."""

    id: str


@dataclass(frozen=True, slots=True)
class DeleteStores(Operation):
    """The same for several, all or none."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListInventory(Operation):
    """What the last inventories found in a store."""

    id: str
    page: Page = Page()


@wire
class ReenrollStore(Operation):
    """A re-enrolment job at once: the orchestrator makes a key and asks for its certificate."""

    keystore_id: str
    subject_name: str
    agent_guid: str | None = None
    alias: str | None = None
    job_properties: Mapping[str, object] | None = None
    certificate_authority: str | None = None
    certificate_template: str | None = None


@wire
class ScheduleDiscovery(Operation):
    """A discovery job, now or at a time. Lists are texts with commas; the server's login is for the orchestrator.

    `type` is a number; a vendor's script writes it as a text.
    """

    agent_id: str
    type: int | str
    client_machine: str | None = None
    job_execution_timestamp: Instant | None = None
    dirs: str | None = None
    ignored_dirs: str | None = None
    extensions: str | None = None
    name_patterns: str | None = None
    sym_links: bool = False
    compatibility: bool = False
    server_username: Secret | None = None
    server_password: Secret | None = None
    server_use_ssl: bool = False


@wire
class StoreApproval:
    """A store that a discovery found, and what it is to be managed with."""

    id: str
    container_id: int | None = None
    cert_store_type: int | None = None
    properties: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class ApproveStores(Operation):
    """Lets stores that discoveries found be managed, all or none."""

    stores: tuple[StoreApproval, ...]


@wire
class InventoryCertificate:
    """A certificate that is in a store."""

    id: int
    issued_dn: Annotated[str, Field(alias="IssuedDN")]
    serial_number: str
    issuer_dn: Annotated[str, Field(alias="IssuerDN")]
    thumbprint: str
    cert_store_inventory_item_id: int
    not_before: Instant | None = None
    not_after: Instant | None = None
    signing_algorithm: str = ""
    metadata: Mapping[str, str] | None = None


@wire
class InventoryEntry(Record):
    """One alias of a store and its certificates, leaf first."""

    name: str
    certificates: tuple[InventoryCertificate, ...]
    parameters: Mapping[str, object] | None = None


# --- containers -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListContainers(Operation):
    """Containers of certificate stores."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetContainer(Operation):
    """One container."""

    id: int


@wire
class CreateContainer(Operation):
    """A new container; with `overwrite_schedules` its stores are inventoried by its schedule."""

    name: str
    overwrite_schedules: bool = False
    schedule: Schedule | None = None
    cert_store_type: int | None = None


@wire
class UpdateContainer(Operation):
    """A container as it is to be; the id is in the body."""

    id: int
    name: str
    overwrite_schedules: bool = False
    schedule: Schedule | None = None
    cert_store_type: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteContainer(Operation):
    """Deletes a container; its stores then are in none."""

    id: int


@wire
class Container(Record):
    """One container; its schedule is a text here, `I_60`, as the vendor's schema has it (command-api 9)."""

    id: int
    name: str
    overwrite_schedules: bool
    store_count: int
    schedule: str | None = None
    cert_store_type: int | None = None


# --- certificates -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListCertificates(Operation):
    """Certificates that the server was given, found in stores or issued itself."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetCertificate(Operation):
    """One certificate, with the places where it is."""

    id: int


@wire
class CertificateLocation:
    """A place where a certificate is."""

    store_machine: str
    store_path: str
    store_type: int
    alias: str
    chain_level: int
    cert_store_id: str


@wire
class CertificateRecord(Record):
    """One certificate: the part of the vendor's record that this server knows."""

    id: int
    thumbprint: str
    serial_number: str
    issued_dn: Annotated[str, Field(alias="IssuedDN")]
    issued_cn: Annotated[str, Field(alias="IssuedCN")]
    issuer_dn: Annotated[str, Field(alias="IssuerDN")]
    content_bytes: str
    import_date: Instant | None = None
    not_before: Instant | None = None
    not_after: Instant | None = None
    signing_algorithm: str = ""
    locations: tuple[CertificateLocation, ...] | None = None
    metadata: Mapping[str, str] | None = None
