"""Pools of orchestrators, in and out of the tables `agent_pool` and `agent_pool_agent`."""

from collections.abc import Iterable, Sequence
from typing import Final

from agent_sim.protocol.agent_commands import AgentPool, PoolAgent
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.columns import array, texts

_SSL: Final = "SSL"
"""The capability that scanning takes, as the management API lists it (command-api 3.1)."""


class Pools:
    """The two tables; the default pool is not in them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_id(self, pool_id: str) -> AgentPool | None:
        rows = self._store.rows("agent_pool_by_id", {"id": pool_id})
        return self.pool(rows[0]) if rows else None

    def id_of(self, name: str) -> str | None:
        """The id of the pool of that name, in any case."""
        rows = self._store.rows("agent_pool_by_name", {"name": name})
        return str(rows[0][0]) if rows else None

    def put(self, pool_id: str, name: str, agents: Sequence[PoolAgent]) -> None:
        """A new pool, or a new content of a known one."""
        self._store.run("agent_pool_put", {"id": pool_id, "name": name})
        self._store.run("agent_pool_clear", {"id": pool_id})
        rows: list[Values] = [
            {
                "agent_id": agent.agent_id,
                "pool_id": pool_id,
                "enable_discover": agent.enable_discover,
                "enable_monitor": agent.enable_monitor,
            }
            for agent in agents
        ]
        self._store.run_many("agent_pool_join", rows)

    def delete(self, pool_id: str) -> None:
        self._store.run("agent_pool_clear", {"id": pool_id})
        self._store.run("agent_pool_delete", {"id": pool_id})

    def leave(self, agent_ids: Sequence[str]) -> None:
        """Take these out of their pools."""
        self._store.run("agent_pool_leave", {"agent_ids": array(agent_ids)})

    def of(self, agent_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Agents to the pool that each is in: its id and name."""
        rows = self._store.rows("agent_pools_of", {"agent_ids": array(sorted(set(agent_ids)))})
        return {agent_id: (pool_id, name) for agent_id, pool_id, name in rows}

    def pool(self, row: Row) -> AgentPool:
        """A pool from the columns of `agent_pool_page`, with its agents."""
        pool_id, name, discover, monitor = row
        agents = tuple(map(pool_agent, self._store.rows("agent_pool_agents", {"id": pool_id})))
        return AgentPool(pool_id, name, discover, monitor, agents)


def pool_agent(row: Row) -> PoolAgent:
    """An orchestrator of a pool from the columns of `agent_pool_agents` and `pool_agent_page`."""
    agent_id, discover, monitor, version, capabilities, machine = row
    can_scan = _SSL in texts(capabilities)
    return PoolAgent(agent_id, bool(discover), bool(monitor), version, can_scan, can_scan, machine)
