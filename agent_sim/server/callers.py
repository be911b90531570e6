"""Who is asking: a name and the permissions it holds, already authenticated.

How a caller proved who it is belongs to `server.auth`; what each operation needs, to `protocol.endpoints`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from agent_sim.instants import Instant

AGENT_SESSION: Final = "/agents/session/"
"""What an account needs to speak the agents' wire (our name: the product lets any agent identity in)."""

EVERYTHING: Final = frozenset({"/"})


@dataclass(frozen=True, slots=True)
class Shown:
    """A client certificate that came with a request. `agent_id` is the orchestrator that goes by it, if one does.

    `is_current` is false for one that a renewal has replaced.
    """

    thumbprint: str
    agent_id: str | None
    expires: Instant
    is_current: bool = True


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated account. Permissions are paths; holding one implies all below it (command-api 2.6)."""

    name: str
    permissions: frozenset[str]
    shown: Shown | None = None

    def may(self, permission: str) -> bool:
        """True if this permission or one above it is held: `/agents/` implies `/agents/management/read/`."""
        return _implied(self.permissions, permission)


@lru_cache(maxsize=4096)
def _implied(held: frozenset[str], permission: str) -> bool:
    return any(permission.startswith(f"{one.rstrip('/')}/") for one in held)
