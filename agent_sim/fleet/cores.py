"""What every shell drives: an agent, the operator, or anything else with these two methods."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

from agent_sim.instants import Instant

Request = TypeVar("Request")
_E_contra = TypeVar("_E_contra", contravariant=True)


Settle: TypeAlias = Callable[[Any], None]
"""Called after each event with the core it was for, to take its facts."""


class Core(Protocol[_E_contra, Request]):
    """A plain object that is told what happened and says what to send."""

    def handle(self, event: _E_contra, now: Instant) -> list[Request]: ...

    def next_wake(self) -> Instant: ...
