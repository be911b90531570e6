"""When things happen in a scenario, as spans from the run's start: phases, points in time, agents coming online."""

from collections.abc import Iterator
from typing import Final

from agent_sim.draws import unit
from agent_sim.instants import MILLISECOND, Span
from agent_sim.scenario.apportion import portion
from agent_sim.scenario.fields import TimePoint
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.schedules import Phase
from agent_sim.scenario.selection import agent_key

_GROUPS: Final = 10


def phase_starts(scenario: Scenario) -> dict[str, Span]:
    """When each phase begins; they follow each other."""
    starts: dict[str, Span] = {}
    begin = 0
    for phase in scenario.phases:
        starts[phase.name] = begin
        begin += phase.duration
    return starts


def offset(scenario: Scenario, point: TimePoint) -> Span:
    """A point in time as a span from the run's start. Raises KeyError for a phase that is not there."""
    return (phase_starts(scenario)[point.phase] if point.phase else 0) + point.offset


def levels(scenario: Scenario) -> Iterator[tuple[Phase, float, float]]:
    """Each phase with the share of agents online at its begin and at its end."""
    level = first_level(scenario)
    for phase in scenario.phases:
        after = level if phase.online is None else phase.online
        yield phase, level, after
        level = after


def first_level(scenario: Scenario) -> float:
    """The share online from the start: all, unless the first phase says how they come."""
    return 0.0 if scenario.phases and scenario.phases[0].online is not None else 1.0


def ever_online(scenario: Scenario) -> dict[str, int]:
    """How many agents of each fleet come online at all: the first so many by index."""
    level = max([first_level(scenario), *(after for _, _, after in levels(scenario))])
    return {fleet.name: portion(level, fleet.count) for fleet in scenario.fleets}


def arrivals(scenario: Scenario, fleet: Fleet) -> tuple[Span, ...]:
    """When each agent of a fleet comes online, by index; those that never do are left out."""
    starts = phase_starts(scenario)
    times: list[Span] = [0] * portion(first_level(scenario), fleet.count)
    for phase, _, after in levels(scenario):
        coming = portion(after, fleet.count) - len(times)
        first = len(times)
        for number in range(coming):
            times.append(starts[phase.name] + _into(phase, number, coming, scenario.seed, fleet.name, first + number))
    return tuple(times)


def _into(phase: Phase, number: int, coming: int, seed: int, fleet: str, index: int) -> Span:
    """How far into a phase the agent comes that is `number` of `coming` in it."""
    match phase.shape:
        case "step":
            return 0
        case "linear":
            return phase.duration * number // coming
        case "burst":
            return phase.duration * (number * _GROUPS // coming) // _GROUPS
        case "poisson":
            # Given their number, the times of a Poisson process are independent and evenly spread.
            draw = unit(agent_key(seed, fleet, index), "online", phase.name)
            return int(draw * phase.duration) // MILLISECOND * MILLISECOND
