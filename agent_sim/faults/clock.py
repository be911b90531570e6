"""clock: an agent's clock is wrong by an offset, and may drift further."""

from dataclasses import dataclass

from agent_sim.faults.effects import ClockOffset
from agent_sim.faults.kinds import Struck
from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class Clock:
    """`drift` is what it gains each second, as a share; both may be negative."""

    offset: Span
    drift: float

    def begin(self, struck: Struck) -> tuple[ClockOffset, ...]:
        """Set it wrong."""
        return (ClockOffset(self.offset, self.drift),)

    def end(self, struck: Struck) -> tuple[ClockOffset, ...]:
        """Set it right."""
        return (ClockOffset(0),)
