"""An agent's own clock, which a fault may set wrong: by an offset, and by what it gains from then on.

It decides when schedules are due and how long a heartbeat's interval lasts. Work takes as long as it takes, and
back-off is counted by what happened: neither looks at a clock on the wall.
"""

from dataclasses import dataclass
from typing import Final

from agent_sim.instants import NEVER, Instant, Span
from agent_sim.protocol import schedule
from agent_sim.protocol.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Clock:
    """`offset` ahead at the instant `since`, and gaining `drift` seconds each second; drift is above -1."""

    offset: Span = 0
    drift: float = 0.0
    since: Instant = 0

    def shows(self, now: Instant) -> Instant:
        """What it shows at an instant."""
        return now if now == NEVER else now + self.offset + round((now - self.since) * self.drift)

    def when(self, shown: Instant) -> Instant:
        """The instant at which it shows that."""
        if shown == NEVER:
            return NEVER
        return self.since + round((shown - self.offset - self.since) / (1 + self.drift))

    def lasts(self, span: Span) -> Span:
        """How long a span by this clock really lasts."""
        return round(span / (1 + self.drift)) if self.drift else span

    def next_run(self, when: Schedule, now: Instant) -> Instant:
        """When a job with that schedule is due next: at once, or when this clock will show it."""
        return max(self.when(schedule.next_run(when, self.shows(now))), now)


RIGHT: Final = Clock()
"""A clock that is right."""
