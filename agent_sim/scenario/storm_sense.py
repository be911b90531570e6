"""Whether a storm makes sense: within the run, something that the API has, about somebody, and in nobody's way."""

from collections.abc import Iterator, Mapping
from typing import Final

from agent_sim.errors import QueryError
from agent_sim.query.fields import AGENTS, JOB_HISTORY, SCHEDULED_JOBS, Collection
from agent_sim.scenario.fault_sense import too_late
from agent_sim.scenario.fields import time_point_text
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.select_sense import of_fields
from agent_sim.scenario.selection import can_do
from agent_sim.scenario.storm_plans import history_name, rivals
from agent_sim.scenario.storms import LOG_FETCH, Storm
from agent_sim.scenario.timeline import offset
from agent_sim.scenario.units import duration_text
from agent_sim.scenario.wording import Way
from agent_sim.storms.operations import OPERATIONS, Source
from agent_sim.storms.plan import unfit

Finding = tuple[Way, str]
"""What is wrong, and where."""


def of_storm(scenario: Scenario, storm: Storm, before: tuple[Storm, ...]) -> Iterator[Finding]:
    """Everything about the storm that makes no sense."""
    if storm.is_of_jobs and scenario.oig is None:
        yield ("op",), f"found {storm.op}, but there is no oig block, expected one"
    yield from _times(scenario, storm)
    yield from _overlap(scenario, storm, before)
    yield from _query(storm)
    target = storm.target
    name = "" if storm.op == LOG_FETCH and target.type is None else history_name(target.type or "")
    for problem in unfit(storm.op, target.by, target.kind, storm.batch, name):
        yield ("target",), problem
    if storm.makes and not any(can_do(fleet, storm.makes) for fleet in scenario.fleets):
        yield ("target",), f"found {storm.makes}, but no fleet has a capability for it"
    if storm.op in OPERATIONS and OPERATIONS[storm.op].creates:
        yield from ((("target", *way), message) for way, message in of_fields(scenario, storm.makes, target.fields))
    elif target.fields:
        yield ("target", "fields"), f"found fields of {storm.op}, expected them of custom and custom_bulk only"


def storm_remarks(scenario: Scenario) -> Iterator[str]:
    """What is not wrong, but perhaps not meant."""
    asked = {storm.op for storm in scenario.storms}
    if scenario.server.retries and "reschedule" in asked:
        tries = f"a failed job is tried {scenario.server.retries} more times before it can be rescheduled"
        yield f"{tries}: server.retries is {scenario.server.retries}"
    if "approve" in asked:
        yield "the operator leaves approving orchestrators to the storm: until then none of them works"
        if scenario.server.auto_approve:
            yield "server.auto_approve is true: the embedded server leaves nobody for a storm to approve"


def _times(scenario: Scenario, storm: Storm) -> Iterator[Finding]:
    begin = offset(scenario, storm.at)
    if begin >= scenario.length:
        yield ("at",), too_late(time_point_text(storm.at), begin, scenario)
    elif begin + storm.span > scenario.length:
        end, last = duration_text(begin + storm.span), duration_text(scenario.length)
        yield ("for" if storm.for_ else "load",), f"ends at {end}, expected an end before that of the run, at {last}"


def _overlap(scenario: Scenario, storm: Storm, before: tuple[Storm, ...]) -> Iterator[Finding]:
    """Storms that ask for the same by ids share the ids; a query cannot leave some to others."""
    for other in rivals(scenario, storm):
        queries = [one for one in (storm, other) if one.target.by == "query" or one.target.kind in ("mixed", "hot")]
        if other in before and (queries or storm.is_of_jobs):
            end = duration_text(offset(scenario, other.at) + other.span)
            how = "one after the other" if storm.is_of_jobs else "one after the other, or both by ids"
            yield ("at",), f"{storm.op} while storm {other.name} does the same until {end}, expected {how}"


_FIELDS: Final[Mapping[Source, Collection]] = {
    Source.RUNS: JOB_HISTORY,
    Source.JOBS: SCHEDULED_JOBS,
    Source.AGENTS: AGENTS,
}


def _query(storm: Storm) -> Iterator[Finding]:
    from agent_sim.query.grammar import parse  # it brings a parser: a scenario without storms needs none
    from agent_sim.query.sql import compile as compile_query
    from agent_sim.query.values import Context

    fields = _FIELDS[OPERATIONS[storm.op].source] if storm.op in OPERATIONS else JOB_HISTORY
    try:
        compile_query(parse(storm.target.query), fields, Context(now=0))
    except QueryError as error:
        yield ("target", "query"), str(error)
