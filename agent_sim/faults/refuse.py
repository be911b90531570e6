"""refuse: nobody listens, and that is known at once."""

from dataclasses import dataclass

from agent_sim.faults.effects import Refuse as NoConnection
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Refuse:
    """As a stopped server behaves."""

    def strike(self, struck: Struck) -> tuple[NoConnection, ...]:
        """Every request alike."""
        return (NoConnection("connection refused"),)
