"""truncate: answers end early, so that they cannot be read."""

from dataclasses import dataclass

from agent_sim.faults.effects import Truncate as CutOff
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Truncate:
    """`kept` is the share of the body that arrives."""

    kept: float

    def strike(self, struck: Struck) -> tuple[CutOff, ...]:
        """Every answer alike."""
        return (CutOff(self.kept),)
