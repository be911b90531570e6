"""crash: an agent's process dies at a point of its life and comes back.

At a point such as `before_complete` the request is never sent; at `after_complete` the server acts, and nobody is
left to hear it. `now` is when the window begins, whatever the agent does.
"""

from dataclasses import dataclass

from agent_sim.faults.effects import Crash as Dies
from agent_sim.faults.kinds import Struck
from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class CrashAtRequest:
    """At one request; which operation it is of is the fault's `on`."""

    acted: bool
    restart_after: Span
    keeps_identity: bool

    def strike(self, struck: Struck) -> tuple[Dies, ...]:
        """Every request alike."""
        return (Dies(self.restart_after, self.keeps_identity, self.acted),)


@dataclass(frozen=True, slots=True)
class CrashNow:
    """When the window begins."""

    restart_after: Span
    keeps_identity: bool

    def begin(self, struck: Struck) -> tuple[Dies, ...]:
        """Die."""
        return (Dies(self.restart_after, self.keeps_identity),)

    def end(self, struck: Struck) -> tuple[Dies, ...]:
        """Coming back is the agent's own business."""
        return ()
