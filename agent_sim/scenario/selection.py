"""Which agents a `select` means: by fleet, label and share, with draws that belong to each agent alone.

Adding a fleet changes nothing about who is chosen of another, except for `count`, which is one number for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent_sim.draws import Key, key, unit
from agent_sim.protocol.enums import CUSTOM_PREFIX, STORE_TYPE_IDS, Category
from agent_sim.scenario.apportion import portion
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Chosen:
    """Agents of one fleet, by index."""

    fleet: Fleet
    indices: tuple[int, ...]


def agent_key(seed: int, fleet: str, index: int) -> Key:
    """What every chance in an agent's life depends on."""
    return key(seed, fleet, index)


def able(scenario: Scenario, schedule: Schedule) -> list[Fleet]:
    """The fleets that a schedule asks for and whose agents can do the work."""
    wanted = schedule.select
    return [
        fleet
        for fleet in scenario.fleets
        if (not wanted.fleets or fleet.name in wanted.fleets)
        and all(fleet.labels.get(name) == word for name, word in wanted.labels.items())
        and can_do(fleet, schedule.type)
    ]


def can_do(fleet: Fleet, job: str) -> bool:
    """True if the fleet's capabilities bring this kind of job."""
    if job in (Category.INVENTORY, Category.MANAGEMENT):
        return any(name in STORE_TYPE_IDS for name in fleet.capabilities)
    if job.startswith(CUSTOM_PREFIX):
        return any(name.casefold() == job.casefold() for name in fleet.capabilities)
    return job in fleet.capabilities


def chosen(scenario: Scenario, schedule: Schedule, online: dict[str, int]) -> list[Chosen]:
    """Who gets the work of a schedule, of the agents that ever come online, in order of fleet and index."""
    fleets = able(scenario, schedule)
    select, seed = schedule.select, scenario.seed
    if select.percent is not None:
        counts = [portion(select.percent, online[fleet.name]) for fleet in fleets]
        return [
            Chosen(fleet, _lowest(seed, schedule.name, fleet, online[fleet.name], count))
            for fleet, count in zip(fleets, counts, strict=True)
        ]
    if select.count is not None:
        drawn = sorted(draw for fleet in fleets for draw in _draws(seed, schedule.name, fleet, online[fleet.name]))
        kept = {(fleet, index) for _, fleet, index in drawn[: select.count]}
        return [
            Chosen(fleet, tuple(n for n in range(online[fleet.name]) if (fleet.name, n) in kept)) for fleet in fleets
        ]
    return [Chosen(fleet, tuple(range(online[fleet.name]))) for fleet in fleets]


def _lowest(seed: int, purpose: str, fleet: Fleet, agents: int, count: int) -> tuple[int, ...]:
    lowest = sorted(_draws(seed, purpose, fleet, agents))[:count]
    return tuple(sorted(index for _, _, index in lowest))


def _draws(seed: int, purpose: str, fleet: Fleet, agents: int) -> Iterator[tuple[float, str, int]]:
    for index in range(agents):
        yield unit(agent_key(seed, fleet.name, index), "select", purpose), fleet.name, index
