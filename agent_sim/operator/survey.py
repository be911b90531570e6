"""What a target holds before a run, by reading alone: what we may do there, and what of ours is there already.

Generators that yield an operation and are sent its reply, as in `readback`. Nothing here can change anything: every
operation is a listing.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from agent_sim.operator.readback import every, runs, waiting
from agent_sim.operator.work import Store, work
from agent_sim.protocol import command
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.protocol.enums import CUSTOM_PREFIX, STORE_TYPE_IDS, AgentStatus
from agent_sim.query.scope import quote
from agent_sim.scenario.duties import OperatorPlan
from agent_sim.storms.operations import OPERATIONS, Candidate, Source

T = TypeVar("T")
Asking = Generator[command.Operation, command.CommandReply, T]
"""A reading that ends in a T."""

ALWAYS: Final[tuple[type[command.Operation], ...]] = (
    command.ListAgents,
    command.ListJobHistory,
    command.ListScheduledJobs,
)
"""What every run asks: who is there, and what became of the jobs."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. `missing` are endpoints that a run needs and the caller may not use."""

    endpoints: int
    missing: tuple[str, ...]
    agents: dict[AgentStatus, int]
    stores: int
    waiting: int
    runs: int
    eligible: dict[str, int]  # storm operation -> what is in scope that it would take
    job_types: tuple[str, ...]  # custom ones that the scenario needs and that are there


def survey(plan: OperatorPlan, storms: tuple[str, ...]) -> "Asking[Survey]":
    """Look around in the plan's scope; `storms` are operations that the scenario throws. Raises TargetError."""
    allowed = yield command.GetEndpoints()
    names = _names(allowed)
    agents = yield from every(command.ListAgents, command.AgentRecord, _machines(plan))
    needs_stores = any(word in STORE_TYPE_IDS for fleet in plan.fleets for word in fleet.capabilities)
    stores = (yield from every(command.ListStores, command.StoreRecord, _machines(plan))) if needs_stores else []
    jobs = yield from waiting(plan.prefix)
    history = yield from runs(plan.prefix)
    types = yield from _job_types(plan)
    listings: Mapping[Source, Sequence[Candidate]] = {
        Source.RUNS: history,
        Source.JOBS: jobs,
        Source.AGENTS: agents,
    }
    return Survey(
        endpoints=len(names),
        missing=tuple(name for name in needed(plan, storms) if name.casefold() not in names),
        agents={status: sum(agent.status == status for agent in agents) for status in AgentStatus},
        stores=len(stores),
        waiting=len(jobs),
        runs=len(history),
        eligible={
            name: sum(row.is_eligible(one, "") for one in listings[row.source]) for name, row in OPERATIONS.items()
        },
        job_types=types,
    )


def needed(plan: OperatorPlan, storms: tuple[str, ...]) -> tuple[str, ...]:
    """The endpoints that a run of this plan uses, as Status/Endpoints names them."""
    operations: list[type[command.Operation]] = list(ALWAYS)
    if plan.may_approve:
        operations.append(command.ApproveAgents)
    if custom_types(plan):
        operations += [command.ListJobTypes, command.CreateJobType]
    if any(count for fleet in plan.fleets for count in fleet.stores):
        operations += [command.ListStores, command.CreateStore]
    capabilities = {word for fleet in plan.fleets for word in fleet.capabilities if word in STORE_TYPE_IDS}
    stores = tuple(Store("", "", capability) for capability in sorted(capabilities))
    for posting in plan.postings:
        operations += [type(operation) for operation in work(posting, "", stores, plan.certificate_id)]
    rows = [BY_OPERATION[operation].name for operation in operations]
    rows += [BY_OPERATION[OPERATIONS[name].request].name for name in storms if name in OPERATIONS]
    return tuple(dict.fromkeys(rows))


def custom_types(plan: OperatorPlan) -> tuple[str, ...]:
    """The custom job types that the fleets declare."""
    words = [word for fleet in plan.fleets for word in fleet.capabilities if word.startswith(CUSTOM_PREFIX)]
    return tuple(dict.fromkeys(word.removeprefix(CUSTOM_PREFIX) for word in words))


def _job_types(plan: OperatorPlan) -> "Asking[tuple[str, ...]]":
    wanted = {name.casefold() for name in custom_types(plan)}
    if not wanted:
        return ()
    found = yield from every(command.ListJobTypes, command.JobTypeRecord, "")
    return tuple(one.job_type_name for one in found if one.job_type_name.casefold() in wanted)


def _names(reply: command.CommandReply) -> frozenset[str]:
    """In lower case: IIS does not tell cases apart, and neither do its administrators."""
    body = reply.body if reply.is_success and isinstance(reply.body, tuple) else ()
    return frozenset(name.casefold() for name in body if isinstance(name, str))


def _machines(plan: OperatorPlan) -> str:
    return f"ClientMachine -startswith {quote(plan.prefix)}"
