"""Which operation posts which kind of work: one table from a job type's category to a builder.

LOGS, scans and custom jobs go through OrchestratorJobs/Custom, Management through CertificateStores/Certificates,
Inventory through CertificateStores/Schedule, re-enrolments and discoveries through endpoints of their own
(scenario-format, "Who makes things happen").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.protocol import command, store_commands
from agent_sim.protocol.enums import CUSTOM_PREFIX, FETCH_LOGS, STORE_JOBS, STORE_TYPE_IDS, Category
from agent_sim.protocol.schedule import Immediate, Schedule
from agent_sim.scenario.duties import Posting


@dataclass(frozen=True, slots=True)
class Store:
    """A certificate store that exists: its GUID, path and capability."""

    id: str
    path: str
    capability: str


Stores = tuple[Store, ...]
Builder = Callable[[Posting, str, Stores, int | None], tuple[command.Operation, ...]]


def work(posting: Posting, agent_id: str, stores: Stores, certificate_id: int | None) -> tuple[command.Operation, ...]:
    """The operations that post this work to one orchestrator, or to each of its stores."""
    word = Category.CUSTOM.value if posting.type.startswith(CUSTOM_PREFIX) else posting.type
    return _BUILDERS[word](posting, agent_id, stores, certificate_id)


def _when(posting: Posting) -> Schedule:
    return posting.handed_over or Immediate()


def _logs(posting: Posting, agent_id: str, stores: Stores, certificate: int | None) -> tuple[command.Operation, ...]:
    return (command.ScheduleJob(agent_id, FETCH_LOGS.history, _when(posting)),)


def _custom(posting: Posting, agent_id: str, stores: Stores, certificate: int | None) -> tuple[command.Operation, ...]:
    name = posting.type.removeprefix(CUSTOM_PREFIX)
    return (command.ScheduleJob(agent_id, name, _when(posting), posting.fields),)


def _inventory(
    posting: Posting, agent_id: str, stores: Stores, certificate: int | None
) -> tuple[command.Operation, ...]:
    ids = tuple(store.id for store in stores)
    return (command.ScheduleInventory(ids, _when(posting)),) if ids else ()


def _management(
    posting: Posting, agent_id: str, stores: Stores, certificate: int | None
) -> tuple[command.Operation, ...]:
    entries = tuple(command.StoreEntry(store.id, alias=posting.alias) for store in stores)
    if not entries:
        return ()
    if posting.operation == "add" and certificate is not None:
        return (command.AddCertificate(certificate, entries, _when(posting)),)
    return (command.RemoveCertificate(entries, _when(posting)),)


def _reenrollment(
    posting: Posting, agent_id: str, stores: Stores, certificate: int | None
) -> tuple[command.Operation, ...]:
    # An agent of ours makes no other keys, whatever it is asked for (agent.certificates).
    key = {"keyType": "ECC", "keySize": "256"}
    return tuple(
        store_commands.ReenrollStore(store.id, posting.subject.replace("{store}", store.path), agent_id, None, key)
        for store in stores
        if (store.capability, Category.REENROLLMENT) in STORE_JOBS
    )


def _discovery(
    posting: Posting, agent_id: str, stores: Stores, certificate: int | None
) -> tuple[command.Operation, ...]:
    return tuple(
        store_commands.ScheduleDiscovery(
            agent_id,
            STORE_TYPE_IDS[capability],
            dirs=",".join(posting.dirs),
            extensions=capability.lower(),
        )
        for capability in posting.capabilities
    )


_BUILDERS: Final[Mapping[str, Builder]] = {
    Category.FETCH_LOGS.value: _logs,
    Category.CUSTOM.value: _custom,
    Category.INVENTORY.value: _inventory,
    Category.MANAGEMENT.value: _management,
    Category.REENROLLMENT.value: _reenrollment,
    Category.DISCOVERY.value: _discovery,
    Category.SSL_DISCOVERY.value: _custom,
    Category.MONITORING.value: _custom,
}

POSTABLE: Final = tuple(_BUILDERS)
"""Scenario words (`custom` for every custom type) that the operator can post."""
