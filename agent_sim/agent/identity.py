"""Who an agent is: what stays the same however often its process is started."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.agent.inventory import Contents
from agent_sim.draws import Key
from agent_sim.instants import MINUTE, Span
from agent_sim.protocol.agent import DEFAULT_PLATFORM, pack_version


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an agent is. `capabilities` are wire names; `key` decides every chance in its life."""

    fleet: str
    machine: str
    capabilities: tuple[str, ...]
    key: Key
    jitter: float = 0.0
    check_interval: Span = 30 * MINUTE  # how long to wait after a refused registration (agent-protocol 8.2.8)
    contents: Contents = Contents()  # of its stores, disks and network
    version: int = pack_version(25, 4, 1, 0)
    platform: int = DEFAULT_PLATFORM
    index: int = 0  # in its fleet
    aligned: bool = False  # beats fall on multiples of the interval, as everybody's do
    labels: Mapping[str, str] = field(default_factory=dict)
