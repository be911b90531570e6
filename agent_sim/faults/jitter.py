"""jitter: requests take longer by anything between nothing and the most, equally likely."""

from dataclasses import dataclass

from agent_sim.distributions import Uniform, sample_span
from agent_sim.faults.effects import Delay
from agent_sim.faults.kinds import Struck
from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class Jitter:
    """`most` is never reached."""

    most: Span

    def strike(self, struck: Struck) -> tuple[Delay, ...]:
        """Each request draws its own."""
        return (Delay(sample_span(Uniform(0, self.most), struck.draw("jitter"))),)
