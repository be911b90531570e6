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
from agent_sim.storms.health import Health
from agent_sim.storms.ledger import Totals
from agent_sim.storms.meter import Meter, SeriesEntry
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Harvest
from agent_sim.storms.reconcile import Reconciliation
from agent_sim.storms.stop import broke_a_rule
from agent_sim.storms.taxonomy import ErrorKind

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


class StormResult(TypedDict):
    """One storm."""

    name: str
    operation: str
    by: str
    batch: int
    model: Model
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
    lateness: HistogramJson
    errors: dict[str, int]
    faults: dict[str, int]
    ledger: LedgerJson
    reconciliation: ReconciliationJson
    generator: GeneratorJson
    series: list[SeriesEntry]
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """How one storm went: the facts that are neither measured nor compared."""

    model: Model
    started_at: Instant
    seconds: Span
    used: int
    exhausted_at: Span | None
    stopped: str | None


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
    return StormResult(
        name=plan.name,
        operation=plan.operation,
        by=plan.by,
        batch=plan.batch,
        model=run.model,
        seed=plan.seed,
        started_at=to_iso(run.started_at),
        seconds=round(run.seconds / SECOND, 3),
        pool=_pool(run, found),
        planned=meter.planned,
        started=meter.started,
        dropped=meter.dropped,
        late_starts=meter.late_starts,
        completed=meter.completed,
        offered_rate=_rate(meter.planned, run.seconds),
        achieved_rate=_rate(meter.completed, run.seconds),
        ids_per_second=_rate(totals.accepted, run.seconds),
        response=meter.response.to_json(),
        service=meter.service.to_json(),
        lateness=meter.lateness.to_json(),
        errors={kind.value: meter.errors[kind] for kind in ErrorKind if meter.errors[kind]},
        faults=dict(sorted(meter.faults.items())),
        ledger=LedgerJson(sent=totals.sent, accepted=totals.accepted, refused=totals.refused, unknown=totals.unknown),
        reconciliation=_reconciliation(compared),
        generator=GeneratorJson(
            cpu_percent_max=round(generator.cpu_percent_max, 1),
            late_p99_ms=round(generator.late_p99_ms, 3),
            saturated=generator.saturated,
        ),
        series=list(meter.series),
        stopped=run.stopped,
    )


def exit_code(result: StormResult, *, could_read: bool = True) -> int:
    """What the result means for the process: a broken rule first, then whether it can be judged at all."""
    if any(result["reconciliation"]["violations"].values()) or broke_a_rule(result["stopped"]):
        return BROKEN
    if not could_read:
        return TARGET
    if result["generator"]["saturated"] or result["ledger"]["accepted"] == 0:
        return INCONCLUSIVE
    return PASSED


def verdict(result: StormResult, *, could_read: bool = True) -> str:
    """The same in one line."""
    broken = {rule: count for rule, count in result["reconciliation"]["violations"].items() if count}
    if broken:
        return f"broken: {_listed(broken)}"
    if broke_a_rule(result["stopped"]):
        return f"stopped itself: {result['stopped']}"
    if not could_read:
        return "inconclusive: the target could not be read after the storm"
    if result["pool"]["eligible"] == 0:
        return "inconclusive: nothing to do, no id is eligible"
    if result["ledger"]["accepted"] == 0:
        return "inconclusive: no id was accepted, so nothing was checked"
    if result["generator"]["saturated"]:
        return "inconclusive: the generator itself was saturated, the figures are lower bounds"
    return "every accepted id changed exactly once"


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


def _rate(count: int, span: Span) -> float:
    return round(count * SECOND / span, 3) if span > 0 else 0.0
