"""From the `storms` block to the plans that Locust and replays carry out.

What one storm must know of the others is settled here: storms that ask the same of the same ids at once each get their
share of the ids, and a storm that makes jobs learns whether anybody else makes such jobs.
"""

from agent_sim.instants import MINUTE, SECOND, Instant, Span
from agent_sim.protocol.enums import CUSTOM_PREFIX, FETCH_LOGS
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.storms import LOG_FETCH, Storm
from agent_sim.scenario.timeline import offset
from agent_sim.storms.plan import Stage, StormPlan

READING: Span = 5 * SECOND
"""So long after a storm's end another one that asks the same could still spoil the comparison (our choice)."""

COMPARED: Span = MINUTE
"""So long after a storm's end it has been compared, on a target that answers (our choice)."""


def storm_plans(scenario: Scenario, prefix: str, start: Instant) -> tuple[StormPlan, ...]:
    """One plan for each storm, in the scenario's order."""
    return tuple(_plan(scenario, storm, prefix, start) for storm in scenario.storms)


def rivals(scenario: Scenario, storm: Storm) -> list[Storm]:
    """The storms that ask the same of the same ids at about the same time, itself among them, in order.

    Whoever meets a rival of a rival is one too, so that all of them agree on their shares.
    """
    found = [storm]
    for known in found:
        found += [other for other in scenario.storms if other not in found and _clash(scenario, known, other)]
    return [other for other in scenario.storms if other in found]


def _clash(scenario: Scenario, one: Storm, other: Storm) -> bool:
    if not one.asks & other.asks:
        return False
    begin, start = offset(scenario, one.at), offset(scenario, other.at)
    return begin < start + other.span + READING and start < begin + one.span + READING


def _plan(scenario: Scenario, storm: Storm, prefix: str, start: Instant) -> StormPlan:
    together = rivals(scenario, storm)
    target = storm.target
    return StormPlan(
        name=storm.name,
        operation=storm.op,
        by="ids" if storm.is_of_jobs else target.by,
        batch=storm.batch,
        query="" if storm.is_of_jobs else target.query,
        stages=_stages(storm),
        arrivals=storm.load.arrivals,
        max_in_flight=storm.load.max_in_flight,
        prefix=prefix,
        seed=scenario.seed,
        start=start + offset(scenario, storm.at),
        kind="plain" if storm.is_of_jobs else target.kind,
        copies=target.copies,
        hot=target.hot,
        job_type="" if storm.op == LOG_FETCH else history_name(target.type or ""),
        fields=target.fields,
        share=(together.index(storm), len(together)),
        alone=_is_alone(scenario, storm),
    )


def history_name(word: str) -> str:
    """What the management API calls a job type of this word."""
    return FETCH_LOGS.history if word == FETCH_LOGS.word else word.removeprefix(CUSTOM_PREFIX)


def _is_alone(scenario: Scenario, storm: Storm) -> bool | None:
    """Whether nobody else makes jobs of the storm's type until it is over: neither schedules nor, with other shares
    of the orchestrators, other storms; None where no jobs are made."""
    if not storm.makes:
        return None
    end = offset(scenario, storm.at) + storm.span + COMPARED
    begins = (offset(scenario, one.from_ if one.at is None else one.at) for one in scenario.schedules
              if one.type.casefold() == storm.makes.casefold())  # fmt: skip
    return not any(begin < end for begin in begins)


def _stages(storm: Storm) -> tuple[Stage, ...]:
    if storm.load.rate is not None and storm.for_ is not None:
        return (Stage(storm.load.rate, 0), Stage(storm.load.rate, storm.for_))  # a jump to the rate, then held
    stages: list[Stage] = []
    rate = 0.0
    for stage in storm.load.stages:
        rate = rate if stage.to is None else stage.to
        stages.append(Stage(rate, stage.span))
    return tuple(stages)
