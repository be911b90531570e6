"""The two HTTP clients that there are: one suite holds both to the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent_sim.transports.aiohttp_pool import HttpPool, HttpSession
from agent_sim.transports.base import AgentTransport, Target
from agent_sim.transports.fast_agents import FastAgents, FastPool
from agent_sim.transports.fast_http import FastSession
from agent_sim.transports.http import HttpAgents


@dataclass(frozen=True)
class Client:
    """How one of them is opened."""

    session: Callable[..., Any]
    pool: Callable[..., Any]
    agents: Callable[[Any, Target], AgentTransport]


CLIENTS = {
    "aiohttp": Client(HttpSession, HttpPool, HttpAgents),
    "fast": Client(
        FastSession, FastPool, lambda session, target: FastAgents(session, target.agents_url, session.pool(0))
    ),
}
CHOSEN = CLIENTS["aiohttp"]


def session_of(*how: Any) -> Any:
    """A session of the client under test."""
    return CHOSEN.session(*how)


def pool_of(*how: Any) -> Any:
    """A pool of the client under test."""
    return CHOSEN.pool(*how)


def agents_of(session: Any, target: Target) -> AgentTransport:
    """The agents' wire over a session of the client under test."""
    return CHOSEN.agents(session, target)
