"""The server's status equals what the agent reported: a run that ended has the result that its agent was told is
accepted.

A completion that the server has no end for, or only a timeout, is lost and not contradicted: that is `no_lost_jobs`.
"""

from collections.abc import Iterator

from agent_sim.protocol.enums import Result, Status
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.invariants.stories import timeouts
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted


def status_agrees(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the runs that are told of differently) or unknown."""
    facts = summary.facts
    unknown = "" if facts.was_read_back or facts.is_idle else "the server's history could not be read back"
    kept = f"{counted(len(facts.completions), 'completion')}, each as its agent reported it"
    return judged(facts, check, _findings(facts), kept, unknown)


def _findings(facts: Facts) -> Iterator[Finding]:
    given_up = timeouts(facts.stories.values())
    for job, runs in facts.runs.items():
        for run in runs:
            reports = facts.completions.get(run.audit)
            if not reports or run.status is Status.IN_PROCESS or run.audit in given_up:
                continue
            if all(report.outcome is not run.result for report in reports):
                said = f"run|reported {_word(reports[-1].outcome)} and recorded {_word(run.result)}"
                yield Finding(f"{job} (run {run.audit})", said, run.end)


def _word(result: Result) -> str:
    return result.name.lower()
