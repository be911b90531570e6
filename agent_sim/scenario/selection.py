"""Which agents a `select` means: by fleet, label, id and share, with draws that belong to each agent alone.

Adding a fleet changes nothing about who is chosen of another, except for `count`, which is one number for all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent_sim.draws import unit
from agent_sim.protocol.enums import CUSTOM_PREFIX, SCANS, SSL, STORE_CATEGORIES, STORE_JOBS
from agent_sim.scenario.apportion import portion
from agent_sim.scenario.fields import agent_parts
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.personas import agent_key, labels_of, personas
from agent_sim.scenario.schedules import Schedule, Select


@dataclass(frozen=True, slots=True)
class Chosen:
    """Agents of one fleet, by index."""

    fleet: Fleet
    indices: tuple[int, ...]


def able(scenario: Scenario, schedule: Schedule) -> list[Fleet]:
    """The fleets with agents that a schedule asks for and that can do the work."""
    everybody = {fleet.name: fleet.count for fleet in scenario.fleets}
    return [one.fleet for one in _able(scenario, schedule, everybody)]


def _able(scenario: Scenario, schedule: Schedule, online: dict[str, int]) -> list[Chosen]:
    return [one for one in candidates(scenario, schedule.select, online) if can_do(one.fleet, schedule.type)]


def candidates(scenario: Scenario, select: Select, online: dict[str, int]) -> list[Chosen]:
    """Everybody who fits fleets, labels and ids, of the first so many of each fleet; before any share or number."""
    wanted = {agent_parts(reference) for reference in select.ids}
    found = []
    for fleet in scenario.fleets:
        if select.fleets and fleet.name not in select.fleets:
            continue
        indices = _labelled(scenario.seed, fleet, select.labels, online[fleet.name])
        if wanted:
            indices = tuple(index for index in indices if (fleet.name, index) in wanted)
        if indices or (not select.labels and not wanted):
            found.append(Chosen(fleet, indices))
    return found


def _labelled(seed: int, fleet: Fleet, wanted: dict[str, str], agents: int) -> tuple[int, ...]:
    of = personas(seed, fleet)
    if not of:
        return tuple(range(agents)) if _fits(fleet.labels, wanted) else ()
    fitting = {persona.name for persona in fleet.personas if _fits(labels_of(fleet, persona), wanted)}
    return tuple(index for index in range(agents) if of[index].name in fitting)


def _fits(labels: Mapping[str, str], wanted: dict[str, str]) -> bool:
    return all(labels.get(name) == word for name, word in wanted.items())


def can_do(fleet: Fleet, job: str) -> bool:
    """True if the fleet's capabilities bring this kind of job."""
    if job in STORE_CATEGORIES:
        return any((name, job) in STORE_JOBS for name in fleet.capabilities)
    if job in SCANS:
        return SSL in fleet.capabilities
    if job.startswith(CUSTOM_PREFIX):
        return any(name.casefold() == job.casefold() for name in fleet.capabilities)
    return job in fleet.capabilities


def chosen(scenario: Scenario, schedule: Schedule, online: dict[str, int]) -> list[Chosen]:
    """Who gets the work of a schedule, of the agents that ever come online, in order of fleet and index."""
    of = _able(scenario, schedule, online)
    select, seed = schedule.select, scenario.seed
    if select.percent is not None:
        counts = [portion(select.percent, len(one.indices)) for one in of]
        return [_lowest(seed, schedule.name, one, count) for one, count in zip(of, counts, strict=True)]
    if select.count is not None:
        drawn = sorted(draw for one in of for draw in _draws(seed, schedule.name, one))
        kept = {(fleet, index) for _, fleet, index in drawn[: select.count]}
        return [
            Chosen(one.fleet, tuple(index for index in one.indices if (one.fleet.name, index) in kept)) for one in of
        ]
    return of


def _lowest(seed: int, purpose: str, of: Chosen, count: int) -> Chosen:
    lowest = sorted(_draws(seed, purpose, of))[:count]
    return Chosen(of.fleet, tuple(sorted(index for _, _, index in lowest)))


def _draws(seed: int, purpose: str, of: Chosen) -> Iterator[tuple[float, str, int]]:
    for index in of.indices:
        yield unit(agent_key(seed, of.fleet.name, index), "select", purpose), of.fleet.name, index


def lots(scenario: Scenario, schedule: Schedule, online: dict[str, int]) -> list[tuple[Chosen, int | None]]:
    """Who may be drawn in each round of a schedule that is not sticky, and how many of each fleet; None: of all."""
    of = _able(scenario, schedule, online)
    percent = schedule.select.percent
    return [(one, None if percent is None else portion(percent, len(one.indices))) for one in of]
