"""will: agents' connections to their broker break without a goodbye, so that it publishes their wills."""

from dataclasses import dataclass

from agent_sim.distributions import Distribution, sample_span
from agent_sim.faults.effects import BrokerDisconnect as Gone
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Will:
    """`back_after` is how long each is away."""

    back_after: Distribution

    def begin(self, struck: Struck) -> tuple[Gone, ...]:
        """Each agent draws its own."""
        return (Gone(sample_span(self.back_after, struck.draw("will")), will=True),)

    def end(self, struck: Struck) -> tuple[Gone, ...]:
        """They come back by themselves."""
        return ()
