"""What a storm asks next, and what came of it: kinds, pools and ledgers as one object, for any shell to drive.

    take ──> an Asking (what to send) ──> settle (how it ended) ... ──> abandon ──> compared with what the target did

Nothing here sends, waits or reads a clock: Locust in a live storm and the operator in a replay do.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agent_sim.instants import MINUTE, Instant, Span
from agent_sim.protocol import command, job_commands, oig
from agent_sim.storms import made
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.kinds import Part, drawn, parts, poison, supply
from agent_sim.storms.ledger import NONE, Entry, Ledger, Totals
from agent_sim.storms.observe import Mark, Observed, Reader, mark, observe
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.operations import OPERATIONS, Candidate, Source, StormOperation
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Batch, Harvest, Supply, Token, harvest
from agent_sim.storms.reconcile import NOTHING, Reconciliation, merged, reconcile
from agent_sim.storms.taxonomy import ErrorKind, outcome_of
from agent_sim.storms.trail import Trail

NAMES: Final = 100_000
"""Turns that orchestrators get where nobody knows how many there will be (our choice)."""


SEEN: Final[Span] = 5 * MINUTE
"""Who was seen within this time is there: an agent of a real server beats every few minutes (our choice)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a storm found to ask for, by operation, and where the target stood then."""

    harvests: Mapping[str, Harvest]
    before: Mark

    @property
    def all(self) -> Harvest:
        """All of it, as one."""
        each = self.harvests.values()
        tokens = tuple(token for one in each for token in one.tokens)
        return Harvest(tokens, sum(one.out_of_scope for one in each), sum(one.ineligible for one in each))


NOBODY: Final = Found({}, Mark(None, 0))


def candidates(plan: StormPlan, operation: StormOperation, reader: Reader) -> Harvest:
    """The tokens of one operation of a storm."""
    query = plan.query if plan.query and operation.name == plan.operation else operation.candidates
    return harvest(operation, _listed(operation.source, query, reader), plan.prefix, plan.job_type, plan.share)


def _listed(source: Source, query: str, reader: Reader) -> Iterable[Candidate]:
    match source:
        case Source.RUNS:
            return reader.history(query)
        case Source.JOBS:
            return reader.scheduled(query)
        case Source.AGENTS:
            return reader.agents(query)


def look(plan: StormPlan, reader: Reader, now: Instant) -> Found:
    """Read all that a storm may ask for, then take the mark."""
    rows = {part.operation: OPERATIONS[part.operation] for part in parts(plan)}
    harvests = {name: candidates(plan, row, reader) for name, row in rows.items()}
    if OPERATIONS[plan.operation].creates:
        return Found(harvests, made.mark(reader, made.type_of(plan.operation, plan.job_type), now))
    return Found(harvests, mark(reader))


def herd(reader: Reader, now: Instant) -> int:
    """How many orchestrators in scope are there that poll: they were seen of late."""
    return sum(agent.last_seen is not None and agent.last_seen > now - SEEN for agent in reader.agents())


class Asking(NamedTuple):
    """One request: what to send, and its place in the books. A tuple, for every request makes one."""

    operation: command.Operation | oig.Operation
    book: "Book"
    entry: Entry
    part: Part


class Book:
    """One operation of a storm: its tokens, what is left of them, and the ledger."""

    def __init__(self, plan: StormPlan, row: StormOperation | OigStorm, tokens: tuple[Token, ...], turns: int) -> None:
        self.plan, self.row = plan, row
        self.size = plan.batch
        if isinstance(row, StormOperation) and row.creates and tokens:
            self.size = min(plan.batch, len(tokens))  # an orchestrator stands in a batch once
            tokens = _again_and_again(tokens, turns * self.size)
        self.tokens = tokens
        self.supply = supply(plan, tokens)
        self.ledger = Ledger(len(tokens))

    def operation(self, batch: Batch | None, query: str, entry: Entry) -> command.Operation | oig.Operation:
        """What is sent for a batch, or by query."""
        row = self.row
        if isinstance(row, OigStorm):
            assert batch is not None  # its plans are by ids
            return row.request(self.tokens, batch)
        if batch is None:
            assert row.by_query is not None  # `plan.check` sees to that
            return row.by_query(query)
        named = [self.tokens[position] for position in batch.positions]
        if self.plan.kind == "poison":
            named.append(poison(named[0], len(self.ledger.entries)))
            entry.named = len(named)
        return row.ask(named, self.plan)


class Campaign:
    """All requests of one storm. `query` is what is sent by query, narrowed to the scope.

    `supplies` are where the batches of an operation come from, unless it is the pool of what was found; `first` is the
    number of the first request, by which it is drawn what each of them asks.
    """

    def __init__(
        self,
        plan: StormPlan,
        found: Found,
        query: str,
        turns: int = NAMES,
        supplies: Mapping[str, Supply] | None = None,
        first: int = 0,
    ) -> None:
        self.plan = plan
        self._query, self._before = query, found.before
        self._parts = parts(plan)
        self.books = {
            name: Book(plan, CATALOGUE[name], one.tokens, turns) for name, one in sorted(found.harvests.items())
        }
        for name, other in (supplies or {}).items():
            self.books[name].supply = other
        self._number = first
        self._in_flight = 0
        self._queries_accepted: set[str] = set()

    @property
    def size(self) -> int:
        """How many ids there are to be asked for."""
        return sum(book.ledger.size for book in self.books.values())

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._in_flight

    @property
    def used(self) -> int:
        """How many different ids have been asked for."""
        return sum(book.supply.used for book in self.books.values())

    @property
    def is_exhausted(self) -> bool:
        """True if no request can be made any more; what comes by query alone never ends."""
        return all(part.by == "ids" and self._is_empty(part) for part in self._parts if part.weight >= _MAIN)

    def _is_empty(self, part: Part) -> bool:
        return self.books[part.operation].supply.is_exhausted

    def take(self, now: Instant) -> Asking | None:
        """Book the next request; None if no id is left for it."""
        part = self._parts[drawn(self.plan, self._number)] if len(self._parts) > 1 else self._parts[0]
        book = self.books[part.operation]
        batch = None
        if part.by == "ids":
            batch = book.supply.take(book.size)
            if batch is None:
                return self._instead(part, now)
        elif len(self._parts) == 1:
            book.supply.take_all()
        return self._asking(part, book, batch, now)

    def skip(self) -> None:
        """An arrival goes without a request."""
        if len(self._parts) == 1 and self._parts[0].by == "ids":
            book = self.books[self._parts[0].operation]
            book.supply.skip(book.size)

    def _instead(self, part: Part, now: Instant) -> Asking | None:
        """The main sort of request, where a lesser one has nothing left."""
        main = self._parts[0]
        batch = None if part is main else self.books[main.operation].supply.take(self.books[main.operation].size)
        return None if batch is None else self._asking(main, self.books[main.operation], batch, now)

    def _asking(self, part: Part, book: Book, batch: Batch | None, now: Instant) -> Asking:
        self._number += 1
        self._in_flight += 1
        entry = book.ledger.send(batch, now)
        return Asking(book.operation(batch, self._query, entry), book, entry, part)

    # --- what came of it ------------------------------------------------------------------------

    def settle(self, asking: Asking, error: ErrorKind | None, body: object, now: Instant) -> int | None:
        """Book how a request ended; how many ids were accepted with it, None if that was settled already."""
        entry, book = asking.entry, asking.book
        if isinstance(body, command.ApiError):
            entry.failed = len(body.failed_operations)
        refused = () if error is not None or body is None else _claim(book, entry, body)
        if not book.ledger.settle(entry, outcome_of(error), now, error, refused):
            return None
        self._in_flight -= 1
        if error is not None:
            return 0
        if entry.batch is not None:
            return len(entry.batch) - len(refused)
        # By query, the first accepted request may have changed them all, the next ones none.
        is_first = asking.part.operation not in self._queries_accepted
        self._queries_accepted.add(asking.part.operation)
        return book.ledger.size * is_first

    def abandon(self, now: Instant) -> int:
        """Book every request that is still under way as unknown; returns how many there were."""
        left = sum(book.ledger.abandon(now) for book in self.books.values())
        self._in_flight -= left
        return left

    def totals(self) -> Totals:
        """Ids, each counted once for each operation that was asked of it."""
        return sum((book.ledger.totals() for book in self.books.values()), NONE)

    def roughly(self) -> Totals:
        """The same at a glance, to look at meanwhile: an id that was both accepted and unknown counts as both."""
        return sum((book.ledger.roughly() for book in self.books.values()), NONE)

    def trail(self) -> Trail:
        """Which jobs are off the schedule, and which there are, by our doing: for the laws of jobs."""
        kind = made.type_of(self.plan.operation, self.plan.job_type)
        off = self.books.get("unschedule")
        accounts = [] if off is None else [(one.job_id, off.ledger.account(i)) for i, one in enumerate(off.tokens)]
        return Trail(
            job_type=kind,
            unscheduled=tuple(job for job, account in accounts if account.accepted),
            maybe_unscheduled=tuple(job for job, account in accounts if account.unknown and not account.accepted),
            posted=tuple(pair for book in self.books.values() for pair in _made(book)),
        )

    # --- compared with the target ---------------------------------------------------------------

    def compare(self, reader: Reader) -> Reconciliation:
        """What the target did, held against the books. The reader may raise TargetError."""
        return merged([self._compared(book, self._observed(book, reader)) for book in self.books.values()])

    def compare_jobs(self) -> Generator[oig.Operation, Any, Reconciliation]:
        """The same for a storm on the scheduler's jobs."""
        results = []
        for book in self.books.values():
            assert isinstance(book.row, OigStorm)
            observed = yield from book.row.observe(self.plan, book.tokens, self._before)
            results.append(self._compared(book, observed))
        return merged(results)

    def _observed(self, book: Book, reader: Reader) -> Observed:
        row, before = book.row, self._before
        assert isinstance(row, StormOperation)
        if not row.creates:
            return observe(row, book.tokens, book.ledger, before, reader)
        kind = made.type_of(row.name, self.plan.job_type)
        return made.observe(book.tokens, book.ledger, before, reader, kind, alone=self.plan.alone)

    def _compared(self, book: Book, observed: Observed) -> Reconciliation:
        if not book.ledger.size:
            return NOTHING
        return reconcile(book.tokens, book.ledger, observed, again=book.row.again, kind=self.plan.kind)


