"""What a storm proved: every id that was accepted changed state exactly once, and no other id did (load-testing 3.4).

Judged for every storm, asked for or not. Ids whose request got no answer may have changed either way: they are
counted, and a storm that has nothing else proved nothing.
"""

from collections.abc import Iterator
from typing import Final

from agent_sim.results.figures import Storm
from agent_sim.results.invariants.findings import Finding
from agent_sim.results.storm import StormResult
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import OFFENDERS, Answer, Verdict
from agent_sim.results.wording import counted

INTERRUPTED: Final = "interrupted"
"""What a storm's result says of a storm that a person ended."""


_SAID: Final = {
    "lost_update": "accepted and not done",
    "double_transition": "done twice",
    "phantom_transition": "done that was not accepted",
}


def violations(summary: Summary, operation: str, rule: str) -> Iterator[Finding]:
    """What the storms of an operation found to break a rule: ids as far as they are named, then the rest."""
    for storm in summary.storms:
        if storm.operation != operation or storm.result is None:
            continue
        found = storm.result.reconciliation
        named = [which_id(each.id) for each in found.examples if each.rule == rule]
        count = found.violations.get(rule, 0)
        for which in [*named, *[f"one more of storm {storm.name}"] * (count - len(named))][:count]:
            yield Finding(which, f"id|of storm {storm.name} {_SAID[rule]}", storm.at)


def which_id(found: str | int) -> str:
    """An id as a report names it: a number is that of a run, anything else a job's or an orchestrator's."""
    return f"audit id {found}" if isinstance(found, int) else f"id {found}"


def judge_storm(storm: Storm) -> Verdict:
    """The verdict on one storm's ledger."""
    answer, detail = _judge(storm)
    examples = () if storm.result is None else storm.result.reconciliation.examples
    return Verdict(
        "storm",
        f"storm {storm.name}: every accepted id changed state exactly once",
        answer,
        detail,
        tuple(f"{which_id(each.id)}: {each.detail}" for each in examples[:OFFENDERS]) if answer == "broken" else (),
    )


def judge_rules(storm: Storm) -> Iterator[Verdict]:
    """A verdict for each rule of the ledger; one that the target cannot show only warns."""
    if storm.result is None:
        return
    checked = storm.result.reconciliation
    for rule, count in checked.violations.items():
        name = f"storm {storm.name}: no {rule}"
        hidden = [note for note in checked.not_checkable if note.startswith(f"{rule}:")]
        if count:
            yield Verdict("storm", name, "broken", f"{count:,} found")
        elif hidden or not checked.checked:
            yield Verdict("storm", name, "unknown", hidden[0] if hidden else "nothing was compared", warn_only=True)
        else:
            yield Verdict("storm", name, "kept", f"{checked.checked:,} ids compared")


def judge_stop(storm: Storm) -> Verdict | None:
    """Broken if the storm had to stop itself; ended by a person or by its plan it says nothing."""
    stopped = None if storm.result is None else storm.result.stopped
    if stopped is None or stopped == INTERRUPTED:
        return None
    return Verdict("storm", f"storm {storm.name}: ran to its end", "broken", f"it stopped itself: {stopped}")


def judge_generator(storm: Storm) -> Verdict | None:
    """A warning if the load generator could not keep up; thresholds see to it that it counts where it matters."""
    if storm.result is None or not storm.result.generator.saturated:
        return None
    generator = storm.result.generator
    return Verdict(
        "generator",
        f"storm {storm.name}: load generator",
        "unknown",
        f"saturated (CPU up to {generator.cpu_percent_max:.0f} %, requests sent {generator.late_p99_ms:.0f} ms"
        " late at p99): latencies and rates of this storm are not the target's",
        warn_only=True,
    )


def _judge(storm: Storm) -> tuple[Answer, str]:
    result = storm.result
    if result is None:
        return "unknown", f"its result cannot be read: {storm.problem}" if storm.problem else "it left no result"
    said = "; ".join(filter(None, [_ledger(result), _not_checkable(result)]))
    checked = result.reconciliation
    if checked.broken:
        broken = ", ".join(f"{count:,} {rule}" for rule, count in sorted(checked.violations.items()) if count)
        return "broken", f"{broken}; {said}"
    if result.ledger.sent == 0:
        return "unknown", f"it sent no id ({counted(result.pool.eligible, 'id')} eligible); {said}"
    if checked.checked == 0:
        return "unknown", f"no id could be checked; {said}"
    if result.ledger.accepted == 0 and result.kind == "poison" and result.ledger.refused:
        return "kept", f"every request was refused as a whole; {said}"
    if result.ledger.accepted == 0:
        return "unknown", f"no id was accepted; {said}"
    return "kept", said


def _ledger(result: StormResult) -> str:
    ledger, checked = result.ledger, result.reconciliation
    no_op = f" ({checked.no_op:,} of them already waiting)" if checked.no_op else ""
    answers = f"{ledger.accepted:,} accepted{no_op}, {ledger.refused:,} refused, {ledger.unknown:,} unknown"
    return f"{counted(ledger.sent, 'id')} sent, {answers}, {checked.checked:,} checked"


def _not_checkable(result: StormResult) -> str:
    rules = result.reconciliation.not_checkable
    return f"not checkable: {', '.join(rules)}" if rules else ""
