"""Pools of orchestrators over the management API (command-api 3.2)."""

from collections.abc import Sequence
from dataclasses import replace

from agent_sim.instants import Instant
from agent_sim.protocol import agent_commands
from agent_sim.protocol.agent_commands import PoolAgent
from agent_sim.protocol.command import CommandReply
from agent_sim.query.sql import Sql
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.listing import AGENT_POOLS, POOL_AGENTS, Found, find
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.pools import Pools, pool_agent
from agent_sim.settings import ServerSettings

_IN_NO_POOL = Sql("agent_id NOT IN (SELECT agent_id FROM agent_pool_agent)")


class PoolOperations:
    """Reads and changes pools. An orchestrator is in one pool at most, and else in the default one (our choice)."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._pools, self._agents = Pools(store), Agents(store)

    def listed(self, wanted: agent_commands.ListAgentPools, caller: Caller, now: Instant) -> CommandReply:
        """Pools; the default one is not among them."""
        found = find(self._store, AGENT_POOLS, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(self._pools.pool, found.rows)), found.total)

    def default_agents(self, wanted: agent_commands.ListPoolAgents, caller: Caller, now: Instant) -> CommandReply:
        """The orchestrators that are in no pool."""
        most = self._settings.max_return_limit
        found = find(self._store, POOL_AGENTS, wanted.page, most, caller, now, _IN_NO_POOL)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(pool_agent, found.rows)), found.total)

    def get(self, wanted: agent_commands.GetAgentPool, caller: Caller, now: Instant) -> CommandReply:
        """One pool."""
        found = self._pools.by_id(read_guid(wanted.agent_pool_id) or "")
        return CommandReply(200, found) if found else _missing(wanted.agent_pool_id, Problem.NOT_FOUND)

    def create(self, wanted: agent_commands.CreateAgentPool, caller: Caller, now: Instant) -> CommandReply:
        """A new pool."""
        return self._put(self._mint.guid(), wanted.name, wanted.agents)

    def update(self, wanted: agent_commands.UpdateAgentPool, caller: Caller, now: Instant) -> CommandReply:
        """A pool as it is to be."""
        pool_id = read_guid(wanted.agent_pool_id) or ""
        if self._pools.by_id(pool_id) is None:
            return _missing(wanted.agent_pool_id, Problem.UNKNOWN_ID)
        return self._put(pool_id, wanted.name, wanted.agents)

    def delete(self, wanted: agent_commands.DeleteAgentPool, caller: Caller, now: Instant) -> CommandReply:
        """Delete a pool; its orchestrators are in the default one again."""
        pool_id = read_guid(wanted.agent_pool_id) or ""
        if self._pools.by_id(pool_id) is None:
            return _missing(wanted.agent_pool_id, Problem.NOT_FOUND)
        self._pools.delete(pool_id)
        return CommandReply(204)

    def _put(self, pool_id: str, name: str, given: Sequence[PoolAgent]) -> CommandReply:
        if not name.strip():
            return refuse(Problem.INVALID_VALUE, "Name must name the pool")
        twin = self._pools.id_of(name)
        if twin not in (None, pool_id):
            return refuse(Problem.DUPLICATE, f"A pool {name!r} exists already: {twin}")
        # Who is named twice is in once, as said last.
        agents = {read_guid(agent.agent_id) or agent.agent_id: agent for agent in given}
        if refused := self._unusable(pool_id, list(agents)):
            return refused
        self._pools.put(pool_id, name, [replace(agent, agent_id=id_) for id_, agent in agents.items()])
        return CommandReply(200, self._pools.by_id(pool_id))

    def _unusable(self, pool_id: str, agent_ids: list[str]) -> CommandReply | None:
        """Refuses orchestrators that do not exist or are in another pool."""
        if len(agent_ids) > self._settings.max_ids:
            most = self._settings.max_ids
            return refuse(Problem.TOO_MANY_IDS, f"Agents names {len(agent_ids)}, at most {most} are allowed at once")
        known, pools = self._agents.statuses(agent_ids), self._pools.of(agent_ids)
        unknown = [agent_id for agent_id in agent_ids if agent_id not in known]
        if unknown:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {unknown[0]!r} does not exist")
        elsewhere = [(agent_id, name) for agent_id, (other, name) in pools.items() if other != pool_id]
        if elsewhere:
            agent_id, name = elsewhere[0]
            return refuse(Problem.NOT_ELIGIBLE, f"Orchestrator {agent_id} is in pool {name} already")
        return None


def _missing(pool_id: str, problem: Problem) -> CommandReply:
    return refuse(problem, f"Agent pool {pool_id!r} does not exist")
