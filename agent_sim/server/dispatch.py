"""What an agent is told: which jobs are on its list, under which endpoints, and what each asks of it.

Tables from a job's category to its endpoints and to the shape of its configuration (agent-protocol 2.2, 4).
The shapes of discovery and custom jobs are ours: the vendor's are not public.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from agent_sim.jobs.model import Job
from agent_sim.protocol.agent import (
    OK,
    Complete,
    Configuration,
    Configure,
    CustomJob,
    DiscoveryJob,
    Enroll,
    Heartbeat,
    InventoryJob,
    ManagementJob,
    Register,
    SessionJob,
    UpdateInventory,
    UpdateLocations,
)
from agent_sim.protocol.command import StoreRecord
from agent_sim.protocol.enums import Category, Operation
from agent_sim.server.tables.stores import Stores
from agent_sim.settings import ServerSettings

BASE: Final = "KeyfactorAgents"

AREAS: Final[Mapping[Category, str]] = {
    Category.INVENTORY: "Inventory",
    Category.MANAGEMENT: "Management",
    Category.REENROLLMENT: "Reenrollment",
    Category.DISCOVERY: "Discovery",
    Category.FETCH_LOGS: "FetchLogs",
    Category.CUSTOM: "Custom",
}
"""The part of the path that names the kind of job (our choice of names)."""

AT_STORE: Final = (Category.INVENTORY, Category.MANAGEMENT, Category.REENROLLMENT)
"""Kinds of jobs that are about one certificate store."""

UPLOADS: Final[Mapping[Category, tuple[str, type]]] = {
    Category.INVENTORY: ("Update", UpdateInventory),
    Category.REENROLLMENT: ("Enroll", Enroll),
    Category.DISCOVERY: ("Locations", UpdateLocations),
}
"""What an agent may send between Configure and Complete, and where."""


def _endpoint(category: Category, action: str) -> str:
    return f"{BASE}/{AREAS[category]}/{action}"


SERVED: Final[Mapping[str, type]] = {
    "/session/register": Register,
    "/session/heartbeat": Heartbeat,
    **{f"/{area.lower()}/configure": Configure for area in AREAS.values()},
    **{f"/{area.lower()}/complete": Complete for area in AREAS.values()},
    **{f"/{AREAS[category].lower()}/{action.lower()}": kind for category, (action, kind) in UPLOADS.items()},
}
"""Every path under the agents' base, in lower case, and what may be sent there."""


def is_served(endpoint: str, kind: type) -> bool:
    """True if `endpoint`, as a session job gave it or as a path under the base, takes this kind of message."""
    return _taken_at(endpoint) is kind


@lru_cache(maxsize=256)  # there are few endpoints; whoever makes up others gains nothing
def _taken_at(endpoint: str) -> type | None:
    path = endpoint.lower().replace(f"{BASE.lower()}/", "", 1)
    return SERVED.get(f"/{path.lstrip('/')}")


def session_job(job: Job) -> SessionJob:
    """A job as an agent's list shows it."""
    # The vendor's agent tells "add" jobs, which it runs first, by their priority (agent-protocol 2.2).
    is_add = job.details.get("operation") == str(Operation.ADD.value)
    return SessionJob(
        job.job_id,
        job.type.guid,
        job.wire_schedule,
        _endpoint(job.type.category, "Configure"),
        _endpoint(job.type.category, "Complete"),
        priority=3 if is_add else 5,
    )


def configuration(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    """What a run of this job is to do."""
    return _SHAPES[job.type.category](job, audit_id, stores, settings)


CANCELLED: Final = Configuration(job_cancelled=True, result=OK)
"""The answer for a job that is not there to be run: the agent drops it and registers again (agent-protocol 4.0)."""


def _store(job: Job, stores: Stores) -> StoreRecord:
    store = stores.by_id(job.store_id or "")
    if store is None:
        raise LookupError(f"job {job.job_id} has no store")
    return store


def _flat(properties: str | None) -> str | None:
    """A store's properties as agents read them: a JSON object of texts; None if there is no such thing.

    The management API's clients also write `{"value": x}`, numbers and booleans (command-api 9; agent-protocol 4.3).
    """
    try:
        given = json.loads(properties or "")
    except ValueError:
        return None
    if not isinstance(given, dict):
        return None
    if all(isinstance(value, str) for value in given.values()):
        return properties
    texts = {name: _text(value) for name, value in given.items()}
    return json.dumps({name: text for name, text in texts.items() if text is not None}, ensure_ascii=False)


def _text(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _inventory(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    store = _store(job, stores)
    password = stores.password(store.id) or ""
    work = InventoryJob(store.client_machine, store.store_path, stores.known_items(store.id), password)
    endpoint = _endpoint(Category.INVENTORY, "Update")
    return Configuration(audit_id, result=OK, job=work, inventory_endpoint=endpoint)


def _management(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    store = _store(job, stores)
    certificate = stores.certificate(int(job.details.get("certificate", "0")))
    work = ManagementJob(
        Operation(int(job.details["operation"])),
        store.client_machine,
        store.store_path,
        stores.password(store.id),
        store_type=store.cert_store_type,
        alias=job.details.get("alias"),
        thumbprint=certificate.thumbprint if certificate else None,
        entry_contents=certificate.contents if certificate else None,
        overwrite=job.details.get("overwrite") == "true",
        properties=_flat(store.properties),
    )
    return Configuration(audit_id, result=OK, job=work)


def _reenrollment(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    store = _store(job, stores)
    properties = _flat(store.properties)
    # The vendor's agent crashes on properties that lack this one (agent-protocol 4.3, 8.1.8).
    told = properties if properties is not None and "separatePrivateKey" in json.loads(properties) else None
    return Configuration(
        audit_id,
        result=OK,
        enroll_endpoint=_endpoint(Category.REENROLLMENT, "Enroll"),
        entropy="",
        key_size=job.details.get("key_size", "2048"),
        key_type=job.details.get("key_type", "RSA"),
        subject=job.details.get("subject", ""),
        client_machine=store.client_machine,
        store_path=store.store_path,
        store_password=stores.password(store.id),
        properties=told,
    )


def _discovery(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    details = job.details
    work = DiscoveryJob(
        details.get("dirs", ""),
        details.get("extensions", ""),
        details.get("ignored_dirs", ""),
        details.get("patterns", ""),
    )
    endpoint = _endpoint(Category.DISCOVERY, "Locations")
    return Configuration(audit_id, result=OK, job=work, discovery_endpoint=endpoint)


def _fetch_logs(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    return Configuration(audit_id, result=OK, max_characters_to_return=settings.max_log_characters)


def _custom(job: Job, audit_id: int, stores: Stores, settings: ServerSettings) -> Configuration:
    return Configuration(audit_id, result=OK, job=CustomJob(job.details))


_SHAPES: Final[Mapping[Category, Callable[[Job, int, Stores, ServerSettings], Configuration]]] = {
    Category.INVENTORY: _inventory,
    Category.MANAGEMENT: _management,
    Category.REENROLLMENT: _reenrollment,
    Category.DISCOVERY: _discovery,
    Category.FETCH_LOGS: _fetch_logs,
    Category.CUSTOM: _custom,
}
