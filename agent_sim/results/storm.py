"""One storm as the results see it: the object that the storm's process wrote, read into frozen values.

Written by `storms.result` (which this layer does not import) and carried by a journal's `storm_ended`; every
member is required but those that may be None, so that a missing count can never pass for zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

from agent_sim.histogram import Histogram
from agent_sim.results import plain
from agent_sim.results.plain import Counts, Json, JsonObject

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Pool:
    """Where the ids came from; `exhausted_at` is in seconds since the storm began."""

    eligible: int
    out_of_scope: int
    used: int
    exhausted_at: float | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was said about the ids that were sent."""

    sent: int
    accepted: int
    refused: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Example:
    """One id that broke a rule."""

    id: str | int
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The ledger held against the server's state (load-testing 3.4); `violations` counts ids by rule."""

    checked: int
    no_op: int
    violations: Counts
    examples: tuple[Example, ...]
    not_checkable: tuple[str, ...]

    @property
    def broken(self) -> int:
        """Violations in all."""
        return sum(self.violations.values())


@dataclass(frozen=True, slots=True)
class Generator:
    """Whether the load generator itself kept up."""

    cpu_percent_max: float
    late_p99_ms: float
    saturated: bool


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that sent: 0 asked for where one did it all; `starved` arrivals went without ids."""

    asked: int
    lost: int
    starved: int


@dataclass(frozen=True, slots=True)
class StormStep:
    """One step of a storm: rates planned at either end of it, and what came of it.

    `little` is how well its figures agree with each other, 1 if they do (load-testing 3.8); `apdex` is 0 to 1.
    """

    begins: float
    seconds: float
    warm_up: bool
    from_rate: float
    to_rate: float
    planned: int
    started: int
    dropped: int
    late_starts: int
    completed: int
    ids: int
    errors: Counts
    response: Histogram
    service: Histogram
    in_flight_mean: float
    in_flight_max: int
    little: float | None
    apdex: float | None


@dataclass(frozen=True, slots=True)
class StormSecond:
    """One second of a storm, which ended `t` seconds after its begin; latencies from the intended start."""

    t: float
    offered: float
    completed: float
    ids: float
    failed: float
    response_p50_us: float
    response_p95_us: float
    response_max_us: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate that a search for the knee tried; `judged_on` is the percentile that `latency_us` is."""

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
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Knee:
    """The largest rate that was sustained, or a lower bound of it for the reason that `bound` says."""

    knee: float | None
    bound: str | None
    highest_goodput: float
    kneedle: float | None
    recovery_seconds: float | None
    recovered: bool | None
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class StormResult:
    """A finished storm. Rates are per second; `offered_rate` and `achieved_rate` count requests.

    `completed` counts the requests that a status came back for, `errors` those that went wrong, answered or not,
    `faults` those that each declared fault met. What was sent in the warm-up is in `ledger`, `series` and `steps` only.
    """

    name: str
    operation: str
    by: str
    kind: str
    batch: int
    model: str
    seed: int
    started_at: str
    seconds: float
    pool: Pool
    planned: int
    started: int
    dropped: int
    late_starts: int
    completed: int
    offered_rate: float
    achieved_rate: float
    ids_per_second: float
    response: Histogram
    service: Histogram
    wait: Histogram
    lateness: Histogram
    apdex: float | None
    errors: Counts
    faults: Counts
    ledger: Ledger
    reconciliation: Reconciliation
    generator: Generator
    series: tuple[StormSecond, ...]
    warm_up: float
    is_steady: bool | None
    steps: tuple[StormStep, ...]
    workers: Workers
    knee: Knee | None
    stopped: str | None
    users: int | None = None  # of a closed loop; results of before do not say

    @property
    def ended(self) -> int:
        """Requests that were sent and ended, with an answer or without."""
        return self.service.count

    @property
    def failed(self) -> int:
        """Requests that ended in an error of the taxonomy."""
        return sum(self.errors.values())


def read_storm(data: JsonObject) -> StormResult:
    """Read a storm's result object. Raises ValueError, which names the member, if it is not one."""
    return _record(StormResult, data)


def _record(kind: type[T], data: Json) -> T:
    values: dict[str, object] = {}
    for field in fields(kind):
        if field.default is None and field.name not in plain.mapping(data):
            continue
        found = plain.member(plain.mapping(data), "the object", field.name)
        try:
            values[field.name] = _READERS[field.type](found)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None
    return kind(**values)


def _records(kind: type[T]) -> Callable[[Json], tuple[T, ...]]:
    return lambda data: tuple(_record(kind, each) for each in plain.sequence(data))


def _histogram(data: Json) -> Histogram:
    return Histogram.from_json(plain.histogram(data))


def _identity(data: Json) -> str | int:
    return data if isinstance(data, str) else plain.whole(data)


_READERS: Final[Mapping[object, Callable[[Json], object]]] = {
    str: plain.text,
    str | None: plain.maybe(plain.text),
    int: plain.whole,
    int | None: plain.maybe(plain.whole),
    float: plain.number,
    float | None: plain.maybe(plain.number),
    bool: plain.truth,
    bool | None: plain.maybe(plain.truth),
    str | int: _identity,
    tuple[str, ...]: plain.texts,
    Counts: plain.counts,
    Histogram: _histogram,
    Pool: partial(_record, Pool),
    Ledger: partial(_record, Ledger),
    Reconciliation: partial(_record, Reconciliation),
    Generator: partial(_record, Generator),
    Workers: partial(_record, Workers),
    tuple[Example, ...]: _records(Example),
    tuple[StormStep, ...]: _records(StormStep),
    tuple[StormSecond, ...]: _records(StormSecond),
    tuple[Trial, ...]: _records(Trial),
    Knee | None: plain.maybe(partial(_record, Knee)),
}
