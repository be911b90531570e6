"""What must hold, as data: thresholds on metrics and invariants by name.

Made by `scenario.plan` from a scenario's `checks`; judged by `results.judge`. What a metric measures and which
labels and stats it takes is `results.metrics`; which invariants there are is `results.judge.INVARIANTS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound on one metric. Bounds are in base units: seconds, per second, a share of 0 to 1, or a count.

    `labels` are those of the metric (`{"op": "complete"}`); `stat` is "p50", "p99.9", "max", "mean" and the like
    for latencies, "" for all others; `during` names phases, () is the whole run; `text` is the threshold as
    written, for reports. With `exclude_faults` requests that met a declared fault do not count. One that is
    `warn_only` never changes the exit code; one with `abort_on_fail` that is not ends the run once it is broken, though
    not sooner than `abort_delay` into what it measures.
    """

    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)
    stat: str = ""
    minimum: float | None = None
    maximum: float | None = None
    during: tuple[str, ...] = ()
    text: str = ""
    warn_only: bool = False
    exclude_faults: bool = False
    abort_on_fail: bool = False
    abort_delay: Span = 0


@dataclass(frozen=True, slots=True)
class InvariantCheck:
    """A law, by name.

    What happened less than `settle` before the end of the run may still be open; for `grace` after it was unscheduled
    a job may still be handed out. What breaks it once a fault of `allow_after` has begun is undecidable. `heartbeat` is
    the longest that any agent goes without asking for news.
    """

    name: str
    settle: Span = 0
    grace: Span = 0
    allow_after: tuple[str, ...] = ()
    heartbeat: Span = 0


@dataclass(frozen=True, slots=True)
class Checks:
    """All that one run must keep."""

    thresholds: tuple[Threshold, ...] = ()
    invariants: tuple[InvariantCheck, ...] = ()
