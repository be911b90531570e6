"""drop: the request never reaches the server, or the server's answer never comes back."""

from dataclasses import dataclass
from typing import Literal

from agent_sim.faults.effects import DropReply, DropRequest
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Drop:
    """What gets lost."""

    what: Literal["request", "response"]

    def strike(self, struck: Struck) -> tuple[DropRequest | DropReply, ...]:
        """Every request alike."""
        return (DropRequest() if self.what == "request" else DropReply(),)
