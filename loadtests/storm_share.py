"""One process's share of a storm: which arrivals fall to it, its ids on lease, and what it has yet to report."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, cast

from agent_sim.instants import Span
from agent_sim.storms.campaign import Asking, Campaign, Found
from agent_sim.storms.gather import EndJson, ReportJson, pack
from agent_sim.storms.kinds import dues
from agent_sim.storms.leases import Leased, Settled
from agent_sim.storms.ledger import Entry, Ledger
from agent_sim.storms.meter import Meter, SecondJson
from agent_sim.storms.observe import Mark
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Harvest, Token
from agent_sim.storms.taxonomy import Outcome

_APART: Final = 1 << 32
"""Numbers of requests, process by process: what is drawn for one is drawn for no other."""


class Share:
    """The `index`-th of `count` shares, of a storm or of its `part`-th part. `pools` are on lease, `sizes` how many ids
    their batches have at most.
    """

    def __init__(
        self,
        plan: StormPlan,
        index: int,
        count: int,
        pools: Mapping[str, Leased],
        sizes: Mapping[str, int],
        query: str,
        part: int = 1,
    ) -> None:
        self.index, self.count, self.pools = index, count, pools
        nothing = Found({name: Harvest((), 0, 0) for name in pools}, Mark(None, 0))
        self.campaign = Campaign(plan, nothing, query, supplies=pools, first=((part - 1) * count + index) * _APART)
        for name, pool in pools.items():
            book = self.campaign.books[name]
            book.tokens = cast("tuple[Token, ...]", pool.tokens)  # by place, as far as they are on lease
            book.ledger, book.size = Ledger(len(pool)), sizes[name]
        self._open: dict[Entry, tuple[str, int | None]] = {}
        self._settled: list[Settled] = []
        self._seconds: list[SecondJson] = []
        self._number = self._told = 0

    def of(self, count: int) -> int:
        """How much of something falls to this process: at least one."""
        return max(count // self.count + (self.index < count % self.count), 1)

    def dues(self, plan: StormPlan) -> Iterator[Span]:
        """When requests of this process are due: of the storm's, every n-th."""
        return islice(dues(plan), self.index, None, self.count)

    def send(self, asking: Asking) -> None:
        """A request begins."""
        name, batch = asking.book.row.name, asking.entry.batch
        self._open[asking.entry] = name, None if batch is None else self.pools[name].number_of(batch)

    def settle(self, asking: Asking) -> None:
        """It ended, and is booked."""
        self._report(asking.entry, self.campaign.books[asking.book.row.name].ledger.claims)

    def abandon(self) -> None:
        """What was still under way may have been carried out."""
        for entry in list(self._open):
            self._report(entry, {})

    def tick(self, meter: Meter, elapsed: Span) -> None:
        """A second is over."""
        self._seconds.append(meter.tick_part(self._told + len(self._seconds) + 1, elapsed))

    def report(
        self, meter: Meter, elapsed: Span, cpu_percent: float, said: dict[str, str], end: EndJson | None
    ) -> ReportJson:
        """What came to pass since the report before."""
        self._number += 1
        self._told += len(self._seconds)
        seconds, self._seconds = self._seconds, []
        settled, self._settled = self._settled, []
        return ReportJson(
            number=self._number,
            part=meter.take_part(seconds, elapsed),
            settled=pack(settled),
            used=self.campaign.used,
            starved=sum(pool.starved for pool in self.pools.values()),
            cpu_percent=cpu_percent,
            said=said,
            end=end,
        )

    def _report(self, entry: Entry, claims: Mapping[int, str]) -> None:
        name, number = self._open.pop(entry)
        began, ended = entry.began, entry.began if entry.ended is None else entry.ended
        claimed = _claimed(entry.positions, claims) if claims else ()
        outcome, counts = entry.outcome or Outcome.UNKNOWN, (entry.named, entry.failed)
        self._settled.append(
            Settled(name, number, began, ended, outcome, entry.error, *counts, tuple(entry.refused), claimed)
        )


def _claimed(positions: Sequence[int], claims: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    return tuple((place, claims[place]) for place in positions if place in claims)
