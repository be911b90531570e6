"""Whether a threshold held: what its metric measured against its bounds.

Held, broken, or not measured, which is never the same as held. How metrics measure is `results.metrics`.
"""

from collections.abc import Iterator

from agent_sim.results.checks import Threshold
from agent_sim.results.metrics import METRICS, Measured, Metric, Reading, read_metric
from agent_sim.results.verdict import Answer, Verdict


def judge_threshold(summary: Measured, threshold: Threshold) -> Verdict:
    """The verdict on one threshold."""
    reading = read_metric(summary, threshold)
    answer, detail = _judge(reading, threshold)
    return Verdict("threshold", name_of(threshold), answer, detail, warn_only=threshold.warn_only)


def name_of(threshold: Threshold) -> str:
    """The threshold as written, or put together from its parts."""
    if threshold.text:
        return threshold.text
    labels = ", ".join(f"{name}={value}" for name, value in sorted(threshold.labels.items()))
    what = threshold.metric + (f"{{{labels}}}" if labels else "")
    return " ".join(filter(None, [what, threshold.stat, *_bounds(threshold)]))


def _bounds(threshold: Threshold) -> Iterator[str]:
    if threshold.minimum is not None:
        yield f">= {threshold.minimum:g}"
    if threshold.maximum is not None:
        yield f"<= {threshold.maximum:g}"


def _judge(reading: Reading, threshold: Threshold) -> tuple[Answer, str]:
    if reading.value is None:
        return "not_measured", reading.of
    metric = METRICS[threshold.metric]
    holds = _holds(reading.value, threshold)
    said = " ".join(filter(None, [threshold.stat, metric.say(reading.value), reading.of]))
    if reading.saturated and not _stands(metric, threshold, holds):
        return "not_measured", f"{said}; but the load generator was saturated, so this says nothing about the target"
    return ("held" if holds else "broken"), said


def _holds(value: float, threshold: Threshold) -> bool:
    low, high = threshold.minimum, threshold.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _stands(metric: Metric, threshold: Threshold, holds: bool) -> bool:
    """Whether a value measured with a saturated generator is worth anything: a lower bound above a minimum is."""
    match metric.when_saturated:
        case "stands":
            return True
        case "lower bound":
            return holds == (threshold.maximum is None)
        case "void":
            return False
