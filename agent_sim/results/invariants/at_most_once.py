"""At most once: no audit id has two accepted completions, no job has two runs in process at once, and none runs again
without a reason (architecture, "Two tables, not one").

A retry, reschedule or recurrence is a new run, not a second execution, if a recurring job runs no more often than it
is due; runs that touch do not overlap; a run that is still open lasts for ever; the same completion again, answered as
the first was, is one.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from agent_sim.protocol.enums import Result, Status
from agent_sim.protocol.schedule import from_wire, recurs
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.invariants.reconciliation import violations
from agent_sim.results.invariants.recurrence import one_too_many
from agent_sim.results.invariants.stories import CAUSES, is_whole
from agent_sim.results.journal import ServerRun
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted

_DONE: Final = frozenset({Result.SUCCESS, Result.WARNING})


def at_most_once(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that ran twice) or unknown."""
    facts = summary.facts
    findings = [
        *_completions(facts),
        *_hand_outs(facts),
        *_runs(facts),
        *violations(summary, "reschedule", "double_transition"),
    ]
    if facts.is_idle:
        return judged(facts, check, findings, "no job was asked for")
    unknown = "" if facts.was_read_back else "the server's history could not be read back, or has no run"
    runs = sum(map(len, facts.runs.values()))
    kept = f"{counted(runs, 'run')} of {counted(len(facts.runs), 'job')}, each once"
    return judged(facts, check, findings, kept, unknown)


def _completions(facts: Facts) -> Iterator[Finding]:
    for audit, lines in sorted(facts.completions.items()):
        if len({(line.agent, line.outcome) for line in lines}) > 1:
            yield Finding(f"{lines[0].job.lower()} (run {audit})", "run|completed twice", lines[-1].t)


def _hand_outs(facts: Facts) -> Iterator[Finding]:
    """One run in the hands of two agents is executed twice, whatever comes of it."""
    for audit, lines in sorted(facts.handed.items()):
        if len(lines) > 1:
            yield Finding(f"{lines[0].job.lower()} (run {audit})", "run|handed to two agents", lines[-1].t)


def _runs(facts: Facts) -> Iterator[Finding]:
    for job, runs in sorted(facts.runs.items()):
        overlapping = [run.start for run in _overlapping(runs)]
        if overlapping:
            yield Finding(job, "job|with two runs in process at once", overlapping[0])
        elif (again := _without_reason(facts, job, runs)) is not None:
            yield Finding(job, "job|run again without a reason", again.start)
        elif (again := one_too_many(facts, job, runs)) is not None:
            yield Finding(job, "job|run more often than due", again.start)


def _overlapping(runs: tuple[ServerRun, ...]) -> Iterator[ServerRun]:
    """In order of start, each run that began before an earlier one had ended."""
    busy_until = float("-inf")
    for run in runs:
        if run.start is None:
            continue
        if run.start < busy_until:
            yield run
        busy_until = max(busy_until, _end(run, run.start))


def _end(run: ServerRun, start: float) -> float:
    if run.end is not None:
        return run.end
    # A finished run without an end is a gap in the record, not a run that never ends.
    return float("inf") if run.status is Status.IN_PROCESS else start


def _without_reason(facts: Facts, job: str, runs: tuple[ServerRun, ...]) -> ServerRun | None:
    """A run of a one-time job that nothing asked for: after an end that was good, or more than the feed knows of."""
    if len(runs) < 2 or any(recurs(from_wire(run.schedule)) for run in runs):
        return None
    story = facts.stories.get(job, ())
    if is_whole(story):
        causes = sum(kind in CAUSES for kind, _, _ in story)
        return runs[-1] if len(runs) > causes else None
    begun = [run for run in runs if run.start is not None]
    return next((after for run, after in pairwise(begun) if run.result in _DONE), None)
