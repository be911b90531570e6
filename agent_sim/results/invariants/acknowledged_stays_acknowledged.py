"""Acknowledged stays acknowledged: a run that was acknowledged has that status in the end, and no other run has.

The server's feed says who was acknowledged, its history who is. What a storm had accepted and was not done is its
reconciliation's finding, and is counted here too.
"""

from collections.abc import Iterator

from agent_sim.protocol.enums import Status
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import NO_FEED, Finding, judged
from agent_sim.results.invariants.reconciliation import violations
from agent_sim.results.invariants.stories import is_whole
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted


def acknowledged_stays_acknowledged(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the runs that are not what was said) or unknown."""
    facts = summary.facts
    told = dict(_told(facts))
    findings = [
        *_findings(facts, told),
        *(each for rule in ("lost_update", "phantom_transition") for each in violations(summary, "acknowledge", rule)),
    ]
    unknown = "" if facts.shows_transitions else NO_FEED
    return judged(facts, check, findings, f"{counted(len(told), 'run')} acknowledged, and still so", unknown)


def _told(facts: Facts) -> Iterator[tuple[int, float]]:
    for story in facts.stories.values():
        for kind, at, audit in story:
            if kind == "acknowledged" and audit is not None:
                yield audit, at


def _findings(facts: Facts, told: dict[int, float]) -> Iterator[Finding]:
    for job, runs in facts.runs.items():
        for run in runs:
            is_acknowledged = run.status is Status.ACKNOWLEDGED
            if run.audit in told and not is_acknowledged:
                said = f"run|acknowledged and now {run.status.name.lower().replace('_', ' ')}"
                yield Finding(f"audit id {run.audit}", said, told[run.audit])
            elif is_acknowledged and run.audit not in told and is_whole(facts.stories.get(job, ())):
                yield Finding(f"audit id {run.audit}", "run|acknowledged that nobody asked for")
