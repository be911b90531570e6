"""session_takeover: somebody else connects to the broker with an agent's client id."""

from dataclasses import dataclass

from agent_sim.faults.effects import SessionTakeover as TakenOver
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class SessionTakeover:
    """As two machines with one name do."""

    def begin(self, struck: Struck) -> tuple[TakenOver, ...]:
        """Once for each agent and window."""
        return (TakenOver(),)

    def end(self, struck: Struck) -> tuple[TakenOver, ...]:
        """The other one stays away: it connected once."""
        return ()
