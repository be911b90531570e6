"""Fleet count equals the server's: every agent that was let in is listed once, nobody else is, and the server counts
what it lists.

Machines of the same prefix that the server has not heard of since the run began are left over from an earlier one.
"""

from collections import Counter
from collections.abc import Iterator

from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Verdict
from agent_sim.results.wording import counted


def fleet_count(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the machines that are too few or too many) or unknown."""
    facts = summary.facts
    unknown = "" if facts.census is not None else "the server's orchestrators could not be read back"
    kept = f"{counted(len(facts.let_in), 'agent')}, each listed once by the server"
    return judged(facts, check, _findings(facts) if facts.census is not None else (), kept, unknown)


def _findings(facts: Facts) -> Iterator[Finding]:
    listed = Counter(agent.machine for agent in facts.agents)
    for machine in sorted(facts.let_in - set(listed)):
        yield Finding(machine, "agent|registered and not listed by the server")
    for machine, times in sorted(listed.items()):
        if times > 1:
            yield Finding(machine, "agent|listed more than once")
    for agent in facts.agents:
        if agent.machine not in facts.fleet_of and agent.seen is not None and agent.seen > 0:
            yield Finding(agent.machine, "agent|listed by the server and not of this fleet", agent.seen)
    counts = facts.census.agents if facts.census is not None else None
    if counts is not None and counts != len(facts.agents):
        yield Finding(f"counted {counts:,}, listed {len(facts.agents):,}", "count|that is not that of its own list")
