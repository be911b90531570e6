"""The embedded server's core: one request in, one reply out, over a store that is passed in.

Knows neither sockets nor clocks: the shell brings the caller, the instant and the store, and commits. Here requests
find their handlers and permissions are checked; what they mean is in `agent_requests` and `operations`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, overload

from agent_sim.errors import QueryError
from agent_sim.instants import DAY, SECOND, Instant, Span
from agent_sim.protocol import agent_commands, command, job_commands, mqtt_commands, store_commands, store_type_commands
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.endpoints import ENDPOINTS
from agent_sim.server import asked
from agent_sim.server.agent_requests import AgentRequests
from agent_sim.server.callers import Caller
from agent_sim.server.gate import may_do, may_use
from agent_sim.server.identities import Identities
from agent_sim.server.operations.agents import AgentOperations
from agent_sim.server.operations.blueprints import BlueprintOperations
from agent_sim.server.operations.bulk import BulkOperations
from agent_sim.server.operations.containers import ContainerOperations
from agent_sim.server.operations.inventories import InventoryOperations
from agent_sim.server.operations.job_types import JobTypeOperations
from agent_sim.server.operations.jobs import JobOperations
from agent_sim.server.operations.pools import PoolOperations
from agent_sim.server.operations.store_changes import StoreChanges
from agent_sim.server.operations.store_jobs import StoreJobOperations
from agent_sim.server.operations.store_rules import StoreRules
from agent_sim.server.operations.store_types import StoreTypeOperations
from agent_sim.server.operations.stores import StoreOperations
from agent_sim.server.ports import Mint, Store
from agent_sim.server.presence import Presence
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.sessions import Sessions
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.jobs import ALL
from agent_sim.server.tables.stores import Stores
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings

_STORE_SEEN_EVERY: Final[Span] = 10 * SECOND
"""How far behind the stored times of when agents were last seen may be; listings are exact (our choice)."""

_SEEN_AT_ONCE: Final = 250
"""Of them, what somebody who asks just then waits for: a millisecond or two."""

_SESSIONS_FOR_ONE: Final = 5
"""How many sessions are looked at while one run is forgotten."""

_Handler = Callable[..., CommandReply]  # each takes its own operation, the caller and the instant


@dataclass(frozen=True, slots=True)
class Notification:
    """An agent's work changed; transports that can push tell it so."""

    agent_id: str
    username: str
    client_machine: str


