"""When requests are due: offsets from the storm's beginning, settled before it begins.

The schedule is absolute, so that a late start shifts nothing after it and latency can be measured from when a
request was due (load-testing 3.6). The i-th arrival is where the integral of the rate reaches i (uniform) or the
sum of i + 1 keyed exponential gaps (Poisson).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sim.draws import key, unit
from agent_sim.instants import SECOND, Span
from agent_sim.storms.plan import Stage, StormPlan


@dataclass(frozen=True, slots=True)
class _Ramp:
    """A stage in seconds and in arrivals: from where, how long, how fast at either end, how many before it."""

    begins: float
    seconds: float
    from_rate: float
    to_rate: float
    before: float

    @property
    def amount(self) -> float:
        return (self.from_rate + self.to_rate) / 2 * self.seconds

    def moment(self, arrivals: float) -> float:
        """When the integral, counted from the storm's beginning, reaches `arrivals`; that must fall in here."""
        wanted = arrivals - self.before
        if wanted <= 0:
            return self.begins
        # Solve wanted = from_rate * t + slope / 2 * t * t in the form that does not cancel.
        slope = (self.to_rate - self.from_rate) / self.seconds
        root = math.sqrt(max(self.from_rate * self.from_rate + 2 * slope * wanted, 0.0))
        return self.begins + min(2 * wanted / (self.from_rate + root), self.seconds)


def due_offsets(plan: StormPlan) -> Iterator[Span]:
    """Each arrival's offset in nanoseconds, in order; never negative, always before the plan's end."""
    end = plan.span
    ramps = _ramps(plan.stages)
    ramp = next(ramps, None)
    for position in _positions(plan):
        while ramp is not None and position >= ramp.before + ramp.amount:
            ramp = next(ramps, None)
        if ramp is None:
            return
        offset = round(ramp.moment(position) * SECOND)
        if offset < end:
            yield offset


def expected_arrivals(plan: StormPlan) -> float:
    """The integral of the rate over all stages: how many arrivals there are (Poisson: on average)."""
    return math.fsum(ramp.amount for ramp in _ramps(plan.stages))


def arrivals_before(plan: StormPlan, offset: Span) -> float:
    """The integral of the rate up to an offset."""
    total = 0.0
    for ramp in _ramps(plan.stages):
        passed = min(max(offset / SECOND - ramp.begins, 0.0), ramp.seconds)
        slope = (ramp.to_rate - ramp.from_rate) / ramp.seconds
        total += (ramp.from_rate + slope * passed / 2) * passed
    return total


def _positions(plan: StormPlan) -> Iterator[float]:
    """Where on the axis of the integral each arrival lies."""
    if plan.arrivals == "uniform":
        position = 0
        while True:
            yield float(position)
            position += 1
    chance = key(plan.seed, plan.name, "arrivals")
    reached, number = 0.0, 0
    while True:
        reached -= math.log1p(-unit(chance, number))
        yield reached
        number += 1


def _ramps(stages: tuple[Stage, ...]) -> Iterator[_Ramp]:
    begins, before, rate = 0, 0.0, 0.0
    for stage in stages:
        if stage.span > 0:
            ramp = _Ramp(begins / SECOND, stage.span / SECOND, rate, stage.rate, before)
            yield ramp
            before += ramp.amount
        begins += stage.span
        rate = stage.rate
