"""What a storm measures: counts, three latencies and one line per second.

Latency `response` runs from when a request was due, `service` from when it was sent; their gap is what a closed
loop hides (load-testing 3.6). A dropped arrival leaves a lower bound in `response`: the time until its turn would
have come in a queue, and the shortest service seen. Times are nanoseconds on one steady clock; spans are recorded
in microseconds.
"""

from collections import Counter, deque
from typing import Final, TypedDict

from agent_sim.histogram import Histogram
from agent_sim.instants import MILLISECOND, SECOND, Instant, Span
from agent_sim.storms.taxonomy import UNANSWERED, ErrorKind

LATE: Final[Span] = MILLISECOND
"""A start later than this counts as late: timers are no finer (our choice)."""

_MICROSECOND: Final = 1000


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


class _Second:
    __slots__ = ("completed", "failed", "ids", "offered", "response")

    def __init__(self) -> None:
        self.offered = self.completed = self.ids = self.failed = 0
        self.response = Histogram()


class Meter:
    """The counters of one storm. `completed` requests are those that a status came back for."""

    def __init__(self) -> None:
        self.planned = self.started = self.dropped = self.late_starts = self.completed = self.ids = 0
        self.response, self.service, self.lateness = Histogram(), Histogram(), Histogram()
        self.errors: Counter[ErrorKind] = Counter()
        self.faults: Counter[str] = Counter()  # requests that declared faults met, by fault
        self.series: list[SeriesEntry] = []
        self._second = _Second()
        self._queue: deque[Instant] = deque()

    def due(self) -> None:
        """A request is due."""
        self.planned += 1
        self._second.offered += 1

    def start(self, due: Instant, now: Instant) -> None:
        """It is being sent."""
        self.started += 1
        self.lateness.record((now - due) // _MICROSECOND)
        self.late_starts += now - due > LATE

    def drop(self, due: Instant) -> None:
        """It is not sent, because as many as allowed are in flight."""
        self.dropped += 1
        self._queue.append(due)

    def finish(self, due: Instant, sent: Instant, now: Instant, error: ErrorKind | None, ids: int) -> None:
        """It ended; `ids` is how many were accepted with it."""
        self.service.record((now - sent) // _MICROSECOND)
        self._respond(now - due)
        if error is None:
            self.ids += ids
            self._second.ids += ids
        else:
            self.errors[error] += 1
            self._second.failed += 1
        if error not in UNANSWERED:
            self.completed += 1
            self._second.completed += 1
        if self._queue:
            self._bound(self._queue.popleft(), now)

    @property
    def is_quiet(self) -> bool:
        """True if nothing happened since the last tick."""
        return not (self._second.offered or self._second.response.count)

    def tick(self, elapsed: Span) -> SeriesEntry:
        """Close the present second."""
        second, self._second = self._second, _Second()
        entry = SeriesEntry(
            t=round(elapsed / SECOND, 3),
            offered=second.offered,
            completed=second.completed,
            ids=second.ids,
            failed=second.failed,
            response_p50_us=second.response.percentile(0.5),
            response_p95_us=second.response.percentile(0.95),
            response_max_us=second.response.max_us,
        )
        self.series.append(entry)
        return entry

    def close(self, now: Instant) -> None:
        """Nothing more will end: give the arrivals whose turn never came their lower bounds."""
        while self._queue:
            self._bound(self._queue.popleft(), now)

    def _bound(self, due: Instant, now: Instant) -> None:
        self._respond(now - due + self.service.min_us * _MICROSECOND)

    def _respond(self, span: Span) -> None:
        self.response.record(span // _MICROSECOND)
        self._second.response.record(span // _MICROSECOND)
