"""Three laws of the scheduler's runs, judged against what it says in the end (its times are whole seconds).

- *No run lost*: every job that was created is there; every run that was granted is in the history; no run is open in a
  job that is at rest; no trigger of an enabled job is overdue.
- *No run twice* unless the job is concurrent: runs of a job do not overlap, and there are no more of them than requests
  granted, times fired and retries explain.
- *Retries obeyed*: no job fails on after its retries are exhausted, and none is disabled before.

A task that hangs is no lost run: the history shows it as running.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agent_sim.results.checks import InvariantCheck
from agent_sim.results.journal import OigJob, OigRun
from agent_sim.results.oig_facts import OigFacts
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import OFFENDERS, Answer, Verdict
from agent_sim.results.wording import counted

OVERDUE: Final = 10.0
"""Seconds that a trigger may be late: a loaded machine is not a lost run (our choice)."""

_FAILED: Final = ("FAILED", "INTERRUPTED")  # the latter may be a crash, which counts, or a stop, which does not


@dataclass(frozen=True, slots=True)
class _Broken:
    job: str
    what: str


_Law = Callable[[OigFacts, Summary], Iterator[_Broken]]


def oig_no_lost_runs(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that lost a run) or unknown."""
    return _judge(summary, check, _lost)


def oig_no_run_twice(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that ran twice) or unknown."""
    return _judge(summary, check, _twice)


def oig_retries_obeyed(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs whose retries were not obeyed) or unknown."""
    return _judge(summary, check, _disobeyed)


def _judge(summary: Summary, check: InvariantCheck, law: _Law) -> Verdict:
    facts = summary.oig
    if facts.is_idle:
        return _verdict(check, "kept", "nothing was asked of the scheduler")
    if not facts.jobs:
        return _verdict(check, "unknown", "the scheduler's jobs could not be read back, or it has none")
    broken = list(law(facts, summary))
    runs = sum(map(len, facts.runs.values()))
    said = f"{counted(runs, 'run')} of {counted(len(facts.jobs), 'job')}"
    if not broken:
        open_runs = sum(run.end is None for runs_of in facts.runs.values() for run in runs_of)
        return _verdict(check, "kept", f"{said}{f', {open_runs} still running' if open_runs else ''}")
    jobs = tuple(dict.fromkeys(each.job for each in broken))
    return _verdict(check, "broken", f"{said}: {broken[0].what} ({broken[0].job})", jobs)


def _verdict(check: InvariantCheck, answer: Answer, detail: str, offenders: tuple[str, ...] = ()) -> Verdict:
    return Verdict("invariant", check.name, answer, detail, offenders[:OFFENDERS])


# --- no run lost ------------------------------------------------------------------------------


def _lost(facts: OigFacts, summary: Summary) -> Iterator[_Broken]:
    for name in facts.asked:
        is_ours = facts.accepted(name, "create") and not facts.accepted(name, "delete")
        if is_ours and not facts.perhaps(name, "delete") and name not in facts.jobs:
            yield _Broken(name, "the job is gone")
    for name, job in facts.jobs.items():
        runs = facts.runs.get(name, ())
        granted = len(facts.accepted(name, "run"))
        if len(runs) < granted:
            yield _Broken(name, f"{granted} runs were granted, the history has {len(runs)}")
        if job.status != "RUNNING" and any(run.end is None for run in runs):
            yield _Broken(name, f"a run is open though the job is {job.status}")
        if job.enabled and job.next_fire is not None and job.next_fire < job.t - OVERDUE:
            yield _Broken(name, f"its trigger is overdue by {job.t - job.next_fire:.0f} s")


# --- no run twice -----------------------------------------------------------------------------


def _twice(facts: OigFacts, summary: Summary) -> Iterator[_Broken]:
    # A storm's requests are not in the journal one by one; its own reconciliation counts them.
    is_stormed = any(storm.operation.startswith("oig_") for storm in summary.storms)
    for name, job in facts.jobs.items():
        runs = facts.runs.get(name, ())
        if not job.concurrent and _overlap(runs):
            yield _Broken(name, "two runs at once of a job that is not concurrent")
        if not is_stormed and not _may_fire(facts, name):
            explained = _explained(facts, name, runs)
            if len(runs) > explained:
                yield _Broken(name, f"{len(runs)} runs, requests and retries explain {explained}")


def _overlap(runs: tuple[OigRun, ...]) -> bool:
    return any(before.end is None or after.start < before.end for before, after in pairwise(runs))


def _may_fire(facts: OigFacts, name: str) -> bool:
    """True if a trigger set runs off: how many times it should have is the scheduler's own arithmetic."""
    return bool(facts.accepted(name, "trigger") or facts.perhaps(name, "trigger"))


def _explained(facts: OigFacts, name: str, runs: tuple[OigRun, ...]) -> int:
    """As many runs as requests and failures can have caused: each failure is tried again once at most."""
    failed = sum(run.status in _FAILED for run in runs)
    return len(facts.accepted(name, "run")) + facts.perhaps(name, "run") + failed


# --- retries obeyed ---------------------------------------------------------------------------


def _disobeyed(facts: OigFacts, summary: Summary) -> Iterator[_Broken]:
    for name, job in facts.jobs.items():
        if job.concurrent:
            continue  # runs that failed at once were begun before anybody could know
        streak = perhaps = 0
        worst = 0
        enabled_at = [int(each.t) for each in facts.accepted(name, "enable")]
        for run in facts.runs.get(name, ()):
            if enabled_at and run.start >= enabled_at[0]:
                enabled_at.pop(0)
                streak = perhaps = 0
            if run.status == "STOPPED":
                streak = perhaps = 0
            streak += run.status == "FAILED"
            perhaps += run.status in _FAILED
            worst = max(worst, streak)
        yield from _verdicts(facts, job, worst, streak, perhaps)


def _verdicts(facts: OigFacts, job: OigJob, worst: int, last: int, perhaps: int) -> Iterator[_Broken]:
    """`last` failures in a row at the end, `perhaps` if every interruption was a crash, `worst` anywhere."""
    if worst > job.retries + 1:
        yield _Broken(job.job, f"{worst} failures in a row with {job.retries} retries")
    elif last > job.retries and job.enabled and not facts.accepted(job.job, "enable"):
        yield _Broken(job.job, f"still enabled after {last} failures in a row")
    elif not job.enabled and perhaps < job.retries and not _was_disabled(facts, job.job):
        yield _Broken(job.job, f"disabled after {perhaps} failures with {job.retries} retries")


def _was_disabled(facts: OigFacts, name: str) -> bool:
    """True if somebody disabled it, or may have: jobs can be created so."""
    return bool(facts.accepted(name, "disable") or facts.perhaps(name, "disable") or not facts.runs.get(name))
