"""reorder: requests of one agent arrive in another order than they were sent."""

from dataclasses import dataclass

from agent_sim.faults.effects import Reorder as Overtaken
from agent_sim.faults.kinds import Struck
from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class Reorder:
    """A request waits to be overtaken, at most for `longest`: an agent rarely has two under way."""

    longest: Span

    def strike(self, struck: Struck) -> tuple[Overtaken, ...]:
        """Every request alike; one that comes while another waits passes it."""
        return (Overtaken(self.longest),)
