"""Which operation posts which kind of work: one table from a job type's category to a builder.

LOGS and custom jobs go through OrchestratorJobs/Custom, Management through CertificateStores/Certificates,
Inventory through CertificateStores/Schedule (scenario-format, "Who makes things happen").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.protocol import command
from agent_sim.protocol.enums import CUSTOM_PREFIX, FETCH_LOGS, Category
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
    return (command.ScheduleJob(agent_id, posting.type.removeprefix(CUSTOM_PREFIX), _when(posting)),)


def _inventory(
    posting: Posting, agent_id: str, stores: Stores, certificate: int | None
) -> tuple[command.Operation, ...]:
    ids = tuple(store.id for store in stores)
    return (command.ScheduleInventory(ids, _when(posting)),) if ids else ()


def _management(
    posting: Posting, agent_id: str, stores: Stores, certificate: int | None
) -> tuple[command.Operation, ...]:
    entries = tuple(command.StoreEntry(store.id, alias="agent-sim") for store in stores)
    if not entries:
        return ()
    if posting.operation == "add" and certificate is not None:
        return (command.AddCertificate(certificate, entries, _when(posting)),)
    return (command.RemoveCertificate(entries, _when(posting)),)


_BUILDERS: Final[Mapping[str, Builder]] = {
    Category.FETCH_LOGS.value: _logs,
    Category.CUSTOM.value: _custom,
    Category.INVENTORY.value: _inventory,
    Category.MANAGEMENT.value: _management,
}

POSTABLE: Final = tuple(_BUILDERS)
"""Scenario words (`custom` for every custom type) that the operator can post."""
