"""The scripted operator: makes a fleet ready and posts its work, over the management API alone.

    job types ──> orchestrators found ──> approved ──> stores ──> ready: postings as they fall due

Like the agent it is a plain object: events and the time go in, operations to send come out. It works the same on
the embedded server and on a real Command, and touches only orchestrators whose name begins with the plan's prefix.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, assert_never

from agent_sim.instants import NEVER, SECOND, Instant, Span
from agent_sim.operator.events import (
    AgentApproved,
    Answered,
    Event,
    Fact,
    JobPosted,
    JobTypeKnown,
    Order,
    PostFailed,
    SendFailed,
    SetupFailed,
    StopRequested,
    Woken,
)
from agent_sim.operator.rounds import Due, rounds
from agent_sim.operator.work import Store, work
from agent_sim.protocol import command, store_commands
from agent_sim.protocol.enums import CUSTOM_PREFIX, SCANS, SSL, STORE_TYPE_IDS, AgentStatus, made_type
from agent_sim.query.scope import quote
from agent_sim.scenario.duties import FleetNeed, JobTypeNeed, OperatorPlan, store_places

MADE_BY: Final = "made by agent-sim"
"""Describes every job type that the operator makes, so that a cleanup takes no other."""

_IN_FLIGHT: Final = 16
_PAGE: Final = 1000
_APPROVE_AT_ONCE: Final = 500
_LONGEST_BACKOFF: Final[Span] = 30 * SECOND


_NO_STORES: Final[Mapping[str, Store]] = MappingProxyType({})


@dataclass(slots=True)
class _Machine:
    """One orchestrator as the operator knows it: most of a large fleet have no stores, and nothing that waits."""

    name: str
    stores_needed: tuple[tuple[str, str], ...]  # (capability, path)
    agent_id: str = ""
    stores: Mapping[str, Store] = field(default_factory=lambda: _NO_STORES)  # by path
    asked: frozenset[str] = frozenset()  # paths whose creation is under way
    waiting: list[Due] | None = None

    @property
    def is_ready(self) -> bool:
        return self.agent_id != "" and len(self.stores) >= len(self.stores_needed)

    def wait_for(self, due: Due) -> None:
        """It is not to be posted this yet."""
        if self.waiting is None:
            self.waiting = []
        self.waiting.append(due)


class Operator:
    """One of three classes with state; see the module's drawing."""

    def __init__(self, plan: OperatorPlan, start: Instant) -> None:
        self.plan = plan
        self.machines = {machine.name: machine for fleet in plan.fleets for machine in _machines(fleet)}
        self.unknown = len(self.machines)
        self.job_types: dict[str, str] = {}  # custom name, lower case -> GUID
        self.types_missing = _custom_names(plan)
        self.upcoming = rounds(plan.postings)
        self.next_round: Due | None = next(self.upcoming, None)
        self.names: dict[str, str] = {}  # AgentId -> ClientMachine, of those that were to be approved
        self.certificate_id = plan.certificate_id
        self.asked_for_certificate = False
        self.outbox: deque[Order] = deque()
        self.in_flight = 0
        self.look_at: Instant = start
        self.retries: list[tuple[Instant, Order]] = []
        self.setbacks = 0
        self.seen: dict[str, int] = {}  # records of the listing under way
        self.existing_stores_read = not any(machine.stores_needed for machine in self.machines.values())
        self.facts: list[Fact] = []
        self.stopping = False
        if self.types_missing:
            self._ask(command.ListJobTypes(command.Page(limit=_PAGE)))
        if not self.existing_stores_read:
            self._ask(self._store_page(1))

    # --- the two methods ----------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> list[Order]:
        """Take in one event; return what to send, at most a few at a time."""
        match event:
            case Woken():
                pass
            case Answered(order, reply):
                self.in_flight -= 1
                self._answered(order, reply, now)
            case SendFailed(order, error):
                self.in_flight -= 1
                self._failed(order, 0, str(error), now)
            case StopRequested():
                self._stop()
            case _:
                assert_never(event)
        self._due(now)
        return self._send()

    def next_wake(self) -> Instant:
        """When the operator next acts by itself; NEVER if only an answer can move it."""
        if self.outbox and self.in_flight < _IN_FLIGHT:
            return 0
        posting = self.next_round.at if self.next_round is not None and not self.stopping else NEVER
        retry = min((at for at, _ in self.retries), default=NEVER)
        return min(self.look_at, posting, retry)

    def take_facts(self) -> list[Fact]:
        """What happened since this was last asked, in order."""
        facts, self.facts = self.facts, []
        return facts

    @property
    def is_idle(self) -> bool:
        """True if nothing is on its way or waiting to be sent."""
        return self.in_flight == 0 and not self.outbox and not self.retries

    # --- what is due --------------------------------------------------------------------------

    def _due(self, now: Instant) -> None:
        if self.look_at <= now:
            self.look_at = NEVER
            self._ask(self._agent_page(1))
        self.outbox.extend(order for at, order in self.retries if at <= now)
        self.retries = [(at, order) for at, order in self.retries if at > now]
        while self.next_round is not None and self.next_round.at <= now and not self.stopping:
            self._post_when_ready(self.next_round)
            self.next_round = next(self.upcoming, None)

    def _send(self) -> list[Order]:
        count = min(len(self.outbox), _IN_FLIGHT - self.in_flight)
        self.in_flight += count
        return [self.outbox.popleft() for _ in range(count)]

    def _ask(self, operation: command.Operation, due: Due | None = None) -> None:
        self.outbox.append(Order(operation, due))

    def _stop(self) -> None:
        self.stopping = True
        self.outbox.clear()
        self.retries.clear()
        self.look_at = NEVER

    # --- answers ------------------------------------------------------------------------------

    def _answered(self, order: Order, reply: command.CommandReply, now: Instant) -> None:
        if not reply.is_success:
            message = reply.body.message if isinstance(reply.body, command.ApiError) else "no reason given"
            self._failed(order, reply.status, message, now)
            return
        self.setbacks = 0
        records = reply.body if isinstance(reply.body, tuple) else ()
        match order.operation:
            case command.ListJobTypes():
                self._job_types_listed(records)
            case command.CreateJobType():
                self._job_type_known(reply.body)
            case command.ListAgents(page):
                self._agents_listed(page, reply.total, records, now)
            case command.ApproveAgents(ids):
                self._approved(ids)
            case command.ListStores(page):
                self._stores_listed(page, reply.total, records)
            case command.CreateStore():
                self._store_known(reply.body)
            case store_commands.ListCertificates():
                self._certificates_listed(records, now)
            case _:
                self._posted(order.due, reply)

    def _failed(self, order: Order, status: int, message: str, now: Instant) -> None:
        if order.due is not None:
            # Never posted again: a job whose answer was lost may exist, and twice would be worse.
            posting = order.due.posting
            self.facts.append(PostFailed(posting.name, posting.type, order.due.machine, status, message))
        elif (status == 0 or status >= 500 or status == 429) and not self.stopping:
            self.retries.append((now + self._backoff(), order))
        else:
            self.facts.append(SetupFailed(type(order.operation).__name__, status, message))

    def _backoff(self) -> Span:
        self.setbacks += 1
        return min(SECOND << min(self.setbacks - 1, 10), _LONGEST_BACKOFF)

    def _has_more(self, what: str, page: command.Page, total: int | None, records: tuple[object, ...]) -> bool:
        """Whether a listing goes on: pages may be shorter than asked for, so the total or an empty page ends it."""
        self.seen[what] = len(records) + (0 if page.number == 1 else self.seen[what])
        return bool(records) and (total is None or self.seen[what] < total)

    # --- job types ----------------------------------------------------------------------------

    def _job_types_listed(self, records: tuple[object, ...]) -> None:
        for record in records:
            self._job_type_known(record)
        for name in sorted(self.types_missing):
            need = self.plan.job_types.get(name.lower(), JobTypeNeed(name))
            description = f"{need.description} ({MADE_BY})" if need.description else MADE_BY
            self._ask(command.CreateJobType(name, description, need.fields))

    def _job_type_known(self, record: object) -> None:
        if not isinstance(record, command.JobTypeRecord):
            return
        for name in [name for name in self.types_missing if name.lower() == record.job_type_name.lower()]:
            self.types_missing.discard(name)
            self.job_types[name.lower()] = record.id
            self.facts.append(JobTypeKnown(made_type(name, record.id)))
        if not self.types_missing:
            self._release(list(self.machines.values()))

    # --- orchestrators ------------------------------------------------------------------------

    def _agent_page(self, number: int) -> command.ListAgents:
        query = f"ClientMachine -startswith {quote(self.plan.prefix)}"
        return command.ListAgents(command.Page(query=query, number=number, limit=_PAGE))

    def _agents_listed(self, page: command.Page, total: int | None, records: tuple[object, ...], now: Instant) -> None:
        to_approve: list[str] = []
        for record in records:
            if isinstance(record, command.AgentRecord) and record.client_machine in self.machines:
                if record.status == AgentStatus.APPROVED:
                    self._agent_known(record)
                elif record.status == AgentStatus.NEW and self.plan.may_approve:
                    self.names[record.agent_id] = self.machines[record.client_machine].name
                    to_approve.append(record.agent_id)
        for first in range(0, len(to_approve), _APPROVE_AT_ONCE):
            self._ask(command.ApproveAgents(tuple(to_approve[first : first + _APPROVE_AT_ONCE])))
        if self._has_more("agents", page, total, records):
            self._ask(self._agent_page(page.number + 1))
        elif self.unknown > 0 and not self.stopping:
            self.look_at = now + self.plan.look_again

    def _approved(self, ids: tuple[str, ...]) -> None:
        for agent_id in ids:
            self.facts.append(AgentApproved(self.names[agent_id]))

    def _agent_known(self, record: command.AgentRecord) -> None:
        machine = self.machines[record.client_machine]
        if machine.agent_id:
            return
        machine.agent_id = record.agent_id
        self.unknown -= 1
        if self.existing_stores_read:
            self._make_stores(machine)
        self._release([machine])

    # --- stores -------------------------------------------------------------------------------

    def _store_page(self, number: int) -> command.ListStores:
        query = f"ClientMachine -startswith {quote(self.plan.prefix)}"
        return command.ListStores(command.Page(query=query, number=number, limit=_PAGE))

    def _stores_listed(self, page: command.Page, total: int | None, records: tuple[object, ...]) -> None:
        for record in records:
            self._store_known(record)
        if self._has_more("stores", page, total, records):
            self._ask(self._store_page(page.number + 1))
            return
        self.existing_stores_read = True
        for machine in self.machines.values():
            if machine.agent_id:
                self._make_stores(machine)

    def _make_stores(self, machine: _Machine) -> None:
        for capability, path in machine.stores_needed:
            if path not in machine.stores and path not in machine.asked:
                machine.asked |= {path}
                self._ask(command.CreateStore(machine.name, path, STORE_TYPE_IDS[capability], machine.agent_id))

    def _store_known(self, record: object) -> None:
        if not isinstance(record, command.StoreRecord) or record.client_machine not in self.machines:
            return
        machine = self.machines[record.client_machine]
        wanted = {path: capability for capability, path in machine.stores_needed}
        if record.store_path in wanted:
            made = Store(record.id, record.store_path, wanted[record.store_path])
            machine.stores = {**machine.stores, made.path: made}
            self._release([machine])

    # --- postings -----------------------------------------------------------------------------

    def _post_when_ready(self, due: Due) -> None:
        machine = self.machines.get(due.machine)
        if machine is None:
            return
        machine.wait_for(due)
        self._release([machine])

    def _release(self, machines: list[_Machine]) -> None:
        for machine in machines:
            if machine.waiting and machine.is_ready and not self.types_missing and not self.stopping:
                waiting, machine.waiting = machine.waiting, None
                for due in waiting:
                    if self._lacks_certificate(due):
                        machine.wait_for(due)
                    else:
                        self._post(due, machine)

    def _lacks_certificate(self, due: Due) -> bool:
        """True if work must wait until it is known which certificate it is about."""
        picks = due.posting.operation == "add" and self.plan.picks_certificate and self.certificate_id is None
        if picks and not self.asked_for_certificate:
            self.asked_for_certificate = True
            self._ask(store_commands.ListCertificates(command.Page(limit=1)))
        return picks

    def _certificates_listed(self, records: tuple[object, ...], now: Instant) -> None:
        """The first that the server has is as good as any; if there is none yet, an inventory may bring some."""
        found = next((one.id for one in records if isinstance(one, store_commands.CertificateRecord)), None)
        self.certificate_id = found
        if found is not None:
            self._release(list(self.machines.values()))
        elif not self.stopping:
            self.retries.append(
                (now + self.plan.look_again, Order(store_commands.ListCertificates(command.Page(limit=1))))
            )

    def _post(self, due: Due, machine: _Machine) -> None:
        stores = tuple(machine.stores[path] for _, path in machine.stores_needed)
        for operation in work(due.posting, machine.agent_id, stores, self.certificate_id):
            self._ask(operation, due)

    def _posted(self, due: Due | None, reply: command.CommandReply) -> None:
        if due is not None:
            for job_id in _job_ids(reply):
                self.facts.append(JobPosted(due.posting.name, due.posting.type, due.machine, job_id))


def _machines(fleet: FleetNeed) -> list[_Machine]:
    return [
        _Machine(name, store_places(fleet.capabilities, stores))
        for name, stores in zip(fleet.machines, fleet.stores, strict=True)
    ]


def _custom_names(plan: OperatorPlan) -> set[str]:
    """Each name in its first spelling: to the server, names that differ in case alone are one."""
    names: dict[str, str] = {}
    for fleet in plan.fleets:
        for word in fleet.capabilities:
            if word.startswith(CUSTOM_PREFIX):
                name = word.removeprefix(CUSTOM_PREFIX)
                names.setdefault(name.lower(), name)
            elif word == SSL:
                names |= {scan.value.lower(): scan.value for scan in SCANS}
    return set(names.values())


def _job_ids(reply: command.CommandReply) -> tuple[str, ...]:
    if isinstance(reply.body, command.ScheduledJob):
        return (reply.body.job_id,)
    if isinstance(reply.body, tuple):
        return tuple(item for item in reply.body if isinstance(item, str))
    return ("",)
