"""`--find-knee`: one trial after the other until the largest sustained rate is known, on one process or on many.

Ids are used up across all trials, and all of them are compared with the target in the end. What to try and what came of
it is decided in `agent_sim.storms.knee`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from storm_cluster import Master
from storm_engine import Engine

from agent_sim.instants import SECOND, Span
from agent_sim.storms import knee
from agent_sim.storms.health import health
from agent_sim.storms.knee import SETTLING, Outcome, Search, Trial
from agent_sim.storms.meter import Meter, SeriesEntry
from agent_sim.storms.plan import Stage, StormPlan
from agent_sim.storms.stop import SUFFERS

AFTER: Final[Span] = 10 * SECOND
"""How long after an overload it is looked whether latencies are back."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What one trial measured, as whoever carried it out tells it."""

    meter: Meter
    cpu_percent: float
    seconds: Span
    stopped: str | None


Fire = Callable[[StormPlan], Fired]
"""Carries a plan out."""


class Hunt:
    """The search on a target: `fire` carries a plan out, `say` tells a person how far it is."""

    def __init__(self, engine: Engine, slowest: Span | None, fire: Fire, say: Callable[[str], None]) -> None:
        estimate = max(stage.rate for stage in engine.plan.stages)
        self._engine, self._fire, self._say = engine, fire, say
        self.search = Search(estimate, None if slowest is None else slowest / 1000)
        self._whole = Meter()
        self._cpu_percent = 0.0
        self._seconds: Span = 0

    def go(self, close_books: Callable[[], None] = lambda: None) -> None:
        """All trials, and what they come to; `close_books` before it is judged."""
        while not self._engine.is_stopped and (trial := self.search.next()) is not None:
            self._try(trial)
        close_books()
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
            self.search.recovered(back, was_seen=not outcome.suffered)
        for made in self.search.result()["trials"][-1:]:
            self._say(knee.told(made))

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


def alone(engine: Engine, tell_request: Callable[..., None], show: Callable[[Engine], None]) -> Fire:
    """Trials that this process carries out itself; `show` is given each as it begins."""

    def fire(plan: StormPlan) -> Fired:
        trial = Engine(replace(engine.storm, plan=plan), tell_request, lambda _: None, campaign=engine.campaign)
        show(trial)
        trial.begin()
        trial.fire()
        if trial.stopped not in (None, SUFFERS):
            engine.stop(trial.stopped)
        return Fired(trial.meter, trial.cpu_percent, trial.seconds, trial.ended)

    return fire


def by_workers(master: Master) -> Fire:
    """Trials that workers carry out, each told of it when the one before is over."""

    def fire(plan: StormPlan) -> Fired:
        part = master.fire(plan)
        ended = "the pool ran out of ids" if part.exhausted_at() is not None else part.stopped()
        if part.lost:
            ended = f"{len(part.lost)} of {len(part.processes)} workers were lost"
        return Fired(part.meter(), part.cpu_percent, part.seconds(plan.span), ended)

    return fire


def _plan(plan: StormPlan, trial: Trial) -> StormPlan:
    stages: tuple[Stage, ...] = (Stage(trial.rate, 0), Stage(trial.rate, trial.span))
    if trial.is_overload:
        calm = trial.rate / knee.OVERLOAD * knee.CALM
        stages = (*stages, Stage(calm, 0), Stage(calm, AFTER))
    return replace(plan, stages=stages, warm_up=SETTLING, start=0)


def _outcome(trial: Trial, fired: Fired) -> Outcome:
    tally = fired.meter.tallies[1] if trial.is_overload else fired.meter.measured
    suffered = fired.stopped == SUFFERS
    limited = health(fired.cpu_percent, tally.lateness).saturated
    return Outcome(
        offered=tally.planned,
        completed=tally.completed,
        dropped=tally.dropped,
        failed=tally.failed,
        ids=tally.ids,
        seconds=max(min(trial.span, fired.seconds) - SETTLING, 0) / SECOND,
        response=tally.response,
        under_way=_under_way([each for each in fired.meter.series if each["t"] * SECOND < trial.span + SECOND]),
        limited="the generator itself was saturated" if limited else None,
        # A rate that makes the target suffer is only one that it does not sustain: the search goes on.
        ended=None if suffered else fired.stopped,
        suffered=suffered,
    )


def _under_way(series: Sequence[SeriesEntry]) -> list[float]:
    left, found = 0.0, []
    for each in series:
        left += each["offered"] - each["completed"]
        found.append(left)
    return found[1:-1]  # the second that settles, and the one that drains
