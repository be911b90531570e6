"""The `checks` block: thresholds on metrics, and invariants.

What metrics and invariants there are is the business of `results`; here is how a scenario asks for them.
"""

import re
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, ValidationInfo, field_validator, model_validator

from agent_sim.protocol.enums import Result
from agent_sim.query.wording import did_you_mean
from agent_sim.results.metrics import METRICS, quantile
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import BOUNDS, AnyScalar, Duration, Flag, Name, Text, pattern
from agent_sim.scenario.units import found
from agent_sim.storms.catalogue import CATALOGUE

AGENT_OPERATIONS: Final = ("register", "heartbeat", "configure", "upload", "complete", "operator", "oig")
"""What requests of agents and operator are counted under."""

OUTCOMES: Final = tuple(result.name.lower() for result in (Result.SUCCESS, Result.WARNING, Result.FAILURE))

_METRIC: Final = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>[^{}]*)\})?")
_METRIC_PATTERN: Final = r"^[a-z_]+(\{[^{}]*\})?$"
_LABEL: Final = re.compile(r"\s*([a-z_]+)\s*=\s*([^\s=]+)\s*")
_CLOSED: Final = {"op": (*AGENT_OPERATIONS, *CATALOGUE), "outcome": OUTCOMES}


def metric_parts(text: str) -> tuple[str, dict[str, str]]:
    """`latency{op=complete}` as its name and labels. Raises ValueError."""
    parts = _METRIC.fullmatch(text)
    if parts is None:
        raise ValueError(f"{found(text)}, expected a metric such as error_rate or latency{{op=complete}}")
    labels: dict[str, str] = {}
    for label in parts["labels"].split(",") if parts["labels"] else ():
        pair = _LABEL.fullmatch(label)
        if pair is None:
            raise ValueError(f"{found(label)} as a label, expected name=value")
        if pair[1] in labels:
            raise ValueError(f"found the label {pair[1]} twice, expected it once")
        labels[pair[1]] = pair[2]
    return parts["name"], labels


