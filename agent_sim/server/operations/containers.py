"""Containers of certificate stores over the management API (command-api 9)."""

from agent_sim.instants import Instant
from agent_sim.protocol import store_commands
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.enums import Category
from agent_sim.protocol.schedule import Immediate, Off, to_wire
from agent_sim.protocol.store_commands import Container
from agent_sim.server.callers import Caller
from agent_sim.server.operations.checks import unusable
from agent_sim.server.operations.listing import CONTAINERS, Found, find
from agent_sim.server.operations.store_changes import StoreChanges, wanted_schedule
from agent_sim.server.operations.store_rules import StoreRules
from agent_sim.server.ports import Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.containers import Containers, KnownContainer, known_container
from agent_sim.server.tables.store_types import StoreTypes
from agent_sim.server.tables.stores import Stores
from agent_sim.settings import ServerSettings


class ContainerOperations:
    """Reads and changes containers; with OverwriteSchedules, their stores' inventories with them."""

    def __init__(
        self, store: Store, settings: ServerSettings, stores: Stores, rules: StoreRules, changes: StoreChanges
    ) -> None:
        self._store, self._settings = store, settings
        self._stores, self._rules, self._changes = stores, rules, changes
        self._containers, self._types = Containers(store), StoreTypes(store)

    def listed(self, wanted: store_commands.ListContainers, caller: Caller, now: Instant) -> CommandReply:
        """Containers."""
        found = find(self._store, CONTAINERS, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(_shown(known_container(row)) for row in found.rows), found.total)

    def get(self, wanted: store_commands.GetContainer, caller: Caller, now: Instant) -> CommandReply:
        """One container."""
        found = self._containers.by_id(wanted.id)
        if found is None:
            return refuse(Problem.NOT_FOUND, f"Certificate store container {wanted.id} does not exist")
        return CommandReply(200, _shown(found))

    def create(self, wanted: store_commands.CreateContainer, caller: Caller, now: Instant) -> CommandReply:
        """A new, empty container."""
        container = _container(0, wanted)
        if refused := self._unusable(container):
            return refused
        return self._answer(self._containers.add(container))

    def update(self, wanted: store_commands.UpdateContainer, caller: Caller, now: Instant) -> CommandReply:
        """A container as it is to be; if it overwrites schedules, its stores get its own."""
        container = _container(wanted.id, wanted)
        if self._containers.by_id(wanted.id) is None:
            return refuse(Problem.UNKNOWN_ID, f"Certificate store container {wanted.id} does not exist")
        stores = [store for id_ in self._stores.in_container(wanted.id) if (store := self._stores.by_id(id_))]
        if refused := self._unusable(container):
            return refused
        if any(wanted.cert_store_type not in (None, store.cert_store_type) for store in stores):
            return refuse(Problem.INVALID_VALUE, f"Container {wanted.name} has stores of another CertStoreType")
        when = wanted_schedule(container, None)
        managed = [store for store in stores if store.approved and when is not None]
        if when is not None and (refused := self._rules.unschedulable(managed, Category.INVENTORY, when)):
            return refused
        self._containers.change(container)
        for store in managed:
            self._changes.inventory(store, when or Off(), now)
        return self._answer(wanted.id)

    def delete(self, wanted: store_commands.DeleteContainer, caller: Caller, now: Instant) -> CommandReply:
        """Delete a container; its stores then are in none."""
        if self._containers.by_id(wanted.id) is None:
            return refuse(Problem.NOT_FOUND, f"Certificate store container {wanted.id} does not exist")
        self._containers.delete(wanted.id)
        return CommandReply(204)

    def _answer(self, container_id: int) -> CommandReply:
        found = self._containers.by_id(container_id)
        return CommandReply(200, _shown(found) if found else None)

    def _unusable(self, container: KnownContainer) -> CommandReply | None:
        """Refuses a container without a name, with another's, of an unknown type or with a bad schedule."""
        if not container.name.strip():
            return refuse(Problem.INVALID_VALUE, "Name must name the container")
        twin = self._containers.by_name(container.name)
        if twin is not None and twin.id != container.id:
            return refuse(Problem.DUPLICATE, f"A container {container.name!r} exists already: {twin.id}")
        kind = container.cert_store_type
        if kind is not None and self._types.by_number(kind) is None:
            return refuse(Problem.INVALID_VALUE, f"CertStoreType {kind} is not known")
        return unusable(container.schedule)


def _container(
    container_id: int, wanted: store_commands.CreateContainer | store_commands.UpdateContainer
) -> KnownContainer:
    when = None if isinstance(wanted.schedule, Off) else wanted.schedule
    return KnownContainer(container_id, wanted.name, wanted.overwrite_schedules, when, wanted.cert_store_type)


def _shown(container: KnownContainer) -> Container:
    when = container.schedule
    text = "Immediate" if isinstance(when, Immediate) else None if when is None else to_wire(when)
    return Container(
        container.id, container.name, container.overwrites, container.stores, text, container.cert_store_type
    )
