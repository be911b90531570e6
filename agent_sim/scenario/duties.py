"""What the operator is asked to do, as data: fleets to make ready and work to post.

Made by `scenario.plan`; carried out by `operator.core` over the management API, on any target.
"""

from dataclasses import dataclass

from agent_sim.instants import Instant, Span
from agent_sim.protocol.enums import STORE_TYPE_IDS
from agent_sim.protocol.schedule import Schedule


@dataclass(frozen=True, slots=True)
class FleetNeed:
    """One fleet as the management side must know it.

    `machines` are ClientMachine names in index order; `capabilities` are scenario words (`PEM`, `LOGS`,
    `custom:Name`); `stores[i]` is how many certificate stores machine i has for each store capability.
    """

    name: str
    machines: tuple[str, ...]
    capabilities: tuple[str, ...]
    stores: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Posting:
    """Work to post: `type` is a scenario word, `machines` who gets it.

    With `handed_over` the server recurs by that schedule and the work is posted once per machine (or store) at
    `start`; else it is posted as Immediate jobs at `start`, and again every `every` until `until` (exclusive).
    All instants are absolute.
    """

    name: str
    type: str
    machines: tuple[str, ...]
    start: Instant
    until: Instant
    every: Span | None = None
    handed_over: Schedule | None = None
    spread: Span = 0  # posts of one round are spread evenly over this span, in index order
    operation: str = "remove"  # of Management: add | remove


@dataclass(frozen=True, slots=True)
class OperatorPlan:
    """All that one run asks of the operator.

    `prefix` begins every ClientMachine in scope; `may_approve` is false on somebody else's server.
    """

    prefix: str
    fleets: tuple[FleetNeed, ...]
    postings: tuple[Posting, ...]
    certificate_id: int | None = None
    may_approve: bool = True


def store_places(capabilities: tuple[str, ...], stores: int) -> tuple[tuple[str, str], ...]:
    """The (capability, path) of each certificate store of an agent that has so many for each store capability."""
    return tuple(
        (capability, store_path(capability, number))
        for capability in capabilities
        if capability in STORE_TYPE_IDS
        for number in range(stores)
    )


def store_path(capability: str, number: int) -> str:
    """Where the store `number` (from 0) of an agent is, for a capability that has stores."""
    kind = capability.lower()
    return f"/opt/{kind}/store-{number + 1}.{kind}"
