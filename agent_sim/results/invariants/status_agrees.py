"""The server's status equals what the agent reported: a run that ended has the result that its agent was told is
accepted.

A completion that the server has no end for, or only a timeout, is lost and not contradicted: that is `no_lost_jobs`.
Where the server says that a run was completed, its agent must have reported so and been told that it is accepted,
unless it may not have heard the answer: it was away or without an answer since, a fault was there, or the end was too
near.
"""

from collections.abc import Iterator
from typing import Final

from agent_sim.protocol.enums import Result, Status
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.invariants.stories import timeouts
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted

_ON_THE_WAY: Final = 120.0
"""Seconds before the end of the run in which an answer may still be on its way to the agent."""


def status_agrees(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the runs that are told of differently) or unknown."""
    facts = summary.facts
    unknown = "" if facts.was_read_back or facts.is_idle else "the server's history could not be read back"
    kept = f"{counted(len(facts.completions), 'completion')}, each as its agent reported it"
    return judged(facts, check, [*_findings(facts), *_unreported(facts)], kept, unknown)


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


def _unreported(facts: Facts) -> Iterator[Finding]:
    """The runs that the server completed by itself, or otherwise than their agents reported."""
    ended = facts.ended
    if ended is None or facts.was_cut_short or facts.faults:
        return
    told = {audit: at for story in facts.stories.values() for kind, at, audit in story if kind == "completed"}
    for job, runs in facts.runs.items():
        for run in runs:
            at, handed = told.get(run.audit), facts.handed.get(run.audit)
            if at is None or not handed or run.audit in facts.completions or run.status is Status.IN_PROCESS:
                continue
            if any(facts.there_since.get(line.agent, line.t) > line.t for line in handed):
                continue
            refused = facts.refused.get(run.audit)
            if refused:
                how = f"reported {_word(refused[-1].outcome)}, refused, and recorded {_word(run.result)}"
                yield Finding(f"{job} (run {run.audit})", f"run|{how}", at)
            elif at + _ON_THE_WAY < ended.t:
                yield Finding(f"{job} (run {run.audit})", "run|ended without a report of its agent", at)


def _word(result: Result) -> str:
    return result.name.lower()
