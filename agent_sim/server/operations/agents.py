"""Orchestrators over the management API: listed, approved, disapproved, reset (command-api 3.1)."""

from typing import Final

from agent_sim.instants import Instant
from agent_sim.protocol import agent_commands, command
from agent_sim.protocol.command import AgentJobType, AgentRecord, CommandReply
from agent_sim.protocol.enums import FETCH_LOGS, STORE_JOBS, AgentStatus, Category, JobType, Platform, custom
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.listing import AGENTS, Found, condition, find
from agent_sim.server.operations.store_changes import StoreChanges
from agent_sim.server.ports import Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.sessions import Sessions
from agent_sim.server.tables.agents import Agents, Orchestrator, orchestrator
from agent_sim.server.tables.job_types import JobTypes
from agent_sim.server.tables.store_types import StoreTypes
from agent_sim.server.tables.stores import Stores
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings

_PLATFORMS: Final = frozenset(map(int, Platform))


class AgentOperations:
    """Reads orchestrators, decides who may work, and makes them new."""

    def __init__(
        self,
        store: Store,
        settings: ServerSettings,
        sessions: Sessions,
        work: Work,
        stores: Stores,
        changes: StoreChanges,
    ) -> None:
        self._store, self._settings, self._sessions, self._work = store, settings, sessions, work
        self._stores, self._changes = stores, changes
        self._agents = Agents(store)
        self._types, self._store_types = JobTypes(store), StoreTypes(store)

    def listed(self, wanted: command.ListAgents, caller: Caller, now: Instant) -> CommandReply:
        """Orchestrators; when each was last seen is exact here."""
        condition(wanted.page.query, AGENTS.collection, caller, now)  # a bad query must not undo what follows
        self._agents.seen(self._sessions.heard.take())
        found = find(self._store, AGENTS, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        known = self._known_types()
        return CommandReply(200, tuple(_record(orchestrator(row), known) for row in found.rows), found.total)

    def get(self, wanted: command.GetAgent, caller: Caller, now: Instant) -> CommandReply:
        """One orchestrator."""
        agent_id = read_guid(wanted.agent_id) or ""
        self._agents.seen(self._sessions.heard.take_one(agent_id))
        agent = self._agents.by_id(agent_id)
        if agent is None:
            return refuse(Problem.NOT_FOUND, f"Orchestrator {wanted.agent_id!r} does not exist")
        return CommandReply(200, _record(agent, self._known_types()))

    def _known_types(self) -> dict[str, JobType]:
        """Every job type by what agents may call it: its name on their wire and its GUID, in lower case."""
        kinds = [FETCH_LOGS, *STORE_JOBS.values()]
        kinds += [custom(record.job_type_name, record.id) for record in self._types.all()]
        kinds += [job for kind in self._store_types.all() if not kind.is_built_in for job in kind.jobs]
        return {name: kind for kind in kinds for name in (kind.wire.lower(), kind.guid)}

    def approve(self, wanted: command.ApproveAgents, caller: Caller, now: Instant) -> CommandReply:
        """Let orchestrators work; who is approved already stays so."""
        return self._decide(wanted.agent_ids, AgentStatus.APPROVED, now)

    def disapprove(self, wanted: command.DisapproveAgents, caller: Caller, now: Instant) -> CommandReply:
        """Stop orchestrators from working: their sessions end, and what they still say is not accepted."""
        return self._decide(wanted.agent_ids, AgentStatus.DISAPPROVED, now)

    def _named(self, texts: tuple[str, ...]) -> dict[str, AgentStatus] | CommandReply:
        """Where those of these ids stand, each once; a refusal if one does not exist."""
        if len(texts) > self._settings.max_ids:
            most = self._settings.max_ids
            return refuse(Problem.TOO_MANY_IDS, f"{len(texts)} ids are given, at most {most} are allowed at once")
        ids = {text: read_guid(text) or text for text in texts}
        known = self._agents.statuses(sorted(set(ids.values())))
        unknown = [text for text, agent_id in ids.items() if agent_id not in known]
        if unknown:
            reasons = [f"Orchestrator {text!r} does not exist" for text in unknown]
            return refuse(Problem.UNKNOWN_ID, f"Nothing was changed: {reasons[0]}", reasons)
        return known

    def _decide(self, texts: tuple[str, ...], status: AgentStatus, now: Instant) -> CommandReply:
        known = self._named(texts)
        if isinstance(known, CommandReply):
            return known
        for agent_id in [agent_id for agent_id, before in known.items() if before is not status]:
            self._agents.set_status(agent_id, status)
            self._work.transitions.add(now, status.name.lower(), agent_id)
            self._work.changed(agent_id)
            if status is AgentStatus.DISAPPROVED:
                self._sessions.close(agent_id)
        return CommandReply(204)

    # --- reset, and certificates of their own -------------------------------------------------

    def reset_one(self, wanted: agent_commands.ResetAgent, caller: Caller, now: Instant) -> CommandReply:
        """The same as `reset`; documented to answer 400 on failure, also for an unknown id."""
        return self._reset((wanted.agent_id,), now)

    def reset(self, wanted: agent_commands.ResetAgents, caller: Caller, now: Instant) -> CommandReply:
        """Make orchestrators new, all or none: no jobs, no stores, no session, no certificate (command-api 3.1)."""
        return self._reset(wanted.agent_ids, now)

    def _reset(self, texts: tuple[str, ...], now: Instant) -> CommandReply:
        known = self._named(texts)
        if isinstance(known, CommandReply):
            return known
        ids = list(known)
        self._changes.remove(self._stores.of_agents(ids), now)
        jobs = self._work.jobs.of_agents(ids)
        if jobs:
            self._work.unschedule(jobs, now)
        self._agents.reset(ids)
        for agent_id in ids:
            self._work.changed(agent_id)
            self._sessions.close(agent_id)
        return CommandReply(204)

    def set_reenrollment(self, wanted: agent_commands.SetReenrollment, caller: Caller, now: Instant) -> CommandReply:
        """Ask orchestrators for a new certificate; ids that do not exist are named in the answer."""
        given = wanted.status
        status = _REENROLLMENTS.get(given.strip().lower()) if isinstance(given, str) else given
        if status is None or status not in _REENROLLMENTS.values():
            sentence = f"Status must be 0 (None), 1 (Requested) or 2 (Required), is {given!r}"
            return refuse(Problem.INVALID_VALUE, sentence)
        if len(wanted.orchestrator_ids) > self._settings.max_ids:
            most = self._settings.max_ids
            return refuse(Problem.TOO_MANY_IDS, f"At most {most} orchestrators are allowed at once")
        ids = list(dict.fromkeys(read_guid(text) or text for text in wanted.orchestrator_ids))
        known = self._agents.statuses(ids)
        self._agents.set_reenrollment(list(known), status)
        failed = tuple(agent_id for agent_id in ids if agent_id not in known)
        return CommandReply(200, agent_commands.Reenrollment(failed, status))


_REENROLLMENTS: Final = {"none": 0, "requested": 1, "required": 2, "0": 0, "1": 1, "2": 2}
"""Names and numbers of AuthCertificateReenrollment (command-api 3.1)."""


def _record(agent: Orchestrator, known: dict[str, JobType]) -> AgentRecord:
    kinds = dict.fromkeys(known[name.lower()] for name in agent.registered if name.lower() in known)
    minted = {kind.guid: kind.capability for kind in kinds}
    return AgentRecord(
        agent_id=agent.agent_id,
        client_machine=agent.client_machine,
        username=agent.username,
        # The published Python client cannot read any other number than those that are known (command-api 3.1).
        agent_platform=agent.platform if agent.platform in _PLATFORMS else Platform.UNKNOWN,
        version=agent.version,
        status=agent.status,
        capabilities=agent.capabilities_by(minted),
        last_seen=agent.last_seen,
        blueprint=agent.blueprint,
        thumbprint=agent.thumbprint,
        legacy_thumbprint=agent.legacy_thumbprint,
        last_thumbprint_used=agent.last_thumbprint_used,
        auth_certificate_reenrollment=_NAMES[agent.auth_certificate_reenrollment],
        last_error_code=agent.last_error_code,
        last_error_message=agent.last_error_message,
        job_types=tuple(AgentJobType(*_names(kind), kind.guid) for kind in kinds),
    )


_NAMES: Final = ("None", "Requested", "Required")


def _names(kind: JobType) -> tuple[str, str, str]:
    """Name, store type and store operation, as recorded from a real server (command-api 3.1)."""
    if kind is FETCH_LOGS:
        return "Orchestrator Log Retrieval", "", ""
    if kind.category is Category.CUSTOM:
        return kind.history, "", ""
    return f"{kind.capability} {kind.category.value}", "", kind.category.value
