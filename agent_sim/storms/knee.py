"""The knee: the largest rate that a target sustains, found by a ramp and then by halving what is between.

A trial is a step at one rate; the search says which comes next, and sees what came of each. Rates rise by half from a
tenth of an estimate until one is not sustained, then three halvings narrow it down, then half as much again as the knee
for five seconds shows how the target recovers (load-testing 3.7). What the generator could not offer is a lower bound
and no verdict about the target; it is tried twice, for something else may have held us up. Nothing here sends anything
or knows a clock.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypedDict

from agent_sim.histogram import SAMPLES_BEHIND_A_PERCENTILE, Histogram
from agent_sim.instants import SECOND, Span

GROWTH: Final = 1.5
FIRST_SHARE: Final = 0.1
HALVINGS: Final = 3
OVERLOAD: Final = 1.5
CALM: Final = 0.5
"""Of the knee, after the overload: at the knee itself a target has nothing left to work its backlog off with."""

SHORTEST: Final[Span] = 5 * SECOND
LONGEST: Final[Span] = 60 * SECOND
SETTLING: Final[Span] = SECOND
"""Of each trial, not judged."""

SUSTAINED_SHARE: Final = 0.98
MOST_ERRORS: Final = 0.01
WANTED: Final = 0.99
"""The percentile that decides, if it has its samples."""

RECOVERED_WITHIN: Final = 2.0
"""Times the unloaded percentile at which an overload is over."""

MOST_TRIALS: Final = 40


class Reason(StrEnum):
    """Why a rate is not sustained."""

    ACHIEVED = "achieved less than 98 % of what was offered"
    DROPPED = "dropped arrivals"
    ERRORS = "more than 1 % errors"
    LATENCY = "slower than allowed"
    GROWING = "requests under way kept growing"
    SUFFERED = "the target suffered so much that the trial stopped itself"
    NOTHING = "nothing could be measured"


@dataclass(frozen=True, slots=True)
class Trial:
    """A step to make: `is_overload` for the one that shows the recovery, which is followed by calm."""

    rate: float
    span: Span
    is_overload: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial, its first second left out. `under_way` is the number of requests, second by second."""

    offered: int
    completed: int
    dropped: int
    failed: int
    ids: int
    seconds: float
    response: Histogram
    under_way: Sequence[float]
    limited: str | None = None  # why the generator could not do it
    ended: str | None = None  # why the search cannot go on: no ids, stopped
    suffered: bool = False  # it was cut short for the target's sake


class TrialJson(TypedDict):
    """One trial as it is reported. `judged_on` is the percentile that decided, in microseconds in `latency_us`: the
    highest one wanted that `samples` were enough for.
    """

    rate: float
    seconds: float
    offered: int
    achieved_rate: float
    ids_per_second: float
    samples: int
    judged_on: str
    latency_us: float
    overload: bool
    sustained: bool
    why: list[str]


class KneeJson(TypedDict):
    """What the search found. `knee` is None if not even the first rate was sustained; `bound` says why it is only a
    lower bound, if it is; `recovery_seconds` is None if there was none in time.
    """

    knee: float | None
    bound: str | None
    highest_goodput: float
    kneedle: float | None
    recovery_seconds: float | None
    recovered: bool | None
    trials: list[TrialJson]


def length(rate: float, share_measured: float = 1.0) -> Span:
    """How long a trial must last for its deciding percentile to have its samples, and the second before they count."""
    needed = SAMPLES_BEHIND_A_PERCENTILE / (1 - WANTED) / max(rate * share_measured, 1e-9)
    return min(max(SETTLING + math.ceil(needed * SECOND), SHORTEST), LONGEST)


def deciding(samples: int) -> float | None:
    """The percentile that so many samples can decide on: the one wanted, or the highest of the usual ones."""
    for q in (WANTED, 0.95, 0.9, 0.5):
        if samples * (1 - q) >= SAMPLES_BEHIND_A_PERCENTILE - 1e-9:
            return q
    return None


