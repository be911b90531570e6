"""No result from an unapproved agent: while an orchestrator is disapproved, or not approved yet, nothing that it
completes is accepted.

The server's feed says when it was disapproved and approved again; without the feed, what the agent was told when it
tried to register has to do.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from agent_sim.protocol.enums import AgentStatus
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.invariants.stories import timeouts
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted

Shut: TypeAlias = Mapping[str, tuple[tuple[float, float], ...]]
"""By machine, from when to when it may not work."""


_SKEW = 1.0
"""How far our clock and the server's may be apart, in seconds (our choice)."""


def no_result_from_unapproved(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the runs whose result was accepted all the same) or unknown."""
    facts = summary.facts
    by_server, by_agent = _by_server(facts), _by_agent(facts)
    shut = len(set(by_server) | set(by_agent))
    kept = f"{counted(len(facts.completions), 'completion')}, {counted(shut, 'agent')} turned away at some time"
    return judged(facts, check, _findings(facts, by_server, by_agent), kept, _unknown(facts))


def _findings(facts: Facts, by_server: Shut, by_agent: Shut) -> Iterator[Finding]:
    given_up = timeouts(facts.stories.values())
    for job, runs in facts.runs.items():
        for run in runs:
            if run.audit not in facts.completions or run.audit in given_up:
                continue  # its end was no result
            # Of the server's own times, whole milliseconds: the same one is not after it.
            if _is_within(run.end, by_server.get(run.machine, ())):
                yield Finding(f"{job} (run {run.audit})", "result|taken from a disapproved agent", run.end)
    ends = {run.audit: run.end for runs in facts.runs.values() for run in runs}
    for audit, lines in facts.completions.items():
        for line in lines if audit not in given_up else ():
            # The answer may have been long on its way: when the result was taken is the server's to say.
            taken = ends.get(audit) or line.t
            if _is_within(taken, tuple((begin + _SKEW, end) for begin, end in by_agent.get(line.agent, ()))):
                yield Finding(f"{line.job.lower()} (run {audit})", "result|taken from an agent turned away", line.t)


def _is_within(t: float | None, spans: tuple[tuple[float, float], ...]) -> bool:
    return t is not None and any(begin < t < end for begin, end in spans)


def _by_server(facts: Facts) -> Shut:
    machines = {agent.id.lower(): agent.machine for agent in facts.agents}
    return {
        machines[agent]: _spans([(at, kind == "approved") for kind, at, _ in story])
        for agent, story in facts.stories.items()
        if agent in machines
    }


def _by_agent(facts: Facts) -> Shut:
    return {agent: _spans(doors) for agent, doors in facts.doors.items()}


def _spans(doors: list[tuple[float, bool]] | tuple[tuple[float, bool], ...]) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    shut: float | None = None
    for at, is_open in doors:
        if is_open and shut is not None:
            found.append((shut, at))
        shut = None if is_open else at if shut is None else shut
    return (*found, (shut, float("inf"))) if shut is not None else tuple(found)


def _unknown(facts: Facts) -> str:
    if facts.is_idle or facts.shows_transitions:
        return ""
    if not facts.agents:
        return "the server's orchestrators could not be read back"
    working = {line.agent for lines in facts.completions.values() for line in lines}
    doubtful = [each for each in facts.agents if each.status is not AgentStatus.APPROVED and each.machine in working]
    return f"not checkable: the target does not show since when {doubtful[0].machine} is unapproved" if doubtful else ""