_MAIN: Final = 0.5
"""A storm is over when that which it mostly asks for has run out."""


def understands(operation: command.Operation | oig.Operation, body: object) -> bool:
    """False if an answer that should say which jobs it made does not."""
    match operation:
        case command.ScheduleJob():
            return isinstance(body, command.ScheduledJob)
        case job_commands.ScheduleBulkJob():
            return isinstance(body, job_commands.BulkJobs)
    return True


def _claim(book: Book, entry: Entry, body: object) -> Sequence[int]:
    """Note which jobs an answer says it made; the positions that it refused."""
    match body:
        case command.ScheduledJob(job_id=job_id):
            book.ledger.claims[entry.positions[0]] = job_id
        case job_commands.BulkJobs(orchestrator_job_pairs=pairs, failed_orchestrator_ids=failed):
            jobs = {pair.orchestrator_id.casefold(): pair.job_id for pair in pairs}
            names = {name.casefold() for name in failed}
            for position in entry.positions:
                if (made_job := jobs.get(book.tokens[position].job_id.casefold())) is not None:
                    book.ledger.claims[position] = made_job
            return [i for i in entry.positions if book.tokens[i].job_id.casefold() in names]
    return ()


def _made(book: Book) -> Iterator[tuple[str, str]]:
    """The jobs that answers to a book's requests named: of others only the reconciliation can tell what became."""
    for position, job in sorted(book.ledger.claims.items()):
        yield book.tokens[position].machine, job


def _again_and_again(tokens: tuple[Token, ...], count: int) -> tuple[Token, ...]:
    return tuple(tokens[number % len(tokens)] for number in range(count))
