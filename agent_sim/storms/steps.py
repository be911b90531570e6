"""A storm cut into steps: its stages one by one, and before them the warm-up, which is sent and not measured.

A request belongs to the step in which it was due, however late it is answered (load-testing 3.5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent_sim.instants import SECOND, Span
from agent_sim.storms.plan import StormPlan

STEADY_WINDOW: Final = 2
"""Seconds of each of the two windows whose medians say whether a warm-up was long enough (load-testing 3.5)."""

STEADY_WITHIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """One step, from `begins` to before `ends` since the storm's beginning; rates are at either end of it."""

    begins: Span
    ends: Span
    from_rate: float
    to_rate: float
    warm_up: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.ends - self.begins) / SECOND


def steps(plan: StormPlan) -> tuple[Step, ...]:
    """The steps in order, without a gap; a stage in which the warm-up ends is two of them."""
    return tuple(_steps(plan))


def _steps(plan: StormPlan) -> Iterator[Step]:
    begins, rate = 0, 0.0
    for stage in plan.stages:
        ends = begins + stage.span
        if begins < plan.warm_up < ends:
            middle = rate + (stage.rate - rate) * (plan.warm_up - begins) / stage.span
            yield Step(begins, plan.warm_up, rate, middle, warm_up=True)
            yield Step(plan.warm_up, ends, middle, stage.rate)
        elif stage.span:
            yield Step(begins, ends, rate, stage.rate, warm_up=ends <= plan.warm_up)
        begins, rate = ends, stage.rate


def is_steady(medians: Sequence[float]) -> bool:
    """Whether a warm-up with these medians, one per second, ended as steady as it should: its last two windows of
    two seconds each agree within a tenth. A shorter one does not say, nor does a second without an answer (0).
    """
    last = medians[-2 * STEADY_WINDOW :]
    if len(last) < 2 * STEADY_WINDOW:
        return False
    before, after = sum(last[:STEADY_WINDOW]), sum(last[STEADY_WINDOW:])
    return min(last) > 0 and abs(after - before) <= STEADY_WITHIN * max(before, after)
