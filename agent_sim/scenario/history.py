"""The `history` block: what the fleet did before the run begins, made up in virtual time.

In the past the scenario passes slowly: `day` of it fills a whole day. How it is stretched is `past`'s business.
"""

from typing import Final

from pydantic import field_validator

from agent_sim.instants import DAY, HOUR, SECOND, Span
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import Duration
from agent_sim.scenario.units import duration_text

LONGEST_BEAT: Final[Span] = 2 * HOUR
"""The longest pause between two heartbeats that stretching makes."""

_LEAST: Final[Span] = HOUR
_MOST: Final[Span] = 366 * DAY


class History(Block):
    """What the embedded server remembers as the run begins; any other target has its own past."""

    backfill: Duration = needed("How far back it goes.", "30d")
    day: Duration = key("1m", "How much of the scenario one day of it holds.", "1m")

    @field_validator("backfill")
    @classmethod
    def _check_backfill(cls, backfill: Span) -> Span:
        return _between(backfill, _LEAST, _MOST)

    @field_validator("day")
    @classmethod
    def _check_day(cls, day: Span) -> Span:
        return _between(day, SECOND, DAY)

    def beat(self, every: Span) -> Span:
        """How often somebody beat in the past who beats so often in the run."""
        return max(min(every * DAY // self.day, LONGEST_BEAT), every)

    @property
    def told(self) -> Span:
        """How much of the scenario it holds in all."""
        return self.backfill * self.day // DAY


def _between(span: Span, least: Span, most: Span) -> Span:
    if least <= span <= most:
        return span
    raise ValueError(f"found {duration_text(span)}, expected {duration_text(least)} to {duration_text(most)}")
