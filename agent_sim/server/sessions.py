"""Agents' sessions, in memory: after a restart every agent registers again.

A session holds until it expires, is superseded by the agent's next one, or turns stale because the agent's work
changed: a heartbeat that says so is the only way to tell an agent (agent-protocol 3). A heartbeat of a session that
holds must cost next to nothing, so nothing here touches the database.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from agent_sim.instants import NEVER, Instant
from agent_sim.protocol.agent import AgentReply
from agent_sim.server.heard import Heard

_SUPERSEDED_KEPT: Final = 16
"""Older tokens remembered per agent: results of runs taken under them are still accepted (our choice)."""


@dataclass(slots=True)
class Session:
    """One agent's session; `beat` is what its heartbeats are answered while it holds.

    `listed` is what the agent still has on its list: job ids and the schedules it was told. `is_spared`: an agent
    that crashes when its session ends while it has jobs listed.
    """

    token: str
    agent_id: str
    username: str
    expires: Instant
    beat: AgentReply
    listed: dict[str, str | None] = field(default_factory=dict)
    is_stale: bool = False
    is_spared: bool = False

    @property
    def must_end(self) -> bool:
        """True if its agent must register again; one that is spared, only once its list is empty (8.1.10)."""
        return self.is_stale and not (self.is_spared and self.listed)


class Sessions:
    """Every session by token and by agent."""

    def __init__(self) -> None:
        self._current: dict[str, Session] = {}
        self._of_agent: dict[str, Session] = {}
        self._superseded: dict[str, Session] = {}
        self._order: dict[str, deque[str]] = {}  # superseded tokens by agent, oldest first
        self._first_expiry = NEVER  # of those that were looked at, or opened since
        self._unlooked_at: list[str] = []
        self.heard = Heard()

    def open(self, session: Session) -> None:
        """Begin a session; the agent's former one is superseded."""
        former = self._of_agent.get(session.agent_id)
        if former is not None:
            self._supersede(former)
        self._current[session.token] = self._of_agent[session.agent_id] = session
        self._first_expiry = min(self._first_expiry, session.expires)

    def _supersede(self, former: Session) -> None:
        del self._current[former.token]
        former.listed = {}
        self._superseded[former.token] = former
        order = self._order.setdefault(former.agent_id, deque())
        order.append(former.token)
        if len(order) > _SUPERSEDED_KEPT:
            del self._superseded[order.popleft()]

    def holding(self, token: str, username: str, now: Instant) -> Session | None:
        """The agent's newest session if it is this one and has not expired; it may be stale."""
        session = self._current.get(token)
        if session is None or session.username != username or now >= session.expires:
            return None
        return session

    def owner(self, token: str, username: str) -> str | None:
        """The agent that was given this token, even if the session is over: its results must not be lost."""
        session = self._current.get(token) or self._superseded.get(token)
        return session.agent_id if session is not None and session.username == username else None

    def of_agent(self, agent_id: str) -> Session | None:
        """The agent's newest session."""
        return self._of_agent.get(agent_id)

    def close(self, agent_id: str) -> None:
        """Forget every session of an agent: nothing that it says is accepted until it registers again."""
        session = self._of_agent.pop(agent_id, None)
        if session is not None:
            del self._current[session.token]
        for token in self._order.pop(agent_id, ()):
            del self._superseded[token]

    def drop_expired(self, before: Instant, at_once: int = -1) -> bool:
        """Forget agents whose newest session expired before this; True if some are left to be looked at."""
        if not self._unlooked_at:
            if before <= self._first_expiry:
                return False
            self._unlooked_at, self._first_expiry = list(self._of_agent), NEVER
        left = max(len(self._unlooked_at) - at_once, 0) if at_once >= 0 else 0
        for agent_id in self._unlooked_at[left:]:
            session = self._of_agent.get(agent_id)
            if session is not None and session.expires < before:
                self.close(agent_id)
            elif session is not None:
                self._first_expiry = min(self._first_expiry, session.expires)
        del self._unlooked_at[left:]
        return bool(self._unlooked_at)
