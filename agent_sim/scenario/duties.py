"""What the operator is asked to do, as data: fleets to make ready and work to post.

Made by `scenario.plan`; carried out by `operator.core` over the management API, on any target.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.draws import Key, unit
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.protocol.command import JobTypeField, Scalar
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
class Lottery:
    """Who gets the work is drawn anew in each round: so many of each group of machines, or so many of all.

    `key` is (seed, schedule's name).
    """

    key: Key
    groups: tuple[tuple[str, ...], ...]
    shares: tuple[int, ...] | None = None
    count: int | None = None

    def drawn(self, round_: int) -> tuple[str, ...]:
        """The machines of a round, in index order."""
        everybody = tuple(machine for group in self.groups for machine in group)
        if self.shares is None:
            lucky = self._lowest(everybody, len(everybody) if self.count is None else self.count, round_)
        else:
            of_each = zip(self.groups, self.shares, strict=True)
            lucky = frozenset(one for group, share in of_each for one in self._lowest(group, share, round_))
        return tuple(machine for machine in everybody if machine in lucky)

    def _lowest(self, machines: tuple[str, ...], count: int, round_: int) -> frozenset[str]:
        ranked = sorted(machines, key=lambda machine: unit(self.key, "select", machine, round_))
        return frozenset(ranked[:count])


@dataclass(frozen=True, slots=True)
class Posting:
    """Work to post: `type` is a scenario word, `machines` who gets it, unless a `lottery` says who of them.

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
    lottery: Lottery | None = None
    alias: str = "agent-sim"  # of Management: under which name the certificate is put in, or which one is taken out
    subject: str = ""  # of Reenrollment; {store} stands for the path
    dirs: tuple[str, ...] = ()  # of Discovery
    capabilities: tuple[str, ...] = ()  # of Discovery: the kinds of stores to look for
    fields: Mapping[str, Scalar] = field(default_factory=dict)  # of custom types


@dataclass(frozen=True, slots=True)
class JobTypeNeed:
    """A custom job type to be made."""

    name: str
    description: str = ""
    fields: tuple[JobTypeField, ...] = ()


@dataclass(frozen=True, slots=True)
class OperatorPlan:
    """All that one run asks of the operator.

    `prefix` begins every ClientMachine in scope; `may_approve` and `picks_certificate` are false on
    somebody else's server: there, certificates are added only if `certificate_id` says which. `job_types` are by name,
    in lower case. `look_again` is the pause between looks for orchestrators that have not registered yet.
    """

    prefix: str
    fleets: tuple[FleetNeed, ...]
    postings: tuple[Posting, ...]
    certificate_id: int | None = None
    may_approve: bool = True
    picks_certificate: bool = True
    job_types: Mapping[str, JobTypeNeed] = field(default_factory=dict)
    look_again: Span = SECOND


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
