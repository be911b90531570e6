"""Which persona each agent of a fleet is, and so its labels and its behaviour; shares are kept exactly.

Who is what depends on the agent's own draw, so that another fleet changes nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from agent_sim.draws import Key, key, unit
from agent_sim.scenario.apportion import dealt
from agent_sim.scenario.fleets import Fleet, Persona

LABEL: Final = "persona"
"""The label that names an agent's persona."""


def agent_key(seed: int, fleet: str, index: int) -> Key:
    """What every chance in an agent's life depends on."""
    return key(seed, fleet, index)


def personas(seed: int, fleet: Fleet) -> tuple[Persona, ...]:
    """The persona of each agent by index; nothing if the fleet has none."""
    shares = tuple(persona.share for persona in fleet.personas)
    return tuple(fleet.personas[number] for number in _dealt(seed, fleet.name, fleet.count, shares))


@lru_cache(maxsize=64)
def _dealt(seed: int, fleet: str, count: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    if not shares:
        return ()
    ranks = [unit(agent_key(seed, fleet, index), "persona") for index in range(count)]
    return tuple(dealt(tuple(enumerate(shares)), ranks))


def labels_of(fleet: Fleet, persona: Persona | None) -> Mapping[str, str]:
    """What agents of the fleet, or of a persona in it, can be selected by."""
    if persona is None:
        return MappingProxyType(fleet.labels)
    return MappingProxyType({**fleet.labels, LABEL: persona.name, **persona.labels})
