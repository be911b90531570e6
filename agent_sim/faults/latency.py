"""latency: requests take longer on their way, each by chance."""

from dataclasses import dataclass

from agent_sim.distributions import Distribution, sample_span
from agent_sim.faults.effects import Delay
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Latency:
    """Spans in nanoseconds."""

    spread: Distribution

    def strike(self, struck: Struck) -> tuple[Delay, ...]:
        """Each request draws its own."""
        return (Delay(sample_span(self.spread, struck.draw("latency"))),)
