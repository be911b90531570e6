"""When things happen in a scenario, as spans from the run's start: phases, points in time, agents coming and going.

Of each fleet the first so many by index are online. So those who come are the next in line, and those who go are the
last who came; who that is does not depend on other fleets.
"""

import math
from collections.abc import Iterator
from typing import Final

from agent_sim.draws import unit
from agent_sim.instants import MILLISECOND, SECOND, Span
from agent_sim.scenario.apportion import portion
from agent_sim.scenario.fields import TimePoint
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.personas import agent_key
from agent_sim.scenario.schedules import Churn, Phase

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


# --- coming and going -------------------------------------------------------------------------


def presence(scenario: Scenario, fleet: Fleet) -> tuple[tuple[Span, ...], ...]:
    """When each agent of a fleet comes online, goes, comes again ..., by index; who never comes is left out."""
    starts = phase_starts(scenario)
    turns: list[tuple[Span, ...]] = [(0,)] * portion(first_level(scenario), fleet.count)
    online = len(turns)
    for phase, _, after in levels(scenario):
        wanted = portion(after, fleet.count)
        moving = range(online, wanted) if wanted >= online else range(online - 1, wanted - 1, -1)
        for number, index in enumerate(moving):
            into = _into(phase, number, len(moving), scenario.seed, fleet.name, index)
            if index == len(turns):
                turns.append(())
            turns[index] = (*turns[index], starts[phase.name] + into)
        online = wanted
    return tuple(turns)


def arrivals(scenario: Scenario, fleet: Fleet) -> tuple[Span, ...]:
    """When each agent of a fleet first comes online, by index; those that never do are left out."""
    return tuple(turns[0] for turns in presence(scenario, fleet))


def _into(phase: Phase, number: int, moving: int, seed: int, fleet: str, index: int) -> Span:
    """How far into a phase the agent comes or goes that is `number` of `moving` in it."""
    match phase.shape:
        case "step":
            return 0
        case "linear":
            return phase.duration * number // moving
        case "burst":
            return phase.duration * (number * _GROUPS // moving) // _GROUPS
        case "poisson":
            # Given their number, the times of a Poisson process are independent and evenly spread.
            draw = unit(agent_key(seed, fleet, index), "online", phase.name)
            return int(draw * phase.duration) // MILLISECOND * MILLISECOND


# --- churn ------------------------------------------------------------------------------------


def restarts(scenario: Scenario, fleet: Fleet, index: int, turns: tuple[Span, ...]) -> Iterator[tuple[Span, Churn]]:
    """When an agent that is online at these times is restarted by chance, as a Poisson process of its own."""
    starts = phase_starts(scenario)
    for phase in scenario.phases:
        if phase.churn is None or not phase.churn.restart:
            continue
        at, end = starts[phase.name], starts[phase.name] + phase.duration
        for number in range(_MOST_RESTARTS):
            draw = unit(agent_key(scenario.seed, fleet.name, index), "restart", phase.name, number)
            wait = -math.log1p(-draw) / phase.churn.restart * SECOND
            at += round(wait / MILLISECOND) * MILLISECOND
            if at >= end:
                break
            if is_online(turns, at):
                yield at, phase.churn
                at += phase.churn.down


_MOST_RESTARTS: Final = 100_000


def is_online(turns: tuple[Span, ...], at: Span) -> bool:
    """True if an agent that comes and goes at these times is online."""
    return sum(turn <= at for turn in turns) % 2 == 1
