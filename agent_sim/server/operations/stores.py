"""Certificate stores over the management API: where inventory and management jobs come from (command-api 9)."""

from collections.abc import Mapping
from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs.model import Job, new_job
from agent_sim.protocol import command
from agent_sim.protocol.command import CommandReply, StoreEntry, StoreRecord
from agent_sim.protocol.enums import STORE_JOBS, Category, JobType, Operation
from agent_sim.protocol.schedule import Immediate, Off, Schedule
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.checks import incapable, unapproved, unusable
from agent_sim.server.operations.listing import STORES, Found, find
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.stores import Certificate, Stores, store_record
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings
from agent_sim.states import JobState

CAPABILITIES: Final[Mapping[int, str]] = {  # agent-protocol 6.6
    0: "JKS",
    2: "PEM",
    3: "F5",
    4: "IIS",
    5: "NetScaler",
    6: "IIS",
    7: "F5",
    8: "IIS",
    9: "F5",
    10: "F5",
    11: "F5",
    100: "AWS",
    101: "FTP",
}
"""CertStoreType to the capability that an agent needs for it."""


class StoreOperations:
    """Reads and creates certificate stores, and schedules the jobs that they need."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint, work: Work, stores: Stores) -> None:
        self._store, self._settings, self._mint, self._work = store, settings, mint, work
        self._stores = stores
        self._agents = Agents(store)

    def listed(self, wanted: command.ListStores, caller: Caller, now: Instant) -> CommandReply:
        """Certificate stores."""
        found = find(self._store, STORES, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(store_record, found.rows)), found.total)

    def create(self, wanted: command.CreateStore, caller: Caller, now: Instant) -> CommandReply:
        """A new store; with a schedule it gets an inventory job at once."""
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {wanted.agent_id!r} does not exist")
        record = _record(wanted, self._mint.guid(), agent.agent_id)
        when = wanted.inventory_schedule
        refused = self._misplaced(record)
        if refused is None and when is not None:
            refused = self._unschedulable([record], Category.INVENTORY, when)
        if refused is not None:
            return refused
        self._stores.add(record)
        if when is not None and not isinstance(when, Off):
            self._start_inventory(record, when, now)
        return CommandReply(200, self._stores.by_id(record.id))

    def _misplaced(self, store: StoreRecord) -> CommandReply | None:
        """Refuses a store of an unknown type, without a place, or in the place of another one."""
        if store.cert_store_type not in CAPABILITIES:
            known = ", ".join(f"{number} ({name})" for number, name in CAPABILITIES.items())
            sentence = f"CertStoreType {store.cert_store_type} is not known; this server has {known}"
            return refuse(Problem.INVALID_VALUE, sentence)
        if not store.client_machine.strip() or not store.store_path.strip():
            return refuse(Problem.INVALID_VALUE, "ClientMachine and Storepath must say where the store is")
        twin = self._stores.twin(store.agent_id, store.client_machine, store.store_path, store.cert_store_type)
        if twin is not None:
            return refuse(Problem.DUPLICATE, f"A store {store.store_path!r} on {store.client_machine} exists: {twin}")
        return None

    # --- inventory ----------------------------------------------------------------------------

    def schedule(self, wanted: command.ScheduleInventory, caller: Caller, now: Instant) -> CommandReply:
        """One inventory job per store, which the new schedule replaces; Off ends it.

        Our choice: a store that has such a job with the very same schedule already keeps it.
        """
        stores = self._named(wanted.store_ids)
        if isinstance(stores, CommandReply):
            return stores
        refused = self._unschedulable(stores, Category.INVENTORY, wanted.schedule)
        if refused is not None:
            return refused
        for store in stores:
            self._reschedule_inventory(store, wanted.schedule, now)
        return CommandReply(204)

    def _reschedule_inventory(self, store: StoreRecord, when: Schedule, now: Instant) -> None:
        present = self._scheduled_inventory(store)
        if present is not None:
            if present.schedule == when:
                return
            self._work.unschedule([present.job_id], now)
        if not isinstance(when, Off):
            self._start_inventory(store, when, now)

    def _scheduled_inventory(self, store: StoreRecord) -> Job | None:
        """The store's inventory job if there is more to come of it than a run in process."""
        job = self._work.jobs.by_id(store.cert_store_inventory_job_id or "")
        if job is None or (job.state is JobState.RUNNING and job.is_one_shot):
            return None
        return job

    def _start_inventory(self, store: StoreRecord, when: Schedule, now: Instant) -> None:
        kind = _kind(store, Category.INVENTORY)
        job = new_job(self._mint.guid(), store.agent_id, kind, when, now, store.id)
        self._work.accept(job)
        self._stores.set_inventory_job(store.id, job.job_id)

    # --- management ---------------------------------------------------------------------------

    def add_certificate(self, wanted: command.AddCertificate, caller: Caller, now: Instant) -> CommandReply:
        """One management (add) job per store; answers the jobs' GUIDs."""
        certificate = self._stores.certificate(wanted.certificate_id)
        if certificate is None:
            return refuse(Problem.UNKNOWN_ID, f"Certificate {wanted.certificate_id} does not exist")
        return self._manage(wanted.certificate_stores, Operation.ADD, certificate, wanted.schedule, now)

    def remove_certificate(self, wanted: command.RemoveCertificate, caller: Caller, now: Instant) -> CommandReply:
        """One management (remove) job per store; answers the jobs' GUIDs."""
        nameless = next((entry for entry in wanted.certificate_stores if not entry.alias), None)
        if nameless is not None:
            sentence = f"Alias must say what to remove from store {nameless.certificate_store_id}"
            return refuse(Problem.INVALID_VALUE, sentence)
        return self._manage(wanted.certificate_stores, Operation.REMOVE, None, wanted.schedule, now)

    def _manage(
        self,
        entries: tuple[StoreEntry, ...],
        operation: Operation,
        certificate: Certificate | None,
        schedule: Schedule | None,
        now: Instant,
    ) -> CommandReply:
        stores = self._named(tuple(entry.certificate_store_id for entry in entries))
        if isinstance(stores, CommandReply):
            return stores
        when = schedule or Immediate()
        if refused := self._unschedulable(stores, Category.MANAGEMENT, when):
            return refused
        jobs = [
            new_job(
                self._mint.guid(),
                store.agent_id,
                _kind(store, Category.MANAGEMENT),
                when,
                now,
                store.id,
                _details(entry, operation, certificate),
            )
            for store, entry in zip(stores, entries, strict=True)
        ]
        for job in jobs:
            self._work.accept(job)
        return CommandReply(200, tuple(job.job_id for job in jobs))

    # --- what is asked of every store ---------------------------------------------------------

    def _named(self, ids: tuple[str, ...]) -> list[StoreRecord] | CommandReply:
        """The stores of these ids, in order; a refusal if one does not exist or none is given."""
        if not ids:
            return refuse(Problem.INVALID_VALUE, "At least one certificate store must be given")
        if len(ids) > self._settings.max_ids:
            most = self._settings.max_ids
            return refuse(Problem.TOO_MANY_IDS, f"{len(ids)} stores are given, at most {most} are allowed at once")
        found = [self._stores.by_id(read_guid(text) or text) for text in ids]
        unknown = [text for text, store in zip(ids, found, strict=True) if store is None]
        if unknown:
            reasons = [f"Certificate store {text!r} does not exist" for text in unknown]
            return refuse(Problem.UNKNOWN_ID, f"Nothing was changed: {reasons[0]}", reasons)
        return [store for store in found if store is not None]

    def _unschedulable(self, stores: list[StoreRecord], category: Category, when: Schedule) -> CommandReply | None:
        """Refuses a bad schedule, and stores whose agent may not or cannot do this kind of job."""
        if refused := unusable(when, off_allowed=category is Category.INVENTORY):
            return refused
        if isinstance(when, Off):
            return None
        for agent_id, kind in dict.fromkeys((store.agent_id, _kind(store, category)) for store in stores):
            agent = self._agents.by_id(agent_id)
            refused = None if agent is None else unapproved(agent) or incapable(agent, kind)
            if refused is not None:
                return refused
        return None


def _kind(store: StoreRecord, category: Category) -> JobType:
    return STORE_JOBS[CAPABILITIES[store.cert_store_type], category]


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


def _details(entry: StoreEntry, operation: Operation, certificate: Certificate | None) -> dict[str, str]:
    """The parameters of a management job. There are no private keys here, so only certificates are added."""
    details = {"operation": str(operation.value), "overwrite": "true" if entry.overwrite else "false"}
    alias = entry.alias or (certificate.thumbprint if certificate else None)
    if alias:
        details["alias"] = alias
    if certificate:
        details["certificate"] = str(certificate.id)
    return details
