"""A request on its way through declared faults: the steps that a shell takes for it, and whose doing they are."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from agent_sim.faults.course import Steps

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Journey(Generic[Reply]):
    """`faults` are named once each, in the order of the scenario."""

    faults: tuple[str, ...]
    steps: Steps[Reply]
