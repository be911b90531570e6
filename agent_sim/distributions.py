"""Spans, sizes and counts by chance: each distribution turns one draw in [0, 1) into one value.

People know medians and 95th percentiles, so that is how the skewed ones are described. `sample` gives a plain
float in the caller's unit; `sample_span` rounds to whole milliseconds, because logarithms may differ in the
last bit between platforms and a replay must not.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

from agent_sim.instants import MILLISECOND, Span

T = TypeVar("T")

_NORMAL = NormalDist()
_Z95 = _NORMAL.inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class Constant:
    """Always `value`."""

    value: float

    def sample(self, draw: float) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anything between `low` and `high`, equally likely."""

    low: float
    high: float

    def sample(self, draw: float) -> float:
        return self.low + (self.high - self.low) * draw


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Skewed to the right, by median and 95th percentile; never above `limit`."""

    median: float
    p95: float
    limit: float = math.inf

    def sample(self, draw: float) -> float:
        sigma = math.log(self.p95 / self.median) / _Z95
        return min(self.median * math.exp(sigma * _NORMAL.inv_cdf(_inside(draw))), self.limit)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Memoryless, by mean; never above `limit`."""

    mean: float
    limit: float = math.inf

    def sample(self, draw: float) -> float:
        return min(-self.mean * math.log1p(-draw), self.limit)


@dataclass(frozen=True, slots=True)
class Pareto:
    """Heavy-tailed, by median and 95th percentile; never above `limit`."""

    median: float
    p95: float
    limit: float = math.inf

    def sample(self, draw: float) -> float:
        # P(X > x) = (scale / x) ** alpha, so p95 / median = (0.5 / 0.05) ** (1 / alpha).
        alpha = math.log(10) / math.log(self.p95 / self.median)
        scale = self.median * math.pow(0.5, 1 / alpha)
        return min(scale * math.pow(1 - draw, -1 / alpha), self.limit)


@dataclass(frozen=True, slots=True)
class Discrete:
    """One of a few values, each with its weight; weights total 1."""

    values: tuple[tuple[float, float], ...]

    def sample(self, draw: float) -> float:
        return choose(self.values, draw)


@dataclass(frozen=True, slots=True)
class Mixture:
    """One of several distributions, each with its weight; weights total 1."""

    parts: "tuple[tuple[Distribution, float], ...]"

    def sample(self, draw: float) -> float:
        below = 0.0
        for part, weight in self.parts[:-1]:
            if draw < below + weight:
                return part.sample((draw - below) / weight)
            below += weight
        part, weight = self.parts[-1]
        return part.sample(min((draw - below) / weight, math.nextafter(1.0, 0.0)))


Distribution = Constant | Uniform | Lognormal | Exponential | Pareto | Discrete | Mixture


def sample_span(distribution: Distribution, draw: float) -> Span:
    """A span of whole milliseconds, not negative; the distribution's unit is nanoseconds."""
    return max(round(distribution.sample(draw) / MILLISECOND), 0) * MILLISECOND


def choose(values: tuple[tuple[T, float], ...], draw: float) -> T:
    """The value in whose share of [0, 1) the draw falls."""
    below = 0.0
    for value, weight in values:
        below += weight
        if draw < below:
            return value
    return values[-1][0]


def _inside(draw: float) -> float:
    # inv_cdf is infinite at 0; draws are multiples of 2**-53.
    return max(draw, 2.0**-54)
