"""duplicate: the server gets requests twice."""

from dataclasses import dataclass

from agent_sim.distributions import Distribution, sample_span
from agent_sim.faults.effects import Duplicate as Twice
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Duplicate:
    """`after` is how long after the first the copy comes."""

    after: Distribution

    def strike(self, struck: Struck) -> tuple[Twice, ...]:
        """Each request draws its own."""
        return (Twice(sample_span(self.after, struck.draw("duplicate"))),)
