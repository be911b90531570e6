"""Who an agent is: what stays the same however often its process is started.

Nearly all of it is the same for a whole fleet and kept once, in its stock: an agent of a large fleet should cost
little more than its number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent_sim.agent.inventory import Contents
from agent_sim.agent.papers import Papers, number_of, token_of
from agent_sim.draws import Key, seed, sub, swift
from agent_sim.instants import MINUTE, Instant, Span
from agent_sim.protocol.agent import DEFAULT_PLATFORM, NO_TENANT, Heartbeat, pack_version
from agent_sim.values import value

_MOST_BEATS: Final = 2048


@dataclass(frozen=True, slots=True)
class Stock:
    """What agents have in common. `capabilities` are wire names.

    `stem` with an agent's number in `digits` is its machine's name; `root` with the number is the key that decides
    every chance in its life, or in the life of its before this one, if there is a word for that.
    """

    fleet: str
    stem: str
    capabilities: tuple[str, ...]
    root: Key
    digits: int = 5
    life: str = ""
    jitter: float = 0.0
    check_interval: Span = 30 * MINUTE  # how long to wait after a refused registration (agent-protocol 8.2.8)
    contents: Contents = Contents()  # of its stores, disks and network
    version: int = pack_version(25, 4, 1, 0)
    platform: int = DEFAULT_PLATFORM
    aligned: bool = False  # beats fall on multiples of the interval, as everybody's do
    labels: Mapping[str, str] = field(default_factory=dict)
    beats: dict[Papers, Heartbeat] = field(default_factory=dict, init=False, repr=False, compare=False)
    beats_by: int = field(init=False, repr=False, compare=False)  # what draws when they come

    def __post_init__(self) -> None:
        object.__setattr__(self, "beats_by", seed(self.root, self.life, "heartbeat"))

    def beat(self, kept: Papers) -> Heartbeat:
        """The heartbeat of an agent with these papers; it must have a session.

        Remembered for some thousand: in a large fleet an agent is to cost little while it waits, and remembering one
        instead of another would cost more than it saves.
        """
        found = self.beats.get(kept)
        if found is None:
            found = Heartbeat(self.platform, NO_TENANT, self.machine(number_of(kept)), token_of(kept) or "")
            if len(self.beats) < _MOST_BEATS:
                self.beats[kept] = found
        return found

    def drawn_jitter(self, number: int, now: Instant) -> float:
        """How much longer than told an agent waits with its next heartbeat, as a share; 0.0 without jitter."""
        return self.jitter * swift(self.beats_by, number, now) if self.jitter else 0.0

    def forget_beat(self, kept: Papers) -> None:
        """The session of these papers is over."""
        self.beats.pop(kept, None)

    def machine(self, number: int) -> str:
        """The name of an agent's machine."""
        return self.stem + str(number).zfill(self.digits)

    def key(self, number: int) -> Key:
        """What every chance in an agent's life depends on."""
        found = sub(self.root, number)
        return sub(found, self.life) if self.life else found


@value
class Identity:
    """One of them, by its number in the fleet."""

    stock: Stock
    index: int

    @property
    def machine(self) -> str:
        return self.stock.machine(self.index)

    @property
    def key(self) -> Key:
        return self.stock.key(self.index)

    @property
    def fleet(self) -> str:
        return self.stock.fleet

    @property
    def capabilities(self) -> tuple[str, ...]:
        return self.stock.capabilities

    @property
    def contents(self) -> Contents:
        return self.stock.contents

    @property
    def jitter(self) -> float:
        return self.stock.jitter

    @property
    def check_interval(self) -> Span:
        return self.stock.check_interval

    @property
    def labels(self) -> Mapping[str, str]:
        return self.stock.labels
