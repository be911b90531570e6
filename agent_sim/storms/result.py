"""What one storm came to: a plain object for files and reports, and the exit code that it means.

The shape is shared with `results`, which reads it as JSON; nothing here renders. Rates are per second, spans in
seconds, latencies in microseconds. `completed` counts requests that a status came back for; late answers count
for the storm that sent them. `faults` counts the requests that each declared fault met.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypedDict

from agent_sim.histogram import HistogramJson
from agent_sim.instants import SECOND, Instant, Span, to_iso
from agent_sim.storms import knee
from agent_sim.storms.health import Health
from agent_sim.storms.knee import KneeJson
from agent_sim.storms.ledger import Totals
from agent_sim.storms.meter import Meter, SeriesEntry, Tally
from agent_sim.storms.others import OTHERS
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Harvest
from agent_sim.storms.reconcile import Reconciliation
from agent_sim.storms.steps import Step, is_steady, steps
from agent_sim.storms.stop import broke_a_rule
from agent_sim.storms.taxonomy import ErrorKind, Violation

Model = Literal["open", "closed"]

PASSED: Final = 0
BROKEN: Final = 1
USAGE: Final = 2
INCONCLUSIVE: Final = 3
TARGET: Final = 4
"""Exit codes (scenario-format)."""


class PoolJson(TypedDict):
    """The pool before and after; `exhausted_at` in seconds since the storm began."""

    eligible: int
    out_of_scope: int
    used: int
    exhausted_at: float | None


class LedgerJson(TypedDict):
    """Ids, not requests."""

    sent: int
    accepted: int
    refused: int
    unknown: int


class ExampleJson(TypedDict):
    """One broken rule on one id; 0 is all of them together."""

    id: int | str
    rule: str
    detail: str


class ReconciliationJson(TypedDict):
    """What the comparison with the target found."""

    checked: int
    no_op: int
    violations: dict[str, int]
    examples: list[ExampleJson]
    not_checkable: list[str]


class GeneratorJson(TypedDict):
    """Our own health."""

    cpu_percent_max: float
    late_p99_ms: float
    saturated: bool


class WorkersJson(TypedDict):
    """The processes that sent: 0 asked for where one did it all, how many of them were lost, and how many arrivals
    went without ids because their lease came too late.
    """

    asked: int
    lost: int
    starved: int


class StepJson(TypedDict):
    """One step: rates planned at either end, what came of it, and whether its figures agree with each other.

    `little` is the measured average of requests under way as a share of what rate and mean service time make it; None
    where that cannot be said. `apdex` counts errors and dropped arrivals as frustrated.
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
    errors: dict[str, int]
    response: HistogramJson
    service: HistogramJson
    in_flight_mean: float
    in_flight_max: int
    little: float | None
    apdex: float | None


