"""Requests counted per operation, second by second: what the journal keeps instead of a line per request."""

from typing import Final

from agent_sim.errors import ConnectFailed, TransportError
from agent_sim.histogram import Histogram
from agent_sim.instants import Span
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.journal import Traffic as TrafficLine
from agent_sim.storms.taxonomy import ErrorKind, classify

_AT_ONCE: Final = 512
"""Latencies that are put into their buckets together; of more the last, once a second, would make agents late."""


class _Count:
    __slots__ = ("errors", "failed", "fresh", "latency", "ok")

    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.errors: dict[str, int] = {}
        self.latency = Histogram()
        self.fresh: list[int] = []  # latencies in microseconds that are in no bucket yet

    def settle(self) -> None:
        """Put what is fresh into its buckets."""
        self.latency.record_all(self.fresh)
        self.fresh.clear()


class Traffic:
    """Counts until `take` empties it."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, tuple[str, ...]], _Count] = {}
        self._unhindered = 0  # exchanges that had their connection at once, as most have

    def ended(
        self,
        operation: str,
        outcome: int | TransportError,
        wire: Span,
        waited: Span | None,
        faults: tuple[str, ...] = (),
    ) -> ErrorKind | None:
        """One exchange ended in a status or an error after `wire` nanoseconds, having waited `waited` before.

        Returns the error in the words of storms' reports, None for success. `waited` is None where nothing ever waits
        for a connection. Those that met the same `faults` are counted together, apart from all others.
        """
        counts = self._counts
        count = counts.get((operation, faults)) or self._new(operation, faults)
        count.fresh.append(wire // 1000)
        if len(count.fresh) >= _AT_ONCE:
            count.settle()
        error = None if outcome == 200 else error_of(outcome)
        if error is None:
            count.ok += 1
        else:
            count.failed += 1
            count.errors[error.value] = count.errors.get(error.value, 0) + 1
        if waited == 0:
            self._unhindered += 1
        elif waited is not None:
            self._waited(waited // 1000, 1)
        return error

    def add(self, line: TrafficLine) -> None:
        """What another process counted."""
        count = self._counts.get((line.operation, line.faults)) or self._new(line.operation, line.faults)
        count.ok += line.ok
        count.failed += line.failed
        count.latency.merge(Histogram.from_json(line.latency))
        for error, times in line.errors.items():
            count.errors[error] = count.errors.get(error, 0) + times

    def take(self, t: float) -> list[TrafficLine]:
        """A line for each operation (and the faults met) seen since the last call, in order of names."""
        if self._unhindered:
            self._waited(0, self._unhindered)
        counts, self._counts, self._unhindered = self._counts, {}, 0
        for count in counts.values():
            count.settle()
        return [
            TrafficLine(t, name, count.ok, count.failed, count.errors, count.latency.to_json(), faults)
            for (name, faults), count in sorted(counts.items())
        ]

    def _waited(self, microseconds: int, times: int) -> None:
        waiting = self._counts.get((POOL_WAIT, ())) or self._new(POOL_WAIT, ())
        waiting.ok += times
        waiting.latency.record(microseconds, times)

    def _new(self, operation: str, faults: tuple[str, ...]) -> _Count:
        made = self._counts[operation, faults] = _Count()
        return made


def error_of(outcome: int | TransportError) -> ErrorKind | None:
    """The error that an exchange ended in, in the words of storms' reports; None for success."""
    if isinstance(outcome, TransportError):
        return ErrorKind.CONNECT_REFUSED if isinstance(outcome, ConnectFailed) else ErrorKind.READ_TIMEOUT
    return None if 200 <= outcome < 300 else classify(outcome, has_body=False, expected=200)
