"""Certificate stores, what inventories found in them, and certificates, in and out of their tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sim.protocol.agent import KnownItem
from agent_sim.protocol.command import StoreRecord
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.columns import array, schedule, texts


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that can be added to stores; `contents` is base64 DER."""

    id: int
    thumbprint: str
    contents: str


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a store as an inventory reported it."""

    alias: str
    private_key_entry: bool
    use_chain_level: bool
    thumbprints: tuple[str, ...]
    certificates: tuple[str, ...]


class Stores:
    """The tables `certificate_store`, `store_item` and `certificate`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, record: StoreRecord, password: str | None = None) -> None:
        columns: Values = {
            "id": record.id,
            "agent_id": record.agent_id,
            "client_machine": record.client_machine,
            "store_path": record.store_path,
            "cert_store_type": record.cert_store_type,
            "display_name": record.display_name,
            "container_id": record.container_id,
            "approved": record.approved,
            "create_if_missing": record.create_if_missing,
            "properties": record.properties,
            "password": password,
        }
        self._store.run("store_add", columns)

    def change(self, record: StoreRecord) -> None:
        """Store what can be changed of a store."""
        columns: Values = {
            "id": record.id,
            "agent_id": record.agent_id,
            "display_name": record.display_name,
            "container_id": record.container_id,
            "approved": record.approved,
            "create_if_missing": record.create_if_missing,
            "properties": record.properties,
            "cert_store_type": record.cert_store_type,
        }
        self._store.run("store_change", columns)

    def add_found(self, ids: Sequence[str], agent_id: str, machine: str, paths: Sequence[str], kind: int) -> None:
        """Stores that a discovery found, not approved yet; those that are known already stay as they are."""
        same: Values = {"agent_id": agent_id, "client_machine": machine, "cert_store_type": kind}
        rows = [{**same, "id": id_, "store_path": path} for id_, path in zip(ids, paths, strict=True)]
        self._store.run_many("store_found", rows)

    def set_password(self, store_id: str, password: str | None) -> None:
        self._store.run("store_password_put", {"id": store_id, "password": password})

    def password(self, store_id: str) -> str | None:
        """For the store's agent alone."""
        rows = self._store.rows("store_password", {"id": store_id})
        return rows[0][0] if rows else None

    def delete(self, ids: Sequence[str]) -> None:
        """Delete stores and what was found in them; their jobs must have been unscheduled."""
        values: Values = {"ids": array(ids)}
        for statement in ("stores_forget_items", "stores_forget_jobs", "stores_delete"):
            self._store.run(statement, values)

    def of_agents(self, agent_ids: Sequence[str]) -> list[str]:
        return [id_ for (id_,) in self._store.rows("stores_of_agents", {"agent_ids": array(agent_ids)})]

    def in_container(self, container_id: int) -> list[str]:
        return [id_ for (id_,) in self._store.rows("stores_of_container", {"container_id": container_id})]

    def by_id(self, store_id: str) -> StoreRecord | None:
        rows = self._store.rows("store_by_id", {"id": store_id})
        return store_record(rows[0]) if rows else None

    def twin(self, agent_id: str, machine: str, path: str, kind: int) -> str | None:
        """The id of the store that is in this place already."""
        columns: Values = {"agent_id": agent_id, "client_machine": machine, "store_path": path, "cert_store_type": kind}
        rows = self._store.rows("store_twin", columns)
        return str(rows[0][0]) if rows else None

    def set_inventory_job(self, store_id: str, job_id: str | None) -> None:
        self._store.run("store_inventory_job", {"id": store_id, "job_id": job_id})

    def certificate(self, certificate_id: int) -> Certificate | None:
        rows = self._store.rows("certificate_by_id", {"id": certificate_id})
        return Certificate(*rows[0]) if rows else None

    # --- what is in them ----------------------------------------------------------------------

    def known_items(self, store_id: str) -> tuple[KnownItem, ...]:
        rows = self._store.rows("items_known", {"store_id": store_id})
        return tuple(KnownItem(alias, bool(private), texts(thumbs)) for alias, private, thumbs in rows)

    def put_item(self, store_id: str, item: Item, audit_id: int) -> None:
        """A new entry, or a new content of a known one."""
        columns: Values = {
            "store_id": store_id,
            "alias": item.alias,
            "private_key_entry": item.private_key_entry,
            "use_chain_level": item.use_chain_level,
            "thumbprints": array(item.thumbprints),
            "certificates": array(item.certificates),
            "seen_in": audit_id,
        }
        self._store.run("item_put", columns)

    def saw_item(self, store_id: str, alias: str, audit_id: int) -> None:
        """An entry is still there, unchanged."""
        self._store.run("item_seen", {"store_id": store_id, "alias": alias, "seen_in": audit_id})

    def remove_item(self, store_id: str, alias: str) -> None:
        self._store.run("item_remove", {"store_id": store_id, "alias": alias})

    def forget_unseen(self, store_id: str, audit_id: int) -> None:
        """Drop what a run's uploads did not mention."""
        self._store.run("items_forget", {"store_id": store_id, "seen_in": audit_id})


def store_record(row: Row) -> StoreRecord:
    """A store from the columns of `store_by_id` and `store_page`."""
    (id_, agent_id, machine, path, kind, display, container, container_name, approved) = row[:9]
    (assigned, create, properties, job_id, text, time) = row[9:]
    return StoreRecord(
        id=id_,
        client_machine=machine,
        store_path=path,
        cert_store_type=kind,
        agent_id=agent_id,
        agent_assigned=bool(assigned),
        approved=bool(approved),
        create_if_missing=bool(create),
        cert_store_inventory_job_id=job_id,
        inventory_schedule=schedule(text, time) if job_id else None,
        container_id=container,
        container_name=container_name,
        display_name=display,
        properties=properties,
    )