def faults_of(outcome: Outcome, slowest_us: float | None) -> tuple[Reason, ...]:
    """Why a rate was not sustained; () if it was. `slowest_us` is what the deciding percentile may be at most."""
    q = deciding(outcome.response.count)
    found = {
        Reason.ACHIEVED: outcome.completed < SUSTAINED_SHARE * outcome.offered,
        Reason.DROPPED: outcome.dropped > 0,
        Reason.ERRORS: outcome.failed > MOST_ERRORS * max(outcome.completed, 1),
        Reason.LATENCY: slowest_us is not None and (q is None or outcome.response.percentile(q) > slowest_us),
        Reason.GROWING: _grows(outcome.under_way),
        Reason.SUFFERED: outcome.suffered,
        Reason.NOTHING: outcome.offered == 0,
    }
    return tuple(reason for reason, holds in found.items() if holds)


class Search:
    """One search. `estimate` is a rate near which the knee may be, such as a closed loop's."""

    def __init__(self, estimate: float, slowest_us: float | None = None) -> None:
        self._slowest_us = slowest_us
        self._rate = estimate * FIRST_SHARE
        self._good: float | None = None
        self._bad: float | None = None
        self._halvings = 0
        self._bound: str | None = None
        self._limited_at: float | None = None
        self._is_over = False
        self._is_recovering = False
        self._unloaded_us: float | None = None
        self._recovery: float | None = None
        self._recovered: bool | None = None
        self._highest = 0.0
        self._trials: list[TrialJson] = []

    def next(self) -> Trial | None:
        """What to try; None once all is known."""
        if self._is_over:
            return None
        if self._is_recovering and self._good is not None:
            return Trial(self._good * OVERLOAD, SHORTEST, is_overload=True)
        return Trial(self._rate, length(self._rate))

    def see(self, trial: Trial, outcome: Outcome) -> None:
        """Take in what came of it."""
        if outcome.ended is not None:
            self._end(outcome.ended)
            return
        reasons = faults_of(outcome, self._slowest_us)
        self._note(trial, outcome, reasons)
        if trial.is_overload:
            return  # it is there for what comes after it
        if outcome.limited is not None:
            if self._limited_at == trial.rate:
                self._bound = outcome.limited
                self._overload_or_end()
            self._limited_at = trial.rate
            return
        if self._unloaded_us is None:
            self._unloaded_us = _decided(outcome)
        if reasons:
            self._bad = trial.rate
        else:
            self._good = trial.rate
        self._go_on()

    def recovered(self, seconds: float | None, *, was_seen: bool = True) -> None:
        """How long after the overload latencies were back; None if they were not in time, or nobody could see it."""
        self._recovery, self._recovered = seconds, seconds is not None if was_seen else None
        self._is_over = True

    @property
    def back_at_us(self) -> float:
        """Latency at which an overload counts as over."""
        return RECOVERED_WITHIN * (self._unloaded_us or 0.0)

    def result(self) -> KneeJson:
        """What is known."""
        return KneeJson(
            knee=self._good,
            bound=self._bound,
            highest_goodput=round(self._highest, 3),
            kneedle=kneedle(
                [(each["achieved_rate"], each["latency_us"]) for each in self._trials if not each["overload"]]
            ),
            recovery_seconds=self._recovery,
            recovered=self._recovered,
            trials=self._trials,
        )

    def _go_on(self) -> None:
        if len(self._trials) >= MOST_TRIALS:
            self._end("it took too many trials")
        elif self._bad is None:
            self._rate *= GROWTH
        elif self._good is None:
            # Not even the first: look below, a few times.
            self._halvings += 1
            self._rate = self._bad / 2
            self._is_over = self._halvings > HALVINGS
        elif self._halvings >= HALVINGS:
            self._overload_or_end()
        else:
            self._halvings += 1
            self._rate = (self._good + self._bad) / 2

    def _overload_or_end(self) -> None:
        if self._good is None or self._bound is not None:
            self._is_over = True
        else:
            self._is_recovering = True

    def _end(self, why: str) -> None:
        self._bound, self._is_over = why, True

    def _note(self, trial: Trial, outcome: Outcome, reasons: tuple[Reason, ...]) -> None:
        q = deciding(outcome.response.count)
        goodput = max(outcome.completed - outcome.failed, 0) / outcome.seconds if outcome.seconds else 0.0
        self._highest = max(self._highest, goodput)
        self._trials.append(
            TrialJson(
                rate=round(trial.rate, 3),
                seconds=round(outcome.seconds, 3),
                offered=outcome.offered,
                achieved_rate=round(outcome.completed / outcome.seconds, 3) if outcome.seconds else 0.0,
                ids_per_second=round(outcome.ids / outcome.seconds, 3) if outcome.seconds else 0.0,
                samples=outcome.response.count,
                judged_on="nothing: too few samples" if q is None else f"p{q * 100:g}",
                latency_us=_decided(outcome),
                overload=trial.is_overload,
                sustained=not reasons and outcome.limited is None,
                why=[*reasons, *([outcome.limited] if outcome.limited else [])],
            )
        )