class StormResult(TypedDict):
    """One storm; all but `ledger`, `reconciliation`, `series`, `steps` and `faults` is of what was measured: the
    warm-up, `warm_up` seconds of it, is left out.
    """

    name: str
    operation: str
    by: str
    kind: str
    batch: int
    model: Model
    users: int | None
    seed: int
    started_at: str
    seconds: float
    pool: PoolJson
    planned: int
    started: int
    dropped: int
    late_starts: int
    completed: int
    offered_rate: float
    achieved_rate: float
    ids_per_second: float
    response: HistogramJson
    service: HistogramJson
    wait: HistogramJson
    lateness: HistogramJson
    apdex: float | None
    errors: dict[str, int]
    faults: dict[str, int]
    ledger: LedgerJson
    reconciliation: ReconciliationJson
    generator: GeneratorJson
    series: list[SeriesEntry]
    warm_up: float
    is_steady: bool | None
    steps: list[StepJson]
    workers: WorkersJson
    knee: KneeJson | None
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that sent, where there were many."""

    asked: int = 0
    lost: int = 0
    starved: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """How one storm went: the facts that are neither measured nor compared."""

    model: Model
    started_at: Instant
    seconds: Span
    used: int
    exhausted_at: Span | None
    stopped: str | None
    workers: Workers = Workers()
    settled: bool = False  # a warm-up that lasts until the target is steady found it so
    users: int | None = None  # of a closed loop


def storm_result(
    plan: StormPlan,
    run: Run,
    found: Harvest,
    meter: Meter,
    totals: Totals,
    compared: Reconciliation,
    generator: Health,
) -> StormResult:
    """Put together what is known."""
    measured, parts = meter.measured, steps(plan)
    seconds = max(run.seconds - plan.warm_up, 0)
    return StormResult(
        name=plan.name,
        operation=plan.operation,
        by=plan.by,
        kind=plan.kind,
        batch=plan.batch,
        model=run.model,
        users=run.users,
        seed=plan.seed,
        started_at=to_iso(run.started_at),
        seconds=round(seconds / SECOND, 3),
        pool=_pool(run, found),
        planned=measured.planned,
        started=measured.started,
        dropped=measured.dropped,
        late_starts=measured.late_starts,
        completed=measured.completed,
        offered_rate=_rate(measured.planned, seconds),
        achieved_rate=_rate(measured.completed, seconds),
        ids_per_second=_rate(max(totals.accepted - meter.warm_up.ids, 0), seconds),
        response=measured.response.to_json(),
        service=measured.service.to_json(),
        wait=measured.wait.to_json(),
        lateness=measured.lateness.to_json(),
        apdex=_rounded(measured.apdex()),
        errors=_errors(measured),
        faults=dict(sorted(meter.faults.items())),
        ledger=LedgerJson(sent=totals.sent, accepted=totals.accepted, refused=totals.refused, unknown=totals.unknown),
        reconciliation=_reconciliation(compared),
        generator=GeneratorJson(
            cpu_percent_max=round(generator.cpu_percent_max, 1),
            late_p99_ms=round(generator.late_p99_ms, 3),
            saturated=generator.saturated,
        ),
        series=list(meter.series),
        warm_up=round(min(plan.warm_up, run.seconds) / SECOND, 3),
        is_steady=run.settled if plan.settles else _steady(plan, meter),
        steps=[_step(*each, run.seconds) for each in zip(parts, meter.tallies, strict=False)],
        workers=WorkersJson(asked=run.workers.asked, lost=run.workers.lost, starved=run.workers.starved),
        knee=None,
        stopped=run.stopped,
    )


INCONSISTENT_BEYOND: Final = 0.05
"""Little's law: a step whose figures are further apart has lost samples or has a wrong clock (load-testing 3.8)."""


def inconsistent(result: StormResult) -> list[float]:
    """When the steps begin whose figures contradict each other."""
    return [
        step["begins"]
        for step in result["steps"]
        if step["little"] is not None and abs(step["little"] - 1) > INCONSISTENT_BEYOND
    ]


def exit_code(result: StormResult, *, could_read: bool = True) -> int:
    """What the result means for the process: a broken rule first, then whether it can be judged at all."""
    if any(result["reconciliation"]["violations"].values()) or broke_a_rule(result["stopped"]):
        return BROKEN
    if not could_read:
        return TARGET
    if not proved_something(result) or doubt(result) is not None:
        return INCONCLUSIVE
    return PASSED


def doubt(result: StormResult) -> str | None:
    """Why the figures are not the target's, or None: what is wrong with what measured."""
    workers = result["workers"]
    if workers["lost"]:
        return f"{workers['lost']} of {workers['asked']} workers were lost, and load and ids with them"
    # A closed loop's user looks again after a moment: that is no arrival lost, and matters only if it is often.
    if workers["starved"] and (result["model"] == "open" or workers["starved"] * 100 > result["started"]):
        return f"{workers['starved']} arrivals went without ids, because workers did not get them in time"
    if any(OTHERS in note for note in result["reconciliation"]["not_checkable"]):
        return f"{OTHERS} on the same ids, so that not all of what changed can be told apart"
    if result["warm_up"] and not result["planned"]:
        return "the storm ended in its warm-up, so nothing was measured"
    if result["knee"] is not None:  # how the generator fared is in each trial
        if (words := knee.doubt(result["knee"])) is not None:
            return words
    elif result["generator"]["saturated"]:
        return "the generator itself was saturated, the figures are lower bounds"
    if found := inconsistent(result):
        return f"the figures of the step at {found[0]:g} s contradict each other (Little's law)"
    return None


