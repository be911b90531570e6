"""Types of certificate stores, in and out of the table `store_type`: the built-in ones and those of users."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent_sim.protocol.enums import Category, JobType, store_job
from agent_sim.server.ports import Row, Store, Values

Document = dict[str, object]
"""Members of a type that the server only keeps, under their names on the wire."""

_ORDER: Final = (Category.INVENTORY, Category.MANAGEMENT, Category.DISCOVERY, Category.REENROLLMENT)


@dataclass(frozen=True, slots=True)
class KnownType:
    """One type; `guids` has the categories of jobs that there are for its stores."""

    number: int
    name: str
    short_name: str
    capability: str
    guids: Mapping[Category, str]
    is_built_in: bool = False
    document: Document = field(default_factory=dict)

    def job(self, category: Category) -> JobType | None:
        """The job of this kind for a store of this type; None if there is none."""
        guid = self.guids.get(category)
        return None if guid is None else store_job(self.capability, category, guid)

    @property
    def jobs(self) -> tuple[JobType, ...]:
        return tuple(store_job(self.capability, category, guid) for category, guid in self.guids.items())


class StoreTypes:
    """The table `store_type`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_number(self, number: int) -> KnownType | None:
        rows = self._store.rows("store_type_by_number", {"store_type": number})
        return known_type(rows[0]) if rows else None

    def all(self) -> list[KnownType]:
        return [known_type(row) for row in self._store.rows("store_type_all", {})]

    def next_number(self) -> int:
        """The number of the next user-defined type: from 102 on (agent-protocol 6.6)."""
        [(number,)] = self._store.rows("store_type_next", {})
        return int(number)

    def put(self, kind: KnownType) -> None:
        """A new type, or a new content of a known one."""
        columns: Values = {
            "store_type": kind.number,
            "name": kind.name,
            "short_name": kind.short_name,
            "capability": kind.capability,
            "inventory_guid": kind.guids.get(Category.INVENTORY),
            "management_guid": kind.guids.get(Category.MANAGEMENT),
            "discovery_guid": kind.guids.get(Category.DISCOVERY),
            "enrollment_guid": kind.guids.get(Category.REENROLLMENT),
            "document": json.dumps(kind.document, ensure_ascii=False),
        }
        self._store.run("store_type_put", columns)

    def delete(self, number: int) -> None:
        self._store.run("store_type_delete", {"store_type": number})

    def uses(self, number: int) -> int:
        """How many stores, containers and blueprints have this type."""
        [(count,)] = self._store.rows("store_type_uses", {"store_type": number})
        return int(count)

    def names_by_guid(self) -> dict[str, str]:
        """The GUIDs of user-defined types and of custom job types, to the capabilities behind them."""
        known = {job.guid: kind.capability for kind in self.all() for job in kind.jobs}
        custom = {row[0]: row[1] for row in self._store.rows("job_type_all", {})}
        return known | custom


def known_type(row: Row) -> KnownType:
    """A type from the columns that every `store_type_...` statement yields."""
    number, name, short, capability, inventory, management, discovery, enrollment, built_in, document = row
    guids = dict(zip(_ORDER, (inventory, management, discovery, enrollment), strict=True))
    present = {category: guid for category, guid in guids.items() if guid is not None}
    return KnownType(number, name, short, capability, present, bool(built_in), json.loads(document))
