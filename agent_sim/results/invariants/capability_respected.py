"""Capability respected: no agent is handed a job of a kind that its fleet did not register for, nor one that was
posted for another agent.

What a fleet can do is taken from the scenario, not from the server, which may be the one that is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent_sim.protocol.enums import jobs_of
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted

_WHAT: Final = "run|by an agent that cannot do it"
_OF_ANOTHER: Final = "run|by another agent than it was posted for"


def capability_respected(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the jobs that went to the wrong agent) or unknown."""
    facts = summary.facts
    if facts.is_idle:
        return judged(facts, check, (), "no job was asked for")
    unknown = "" if facts.fleets else "the journal does not say what fleets can do"
    runs = sum(map(len, facts.runs.values()))
    kept = f"{counted(runs, 'run')}, each by an agent that can do it"
    return judged(facts, check, [*_findings(facts), *_of_others(facts)], kept, unknown)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a fleet can be given, in lower case: servers do not tell the cases of custom names apart."""

    history: frozenset[str]
    words: frozenset[str]


def _names(capabilities: tuple[str, ...]) -> _Names:
    jobs = [job for word in capabilities for job in jobs_of(word)]
    return _Names(frozenset(job.history.lower() for job in jobs), frozenset(job.word.lower() for job in jobs))


def _findings(facts: Facts) -> Iterator[Finding]:
    seen: set[int] = set()
    fleets = {name: _names(fleet.capabilities) for name, fleet in facts.fleets.items()}
    for job, runs in facts.runs.items():
        for run in runs:
            able = fleets.get(facts.fleet_of.get(run.machine, ""))
            if able is not None and run.type.lower() not in able.history:
                seen.add(run.audit)
                yield Finding(f"{job} ({run.type} on {run.machine})", _WHAT, run.start)
    for audit, agents in facts.handed.items():
        for line in agents:
            # The same from the agents' side, which knows no store types.
            able = fleets.get(line.fleet)
            if audit not in seen and able is not None and line.type.lower() not in able.words:
                yield Finding(f"{line.job.lower()} ({line.type} on {line.agent})", _WHAT, line.t)


def _of_others(facts: Facts) -> Iterator[Finding]:
    for agents in facts.handed.values():
        for line in agents:
            posted = facts.posted.get(line.job.lower())
            # A store's machine need not be its agent's, and a job's may be none of ours.
            if line.store or posted is None or posted.machine not in facts.fleet_of:
                continue
            if line.agent.lower() != posted.machine.lower():
                yield Finding(f"{line.job.lower()} (of {posted.machine}, on {line.agent})", _OF_ANOTHER, line.t)