def doubt(found: KneeJson) -> str | None:
    """Why what was found is not the target's knee; None if it is."""
    if found["bound"]:
        what = "no knee was found" if found["knee"] is None else "the knee is a lower bound only"
        return f"{what}: {found['bound']}"
    return "not even the lowest rate tried was sustained" if found["knee"] is None else None


def words(found: KneeJson) -> list[str]:
    """What a person is told in the end."""
    lines = []
    if found["knee"] is not None:
        lines.append(f"knee: {found['knee']:.1f} requests a second are sustained")
    if (unsure := doubt(found)) is not None:
        lines.append(unsure)
    lines.append(f"highest goodput anywhere: {found['highest_goodput']:.1f}/s")
    if found["kneedle"] is not None:
        lines.append(f"most throughput for its latency: {found['kneedle']:.1f}/s")
    if found["recovered"] is not None:
        back = found["recovery_seconds"]
        said = "latencies were not back in time" if back is None else f"latencies were back after {back:g} s"
        lines.append(f"after the overload, at half the knee: {said}")
    return lines


def told(trial: TrialJson) -> str:
    """One trial in one line."""
    verdict = ("held out" if trial["overload"] else "sustained") if trial["sustained"] else "; ".join(trial["why"])
    verdict = f"overload, to see the recovery: {verdict}" if trial["overload"] else verdict
    lasted = f"{trial['rate']:g}/s for {trial['seconds']:g} s: {verdict}"
    if trial["judged_on"] == f"p{WANTED * 100:g}":
        return f"{lasted} ({trial['judged_on']} {trial['latency_us'] / 1000:.1f} ms)"
    if not trial["judged_on"].startswith("p"):
        return f"{lasted} (latency judged on {trial['judged_on']})"
    few = f"{trial['samples']} samples are too few for p{WANTED * 100:g}"
    return f"{lasted} (judged on {trial['judged_on']}, {trial['latency_us'] / 1000:.1f} ms: {few})"


def recovery(seconds: Sequence[tuple[float, float]], back_at_us: float) -> float | None:
    """From when on, of the seconds after an overload (their end, their high percentile), latencies stayed low."""
    since = None
    for end, latency in seconds:
        if latency > back_at_us:
            since = None
        elif since is None:
            since = end
    return since


def kneedle(points: Sequence[tuple[float, float]]) -> float | None:
    """Where throughput per latency is best: the knee for people without a limit. None for too few points."""
    usable = [(rate, latency) for rate, latency in points if latency > 0]
    if len(usable) < 3:
        return None
    return max(usable, key=lambda point: point[0] / point[1])[0]


def _decided(outcome: Outcome) -> float:
    return outcome.response.percentile(deciding(outcome.response.count) or 0.5)


def _grows(under_way: Sequence[float]) -> bool:
    """Whether the last third is well above the first: a line through a queue that keeps its length is flat."""
    third = len(under_way) // 3
    if third == 0:
        return False
    first, last = sum(under_way[:third]) / third, sum(under_way[-third:]) / third
    return last > 2 * first + 4
