"""Orchestrators as the server knows them, in and out of the table `agent`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent_sim.instants import Instant
from agent_sim.protocol.enums import BY_GUID, BY_WIRE, AgentStatus, JobType
from agent_sim.server.guids import read_guid
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.columns import array, document, named_texts, texts
from agent_sim.server.tables.store_types import StoreTypes


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """One agent. `registered` are its capabilities as it named them, unknown ones included."""

    agent_id: str
    username: str
    client_machine: str
    platform: int
    version: str
    status: AgentStatus
    registered: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    last_seen: Instant | None = None
    blueprint: str | None = None
    thumbprint: str = ""
    legacy_thumbprint: str = ""
    last_thumbprint_used: str = ""
    auth_certificate_reenrollment: int = 0
    last_error_code: int | None = None
    last_error_message: str | None = None

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Short names as the management API lists them: store types, LOGS, custom job types (command-api 3.1)."""
        return self.capabilities_by({})

    def capabilities_by(self, guids: Mapping[str, str]) -> tuple[str, ...]:
        """The same, where some capabilities were named by the GUIDs that the server minted."""
        return tuple(dict.fromkeys(guids.get(name.lower()) or _short(name) for name in self.registered))

    def can(self, kind: JobType) -> bool:
        """True if it registered this job type, by name or, as older agents do, by GUID (agent-protocol 2.1)."""
        wanted = {kind.wire.lower(), kind.guid}
        return any(name.lower() in wanted for name in self.registered)


_STORES: Final = "certstores"
_CUSTOM: Final = "custom"


def _short(name: str) -> str:
    known = BY_WIRE.get(name) or BY_GUID.get(name.lower())
    if known is not None:
        return known.capability
    match name.split("."):
        case [prefix, kind, _] if prefix.lower() == _STORES:
            return kind
        case [prefix, *rest] if prefix.lower() == _CUSTOM and rest:
            return ".".join(rest)
    return name


class Agents:
    """The table `agent`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_id(self, agent_id: str) -> Orchestrator | None:
        return _only(self._store.rows("agent_by_id", {"agent_id": agent_id}))

    def by_name(self, username: str, machine: str) -> Orchestrator | None:
        return _only(self._store.rows("agent_by_name", {"username": username, "client_machine": machine}))

    def add(self, agent: Orchestrator) -> None:
        columns = _columns(agent, self._minted(agent))
        self._store.run("agent_add", {**columns, "username": agent.username, "status": agent.status})

    def update(self, agent: Orchestrator) -> None:
        """Store what a registration can change."""
        self._store.run("agent_update", _columns(agent, self._minted(agent)))

    def _minted(self, agent: Orchestrator) -> Mapping[str, str]:
        """GUIDs of user-defined types to their names, if the agent named any capability by one."""
        unknown = [name for name in agent.registered if read_guid(name) and name.lower() not in BY_GUID]
        return StoreTypes(self._store).names_by_guid() if unknown else {}

    def reset(self, agent_ids: Sequence[str]) -> None:
        """Make these new again, with no certificate known (command-api 3.1)."""
        columns: Values = {"agent_ids": array(agent_ids), "status": AgentStatus.NEW}
        self._store.run("agents_reset", columns)

    def set_reenrollment(self, agent_ids: Sequence[str], status: int) -> None:
        """Ask these for a new certificate: 0 None, 1 Requested, 2 Required."""
        self._store.run("agents_reenrollment", {"agent_ids": array(agent_ids), "status": status})

    def set_blueprint(self, agent_id: str, name: str) -> None:
        self._store.run("agent_blueprint", {"agent_id": agent_id, "blueprint": name})

    def note(self, agent_id: str, message: str, code: int | None = None) -> None:
        """What the agent's record shows as its last error."""
        self._store.run("agent_error", {"agent_id": agent_id, "code": code, "message": message})

    def set_status(self, agent_id: str, status: AgentStatus) -> None:
        self._store.run("agent_status", {"agent_id": agent_id, "status": status})

    def seen(self, when: Mapping[str, Instant]) -> None:
        """Store when each of these agents was last heard of."""
        self._store.run_many("agent_seen", [{"agent_id": name, "last_seen": at} for name, at in when.items()])

    def statuses(self, agent_ids: list[str]) -> dict[str, AgentStatus]:
        """Of those that exist."""
        rows = self._store.rows("agent_statuses", {"agent_ids": array(agent_ids)})
        return {agent_id: AgentStatus(status) for agent_id, status in rows}

    def names(self, agent_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """AgentId, account and ClientMachine of each, in the order of ids."""
        rows = self._store.rows("agent_names", {"agent_ids": array(agent_ids)})
        return sorted((agent_id, username, machine) for agent_id, username, machine in rows)


def orchestrator(row: Row) -> Orchestrator:
    """An agent from the columns that every `agent_...` statement yields."""
    agent_id, username, machine, platform, version, status, registered, _, parameters, *rest = row
    return Orchestrator(
        agent_id,
        username,
        machine,
        platform,
        version,
        AgentStatus(status),
        texts(registered),
        named_texts(parameters),
        *rest,
    )


def _only(rows: list[Row]) -> Orchestrator | None:
    return orchestrator(rows[0]) if rows else None


def _columns(agent: Orchestrator, guids: Mapping[str, str]) -> Values:
    return {
        "agent_id": agent.agent_id,
        "client_machine": agent.client_machine,
        "agent_platform": agent.platform,
        "version": agent.version,
        "registered": array(agent.registered),
        "capabilities": array(agent.capabilities_by(guids)),
        "client_parameters": document(agent.parameters),
    }
