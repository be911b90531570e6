"""What inventories and re-enrolments stored, over the management API: stores' contents and certificates."""

from dataclasses import replace

from agent_sim.instants import Instant
from agent_sim.protocol import store_commands
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.store_commands import CertificateRecord, InventoryCertificate, InventoryEntry
from agent_sim.query.sql import Sql
from agent_sim.server.callers import Caller
from agent_sim.server.operations.listing import CERTIFICATES, INVENTORY, Found, find
from agent_sim.server.operations.store_rules import StoreRules
from agent_sim.server.ports import Row, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.columns import texts
from agent_sim.server.tables.found_certificates import FoundCertificates, certificate_record
from agent_sim.settings import ServerSettings


class InventoryOperations:
    """Reads what was found."""

    def __init__(self, store: Store, settings: ServerSettings, rules: StoreRules) -> None:
        self._store, self._settings, self._rules = store, settings, rules
        self._certificates = FoundCertificates(store)

    def inventory(self, wanted: store_commands.ListInventory, caller: Caller, now: Instant) -> CommandReply:
        """The entries of one store, by alias."""
        place = self._rules.one(wanted.id)
        if isinstance(place, CommandReply):
            return place
        within = Sql("store_id = ?", (place.id,))
        found = find(self._store, INVENTORY, wanted.page, self._settings.max_return_limit, caller, now, within)
        if not isinstance(found, Found):
            return found
        known = self._certificates.by_thumbprints(thumb for row in found.rows for thumb in texts(row[2]))
        return CommandReply(200, tuple(_entry(row, known) for row in found.rows), found.total)

    def certificates(self, wanted: store_commands.ListCertificates, caller: Caller, now: Instant) -> CommandReply:
        """Every certificate that the server knows."""
        found = find(self._store, CERTIFICATES, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(certificate_record, found.rows)), found.total)

    def certificate(self, wanted: store_commands.GetCertificate, caller: Caller, now: Instant) -> CommandReply:
        """One certificate, with the stores that it is in."""
        found = self._certificates.by_id(wanted.id)
        if found is None:
            return refuse(Problem.NOT_FOUND, f"Certificate {wanted.id} does not exist")
        return CommandReply(200, replace(found, locations=self._certificates.locations(found.thumbprint)))


def _entry(row: Row, known: dict[str, CertificateRecord]) -> InventoryEntry:
    item_id, alias, thumbprints = row
    present = [known[thumb] for thumb in texts(thumbprints) if thumb in known]
    return InventoryEntry(alias, tuple(_shown(record, item_id) for record in present))


def _shown(record: CertificateRecord, item_id: int) -> InventoryCertificate:
    return InventoryCertificate(
        id=record.id,
        issued_dn=record.issued_dn,
        serial_number=record.serial_number,
        issuer_dn=record.issuer_dn,
        thumbprint=record.thumbprint,
        cert_store_inventory_item_id=item_id,
        not_before=record.not_before,
        not_after=record.not_after,
        signing_algorithm=record.signing_algorithm,
    )
