"""One terminal state per audit id: a run ends once, and how it ended is never overwritten.

Two accepted reports of different results, two ends in the server's feed, or a report that was accepted after the
server itself had given the run up. The same report again, answered as the first was, is one end.
"""

from collections.abc import Iterator

from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.invariants.stories import ends_of
from agent_sim.results.journal import Step
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted


def single_terminal_state(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the runs that ended more than once) or unknown."""
    facts = summary.facts
    unknown = "" if facts.was_read_back or facts.is_idle else "the server's history could not be read back"
    runs = sum(map(len, facts.runs.values()))
    return judged(facts, check, _findings(facts), f"{counted(runs, 'run')}, each ended at most once", unknown)


def _findings(facts: Facts) -> Iterator[Finding]:
    ends = {step[2]: step for story in facts.stories.values() for step in ends_of(story)}
    for audit, lines in facts.completions.items():
        if len({line.outcome for line in lines}) > 1:
            yield Finding(_id(lines[0].job, audit), "run|completed with two results", lines[-1].t)
        elif _is_late(ends.get(audit), lines[-1].t):
            yield Finding(_id(lines[0].job, audit), "run|completed after the server had timed it out", lines[-1].t)
    for job, story in facts.stories.items():
        seen: set[int | None] = set()
        for _, at, ended in ends_of(story):
            if ended in seen:
                yield Finding(_id(job, ended), "run|ended twice by the server's own account", at)
            seen.add(ended)


def _is_late(end: Step | None, t: float) -> bool:
    return end is not None and end[0] == "timed_out" and t > end[1]


def _id(job: str, audit: int | None) -> str:
    return f"{job.lower()} (run {audit})"
