"""The embedded server's core: one request in, one reply out, over a store that is passed in.

Knows neither sockets nor clocks: the shell brings the caller, the instant and the store, and commits. Here requests
find their handlers and permissions are checked; what they mean is in `agent_requests` and `operations`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, overload

from agent_sim.errors import QueryError
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.protocol import command
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.endpoints import BY_OPERATION, ENDPOINTS
from agent_sim.server.agent_requests import AgentRequests
from agent_sim.server.callers import Caller
from agent_sim.server.operations.agents import AgentOperations
from agent_sim.server.operations.bulk import BulkOperations
from agent_sim.server.operations.job_types import JobTypeOperations
from agent_sim.server.operations.jobs import JobOperations
from agent_sim.server.operations.stores import StoreOperations
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.sessions import Sessions
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.stores import Stores
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings

_STORE_SEEN_EVERY: Final[Span] = 10 * SECOND
"""How far behind the stored times of when agents were last seen may be; listings are exact (our choice)."""

_Handler = Callable[..., CommandReply]  # each takes its own operation, the caller and the instant


@dataclass(frozen=True, slots=True)
class Notification:
    """An agent's work changed; transports that can push tell it so."""

    agent_id: str
    client_machine: str


class Server:
    """Handles one request at a time; everything lasting is in the store, sessions are in memory."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint) -> None:
        self._store, self._settings = store, settings
        self._sessions = Sessions()
        self._work = Work(store, self._sessions, settings.retries)
        self._agents = Agents(store)
        self._seen_stored: Instant = 0
        stores = Stores(store)
        self._agent_requests = AgentRequests(store, settings, mint, self._sessions, self._work, stores)
        self._operations = self._table(mint, stores)

    def _table(self, mint: Mint, stores: Stores) -> Mapping[type, _Handler]:
        """Which part handles which operation."""
        store, settings, work = self._store, self._settings, self._work
        jobs = JobOperations(store, settings, mint, work)
        bulk = BulkOperations(store, settings, work)
        agents = AgentOperations(store, settings, self._sessions, work)
        types = JobTypeOperations(store, settings, mint)
        places = StoreOperations(store, settings, mint, work, stores)
        return {
            command.ListJobHistory: jobs.history,
            command.ListScheduledJobs: jobs.scheduled,
            command.GetJobData: jobs.data,
            command.ScheduleJob: jobs.schedule,
            command.Reschedule: bulk.reschedule,
            command.Acknowledge: bulk.acknowledge,
            command.Unschedule: bulk.unschedule,
            command.ListAgents: agents.listed,
            command.GetAgent: agents.get,
            command.ApproveAgents: agents.approve,
            command.DisapproveAgents: agents.disapprove,
            command.ListJobTypes: types.listed,
            command.CreateJobType: types.create,
            command.ListStores: places.listed,
            command.CreateStore: places.create,
            command.ScheduleInventory: places.schedule,
            command.AddCertificate: places.add_certificate,
            command.RemoveCertificate: places.remove_certificate,
            command.GetEndpoints: _endpoints,
            command.ListTransitions: jobs.transitions,
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
        if not all(map(caller.may, BY_OPERATION[type(operation)].permissions)):
            return refuse(Problem.FORBIDDEN, f"User {caller.name} doesn't have the required permission")
        try:
            with self._store.change():
                return self._operations[type(operation)](operation, caller, now)
        except QueryError as error:
            return refuse(Problem.QUERY, f"The query cannot be used: {error}")
        except UnicodeEncodeError:
            return refuse(Problem.MALFORMED, "A text holds half a character (a lone surrogate); write it whole")
        except OverflowError:
            return refuse(Problem.INVALID_VALUE, "A number does not fit 64 bits")

    def notifications(self) -> tuple[Notification, ...]:
        """Agents whose work changed since the last call; take and clear."""
        machines = self._agents.machines(self._work.take_changed())
        return tuple(Notification(agent_id, machine) for agent_id, machine in machines.items())

    def sweep(self, now: Instant) -> Instant:
        """Time out overdue runs and drop old sessions; returns the latest instant for the next sweep.

        That is never later than one job timeout from now, so that a run that begins meanwhile is not overlooked.
        """
        timeout = self._settings.job_timeout
        with self._store.change():
            for run, job in self._work.runs.overdue(now - timeout):
                self._work.time_out(run, job, now)
            if now - self._seen_stored >= _STORE_SEEN_EVERY:
                self._seen_stored = now
                self._agents.seen(self._sessions.take_heard())
        # An expired session's results are still accepted for as long as a run may take.
        self._sessions.drop_expired(before=now - timeout)
        earliest = self._work.runs.earliest()
        return now + timeout if earliest is None else earliest + timeout


def _endpoints(wanted: command.GetEndpoints, caller: Caller, now: Instant) -> CommandReply:
    """`GET /Agents` and so on: what this caller may use (command-api 1.7)."""
    return CommandReply(200, tuple(row.name for row in ENDPOINTS if all(map(caller.may, row.permissions))))
