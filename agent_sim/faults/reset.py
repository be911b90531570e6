"""reset: the connection breaks while the request is sent, or after the server has acted on it."""

from dataclasses import dataclass
from typing import Literal

from agent_sim.faults.effects import Reset as Broken
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Reset:
    """What is cut off; whoever sent it is told at once, and cannot know which."""

    what: Literal["request", "response"]

    def strike(self, struck: Struck) -> tuple[Broken, ...]:
        """Every request alike."""
        return (Broken(acted=self.what == "response"),)
