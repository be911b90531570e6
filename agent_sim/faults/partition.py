"""partition: the network between agent and server is cut, in one direction or both.

`out`: what the agent sends is lost. `in`: what the server sends is lost, so it acts unheard. `both`: no connection
comes about, which takes as long to notice as connecting may take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.faults.effects import DropReply, DropRequest, Refuse
from agent_sim.faults.kinds import Struck

_EFFECTS: Final[Mapping[str, DropReply | DropRequest | Refuse]] = {
    "in": DropReply(),
    "out": DropRequest(),
    "both": Refuse("network unreachable", after=None),
}


@dataclass(frozen=True, slots=True)
class Partition:
    """Directions are the agent's."""

    direction: Literal["in", "out", "both"]

    def strike(self, struck: Struck) -> tuple[DropReply | DropRequest | Refuse, ...]:
        """Every request alike."""
        return (_EFFECTS[self.direction],)
