"""Orchestrators over the management API: listed, approved, disapproved (command-api 3.1)."""

from agent_sim.instants import Instant
from agent_sim.protocol import command
from agent_sim.protocol.command import AgentJobType, AgentRecord, CommandReply
from agent_sim.protocol.enums import BY_GUID, FETCH_LOGS, AgentStatus, Category, JobType, by_wire
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.listing import AGENTS, Found, condition, find
from agent_sim.server.ports import Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.sessions import Sessions
from agent_sim.server.tables.agents import Agents, Orchestrator, orchestrator
from agent_sim.server.tables.job_types import JobTypes
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings


class AgentOperations:
    """Reads orchestrators and decides who may work."""

    def __init__(self, store: Store, settings: ServerSettings, sessions: Sessions, work: Work) -> None:
        self._store, self._settings, self._sessions, self._work = store, settings, sessions, work
        self._agents = Agents(store)
        self._types = JobTypes(store)

    def listed(self, wanted: command.ListAgents, caller: Caller, now: Instant) -> CommandReply:
        """Orchestrators; when each was last seen is exact here."""
        condition(wanted.page.query, AGENTS.collection, caller, now)  # a bad query must not undo what follows
        self._agents.seen(self._sessions.take_heard())
        found = find(self._store, AGENTS, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        guids = self._custom_guids()
        return CommandReply(200, tuple(_record(orchestrator(row), guids) for row in found.rows), found.total)

    def get(self, wanted: command.GetAgent, caller: Caller, now: Instant) -> CommandReply:
        """One orchestrator."""
        self._agents.seen(self._sessions.take_heard())
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.NOT_FOUND, f"Orchestrator {wanted.agent_id!r} does not exist")
        return CommandReply(200, _record(agent, self._custom_guids()))

    def _custom_guids(self) -> dict[str, str]:
        return {record.job_type_name.lower(): record.id for record in self._types.all()}

    def approve(self, wanted: command.ApproveAgents, caller: Caller, now: Instant) -> CommandReply:
        """Let orchestrators work; who is approved already stays so."""
        return self._decide(wanted.agent_ids, AgentStatus.APPROVED)

    def disapprove(self, wanted: command.DisapproveAgents, caller: Caller, now: Instant) -> CommandReply:
        """Stop orchestrators from working: their sessions end, and what they still say is not accepted."""
        return self._decide(wanted.agent_ids, AgentStatus.DISAPPROVED)

    def _decide(self, texts: tuple[str, ...], status: AgentStatus) -> CommandReply:
        ids = {text: read_guid(text) or text for text in texts}
        known = self._agents.statuses(sorted(set(ids.values())))
        unknown = [text for text, agent_id in ids.items() if agent_id not in known]
        if unknown:
            reasons = [f"Orchestrator {text!r} does not exist" for text in unknown]
            return refuse(Problem.UNKNOWN_ID, f"Nothing was changed: {reasons[0]}", reasons)
        for agent_id in [agent_id for agent_id, before in known.items() if before is not status]:
            self._agents.set_status(agent_id, status)
            self._work.changed(agent_id)
            if status is AgentStatus.DISAPPROVED:
                self._sessions.close(agent_id)
        return CommandReply(204)


def _record(agent: Orchestrator, custom_guids: dict[str, str]) -> AgentRecord:
    return AgentRecord(
        agent_id=agent.agent_id,
        client_machine=agent.client_machine,
        username=agent.username,
        agent_platform=agent.platform,
        version=agent.version,
        status=agent.status,
        capabilities=agent.capabilities,
        last_seen=agent.last_seen,
        blueprint=agent.blueprint,
        thumbprint=agent.thumbprint,
        job_types=tuple(filter(None, (_job_type(name, custom_guids) for name in agent.registered))),
    )


def _job_type(name: str, custom_guids: dict[str, str]) -> AgentJobType | None:
    """What the agent can do under one registered name; None if that is nothing that we know."""
    kind = by_wire(name) or BY_GUID.get(name.lower())
    guid = custom_guids.get(kind.history.lower()) if kind and kind.category is Category.CUSTOM else kind and kind.guid
    return AgentJobType(*_names(kind), guid) if kind and guid else None


def _names(kind: JobType) -> tuple[str, str, str]:
    """Name, store type and store operation, as recorded from a real server (command-api 3.1)."""
    if kind is FETCH_LOGS:
        return "Orchestrator Log Retrieval", "", ""
    if kind.category is Category.CUSTOM:
        return kind.history, "", ""
    return f"{kind.capability} {kind.category.value}", "", kind.category.value
