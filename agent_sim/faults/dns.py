"""dns: the server's name does not resolve: there is none, or nobody answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.faults.effects import Refuse
from agent_sim.faults.kinds import Struck

_EFFECTS: Final[Mapping[str, Refuse]] = {
    "not_found": Refuse("the server's name does not resolve"),
    "timeout": Refuse("no name server answers", after=None),
}


@dataclass(frozen=True, slots=True)
class Dns:
    """How the lookup fails."""

    failure: Literal["not_found", "timeout"]

    def strike(self, struck: Struck) -> tuple[Refuse, ...]:
        """Every request alike, as if nothing were cached."""
        return (_EFFECTS[self.failure],)