def proved_something(result: StormResult) -> bool:
    """True if anything was accepted, or refused where each request holds an id that does not exist."""
    ledger = result["ledger"]
    return ledger["accepted"] > 0 or (result["kind"] == "poison" and ledger["refused"] > 0)


def verdict(result: StormResult, *, could_read: bool = True) -> str:
    """The same in one line."""
    broken = {rule: count for rule, count in result["reconciliation"]["violations"].items() if count}
    if broken:
        hint = "" if _OF_OTHERS.isdisjoint(broken) else f" ({HINT})"
        return f"broken: {_listed(broken)}{hint}"
    if broke_a_rule(result["stopped"]):
        return f"stopped itself: {result['stopped']}"
    if not could_read:
        return "inconclusive: the target could not be read after the storm"
    if result["pool"]["eligible"] == 0:
        return "inconclusive: nothing to do, no id is eligible"
    if not proved_something(result) and not result["workers"]["lost"]:
        return "inconclusive: no id was accepted, so nothing was checked"
    if (words := doubt(result)) is not None:
        return f"inconclusive: {words}"
    if result["ledger"]["accepted"] == 0:
        return "every request was refused as a whole, and no id of it changed"
    return "every accepted id changed exactly once"


HINT: Final = "the target's doing, unless somebody else asked the same of it: it does not tell who did"

_OF_OTHERS: Final = frozenset({Violation.PHANTOM_TRANSITION.value, Violation.DOUBLE_TRANSITION.value})


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _pool(run: Run, found: Harvest) -> PoolJson:
    return PoolJson(
        eligible=len(found.tokens),
        out_of_scope=found.out_of_scope,
        used=run.used,
        exhausted_at=None if run.exhausted_at is None else round(run.exhausted_at / SECOND, 3),
    )


def _reconciliation(compared: Reconciliation) -> ReconciliationJson:
    return ReconciliationJson(
        checked=compared.checked,
        no_op=compared.no_op,
        violations={rule.value: count for rule, count in compared.violations.items()},
        examples=[ExampleJson(id=e.audit_id, rule=e.rule.value, detail=e.detail) for e in compared.examples],
        not_checkable=list(compared.not_checkable),
    )


def _errors(tally: Tally) -> dict[str, int]:
    return {kind.value: tally.errors[kind] for kind in ErrorKind if tally.errors[kind]}


def _step(step: Step, tally: Tally, lasted: Span) -> StepJson:
    span = max(min(step.ends, lasted) - step.begins, 0)
    return StepJson(
        begins=round(step.begins / SECOND, 3),
        seconds=round(span / SECOND, 3),
        warm_up=step.warm_up,
        from_rate=round(step.from_rate, 3),
        to_rate=round(step.to_rate, 3),
        planned=tally.planned,
        started=tally.started,
        dropped=tally.dropped,
        late_starts=tally.late_starts,
        completed=tally.completed,
        ids=tally.ids,
        errors=_errors(tally),
        response=tally.response.to_json(),
        service=tally.service.to_json(),
        in_flight_mean=round(tally.in_flight / span, 3) if span else 0.0,
        in_flight_max=tally.in_flight_max,
        little=_rounded(tally.little),
        apdex=_rounded(tally.apdex()),
    )


def _steady(plan: StormPlan, meter: Meter) -> bool | None:
    if not plan.warm_up:
        return None
    return is_steady(
        [each["response_p50_us"] for each in meter.series if each["t"] * SECOND <= plan.warm_up + SECOND // 2]
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rate(count: int, span: Span) -> float:
    return round(count * SECOND / span, 3) if span > 0 else 0.0
