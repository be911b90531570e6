"""Jobs of certificate stores: inventory, management, re-enrolment and discovery, as command-api 9 has them."""

import re
from collections.abc import Mapping

from agent_sim.instants import Instant
from agent_sim.jobs.model import new_job
from agent_sim.protocol import command, store_commands
from agent_sim.protocol.command import CommandReply, StoreEntry, StoreRecord
from agent_sim.protocol.enums import Category, Operation
from agent_sim.protocol.schedule import ExactlyOnce, Immediate, Schedule
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.checks import incapable, unapproved, unusable
from agent_sim.server.operations.store_changes import StoreChanges
from agent_sim.server.operations.store_rules import StoreRules
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.stores import Certificate, Stores
from agent_sim.server.work import Work


class StoreJobOperations:
    """Schedules what is to be done to and about certificate stores."""

    def __init__(
        self, store: Store, mint: Mint, work: Work, stores: Stores, rules: StoreRules, changes: StoreChanges
    ) -> None:
        self._mint, self._work = mint, work
        self._stores, self._rules, self._changes = stores, rules, changes
        self._agents = Agents(store)

    def schedule(self, wanted: command.ScheduleInventory, caller: Caller, now: Instant) -> CommandReply:
        """One inventory job per store, which the new schedule replaces; Off ends it."""
        stores = self._rules.named(wanted.store_ids)
        if isinstance(stores, CommandReply):
            return stores
        if refused := self._rules.unschedulable(stores, Category.INVENTORY, wanted.schedule):
            return refused
        for store in stores:
            self._changes.inventory(store, wanted.schedule, now)
        return CommandReply(204)

    # --- management ---------------------------------------------------------------------------

    def add_certificate(self, wanted: command.AddCertificate, caller: Caller, now: Instant) -> CommandReply:
        """One management (add) job per store; answers the jobs' GUIDs."""
        certificate = self._stores.certificate(wanted.certificate_id)
        if certificate is None:
            return refuse(Problem.UNKNOWN_ID, f"Certificate {wanted.certificate_id} does not exist")
        details = [_details(entry, Operation.ADD, certificate) for entry in wanted.certificate_stores]
        return self._manage(wanted.certificate_stores, details, wanted.schedule, now)

    def remove_certificate(self, wanted: command.RemoveCertificate, caller: Caller, now: Instant) -> CommandReply:
        """One management (remove) job per store; answers the jobs' GUIDs."""
        nameless = next((entry for entry in wanted.certificate_stores if not entry.alias), None)
        if nameless is not None:
            sentence = f"Alias must say what to remove from store {nameless.certificate_store_id}"
            return refuse(Problem.INVALID_VALUE, sentence)
        details = [_details(entry, Operation.REMOVE, None) for entry in wanted.certificate_stores]
        return self._manage(wanted.certificate_stores, details, wanted.schedule, now)

    def _manage(
        self,
        entries: tuple[StoreEntry, ...],
        details: list[dict[str, str]],
        schedule: Schedule | None,
        now: Instant,
    ) -> CommandReply:
        ids = [entry.certificate_store_id for entry in entries]
        stores = self._rules.named(ids)
        if isinstance(stores, CommandReply):
            return stores
        when = schedule or Immediate()
        made: list[str] = []
        if refused := self._rules.unschedulable(stores, Category.MANAGEMENT, when):
            return refused
        for store, what in zip(stores, details, strict=True):
            made += self._accepted(store, Category.MANAGEMENT, when, what, now)
        return CommandReply(200, tuple(made))

    def _accepted(
        self, store: StoreRecord, category: Category, when: Schedule, details: Mapping[str, str], now: Instant
    ) -> list[str]:
        """The ids of the jobs that were made: one, as the store's type was looked at before."""
        kind = self._rules.job(store.cert_store_type, category)
        if isinstance(kind, CommandReply):
            return []
        job = new_job(self._mint.guid(), store.agent_id, kind, when, now, store.id, details)
        self._work.accept(job)
        return [job.job_id]

    # --- re-enrolment -------------------------------------------------------------------------

    def reenroll(self, wanted: store_commands.ReenrollStore, caller: Caller, now: Instant) -> CommandReply:
        """A re-enrolment job at once, for the store's own orchestrator."""
        stores = self._rules.named([wanted.keystore_id])
        if isinstance(stores, CommandReply):
            return stores
        [store] = stores
        if wanted.agent_guid and read_guid(wanted.agent_guid) != store.agent_id:
            sentence = f"Orchestrator {wanted.agent_guid!r} does not have the store {store.id}"
            return refuse(Problem.UNKNOWN_ID, sentence)
        if not wanted.subject_name.strip():
            return refuse(Problem.INVALID_VALUE, "SubjectName must say whose certificate it is to be, as in CN=web01")
        if refused := self._rules.unschedulable(stores, Category.REENROLLMENT, Immediate()):
            return refused
        self._accepted(store, Category.REENROLLMENT, Immediate(), _reenrollment(wanted), now)
        return CommandReply(204)

    # --- discovery ----------------------------------------------------------------------------

    def discover(self, wanted: store_commands.ScheduleDiscovery, caller: Caller, now: Instant) -> CommandReply:
        """A discovery job, now or at a time. The server's login is taken and not kept: no agent of ours needs it."""
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {wanted.agent_id!r} does not exist")
        store_type = _number_of(wanted.type)
        if store_type is None:
            return refuse(Problem.INVALID_VALUE, f"Type must be the number of a store type, is {wanted.type!r}")
        kind = self._rules.job(store_type, Category.DISCOVERY)
        if isinstance(kind, CommandReply):
            return kind
        at = wanted.job_execution_timestamp
        when: Schedule = Immediate() if at is None else ExactlyOnce(at)
        if refused := unapproved(agent) or incapable(agent, kind) or unusable(when):
            return refused
        details = _discovery(wanted, store_type, wanted.client_machine or agent.client_machine)
        self._work.accept(new_job(self._mint.guid(), agent.agent_id, kind, when, now, details=details))
        return CommandReply(204)


