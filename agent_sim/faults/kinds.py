"""All faults there are, and how to add one.

A fault is one small file here with one frozen value, the words of a scenario as numbers. It answers one question:

    strike(struck)   what happens to this request?              (latency, drop, status, ...)
    begin(struck)    what happens to this agent when a window begins, and `end(struck)` when it ends?  (clock, ...)

in `effects`, never by doing anything: no clock, no socket, and no chance but `struck.draw("purpose")`, which is keyed
by seed, fault, window, agent, operation and the request's number. Windows, selection, probability and counting are
`arming`'s. To add one:

1. write `faults/<name>.py` (`drop` is the shortest model) and its test beside the others;
2. name it in `Do` of `scenario/faults.py`, with description and example, and in the table of builders below it;
3. only if no effect fits: add one to `effects`, and its row to `CARRIED_OUT` in `course`. No shell changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agent_sim.faults.effects import AgentEffect, BrokerEffect, MessageEffect, RequestEffect


@dataclass(frozen=True, slots=True)
class Struck:
    """Who or what a fault meets; `operation` is "" for the agent itself. `draw` gives a number in [0, 1)."""

    agent: str
    operation: str
    draw: Callable[[str], float]


@runtime_checkable
class OnRequests(Protocol):
    """A fault that meets requests, one at a time."""

    def strike(self, struck: Struck) -> tuple[RequestEffect | MessageEffect, ...]: ...


@runtime_checkable
class OnAgents(Protocol):
    """A fault that meets agents: once when its window begins, once when it ends."""

    def begin(self, struck: Struck) -> tuple[AgentEffect | BrokerEffect, ...]: ...

    def end(self, struck: Struck) -> tuple[AgentEffect | BrokerEffect, ...]: ...


Kind = OnRequests | OnAgents
