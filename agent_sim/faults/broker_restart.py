"""broker_restart: the broker goes down with all that it had not stored, and comes back after a while."""

from dataclasses import dataclass

from agent_sim.faults.effects import BrokerRestart as Restarted
from agent_sim.faults.kinds import Struck
from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class BrokerRestart:
    """Everybody who uses it suffers the same."""

    down: Span

    def begin(self, struck: Struck) -> tuple[Restarted, ...]:
        """Once in each window, whoever asks first."""
        return (Restarted(self.down),)

    def end(self, struck: Struck) -> tuple[Restarted, ...]:
        """It comes back by itself."""
        return ()
