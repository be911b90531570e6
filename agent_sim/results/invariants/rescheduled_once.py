"""Rescheduled exactly once per accepted request: each leads to one new run of the job, not to none and not to two.

A job that still waits for its agent is not this law's business. A recurring one goes on by itself afterwards: its
schedule tells which of its runs were due, and one that an idle agent did not begin at once was not rescheduled.
What storms found when they compared their accepted ids with the server is counted here too.
"""

from collections.abc import Iterator
from typing import Final

from agent_sim.instants import SECOND, Span
from agent_sim.protocol.schedule import from_wire, recurs
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import NO_FEED, Finding, judged
from agent_sim.results.invariants.reconciliation import violations
from agent_sim.results.invariants.recurrence import is_passed_over, ran_before_its_time
from agent_sim.results.invariants.stories import CAUSES, Chapter, chapters, is_whole
from agent_sim.results.journal import Steps
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted

_RULES: Final = ("lost_update", "double_transition", "phantom_transition")


def rescheduled_once(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that ran not at all or twice) or unknown."""
    facts = summary.facts
    wanted = {job: story for job, story in facts.stories.items() if any(kind == "rescheduled" for kind, _, _ in story)}
    times = sum(kind == "rescheduled" for story in wanted.values() for kind, _, _ in story)
    findings = [
        *(finding for job, story in wanted.items() for finding in _findings(facts, job, story, check.heartbeat)),
        *(each for rule in _RULES for each in violations(summary, "reschedule", rule)),
    ]
    unknown = "" if facts.shows_transitions else NO_FEED
    return judged(facts, check, findings, f"{counted(times, 'reschedule')}, each run again once", unknown)


def _findings(facts: Facts, job: str, story: Steps, heartbeat: Span) -> Iterator[Finding]:
    runs = facts.runs.get(job, ())
    found = list(chapters(story))
    asked = [chapter for chapter in found if chapter.cause[0] == "rescheduled"]
    if any(recurs(from_wire(run.schedule)) for run in runs):
        yield from _recurring(facts, job, asked, heartbeat / SECOND)
        return
    for chapter in asked:
        times = len(chapter.of("configured"))
        if times > 1:
            yield Finding(job, f"job|rescheduled once and run {times} times", chapter.cause[1])
    last = found[-1]
    if last in asked and not last.of("configured") and not _is_accounted_for(facts, job, last):
        yield Finding(job, "job|rescheduled and not run again", last.cause[1])
    causes = sum(kind in CAUSES for kind, _, _ in story)
    if is_whole(story) and len(runs) > causes:
        yield Finding(job, "job|rescheduled and run too often", runs[-1].start)


def _recurring(facts: Facts, job: str, asked: list[Chapter], heartbeat: float) -> Iterator[Finding]:
    for chapter in asked:
        if ran_before_its_time(facts, facts.runs.get(job, ()), chapter):
            yield Finding(job, "job|rescheduled once and run twice before the next was due", chapter.cause[1])
        elif is_passed_over(facts, job, chapter, heartbeat):
            yield Finding(job, "job|rescheduled and left to wait for the next time", chapter.cause[1])


def _is_accounted_for(facts: Facts, job: str, chapter: Chapter) -> bool:
    return job in facts.waiting or bool(chapter.of("unscheduled")) or job in facts.cancelled or facts.was_cut_short