class Server:
    """Handles one request at a time; everything lasting is in the store, sessions are in memory."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint) -> None:
        self._store, self._settings = store, settings
        self._sessions = Sessions()
        self._work = Work(store, self._sessions, settings.retries, settings.custom_category)
        self._agents = Agents(store)
        self._identities = Identities(store, settings)
        self._seen_stored: Instant = 0
        self._seen_from: Instant = 0  # when to begin with the first of them again
        self.presence = Presence()
        stores = Stores(store)
        self._agent_requests = AgentRequests(store, settings, mint, self._sessions, self._work, stores)
        self._operations = self._table(mint, stores)

    def _table(self, mint: Mint, stores: Stores) -> Mapping[type, _Handler]:
        """Which part handles which operation."""
        store, settings, work = self._store, self._settings, self._work
        jobs = JobOperations(store, settings, mint, work)
        bulk = BulkOperations(store, settings, work)
        rules = StoreRules(store, stores, settings.max_ids)
        changes = StoreChanges(store, mint, work, stores)
        agents = AgentOperations(store, settings, self._sessions, work, stores, changes)
        types = JobTypeOperations(store, settings, mint, work.jobs)
        return {
            command.ListJobHistory: jobs.history,
            command.ListScheduledJobs: jobs.scheduled,
            command.GetJobData: jobs.data,
            command.ScheduleJob: jobs.schedule,
            job_commands.ScheduleBulkJob: jobs.schedule_bulk,
            command.Reschedule: bulk.reschedule,
            command.Acknowledge: bulk.acknowledge,
            command.Unschedule: bulk.unschedule,
            command.ListAgents: agents.listed,
            command.GetAgent: agents.get,
            command.ApproveAgents: agents.approve,
            command.DisapproveAgents: agents.disapprove,
            agent_commands.ResetAgents: agents.reset,
            agent_commands.ResetAgent: agents.reset_one,
            agent_commands.FetchLogs: jobs.fetch_logs,
            agent_commands.SetReenrollment: agents.set_reenrollment,
            command.ListJobTypes: types.listed,
            job_commands.GetJobType: types.get,
            job_commands.UpdateJobType: types.update,
            job_commands.DeleteJobType: types.delete,
            command.CreateJobType: types.create,
            command.GetEndpoints: _endpoints,
            command.ListTransitions: jobs.transitions,
            job_commands.GetCounts: jobs.counts,
            mqtt_commands.GetMqtt: self._mqtt,
            **self._group_table(mint, stores),
            **self._store_table(mint, stores, rules, changes),
        }

    def _group_table(self, mint: Mint, stores: Stores) -> Mapping[type, _Handler]:
        """The same for pools and blueprints of agents."""
        store, settings = self._store, self._settings
        pools = PoolOperations(store, settings, mint)
        blueprints = BlueprintOperations(store, settings, mint, self._work, stores)
        return {
            agent_commands.ListAgentPools: pools.listed,
            agent_commands.ListPoolAgents: pools.default_agents,
            agent_commands.GetAgentPool: pools.get,
            agent_commands.CreateAgentPool: pools.create,
            agent_commands.UpdateAgentPool: pools.update,
            agent_commands.DeleteAgentPool: pools.delete,
            agent_commands.ListBlueprints: blueprints.listed,
            agent_commands.GetBlueprint: blueprints.get,
            agent_commands.DeleteBlueprint: blueprints.delete,
            agent_commands.ListBlueprintJobs: blueprints.jobs,
            agent_commands.ListBlueprintStores: blueprints.stores,
            agent_commands.GenerateBlueprint: blueprints.generate,
            agent_commands.ApplyBlueprint: blueprints.apply,
        }

    def _store_table(
        self, mint: Mint, stores: Stores, rules: StoreRules, changes: StoreChanges
    ) -> Mapping[type, _Handler]:
        """The same for certificate stores and what belongs to them."""
        store, settings = self._store, self._settings
        places = StoreOperations(store, settings, mint, stores, rules, changes)
        work = StoreJobOperations(store, mint, self._work, stores, rules, changes)
        found = InventoryOperations(store, settings, rules)
        containers = ContainerOperations(store, settings, stores, rules, changes)
        kinds = StoreTypeOperations(store, settings, mint)
        return {
            command.ListStores: places.listed,
            store_commands.GetStore: places.get,
            command.CreateStore: places.create,
            store_commands.UpdateStore: places.update,
            store_commands.DeleteStore: places.delete,
            store_commands.DeleteStores: places.delete_many,
            store_commands.ApproveStores: places.approve,
            command.ScheduleInventory: work.schedule,
            command.AddCertificate: work.add_certificate,
            command.RemoveCertificate: work.remove_certificate,
            store_commands.ReenrollStore: work.reenroll,
            store_commands.ScheduleDiscovery: work.discover,
            store_commands.ListInventory: found.inventory,
            store_commands.ListCertificates: found.certificates,
            store_commands.GetCertificate: found.certificate,
            store_commands.ListContainers: containers.listed,
            store_commands.GetContainer: containers.get,
            store_commands.CreateContainer: containers.create,
            store_commands.UpdateContainer: containers.update,
            store_commands.DeleteContainer: containers.delete,
            store_type_commands.ListStoreTypes: kinds.listed,
            store_type_commands.GetStoreType: kinds.get,
            store_type_commands.FindStoreType: kinds.named,
            store_type_commands.CreateStoreType: kinds.create,
            store_type_commands.UpdateStoreType: kinds.update,
            store_type_commands.DeleteStoreType: kinds.delete,
            store_type_commands.DeleteStoreTypes: kinds.delete_many,
        }

    @overload
    def handle(self, request: AgentRequest, caller: Caller, now: Instant) -> AgentReply: ...
    @overload
    def handle(self, request: command.Operation, caller: Caller, now: Instant) -> CommandReply: ...
    def handle(
        self, request: AgentRequest | command.Operation, caller: Caller, now: Instant
    ) -> AgentReply | CommandReply:
        """The reply to one request. Changes are in the store, not yet committed (the shell's business)."""
        if not isinstance(request, AgentRequest):
            return self._operate(request, caller, now)
        try:
            return self._agent_requests.handle(request, caller, now)
        except (UnicodeEncodeError, OverflowError):
            return AgentReply(400, None)  # no database takes half a character or more than 64 bits

    def _operate(self, operation: command.Operation, caller: Caller, now: Instant) -> CommandReply:
        try:
            if not may_do(caller, operation, self._store):
                return refuse(Problem.FORBIDDEN, f"User {caller.name} doesn't have the required permission")
            with self._store.change():
                return self._done(operation, caller, now)
        except QueryError as error:
            return refuse(Problem.QUERY, f"The query cannot be used: {error}")
        except UnicodeEncodeError:
            return refuse(Problem.MALFORMED, "A text holds half a character (a lone surrogate); write it whole")
        except OverflowError:
            return refuse(Problem.INVALID_VALUE, "A number does not fit 64 bits")

    def _done(self, operation: command.Operation, caller: Caller, now: Instant) -> CommandReply:
        handler = self._operations[type(operation)]
        if not asked.may_take_off(operation):
            return handler(operation, caller, now)
        before = self._work.transitions.last()
        reply = handler(operation, caller, now)
        asked.note(self._store, operation, before)
        return reply

    def _mqtt(self, wanted: mqtt_commands.GetMqtt, caller: Caller, now: Instant) -> CommandReply:
        """Ours: who is there over MQTT."""
        if not self._settings.sim_api:
            return refuse(Problem.NOT_FOUND, "This server was started without --sim-api")
        return CommandReply(200, self.presence.state())

    def with_certificate(self, der: bytes, account: Caller | None, now: Instant) -> Caller | None:
        """Who an account, if any, and a client certificate are together; None if they prove nobody."""
        return self._identities.with_certificate(der, account, now)

    def notifications(self) -> tuple[Notification, ...]:
        """Agents whose work changed since the last call; take and clear."""
        changed = self._work.take_changed()
        return tuple(Notification(*names) for names in self._agents.names(changed)) if changed else ()

    def sweep(self, now: Instant, at_once: int = ALL) -> Instant:
        """Time out overdue runs, drop old sessions and history; returns the latest instant for the next sweep.

        That is never later than one job timeout from now, so that a run that begins meanwhile is not overlooked; and
        now, if there was more to do than `at_once` of a kind: for a shell that has others waiting.
        """
        timeout = self._settings.job_timeout
        with self._store.change():
            overdue = self._work.runs.overdue(now - timeout, at_once)
            for run, job in overdue:
                self._work.time_out(run, job, now)
            if now - self._seen_stored >= _STORE_SEEN_EVERY:
                self._seen_stored = now
                self.store_all_seen()
            is_more = self._forget(now, at_once) or len(overdue) == at_once
        # An expired session's results are still accepted for as long as a run may take.
        is_more |= self._sessions.drop_expired(now - timeout, _SESSIONS_FOR_ONE * at_once)
        if is_more and at_once != ALL:
            return now
        earliest = self._work.runs.earliest()
        return now + timeout if earliest is None else earliest + timeout

    def _forget(self, now: Instant, at_once: int) -> bool:
        """Forget the history that is not to be kept; True if more of it may be left."""
        days, most = self._settings.job_history_retention_days, self._settings.job_history_most
        is_more = days is not None and self._work.runs.expire(max(now - days * DAY, 0), at_once) == at_once
        return (most is not None and self._work.forget(most, at_once)) or is_more

    def store_seen(self, now: Instant) -> Instant:
        """Store when some agents were last heard of; returns when to go on with the next ones.

        For a shell that has others waiting: if nobody calls this, a sweep does all of it at once.
        """
        heard, self._seen_stored = self._sessions.heard, now
        some = heard.take_some(_SEEN_AT_ONCE)
        if some is None:
            if now < self._seen_from:
                return self._seen_from
            heard.begin_round()
            self._seen_from = now + _STORE_SEEN_EVERY
            return now
        self._agents.seen(some)
        return now

    def store_all_seen(self) -> None:
        """Store when each agent was last heard of, as far as only memory knows: before the store is closed."""
        self._agents.seen(self._sessions.heard.take())


def _endpoints(wanted: command.GetEndpoints, caller: Caller, now: Instant) -> CommandReply:
    """`GET /Agents` and so on: what this caller may use (command-api 1.7)."""
    return CommandReply(200, tuple(row.name for row in ENDPOINTS if may_use(caller, row)))
