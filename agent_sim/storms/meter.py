"""What a storm measures: counts, latencies and one line per second, for each of its steps.

Latency `response` runs from when a request was due, `service` from when it was sent; their gap is what a closed
loop hides (load-testing 3.6). `wait` is the part of `service` that went by before there was a connection: our own
queue, not the target. A dropped arrival leaves a lower bound in `response`: the time until its turn would have come in
a queue, and the shortest service seen. Times are nanoseconds on one steady clock; spans are recorded in microseconds.

What many processes measured merges without loss: each hands over what came to pass since it last did, as plain data.
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, TypedDict

from agent_sim.histogram import Histogram, HistogramJson
from agent_sim.instants import MILLISECOND, SECOND, Instant, Span
from agent_sim.storms.steps import Step
from agent_sim.storms.taxonomy import UNANSWERED, ErrorKind

LATE: Final[Span] = MILLISECOND
"""A start later than this counts as late: timers are no finer (our choice)."""

SATISFIED: Final[Span] = 500 * MILLISECOND
"""Apdex's T unless somebody says otherwise (the value that its inventors' tools begin with)."""

_MICROSECOND: Final = 1000
_COUNTERS: Final = (
    "planned",
    "started",
    "dropped",
    "late_starts",
    "completed",
    "ids",
    "failed",
    "satisfied",
    "tolerating",
)
_HISTOGRAMS: Final = ("response", "service", "wait", "lateness")


class SeriesEntry(TypedDict):
    """One second of a storm; `t` is its end in seconds since the storm began."""

    t: float
    offered: int
    completed: int
    ids: int
    failed: int
    response_p50_us: float
    response_p95_us: float
    response_max_us: int


class TallyJson(TypedDict):
    """A tally as plain data. `in_flight` is the integral of requests under way, in nanoseconds."""

    counts: list[int]
    histograms: list[HistogramJson]
    errors: dict[str, int]
    in_flight: int
    in_flight_max: int


class SecondJson(TypedDict):
    """One second of one process; `number` counts from 1."""

    number: int
    t: float
    counts: list[int]
    response: HistogramJson


class PartJson(TypedDict):
    """What one process measured since the part before: its steps, its seconds, the faults that requests met."""

    steps: list[TallyJson]
    seconds: list[SecondJson]
    faults: dict[str, int]


class Tally:
    """The counters of one step. `completed` requests are those that a status came back for."""

    __slots__ = (*_COUNTERS, *_HISTOGRAMS, "_since", "errors", "in_flight", "in_flight_max", "open")

    planned: int
    started: int
    dropped: int
    late_starts: int
    completed: int
    ids: int
    failed: int
    satisfied: int
    tolerating: int

    def __init__(self) -> None:
        for name in _COUNTERS:
            setattr(self, name, 0)
        self.response, self.service, self.wait, self.lateness = Histogram(), Histogram(), Histogram(), Histogram()
        self.errors: Counter[ErrorKind] = Counter()
        self.in_flight: Span = 0
        self.in_flight_max = self.open = 0
        self._since: Instant = 0

    def opened(self, by: int, now: Instant) -> None:
        """So many more requests are under way; counted at each change, not sampled (load-testing 3.8)."""
        self.in_flight += self.open * (now - self._since)
        self._since = now
        self.open += by
        self.in_flight_max = max(self.in_flight_max, self.open)

    def merge(self, other: "Tally") -> None:
        """Add all that `other` counted; what the most under way were together is for the caller to say."""
        for name in _COUNTERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _HISTOGRAMS:
            getattr(self, name).merge(getattr(other, name))
        self.errors.update(other.errors)
        self.in_flight += other.in_flight

    @property
    def little(self) -> float | None:
        """The average number of requests under way, by their integral, as a share of what their number and mean
        service time make it: 1 unless samples were lost or a clock is wrong. None if that cannot be said.
        """
        if self.started != self.service.count or not self.service.total_us:
            return None
        return self.in_flight / (self.service.total_us * _MICROSECOND)

    def apdex(self) -> float | None:
        """Satisfied and half of the tolerating as a share of all; errors and what was dropped are neither."""
        whole = self.service.count + self.dropped
        return (self.satisfied + self.tolerating / 2) / whole if whole else None

    def to_json(self) -> TallyJson:
        """Plain data."""
        return TallyJson(
            counts=[getattr(self, name) for name in _COUNTERS],
            histograms=[getattr(self, name).to_json() for name in _HISTOGRAMS],
            errors={kind.value: count for kind, count in self.errors.items()},
            in_flight=self.in_flight,
            in_flight_max=self.in_flight_max,
        )

    @classmethod
    def from_json(cls, data: TallyJson) -> "Tally":
        """The inverse of `to_json`."""
        made = cls()
        for name, count in zip(_COUNTERS, data["counts"], strict=True):
            setattr(made, name, count)
        made.response, made.service, made.wait, made.lateness = map(Histogram.from_json, data["histograms"])
        made.errors = Counter({ErrorKind(kind): count for kind, count in data["errors"].items()})
        made.in_flight, made.in_flight_max = data["in_flight"], data["in_flight_max"]
        return made


class Second:
    """What came to pass in one second."""

    __slots__ = ("completed", "failed", "ids", "offered", "response")

    def __init__(self) -> None:
        self.offered = self.completed = self.ids = self.failed = 0
        self.response = Histogram()

    def add(self, data: SecondJson) -> None:
        """Add the same second of another process."""
        offered, completed, ids, failed = data["counts"]
        self.offered += offered
        self.completed += completed
        self.ids += ids
        self.failed += failed
        self.response.merge(Histogram.from_json(data["response"]))

    @property
    def counts(self) -> list[int]:
        """In the order of `add`."""
        return [self.offered, self.completed, self.ids, self.failed]

    def entry(self, t: float) -> SeriesEntry:
        """It as a line."""
        return SeriesEntry(
            t=t,
            offered=self.offered,
            completed=self.completed,
            ids=self.ids,
            failed=self.failed,
            response_p50_us=self.response.percentile(0.5),
            response_p95_us=self.response.percentile(0.95),
            response_max_us=self.response.max_us,
        )


class Meter:
    """The counters of one storm, which is one step unless `steps` says otherwise; all of them count as measured but
    the warm-up.
    """

    def __init__(self, steps: Sequence[Step] = (), satisfied: Span = SATISFIED) -> None:
        self._begins = [step.begins for step in steps[1:]]
        self._measured = [not step.warm_up for step in steps] or [True]
        self._satisfied = satisfied // _MICROSECOND
        self.tallies = [Tally() for _ in self._measured]
        self.faults: Counter[str] = Counter()  # requests that declared faults met, by fault
        self.series: list[SeriesEntry] = []
        self._second = Second()
        self._queue: deque[Instant] = deque()

    def cut(self, steps: Sequence[Step]) -> None:
        """The same steps begin at other times, all of them to come."""
        self._begins = [step.begins for step in steps[1:]]

    def due(self, due: Instant) -> None:
        """A request is due."""
        self._of(due).planned += 1
        self._second.offered += 1

    def start(self, due: Instant, now: Instant) -> None:
        """It is being sent."""
        tally = self._of(due)
        tally.started += 1
        tally.lateness.record((now - due) // _MICROSECOND)
        tally.late_starts += now - due > LATE
        tally.opened(1, now)

    def drop(self, due: Instant) -> None:
        """It is not sent, because as many as allowed are in flight."""
        self._of(due).dropped += 1
        self._queue.append(due)

    def finish(
        self, due: Instant, sent: Instant, now: Instant, error: ErrorKind | None, ids: int, waited: Span = 0
    ) -> None:
        """It ended; `ids` is how many were accepted with it, `waited` how long it had no connection."""
        tally, second, response = self._of(due), self._second, (now - due) // _MICROSECOND
        tally.service.record((now - sent) // _MICROSECOND)
        tally.wait.record(waited // _MICROSECOND)
        tally.opened(-1, now)
        tally.response.record(response)
        second.response.record(response)
        if error is None:
            tally.ids += ids
            second.ids += ids
            tally.satisfied += response <= self._satisfied
            tally.tolerating += self._satisfied < response <= 4 * self._satisfied
        else:
            self.fail(due, error)
            second.failed += 1
        if error not in UNANSWERED:
            tally.completed += 1
            second.completed += 1
        if self._queue:
            self._bound(self._queue.popleft(), now)

    def fail(self, due: Instant, error: ErrorKind, times: int = 1) -> None:
        """Count an error alone."""
        tally = self._of(due)
        tally.errors[error] += times
        tally.failed += times

    @property
    def is_quiet(self) -> bool:
        """True if nothing happened since the last tick."""
        return not (self._second.offered or self._second.response.count)

    def tick(self, elapsed: Span) -> SeriesEntry:
        """Close the present second."""
        entry = self._take_second().entry(round(elapsed / SECOND, 3))
        self.series.append(entry)
        return entry

    def close(self, now: Instant) -> None:
        """Nothing more will end: give the arrivals whose turn never came their lower bounds."""
        while self._queue:
            self._bound(self._queue.popleft(), now)

    # --- the whole of what was measured ---------------------------------------------------------

    @property
    def measured(self) -> Tally:
        """All steps but the warm-up, as one."""
        return _merged(tally for tally, counts in zip(self.tallies, self._measured, strict=True) if counts)

    @property
    def warm_up(self) -> Tally:
        """What was sent before anything counted."""
        return _merged(tally for tally, counts in zip(self.tallies, self._measured, strict=True) if not counts)

    @property
    def ids(self) -> int:
        """Ids accepted so far, in the warm-up too."""
        return sum(tally.ids for tally in self.tallies)

    # --- parts ------------------------------------------------------------------------------------

    def tick_part(self, number: int, elapsed: Span) -> SecondJson:
        """Close the present second for somebody else to merge."""
        second = self._take_second()
        return SecondJson(
            number=number,
            t=round(elapsed / SECOND, 3),
            counts=second.counts,
            response=second.response.to_json(),
        )

    def take_part(self, seconds: list[SecondJson], now: Instant) -> PartJson:
        """What came to pass since the last part."""
        taken, self.tallies = self.tallies, [Tally() for _ in self.tallies]
        for old, new in zip(taken, self.tallies, strict=True):
            old.opened(0, now)
            new.open, new.in_flight_max, new._since = old.open, old.open, now
            new.service.min_us = old.service.min_us  # lower bounds go on from it
        faults, self.faults = self.faults, Counter()
        return PartJson(steps=[tally.to_json() for tally in taken], seconds=seconds, faults=dict(faults))

    def add_part(self, part: PartJson) -> None:
        """Take in a part that the same process measured; its seconds are for `storms.gather`."""
        for tally, data in zip(self.tallies, part["steps"], strict=True):
            other = Tally.from_json(data)
            tally.merge(other)
            tally.in_flight_max = max(tally.in_flight_max, other.in_flight_max)
        self.faults.update(part["faults"])

    def add_process(self, other: "Meter") -> None:
        """Take in what another process measured at the same time; its most under way may have been at another moment,
        so that the sum is an upper bound.
        """
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.merge(theirs)
            mine.in_flight_max += theirs.in_flight_max
        self.faults.update(other.faults)

    def _take_second(self) -> Second:
        taken, self._second = self._second, Second()
        return taken

    def _of(self, due: Instant) -> Tally:
        return self.tallies[bisect_right(self._begins, due)] if self._begins else self.tallies[0]

    def _bound(self, due: Instant, now: Instant) -> None:
        tally = self._of(due)
        span = (now - due) // _MICROSECOND + tally.service.min_us
        tally.response.record(span)
        self._second.response.record(span)


def _merged(tallies: Iterable[Tally]) -> Tally:
    made = Tally()
    for tally in tallies:
        made.merge(tally)
        made.in_flight_max = max(made.in_flight_max, tally.in_flight_max)
    return made
