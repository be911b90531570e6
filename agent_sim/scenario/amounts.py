"""Whether a scenario plans more than a run can carry out: told by `check`, before anything hangs."""

from collections.abc import Iterator
from typing import Final

from agent_sim.instants import HOUR, NEVER, SECOND, Span
from agent_sim.protocol.enums import STORE_TYPE_IDS
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.history import History
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.schedules import Schedule
from agent_sim.scenario.selection import chosen
from agent_sim.scenario.spreads import distribution
from agent_sim.scenario.storms import Storm
from agent_sim.scenario.timeline import ever_online, offset
from agent_sim.scenario.wording import Way

MOST: Final = 10_000_000
"""Of one kind of thing, in a run; of one without an end in an hour, which is what is foreseen of it."""


def too_many(scenario: Scenario) -> Iterator[tuple[Way, str]]:
    """Each thing that comes to more than that, and where it is said."""
    for way, count, things in _planned(scenario):
        if count > MOST:
            yield way, f"comes to {count:,.0f} {things}, expected at most {MOST:,}"


def _planned(scenario: Scenario) -> Iterator[tuple[Way, float, str]]:
    online = ever_online(scenario)
    length = HOUR if scenario.length == NEVER else scenario.length
    for number, fleet in enumerate(scenario.fleets):
        yield ("fleets", number, "stores", "per_agent"), _stores(fleet), "stores in all"
    for number, phase in enumerate(scenario.phases):
        if phase.churn is not None:
            restarts = phase.churn.restart * phase.duration / SECOND * sum(online.values())
            yield ("phases", number, "churn", "restart"), restarts, "restarts"
    for number, schedule in enumerate(scenario.schedules):
        if schedule.every is not None:
            yield ("schedules", number, "every"), _jobs(scenario, schedule, length, online), "jobs"
    for number, fault in enumerate(scenario.faults):
        if fault.every is not None:
            usual = distribution(fault.every).sample(0.5)
            yield ("faults", number, "every"), length / usual, "times"
    for number, storm in enumerate(scenario.storms):
        yield ("storms", number, "load"), _requests(storm), "requests"
    if scenario.history is not None:
        yield from _past(scenario, scenario.history, online)


def _past(scenario: Scenario, history: History, online: dict[str, int]) -> Iterator[tuple[Way, float, str]]:
    beats = (history.backfill / history.beat(fleet.heartbeat.every) * fleet.count for fleet in scenario.fleets)
    yield ("history", "backfill"), sum(beats), "heartbeats of the past"
    repeated = [schedule for schedule in scenario.schedules if schedule.every is not None]
    jobs = sum(_jobs(scenario, schedule, history.told, online) for schedule in repeated)
    yield ("history", "backfill"), jobs, "jobs of the past"


def _stores(fleet: Fleet) -> float:
    kinds = sum(word in STORE_TYPE_IDS for word in fleet.capabilities)
    return distribution(fleet.stores.per_agent).sample(0.5) * kinds * fleet.count


def _jobs(scenario: Scenario, schedule: Schedule, length: Span, online: dict[str, int]) -> float:
    assert schedule.every is not None
    until = length if schedule.until is None else min(offset(scenario, schedule.until), length)
    rounds = max(until - offset(scenario, schedule.from_), 0) / schedule.every
    return rounds * sum(len(one.indices) for one in chosen(scenario, schedule, online))


def _requests(storm: Storm) -> float:
    if storm.load.rate is not None:
        return storm.load.rate * storm.span / SECOND
    total = rate = 0.0
    for stage in storm.load.stages:
        after = rate if stage.to is None else stage.to
        total += (rate + after) / 2 * stage.span / SECOND
        rate = after
    return total
