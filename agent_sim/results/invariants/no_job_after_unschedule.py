"""No job handed out after unschedule: once an operator took a job off the schedule, no run of it begins, `grace` aside.

A run that was in process goes on. What was accepted as unscheduled by a storm and was not done is its reconciliation's
finding, and is counted here too.
"""

from collections.abc import Iterator

from agent_sim.instants import SECOND
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import NO_FEED, Finding, judged
from agent_sim.results.invariants.reconciliation import violations
from agent_sim.results.invariants.stories import CAUSES
from agent_sim.results.journal import Steps
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted


def no_job_after_unschedule(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that were handed out all the same) or unknown."""
    facts = summary.facts
    jobs = sum(any(kind == "unscheduled" for kind, _, _ in story) for story in facts.stories.values())
    findings = [*_handed_out(facts, check.grace / SECOND), *violations(summary, "unschedule", "lost_update")]
    unknown = "" if facts.shows_transitions else NO_FEED
    return judged(facts, check, findings, f"{counted(jobs, 'job')} unscheduled, none handed out after that", unknown)


def _handed_out(facts: Facts, grace: float) -> Iterator[Finding]:
    recorded = {run.audit for runs in facts.runs.values() for run in runs}
    hidden: dict[str, list[float]] = {}
    for audit, agents in facts.handed.items():
        # Of a run that the server tells of, its own times count: an agent's answer may have been long on its way.
        for line in agents if audit not in recorded else ():
            hidden.setdefault(line.job.lower(), []).append(line.t)
    for job, story in facts.stories.items():
        for off, on in _pauses(story):
            # The server cuts its times to milliseconds: what began in the same one did not begin after it.
            starts = [run.start for run in facts.runs.get(job, ()) if run.start is not None]
            starts += [at for kind, at, _ in story if kind == "configured"]
            if any(off + grace < at < on for at in (*starts, *hidden.get(job, ()))):
                yield Finding(job, "job|handed out after being unscheduled", off)
                break


def _pauses(story: Steps) -> Iterator[tuple[float, float]]:
    """From each unschedule to the next time that somebody wants the job."""
    for place, (kind, at, _) in enumerate(story):
        if kind == "unscheduled":
            after = (step[1] for step in story[place + 1 :] if step[0] in CAUSES)
            yield at, next(after, float("inf"))
