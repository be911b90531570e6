"""broker_disconnect: agents say goodbye to their broker and come back after a while."""

from dataclasses import dataclass

from agent_sim.distributions import Distribution, sample_span
from agent_sim.faults.effects import BrokerDisconnect as Gone
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class BrokerDisconnect:
    """`back_after` is how long each is away."""

    back_after: Distribution

    def begin(self, struck: Struck) -> tuple[Gone, ...]:
        """Each agent draws its own."""
        return (Gone(sample_span(self.back_after, struck.draw("broker disconnect"))),)

    def end(self, struck: Struck) -> tuple[Gone, ...]:
        """They come back by themselves."""
        return ()
