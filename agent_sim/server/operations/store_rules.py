"""What is asked of certificate stores before anything is done to them, and the jobs that there are for each.

Each question answers what was asked for, or the refusal. Who may ask is `server.gate`'s.
"""

from collections.abc import Sequence

from agent_sim.protocol.command import CommandReply, StoreRecord
from agent_sim.protocol.enums import Category, JobType
from agent_sim.protocol.schedule import Off, Schedule
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.checks import incapable, unapproved, unusable
from agent_sim.server.ports import Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.containers import Containers, KnownContainer
from agent_sim.server.tables.store_types import StoreTypes
from agent_sim.server.tables.stores import Stores


class StoreRules:
    """Reads stores, their types and containers for whoever wants to do something to them."""

    def __init__(self, store: Store, stores: Stores, max_ids: int) -> None:
        self._stores, self._max_ids = stores, max_ids
        self._agents, self._types, self._containers = Agents(store), StoreTypes(store), Containers(store)

    def one(self, text: str) -> StoreRecord | CommandReply:
        """The store that a path names."""
        store = self._stores.by_id(read_guid(text) or text)
        return store or refuse(Problem.NOT_FOUND, f"Certificate store {text!r} does not exist")

    def named(self, ids: Sequence[str]) -> list[StoreRecord] | CommandReply:
        """The stores of these ids, in order."""
        if not ids:
            return refuse(Problem.INVALID_VALUE, "At least one certificate store must be given")
        if len(ids) > self._max_ids:
            most = self._max_ids
            return refuse(Problem.TOO_MANY_IDS, f"{len(ids)} stores are given, at most {most} are allowed at once")
        found = [self._stores.by_id(read_guid(text) or text) for text in ids]
        unknown = [text for text, store in zip(ids, found, strict=True) if store is None]
        if unknown:
            reasons = [f"Certificate store {text!r} does not exist" for text in unknown]
            return refuse(Problem.UNKNOWN_ID, f"Nothing was changed: {reasons[0]}", reasons)
        return [store for store in found if store is not None]

    def job(self, store_type: int, category: Category) -> JobType | CommandReply:
        """The job of this kind for stores of a type."""
        known = self._types.by_number(store_type)
        kind = None if known is None else known.job(category)
        if kind is not None:
            return kind
        name = known.short_name if known else store_type
        return refuse(Problem.NOT_ELIGIBLE, f"There are no {category.value} jobs for stores of type {name}")

    def unschedulable(self, stores: Sequence[StoreRecord], category: Category, when: Schedule) -> CommandReply | None:
        """Refuses a bad schedule, stores that are not approved, and agents that may not or cannot do such a job."""
        if refused := unusable(when, off_allowed=category is Category.INVENTORY):
            return refused
        if isinstance(when, Off):
            return None
        pending = next((store for store in stores if not store.approved), None)
        if pending is not None:
            return refuse(Problem.NOT_ELIGIBLE, f"Certificate store {pending.store_path} is not approved yet")
        for agent_id, store_type in dict.fromkeys((store.agent_id, store.cert_store_type) for store in stores):
            if refused := self._incapable(agent_id, self.job(store_type, category)):
                return refused
        return None

    def _incapable(self, agent_id: str, kind: JobType | CommandReply) -> CommandReply | None:
        if isinstance(kind, CommandReply):
            return kind
        agent = self._agents.by_id(agent_id)
        return None if agent is None else unapproved(agent) or incapable(agent, kind)

    def container(self, container_id: int | None, store_type: int) -> KnownContainer | CommandReply | None:
        """The container that a store is to be put into; None for none."""
        if container_id is None:
            return None
        found = self._containers.by_id(container_id)
        if found is None:
            return refuse(Problem.UNKNOWN_ID, f"Certificate store container {container_id} does not exist")
        if found.cert_store_type not in (None, store_type):
            sentence = f"Container {found.name} is for stores of type {found.cert_store_type}, not {store_type}"
            return refuse(Problem.INVALID_VALUE, sentence)
        return found
