"""bandwidth: requests and answers trickle through a thin line."""

from dataclasses import dataclass

from agent_sim.faults.effects import Throttle
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Of each agent's line, in each direction."""

    bytes_per_second: float

    def strike(self, struck: Struck) -> tuple[Throttle, ...]:
        """Every request alike."""
        return (Throttle(self.bytes_per_second),)
