"""`--find-knee`: one trial after the other until the largest sustained rate is known, on one process or on many.

Ids are used up across all trials, and all of them are compared with the target in the end. What to try and what came of
it is decided in `agent_sim.storms.knee`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from storm_engine import Engine

from agent_sim.instants import SECOND, Span
from agent_sim.storms import knee
from agent_sim.storms.health import health
from agent_sim.storms.knee import SETTLING, Outcome, Search, Trial
from agent_sim.storms.meter import Meter, SeriesEntry
from agent_sim.storms.plan import Stage, StormPlan

AFTER: Final[Span] = 10 * SECOND
"""How long after an overload it is looked whether latencies are back."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What one trial measured, as whoever carried it out tells it."""

    meter: Meter
    cpu_percent: float
    seconds: Span
    ended: str | None


class Hunt:
    """The search on a target: `fire` carries a plan out, `say` tells a person how far it is."""

    def __init__(
        self, engine: Engine, slowest: Span | None, fire: Callable[[StormPlan], Fired], say: Callable[[str], None]
    ) -> None:
        estimate = max(stage.rate for stage in engine.plan.stages)
        self._engine, self._fire, self._say = engine, fire, say
        self.search = Search(estimate, None if slowest is None else slowest / 1000)
        self._whole = Meter()
        self._cpu_percent = 0.0
        self._seconds: Span = 0

    def go(self) -> None:
        """All trials, and what they come to."""
        while not self._engine.is_stopped and (trial := self.search.next()) is not None:
            self._try(trial)
        self._engine.take_over(self._whole, self._cpu_percent, self._seconds)

    def _try(self, trial: Trial) -> None:
        fired = self._fire(_plan(self._engine.plan, trial))
        self._add(fired)
        outcome = _outcome(trial, fired)
        self.search.see(trial, outcome)
        if trial.is_overload and outcome.ended is None:
            seconds = [(each["t"], each["response_p95_us"]) for each in fired.meter.series]
            over = trial.span / SECOND
            back = knee.recovery(
                [(t - over, latency) for t, latency in seconds if t > over + 0.5], self.search.back_at_us
            )
            self.search.recovered(back)
        for told in self.search.result()["trials"][-1:]:
            verdict = "sustained" if told["sustained"] else "; ".join(told["why"])
            self._say(f"{told['rate']:g}/s for {told['seconds']:g} s: {verdict} ({told['judged_on']})")

    def _add(self, fired: Fired) -> None:
        whole = self._whole
        for tally in fired.meter.tallies:
            whole.tallies[0].merge(tally)
            whole.tallies[0].in_flight_max = max(whole.tallies[0].in_flight_max, tally.in_flight_max)
        whole.faults.update(fired.meter.faults)
        before = self._seconds / SECOND
        whole.series += [SeriesEntry({**each, "t": round(each["t"] + before, 3)}) for each in fired.meter.series]
        self._cpu_percent = max(self._cpu_percent, fired.cpu_percent)
        self._seconds += fired.seconds


def words(found: knee.KneeJson) -> list[str]:
    """What a person is told in the end."""
    lines = [
        "knee: not even the lowest rate was sustained"
        if found["knee"] is None
        else f"knee: {found['knee']:.1f} requests a second are sustained"
    ]
    if found["bound"]:
        lines.append(f"a lower bound only: {found['bound']}")
    lines.append(f"highest goodput anywhere: {found['highest_goodput']:.1f}/s")
    if found["kneedle"] is not None:
        lines.append(f"most throughput for its latency: {found['kneedle']:.1f}/s")
    if found["recovered"] is not None:
        back = found["recovery_seconds"]
        lines.append("after the overload: " + ("not back in time" if back is None else f"back after {back:g} s"))
    return lines


def _plan(plan: StormPlan, trial: Trial) -> StormPlan:
    stages: tuple[Stage, ...] = (Stage(trial.rate, 0), Stage(trial.rate, trial.span))
    if trial.is_overload:
        calm = trial.rate / knee.OVERLOAD
        stages = (*stages, Stage(calm, 0), Stage(calm, AFTER))
    return replace(plan, stages=stages, warm_up=SETTLING, start=0)


def _outcome(trial: Trial, fired: Fired) -> Outcome:
    tally = fired.meter.tallies[1] if trial.is_overload else fired.meter.measured
    limited = health(fired.cpu_percent, tally.lateness).saturated
    return Outcome(
        offered=tally.planned,
        completed=tally.completed,
        dropped=tally.dropped,
        failed=tally.failed,
        ids=tally.ids,
        seconds=(trial.span - SETTLING) / SECOND,
        response=tally.response,
        under_way=_under_way(fired.meter.series),
        limited="the generator itself was saturated" if limited else None,
        ended=fired.ended,
    )


def _under_way(series: Sequence[SeriesEntry]) -> list[float]:
    left, found = 0.0, []
    for each in series:
        left += each["offered"] - each["completed"]
        found.append(left)
    return found[1:-1]  # the second that settles, and the one that drains