def _number_of(given: int | str) -> int | None:
    """A number that may come as a text; None for any other text."""
    if isinstance(given, int):
        return given
    return int(given) if re.fullmatch(r" *[0-9]{1,9} *", given) else None


def _details(entry: StoreEntry, operation: Operation, certificate: Certificate | None) -> dict[str, str]:
    """The parameters of a management job. There are no private keys here, so only certificates are added."""
    details = {"operation": str(operation.value), "overwrite": "true" if entry.overwrite else "false"}
    alias = entry.alias or (certificate.thumbprint if certificate else None)
    if alias:
        details["alias"] = alias
    if certificate:
        details["certificate"] = str(certificate.id)
    return details


def _reenrollment(wanted: store_commands.ReenrollStore) -> dict[str, str]:
    """The parameters of a re-enrolment; the key's type and size are entry parameters of that name, if any."""
    given = {name.lower(): str(value) for name, value in (wanted.job_properties or {}).items()}
    details = {
        "subject": wanted.subject_name.strip(),
        "alias": wanted.alias,
        "authority": wanted.certificate_authority,
        "template": wanted.certificate_template,
        "key_type": given.get("keytype"),
        "key_size": given.get("keysize"),
    }
    return {name: value for name, value in details.items() if value}


def _discovery(wanted: store_commands.ScheduleDiscovery, store_type: int, machine: str) -> dict[str, str]:
    details = {
        "client_machine": machine,
        "store_type": str(store_type),
        "dirs": wanted.dirs,
        "ignored_dirs": wanted.ignored_dirs,
        "extensions": wanted.extensions,
        "patterns": wanted.name_patterns,
        "sym_links": "true" if wanted.sym_links else None,
        "compatibility": "true" if wanted.compatibility else None,
    }
    return {name: value for name, value in details.items() if value}
