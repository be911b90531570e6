"""Thresholds that are watched while the run goes on: the first that is broken for good reason ends it.

An upper bound can be broken at any moment after its delay; a lower one only when the phases that it names are over,
for until then the best may be to come. Judged once for each time that the journal's traffic lines carry.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND
from agent_sim.results import journal
from agent_sim.results.checks import Checks, Threshold
from agent_sim.results.figures import Storm, Window
from agent_sim.results.storm import read_storm
from agent_sim.results.thresholds import judge_threshold, name_of
from agent_sim.results.windows import WindowsFold

ABORTED: Final = "aborted: threshold "
"""How the reason of a run begins that a threshold ended."""


@dataclass(frozen=True, slots=True)
class _SoFar:
    whole: Window
    phases: tuple[Window, ...]
    storms: tuple[Storm, ...]


class Watch:
    """Sees every line of a run under way."""

    def __init__(self, checks: Checks) -> None:
        self._thresholds = [each for each in checks.thresholds if each.abort_on_fail and not each.warn_only]
        self._windows = WindowsFold()
        self._storms: dict[str, Storm] = {}
        self._judged_at = 0.0

    def see(self, line: journal.Line) -> str | None:
        """Take one line in; the reason to end the run, in the journal's words, if there is one now."""
        if not self._thresholds:
            return None
        reason = self._judge(line.t) if isinstance(line, _CLOCKS) and line.t > self._judged_at else None
        match line:
            case journal.Traffic():
                self._windows.traffic(line, Histogram.from_json(line.latency))
            case journal.JobCompleted(accepted=True):
                self._windows.completed(line)
            case journal.PhaseStarted():
                self._windows.begin(line)
            case journal.StormEnded():
                self._storm(line)
            case _:
                pass
        return reason

    def _storm(self, line: journal.StormEnded) -> None:
        try:
            result = read_storm(line.result)
        except ValueError:
            return  # the report tells
        self._storms[line.storm] = Storm(line.storm, result.operation, max(line.t - result.seconds, 0.0), result)

    def _judge(self, now: float) -> str | None:
        self._judged_at = now
        whole, phases = self._windows.finish(now)
        so_far = _SoFar(whole, phases, tuple(self._storms.values()))
        for threshold in self._thresholds:
            for due in _due(threshold, so_far, now):
                verdict = judge_threshold(so_far, due)
                if verdict.answer == "broken":
                    return f"{ABORTED}{name_of(threshold)} is broken: {verdict.detail}"
        return None


_CLOCKS: Final = (journal.Traffic, journal.PhaseStarted, journal.StormEnded)


def _due(threshold: Threshold, so_far: _SoFar, now: float) -> Iterator[Threshold]:
    """The bounds of a threshold that can be judged now."""
    begun = [phase for phase in so_far.phases if phase.name in threshold.during]
    windows = begun if threshold.during else [so_far.whole]
    if not windows or now < windows[0].start + threshold.abort_delay / SECOND:
        return
    if threshold.maximum is not None:
        yield replace(threshold, minimum=None, during=tuple(phase.name for phase in begun))
    is_over = len(begun) == len(threshold.during) and threshold.during and now > begun[-1].end
    if threshold.minimum is not None and is_over:
        yield replace(threshold, maximum=None)
