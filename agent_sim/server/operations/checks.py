"""What several operations ask before they act: is the schedule one, may this agent be given this job.

Each answers None, or the refusal.
"""

from typing import Final

from agent_sim.instants import Instant
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.enums import AgentStatus, JobType
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Monthly, Off, Schedule, Weekly
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Orchestrator

_LATEST: Final[Instant] = 2**63 - 1


def unusable(schedule: Schedule | None, *, off_allowed: bool = False) -> CommandReply | None:
    """Refuses a schedule that cannot be kept: off where there is nothing to end, or beyond 64 bits of nanoseconds."""
    if isinstance(schedule, Off) and not off_allowed:
        return refuse(Problem.SCHEDULE, "Schedule must not be Off: that ends a certificate store's inventory only")
    if isinstance(schedule, Daily | Weekly | Monthly | ExactlyOnce) and not -_LATEST <= schedule.time <= _LATEST:
        name = type(schedule).__name__
        return refuse(Problem.SCHEDULE, f"{name}.Time must lie between the years 1678 and 2262")
    return None


def unapproved(agent: Orchestrator) -> CommandReply | None:
    """Refuses an agent that may not work."""
    if agent.status is AgentStatus.APPROVED:
        return None
    status = agent.status.name.title()
    return refuse(Problem.NOT_ELIGIBLE, f"Orchestrator {agent.client_machine} has status {status}, not Approved")


def incapable(agent: Orchestrator, kind: JobType) -> CommandReply | None:
    """Refuses an agent that did not register for this kind of job."""
    if agent.can(kind):
        return None
    sentence = f"Orchestrator {agent.client_machine} lacks the capability {kind.capability} for {kind.history} jobs"
    return refuse(Problem.NOT_ELIGIBLE, sentence)
