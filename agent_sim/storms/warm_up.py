"""A warm-up that lasts until the target is steady: until p50 of two windows of two seconds agree within a tenth, ten
seconds at the most (load-testing 3.5). What is due until then is sent at the first rate and not measured.

Decided from the seconds of the storm as they come, and then the plan is cut: what was due before the cut is due at the
same moments in either plan, so that nothing is sent twice or left out.
"""

from dataclasses import replace
from typing import Final

from agent_sim.instants import SECOND, Span
from agent_sim.storms.meter import SeriesEntry
from agent_sim.storms.plan import Stage, StormPlan
from agent_sim.storms.steps import STEADY_WINDOW, is_steady

MOST: Final[Span] = 10 * SECOND

AHEAD: Final[Span] = SECOND
"""Between the second that decides and the end of the warm-up: every process must have heard of it (our choice)."""


class WarmUp:
    """Sees the seconds of a storm whose plan says that it settles; of any other nothing comes."""

    def __init__(self, plan: StormPlan) -> None:
        self._plan = plan
        self._medians: list[float] = []
        self.is_over = not plan.settles

    def see(self, entry: SeriesEntry, elapsed: Span) -> Span | None:
        """When the warm-up is to end, if that was decided by this second; `elapsed` is the time by now."""
        if self.is_over:
            return None
        self._medians.append(entry["response_p50_us"])
        ends = max(round(entry["t"] * SECOND), elapsed) + AHEAD
        if ends >= self._plan.warm_up:
            self.is_over = True
        elif is_steady(self._medians):
            self.is_over = True
            return ends
        return None

    def words(self, ends: Span | None) -> str:
        """What was decided, for a person: it ends then, or (None) goes on as long as it may."""
        if ends is None:
            return (
                f"warm-up: not steady, so all of its {self._plan.warm_up / SECOND:g} s; the measuring begins regardless"
            )
        first, second = self._medians[-2 * STEADY_WINDOW : -STEADY_WINDOW], self._medians[-STEADY_WINDOW:]
        before, after = (sum(each) / len(each) / 1000 for each in (first, second))
        steady = f"steady, p50 {before:.3g} ms and then {after:.3g} ms"
        return f"warm-up: {steady}; the measuring begins after {ends / SECOND:.3g} s"


def cut(plan: StormPlan, ends: Span) -> StormPlan:
    """The same plan with a warm-up that ends then."""
    shorter, stages, begins = plan.warm_up - ends, list[Stage](), 0
    for stage in plan.stages:
        holds_it = begins < plan.warm_up <= begins + stage.span
        stages.append(replace(stage, span=stage.span - shorter) if holds_it else stage)
        begins += stage.span
    return replace(plan, stages=tuple(stages), warm_up=ends)
