"""duplicate_delivery: the broker delivers messages to agents twice, as "at least once" allows."""

from dataclasses import dataclass

from agent_sim.faults.effects import DuplicateDelivery as Twice
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class DuplicateDelivery:
    """Of messages to agents; `duplicate` is for those from them."""

    def strike(self, struck: Struck) -> tuple[Twice, ...]:
        """Every message alike."""
        return (Twice(),)