def _metric(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{found(value)}, expected a metric such as error_rate or latency{{op=complete}}")
    name, labels = metric_parts(value)
    if name not in METRICS:
        raise ValueError(f"{found(name)}, which is no metric; {did_you_mean(name, METRICS)}")
    for label, word in labels.items():
        if label not in METRICS[name].labels:
            raise ValueError(f"found the label {label}, {did_you_mean(label, sorted(METRICS[name].labels))}")
        if label in _CLOSED and word not in _CLOSED[label]:
            raise ValueError(f"found {label}={word}, {did_you_mean(word, _CLOSED[label])}")
    said = ", ".join(f"{label}={word}" for label, word in labels.items())
    return f"{name}{{{said}}}" if said else name


class Threshold(Block):
    """A bound on what was measured."""

    metric: Annotated[str, BeforeValidator(_metric), pattern(_METRIC_PATTERN, "latency{op=complete}")] = needed(
        f"What is measured: {', '.join(METRICS)}; labels narrow it.", "latency{op=complete}"
    )
    stat: Text | None = key(None, "Of latencies: p50, p95, p99.9, max or mean; unless given, p95.", "p95")
    min: AnyScalar | None = key(None, "The least allowed, with its unit.", "40/s")
    max: AnyScalar | None = key(None, "The most allowed, with its unit.", "250ms")
    during: tuple[Name, ...] = key((), "In these phases; unless given, in the whole run.", ["steady"])
    exclude_faults: Flag = key(False, "Leave out requests that met a declared fault.", True)
    warn_only: Flag = key(False, "Tell, but neither fail nor end the run; wins over abort_on_fail.", True)
    abort_on_fail: Flag = key(False, "End the run as soon as it is broken.", True)
    abort_delay: Duration = key("5s", "Not sooner than this into what is measured.", "30s")

    @field_validator("stat", mode="after")
    @classmethod
    def _check_stat(cls, stat: str | None, info: ValidationInfo) -> str | None:
        name, _ = metric_parts(info.data.get("metric", "latency"))
        if stat is not None and not METRICS[name].takes_stat:
            raise ValueError(f"{found(stat)}, expected no stat of {name}")
        if stat is not None and stat not in ("max", "mean") and quantile(stat) is None:
            raise ValueError(f"{found(stat)}, expected p50, p95, p99.9, max, mean or the like")
        return stat

    @field_validator("min", "max", mode="before")
    @classmethod
    def _check_bound(cls, value: object, info: ValidationInfo) -> object:
        if value is None or "metric" not in info.data:
            return value  # not given, or told already
        bound = BOUNDS[metric_parts(info.data["metric"])[0]]
        return bound.text(bound.read(value))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("found no bound, expected min or max")
        read = BOUNDS[metric_parts(self.metric)[0]].read
        if self.min is not None and self.max is not None and read(self.max) < read(self.min):
            raise ValueError("found max and min the wrong way round, expected max to be at least min")
        return self


class Law(Block):
    """A law that is asked for."""

    allow_after: tuple[Name, ...] = key((), "Faults after which it may be undecidable.", ["lost-ack"])


class NoLostJobs(Law):
    """Every accepted job ends, is unscheduled, or still waits for an agent that is offline."""

    settle: Duration = key("0s", "Jobs this young at the end may still be open.", "2m")


class NoJobAfterUnschedule(Law):
    """What was taken off the schedule is not handed out."""

    grace: Duration = key("0s", "For this long it still may be.", "5s")


def _on_or_off(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, dict | Law):
        raise ValueError(f"{found(value)}, expected true, false or a map")
    return value


_Asked = Annotated[Law | None, BeforeValidator(_on_or_off, json_schema_input_type=Law | bool)]


class Invariants(Block):
    """Laws that hold whatever happens."""

    no_lost_jobs: Annotated[
        NoLostJobs | None, BeforeValidator(_on_or_off, json_schema_input_type=NoLostJobs | bool)
    ] = key(None, "Every accepted job ends, or is accounted for.", True, {"settle": "2m"})
    at_most_once: _Asked = key(None, "No run completes twice, no job runs twice.", True, {"allow_after": ["lost-ack"]})
    single_terminal_state: _Asked = key(None, "A run ends once.", True)
    status_agrees: _Asked = key(None, "The server's result of a run is what its agent reported.", True)
    capability_respected: _Asked = key(None, "Nobody is handed a job that his fleet cannot do.", True)
    no_result_from_unapproved: _Asked = key(None, "Nothing is taken from an agent that is not approved.", True)
    no_job_after_unschedule: Annotated[
        NoJobAfterUnschedule | None, BeforeValidator(_on_or_off, json_schema_input_type=NoJobAfterUnschedule | bool)
    ] = key(None, "What was unscheduled is not handed out.", True, {"grace": "5s"})
    acknowledged_stays_acknowledged: _Asked = key(None, "What was acknowledged is so in the end.", True)
    rescheduled_once: _Asked = key(None, "An accepted reschedule leads to one new run.", True)
    fleet_count: _Asked = key(None, "The server lists each agent once, and nobody else.", True)
    oig_no_lost_runs: _Asked = key(None, "Of the scheduler: every run that was granted is in its history.", True)
    oig_no_run_twice: _Asked = key(None, "Of the scheduler: no job runs twice unless it is concurrent.", True)
    oig_retries_obeyed: _Asked = key(None, "Of the scheduler: jobs fail until their retries are exhausted.", True)


class Checks(Block):
    """What must hold for the run to pass."""

    thresholds: tuple[Threshold, ...] = key((), "Bounds on metrics.", [{"metric": "error_rate", "max": "1%"}])
    invariants: Invariants = key({}, "Laws.", {"no_lost_jobs": True})
