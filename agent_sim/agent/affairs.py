"""What an agent has to think of besides its session: registering, setbacks, absence, a wrong clock, its end.

Most agents of a large fleet have nothing of that for most of the time, and then share CALM, or UNBORN before they
begin; neither is ever changed.
"""

from typing import Final

from agent_sim.agent import clock
from agent_sim.agent.events import CameOnline, Crashed, WentOffline
from agent_sim.instants import NEVER, Instant
from agent_sim.protocol.agent import AgentRequest

Turn = tuple[Instant, Crashed | WentOffline | CameOnline]
Timetable = tuple[Turn, ...]
"""What the scenario has happen to an agent, in time's order."""


class Affairs:
    """Those of one agent."""

    __slots__ = (
        *("clock", "down_until", "look_again", "offline", "register_at", "registered_before", "registering"),
        *("setbacks", "stopping", "timetable", "turn_at"),
    )

    def __init__(self, start: Instant, timetable: Timetable = ()) -> None:
        """Of one that is to register at `start`."""
        self.register_at: Instant = start
        self.registering: AgentRequest | None = None  # the Register on its way
        self.registered_before = False
        self.setbacks = 0
        self.look_again = False  # notified while asking
        self.down_until: Instant = start  # no process before
        self.offline = False
        self.clock = clock.RIGHT
        self.stopping = False
        self.timetable = timetable
        self.turn_at: Instant = timetable[0][0] if timetable else NEVER

    @classmethod
    def of_the_calm(cls) -> "Affairs":
        """Of one that has a session and nothing else."""
        made = cls(NEVER)
        made.registered_before, made.down_until = True, 0
        return made

    def are_calm(self, now: Instant) -> bool:
        """True if nothing would be missed that CALM does not say as well."""
        return (
            self.register_at == NEVER
            and self.registering is None
            and self.registered_before
            and not (self.setbacks or self.look_again or self.offline or self.stopping)
            and self.down_until <= now
            and self.clock is clock.RIGHT
            and self.turn_at == NEVER
        )

    def next_turn(self) -> Turn:
        """Take the next turn of the timetable."""
        turn, self.timetable = self.timetable[0], self.timetable[1:]
        self.turn_at = self.timetable[0][0] if self.timetable else NEVER
        return turn

    def die(self, restart_at: Instant) -> None:
        """The process is over, and starts again then unless it was to stop."""
        self.registering, self.look_again, self.setbacks = None, False, 0
        self.down_until = restart_at
        self.register_at = NEVER if self.stopping else restart_at

    def stop(self) -> None:
        """Nothing is to happen any more."""
        self.stopping = True
        self.timetable, self.turn_at = (), NEVER


CALM: Final = Affairs.of_the_calm()

UNBORN: Final = Affairs(NEVER)
"""Of an agent that nothing has happened to: a fleet that is yet to come should not need more than one that is there."""
