"""One process's part of a storm: which arrivals fall to it, its ids on lease, and what it has yet to report."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from agent_sim.instants import Instant, Span
from agent_sim.storms.arrivals import due_offsets
from agent_sim.storms.gather import EndJson, ReportJson, pack
from agent_sim.storms.leases import Leased, Settled
from agent_sim.storms.ledger import Entry
from agent_sim.storms.meter import Meter, SecondJson
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Batch
from agent_sim.storms.taxonomy import Outcome


@dataclass(slots=True)
class Part:
    """One process's part of a storm: every `count`-th arrival, with ids on lease; and what it has yet to report."""

    index: int
    count: int
    pool: Leased
    settled: list[Settled] = field(default_factory=list)
    seconds: list[SecondJson] = field(default_factory=list)
    open: dict[Entry, int | None] = field(default_factory=dict)
    number: int = 0
    told: int = 0

    def share_of(self, count: int) -> int:
        """How much of something falls to this process: at least one."""
        return max(count // self.count + (self.index < count % self.count), 1)

    def send(self, batch: Batch | None, entry: Entry) -> None:
        """A request begins."""
        self.open[entry] = None if batch is None else self.pool.numbers.pop(id(batch))

    def settle(self, entry: Entry, outcome: Outcome, now: Instant) -> None:
        """It ended."""
        self.settled.append(Settled(self.open.pop(entry), entry.began, now, outcome))

    def dues(self, plan: StormPlan) -> Iterator[Span]:
        """When requests of this process are due: of the storm's, every n-th."""
        return islice(due_offsets(plan), self.index, None, self.count)

    def abandon(self, now: Instant) -> None:
        """What is still under way may have been carried out."""
        for entry in list(self.open):
            self.settle(entry, Outcome.UNKNOWN, now)

    def tick(self, meter: Meter, elapsed: Span) -> None:
        """A second is over."""
        self.seconds.append(meter.tick_part(self.told + len(self.seconds) + 1, elapsed))

    def report(
        self, meter: Meter, elapsed: Span, cpu_percent: float, said: dict[str, str], end: EndJson | None
    ) -> ReportJson:
        """What came to pass since the report before."""
        self.number += 1
        self.told += len(self.seconds)
        seconds, self.seconds = self.seconds, []
        settled, self.settled = self.settled, []
        return ReportJson(
            number=self.number,
            part=meter.take_part(seconds, elapsed),
            settled=pack(settled),
            used=self.pool.used,
            starved=self.pool.starved,
            cpu_percent=cpu_percent,
            said=said,
            end=end,
        )
