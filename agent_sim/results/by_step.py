"""Thresholds step by step: what each step of a storm measured against the bounds that are for the storm as a whole.

For readers who want a line for each, such as JUnit's: only the whole storm decides what the run comes to, because a
bound on a rate holds in the last step of a ramp and in no other.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from agent_sim.results import wording
from agent_sim.results.checks import Threshold
from agent_sim.results.figures import Storm, Window
from agent_sim.results.storm import StormResult, StormStep
from agent_sim.results.summary import Summary
from agent_sim.results.thresholds import judge_threshold, name_of
from agent_sim.results.verdict import Verdict

_OF_STORMS: Final = frozenset({"latency", "throughput", "error_rate", "ids_per_second"})


@dataclass(frozen=True, slots=True)
class _OneStep:
    whole: Window
    phases: tuple[Window, ...]
    storms: tuple[Storm, ...]


def judge_steps(summary: Summary, thresholds: Iterable[Threshold]) -> Iterator[Verdict]:
    """A verdict for each threshold that is about a storm, and each of the storm's steps if it has several."""
    for threshold in thresholds:
        for storm in summary.storms:
            if storm.result is not None and _is_about(threshold, storm, summary):
                yield from _judged(summary, threshold, storm, storm.result)


def _is_about(threshold: Threshold, storm: Storm, summary: Summary) -> bool:
    labels: Mapping[str, str] = threshold.labels
    if threshold.metric not in _OF_STORMS:
        return False
    if not labels:
        return not summary.whole.operations  # else it is about agents' requests as well
    return labels.get("storm", storm.name) == storm.name and labels.get("op", storm.operation) == storm.operation


def _judged(summary: Summary, threshold: Threshold, storm: Storm, result: StormResult) -> Iterator[Verdict]:
    measured = [step for step in result.steps if not step.warm_up]
    for number, step in enumerate(measured if len(measured) > 1 else (), 1):
        narrowed = replace(storm, result=_of_step(result, step))
        alone = _OneStep(replace(summary.whole, operations={}, calm={}), summary.phases, (narrowed,))
        name = f"{name_of(threshold)} · storm {storm.name}, step {number} ({_rates(step)})"
        yield replace(judge_threshold(alone, threshold), name=name, warn_only=True)


def _rates(step: StormStep) -> str:
    first, last = wording.rate(step.from_rate), wording.rate(step.to_rate)
    return first if first == last else f"{first} to {last}"


def _of_step(result: StormResult, step: StormStep) -> StormResult:
    return replace(
        result,
        seconds=step.seconds,
        completed=step.completed,
        ids_per_second=step.ids / step.seconds if step.seconds else 0.0,
        response=step.response,
        service=step.service,
        errors=step.errors,
    )
