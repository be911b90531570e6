"""At most once: no audit id has two accepted completions, and no job has two runs in process at once
(architecture, "Two tables, not one").

A retry, reschedule or recurrence is a new run, not a second execution; runs that touch do not overlap. A run that is
still open lasts for ever. A storm's reconciliation adds what it found to have changed state twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent_sim.protocol.enums import Status
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.journal import ServerRun
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import OFFENDERS, Answer, Verdict
from agent_sim.results.wording import counted


@dataclass(frozen=True, slots=True)
class _Twice:
    ids: tuple[str, ...]
    said: str


def at_most_once(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that ran twice) or unknown."""
    facts = summary.facts
    twice = [each for each in (_completions(facts), _hand_outs(facts), _overlaps(facts), _storms(summary)) if each]
    if twice:
        offenders = tuple(dict.fromkeys(job for each in twice for job in each.ids))
        return _verdict(check, "broken", ", ".join(each.said for each in twice), offenders)
    if facts.is_idle:
        return _verdict(check, "kept", "no job was asked for")
    if not facts.was_read_back:
        return _verdict(check, "unknown", "the server's history could not be read back, or has no run")
    runs = sum(map(len, facts.runs.values()))
    return _verdict(check, "kept", f"{counted(runs, 'run')} of {counted(len(facts.runs), 'job')}, each once")


def _verdict(check: InvariantCheck, answer: Answer, detail: str, offenders: tuple[str, ...] = ()) -> Verdict:
    return Verdict("invariant", check.name, answer, detail, offenders[:OFFENDERS])


def _completions(facts: Facts) -> _Twice | None:
    jobs = [f"{lines[0].job.lower()} (run {audit})" for audit, lines in facts.completions.items() if len(lines) > 1]
    return _Twice(tuple(sorted(jobs)), f"{counted(len(jobs), 'run')} completed twice") if jobs else None


def _hand_outs(facts: Facts) -> _Twice | None:
    """One run in the hands of two agents is executed twice, whatever comes of it."""
    jobs = [f"{lines[0].job.lower()} (run {audit})" for audit, lines in facts.handed.items() if len(lines) > 1]
    return _Twice(tuple(sorted(jobs)), f"{counted(len(jobs), 'run')} handed to two agents") if jobs else None


def _overlaps(facts: Facts) -> _Twice | None:
    jobs = [job for job, runs in facts.runs.items() if any(_overlapping(runs))]
    said = f"{counted(len(jobs), 'job')} with two runs in process at once"
    return _Twice(tuple(sorted(jobs)), said) if jobs else None


def _overlapping(runs: tuple[ServerRun, ...]) -> Iterator[bool]:
    """For each run, in order of start, whether an earlier one had not ended."""
    busy_until = float("-inf")
    for run in runs:
        if run.start is None:
            continue
        yield run.start < busy_until
        busy_until = max(busy_until, _end(run, run.start))


def _end(run: ServerRun, start: float) -> float:
    if run.end is not None:
        return run.end
    # A finished run without an end is a gap in the record, not a run that never ends.
    return float("inf") if run.status is Status.IN_PROCESS else start


def _storms(summary: Summary) -> _Twice | None:
    found = [storm.result.reconciliation for storm in summary.storms if storm.result is not None]
    times = sum(each.violations.get("double_transition", 0) for each in found)
    ids = tuple(f"audit id {each.id}" for one in found for each in one.examples if each.rule == "double_transition")
    return _Twice(ids, f"{counted(times, 'id')} of storms changed state twice") if times else None
