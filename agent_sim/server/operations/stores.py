"""Certificate stores over the management API: listed, made, changed, approved, deleted (command-api 9)."""

from dataclasses import replace
from typing import TypeVar

from agent_sim.instants import Instant
from agent_sim.protocol import command, store_commands
from agent_sim.protocol.command import CommandReply, ReenrollmentStatus, StoreRecord
from agent_sim.protocol.enums import Category
from agent_sim.protocol.schedule import Schedule
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.listing import STORES, Found, find
from agent_sim.server.operations.store_changes import StoreChanges, wanted_schedule
from agent_sim.server.operations.store_rules import StoreRules
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.containers import KnownContainer
from agent_sim.server.tables.store_types import StoreTypes
from agent_sim.server.tables.stores import Stores, store_record
from agent_sim.settings import ServerSettings

_T = TypeVar("_T")


class StoreOperations:
    """Reads and changes certificate stores."""

    def __init__(
        self,
        store: Store,
        settings: ServerSettings,
        mint: Mint,
        stores: Stores,
        rules: StoreRules,
        changes: StoreChanges,
    ) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._stores, self._rules, self._changes = stores, rules, changes
        self._agents, self._types = Agents(store), StoreTypes(store)

    def listed(self, wanted: command.ListStores, caller: Caller, now: Instant) -> CommandReply:
        """Certificate stores."""
        found = find(self._store, STORES, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        known: dict[tuple[str, int], ReenrollmentStatus] = {}
        records = [self._shown(store_record(row), known) for row in found.rows]
        return CommandReply(200, tuple(records), found.total)

    def get(self, wanted: store_commands.GetStore, caller: Caller, now: Instant) -> CommandReply:
        """One certificate store."""
        found = self._rules.one(wanted.id)
        return found if isinstance(found, CommandReply) else self._answer(found.id)

    def _answer(self, store_id: str) -> CommandReply:
        record = self._stores.by_id(store_id)
        return CommandReply(200, self._shown(record, {}) if record else None)

    def _shown(self, store: StoreRecord, known: dict[tuple[str, int], ReenrollmentStatus]) -> StoreRecord:
        """The store with what its agent can do about re-enrolment; `known` remembers that for the others."""
        key = (store.agent_id, store.cert_store_type)
        if key not in known:
            known[key] = self._reenrollment(*key)
        return replace(store, reenrollment_status=known[key])

    def _reenrollment(self, agent_id: str, store_type: int) -> ReenrollmentStatus:
        agent = self._agents.by_id(agent_id)
        kind = self._rules.job(store_type, Category.REENROLLMENT)
        if isinstance(kind, CommandReply):
            return ReenrollmentStatus(False, agent_id, "this type of store has no re-enrolment")
        if agent is None or not agent.can(kind):
            return ReenrollmentStatus(False, agent_id, "the orchestrator cannot re-enrol")
        return ReenrollmentStatus(True, agent_id)

    # --- made and changed ---------------------------------------------------------------------

    def create(self, wanted: command.CreateStore, caller: Caller, now: Instant) -> CommandReply:
        """A new store; with a schedule it gets an inventory job at once."""
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {wanted.agent_id!r} does not exist")
        container = self._rules.container(wanted.container_id, wanted.cert_store_type)
        if isinstance(container, CommandReply):
            return container
        record = _record(wanted, self._mint.guid(), agent.agent_id)
        when = wanted_schedule(container, wanted.inventory_schedule)
        if refused := self._misplaced(record) or self._unschedulable(record, when):
            return refused
        self._stores.add(record, _text(wanted.password))
        self._schedule(record, when, now)
        return self._answer(record.id)

    def update(self, wanted: store_commands.UpdateStore, caller: Caller, now: Instant) -> CommandReply:
        """Change what is given. On another orchestrator a store's jobs end, and its inventory begins anew."""
        found = self._rules.named([wanted.id])
        if isinstance(found, CommandReply):
            return found
        [before] = found
        container = self._container(before, wanted.container_id)
        if isinstance(container, CommandReply):
            return container
        after = _changed(before, wanted)
        moved = after.agent_id != before.agent_id
        given = wanted.inventory_schedule or (before.inventory_schedule if moved else None)
        when = wanted_schedule(container, given)
        if refused := (self._misplaced(after) if moved else None) or self._unschedulable(after, when):
            return refused
        if moved:
            self._changes.end_jobs([after.id], now)
        self._stores.change(after)
        if wanted.password is not None:
            self._stores.set_password(after.id, _text(wanted.password))
        self._schedule(after, when, now)
        return self._answer(after.id)

    def _container(self, store: StoreRecord, container_id: int | None) -> KnownContainer | CommandReply | None:
        """The container that a store is moved to; None if it stays where it is."""
        if container_id is None or container_id == store.container_id:
            return None
        return self._rules.container(container_id, store.cert_store_type)

    def _misplaced(self, store: StoreRecord) -> CommandReply | None:
        """Refuses a store of an unknown type or orchestrator, without a place, or in the place of another one."""
        if self._types.by_number(store.cert_store_type) is None:
            known = ", ".join(f"{kind.number} ({kind.short_name})" for kind in self._types.all())
            sentence = f"CertStoreType {store.cert_store_type} is not known; this server has {known}"
            return refuse(Problem.INVALID_VALUE, sentence)
        if self._agents.by_id(store.agent_id) is None:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {store.agent_id!r} does not exist")
        if not store.client_machine.strip() or not store.store_path.strip():
            return refuse(Problem.INVALID_VALUE, "ClientMachine and Storepath must say where the store is")
        twin = self._stores.twin(store.agent_id, store.client_machine, store.store_path, store.cert_store_type)
        if twin is not None:
            return refuse(Problem.DUPLICATE, f"A store {store.store_path!r} on {store.client_machine} exists: {twin}")
        return None

    def _unschedulable(self, store: StoreRecord, when: Schedule | None) -> CommandReply | None:
        return None if when is None else self._rules.unschedulable([store], Category.INVENTORY, when)

    def _schedule(self, store: StoreRecord, when: Schedule | None, now: Instant) -> None:
        if when is not None:
            self._changes.inventory(self._stores.by_id(store.id) or store, when, now)

    # --- approved and deleted -----------------------------------------------------------------

    def approve(self, wanted: store_commands.ApproveStores, caller: Caller, now: Instant) -> CommandReply:
        """Let stores that discoveries found be managed, all or none; approved ones just take what is given."""
        found = self._rules.named([item.id for item in wanted.stores])
        if isinstance(found, CommandReply):
            return found
        planned: list[tuple[StoreRecord, Schedule | None]] = []
        for store, item in zip(found, wanted.stores, strict=True):
            after = self._approved(store, item)
            if isinstance(after, CommandReply):
                return after
            planned.append(after)
        for (store, when), item in zip(planned, wanted.stores, strict=True):
            self._stores.change(store)
            if item.password is not None:
                self._stores.set_password(store.id, _text(item.password))
            self._schedule(store, when, now)
        return CommandReply(204)

    def _approved(
        self, store: StoreRecord, item: store_commands.StoreApproval
    ) -> tuple[StoreRecord, Schedule | None] | CommandReply:
        container = self._container(store, item.container_id)
        if isinstance(container, CommandReply):
            return container
        after = replace(
            store,
            approved=True,
            container_id=container.id if container else store.container_id,
            properties=store.properties if item.properties is None else item.properties,
        )
        if item.cert_store_type not in (None, store.cert_store_type):
            sentence = f"Store {store.store_path} has CertStoreType {store.cert_store_type}, not {item.cert_store_type}"
            return refuse(Problem.INVALID_VALUE, sentence)
        when = wanted_schedule(container, None)
        return self._unschedulable(after, when) or (after, when)

    def delete(self, wanted: store_commands.DeleteStore, caller: Caller, now: Instant) -> CommandReply:
        """Delete one store."""
        found = self._rules.one(wanted.id)
        return found if isinstance(found, CommandReply) else self._delete((found.id,), now)

    def delete_many(self, wanted: store_commands.DeleteStores, caller: Caller, now: Instant) -> CommandReply:
        """Delete several stores, all or none."""
        return self._delete(wanted.ids, now)

    def _delete(self, ids: tuple[str, ...], now: Instant) -> CommandReply:
        found = self._rules.named(ids)
        if isinstance(found, CommandReply):
            return found
        self._changes.remove(list(dict.fromkeys(store.id for store in found)), now)
        return CommandReply(204)


def _record(wanted: command.CreateStore, store_id: str, agent_id: str) -> StoreRecord:
    return StoreRecord(
        id=store_id,
        client_machine=wanted.client_machine,
        store_path=wanted.store_path,
        cert_store_type=wanted.cert_store_type,
        agent_id=agent_id,
        approved=wanted.approved,
        create_if_missing=wanted.create_if_missing,
        container_id=wanted.container_id,
        display_name=wanted.display_name,
        properties=wanted.properties,
    )


def _changed(store: StoreRecord, wanted: store_commands.UpdateStore) -> StoreRecord:
    """The store with what was given; the rest stays."""
    return replace(
        store,
        agent_id=store.agent_id if wanted.agent_id is None else read_guid(wanted.agent_id) or wanted.agent_id,
        container_id=_given(wanted.container_id, store.container_id),
        create_if_missing=_given(wanted.create_if_missing, store.create_if_missing),
        display_name=_given(wanted.display_name, store.display_name),
        properties=_given(wanted.properties, store.properties),
    )


def _given(wanted: _T | None, before: _T) -> _T:
    return before if wanted is None else wanted


def _text(password: command.Secret | None) -> str | None:
    return None if password is None else password.secret_value
