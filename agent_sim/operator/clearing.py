"""Taking back what a run left on a target: its waiting jobs, stores and job types go, its agents are disapproved.

    jobs unscheduled ── stores deleted ── job types deleted ── orchestrators disapproved ── what stays is counted

A generator of operations, as in `readback`. Only what carries the run's prefix is touched, whatever the target lists
when it is asked for that; a job type only if this program made it.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from agent_sim.jobs.eligibility import why_not_unschedule
from agent_sim.operator.core import MADE_BY
from agent_sim.operator.readback import every, runs, waiting
from agent_sim.protocol import command
from agent_sim.protocol.enums import AgentStatus, Status
from agent_sim.protocol.job_commands import DeleteJobType
from agent_sim.protocol.store_commands import DeleteStores
from agent_sim.query.scope import quote
from agent_sim.storms.operations import category_of

_AT_ONCE: Final = 500

T = TypeVar("T")
Clearing = Generator[command.Operation, command.CommandReply, T]


@dataclass(slots=True)
class Cleared:
    """What was taken back, what would not go (each a sentence), and what the API has no way to remove."""

    unscheduled: int = 0
    stores: int = 0
    job_types: list[str] = field(default_factory=list)
    disapproved: int = 0
    refused: list[str] = field(default_factory=list)
    agents_left: int = 0
    runs_left: int = 0
    running: int = 0


def clear(prefix: str, job_types: tuple[str, ...]) -> "Clearing[Cleared]":
    """Clear everything in scope; `job_types` are the names that the run's scenario declared. Raises TargetError."""
    cleared = Cleared()
    yield from _unschedule(prefix, cleared)
    yield from _delete_stores(prefix, cleared)
    yield from _delete_job_types(job_types, cleared)
    yield from _disapprove(prefix, cleared)
    history = yield from runs(prefix)
    cleared.runs_left = len(history)
    cleared.running = sum(run.status is Status.IN_PROCESS for run in history)
    return cleared


def _unschedule(prefix: str, cleared: Cleared) -> "Clearing[None]":
    listed = yield from waiting(prefix)
    jobs = [job for job in listed if _is_ours(job.client_machine, prefix)]
    # Inventory cannot be unscheduled; it goes with its store.
    ids = [job.id for job in jobs if why_not_unschedule(category_of(job.job_type)) is None]
    for some in _batches(ids):
        reply = yield command.Unschedule(job_ids=some)
        cleared.unscheduled += _counted(reply, len(some), "unscheduling jobs", cleared)


def _delete_stores(prefix: str, cleared: Cleared) -> "Clearing[None]":
    listed = yield from every(command.ListStores, command.StoreRecord, _machines(prefix))
    ids = [store.id for store in listed if _is_ours(store.client_machine, prefix)]
    for some in _batches(ids):
        reply = yield DeleteStores(some)
        cleared.stores += _counted(reply, len(some), "deleting certificate stores", cleared)


def _delete_job_types(names: tuple[str, ...], cleared: Cleared) -> "Clearing[None]":
    if not names:
        return
    wanted = {name.casefold() for name in names}
    listed = yield from every(command.ListJobTypes, command.JobTypeRecord, "")
    for one in listed:
        if one.job_type_name.casefold() not in wanted:
            continue
        if not (one.description or "").endswith((MADE_BY, f"({MADE_BY})")):
            cleared.refused.append(f"the job type {one.job_type_name} stays: it was there before, by its description")
            continue
        reply = yield DeleteJobType(one.id)
        if _counted(reply, 1, f"deleting the job type {one.job_type_name}", cleared):
            cleared.job_types.append(one.job_type_name)


def _disapprove(prefix: str, cleared: Cleared) -> "Clearing[None]":
    listed = yield from every(command.ListAgents, command.AgentRecord, _machines(prefix))
    agents = [agent for agent in listed if _is_ours(agent.client_machine, prefix)]
    cleared.agents_left = len(agents)
    ids = [agent.agent_id for agent in agents if agent.status is not AgentStatus.DISAPPROVED]
    for some in _batches(ids):
        reply = yield command.DisapproveAgents(some)
        cleared.disapproved += _counted(reply, len(some), "disapproving orchestrators", cleared)


def _counted(reply: command.CommandReply, count: int, what: str, cleared: Cleared) -> int:
    if reply.is_success:
        return count
    reason = reply.body.message if isinstance(reply.body, command.ApiError) else "no reason given"
    cleared.refused.append(f"{what} was refused (status {reply.status}): {reason}")
    return 0


def _is_ours(machine: str, prefix: str) -> bool:
    return machine.casefold().startswith(prefix.casefold())


def _machines(prefix: str) -> str:
    return f"ClientMachine -startswith {quote(prefix)}"


def _batches(ids: list[str]) -> list[tuple[str, ...]]:
    return [tuple(ids[first : first + _AT_ONCE]) for first in range(0, len(ids), _AT_ONCE)]
