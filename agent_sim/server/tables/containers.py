"""Containers of certificate stores, in and out of the table `container`."""

from dataclasses import dataclass

from agent_sim.protocol.schedule import Schedule
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.columns import schedule, schedule_columns


@dataclass(frozen=True, slots=True)
class KnownContainer:
    """One container; with `overwrites` its schedule is that of its stores."""

    id: int
    name: str
    overwrites: bool
    schedule: Schedule | None
    cert_store_type: int | None
    stores: int = 0


class Containers:
    """The table `container`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_id(self, container_id: int) -> KnownContainer | None:
        rows = self._store.rows("container_by_id", {"id": container_id})
        return known_container(rows[0]) if rows else None

    def by_name(self, name: str) -> KnownContainer | None:
        """The container of that name, in any case."""
        rows = self._store.rows("container_by_name", {"name": name})
        return known_container(rows[0]) if rows else None

    def add(self, container: KnownContainer) -> int:
        """A new container; returns its id, whatever the value says."""
        [(container_id,)] = self._store.rows("container_add", _columns(container))
        return int(container_id)

    def change(self, container: KnownContainer) -> None:
        self._store.run("container_change", {**_columns(container), "id": container.id})

    def delete(self, container_id: int) -> None:
        """Delete a container; its stores then are in none."""
        self._store.run("container_empty", {"id": container_id})
        self._store.run("container_delete", {"id": container_id})


def known_container(row: Row) -> KnownContainer:
    """A container from the columns that every `container_...` statement yields."""
    id_, name, overwrites, text, time, has_schedule, kind, stores = row
    return KnownContainer(id_, name, bool(overwrites), schedule(text, time) if has_schedule else None, kind, stores)


def _columns(container: KnownContainer) -> Values:
    when: Values = {"schedule": None, "schedule_time": None}
    if container.schedule is not None:
        when = schedule_columns(container.schedule)
    return {
        **when,
        "has_schedule": container.schedule is not None,
        "name": container.name,
        "overwrite_schedules": container.overwrites,
        "cert_store_type": container.cert_store_type,
    }
