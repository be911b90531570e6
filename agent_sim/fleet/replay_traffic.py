"""Requests of a replay, counted per operation: what the journal keeps instead of a line per request.

In virtual time every answer takes as long as any other unless a fault meets its request, so counting is nearly all
there is to do, and a line covers more than a second where a run is long: a day has as many lines as twenty minutes
live. Nothing waits for a connection, so there are no such lines.
"""

from typing import Final

from agent_sim.errors import TransportError
from agent_sim.fleet.traffic import Traffic as Counted
from agent_sim.fleet.traffic import error_of
from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND, Span
from agent_sim.results.journal import Traffic
from agent_sim.results.timeline import LIMIT

_MICROSECOND: Final = 1000


def period(length: Span) -> Span:
    """How much of a run of this length one line covers: a second, doubled until charts have a bucket for each.

    So buckets and lines fit each other: `results.timeline` doubles its buckets by the same rule.
    """
    covered = SECOND
    while length // covered >= LIMIT:
        covered *= 2
    return covered


class VirtualTraffic:
    """Counts until `take` empties it. `latency` is that of every request that no fault meets."""

    def __init__(self, latency: Span) -> None:
        self._latency = latency // _MICROSECOND
        self._sent: dict[str, int] = {}
        self._errors: dict[str, dict[str, int]] = {}
        self._struck = Counted()

    def count(self, operation: str, status: int) -> None:
        """One request that was answered with this status."""
        self._sent[operation] = self._sent.get(operation, 0) + 1
        if status >= 300:
            self._count_error(operation, status)

    def _count_error(self, operation: str, status: int) -> None:
        error = error_of(status)
        if error is not None:
            errors = self._errors.setdefault(operation, {})
            errors[error.value] = errors.get(error.value, 0) + 1

    def ended(self, operation: str, outcome: int | TransportError, took: Span, faults: tuple[str, ...]) -> None:
        """One request that met faults ended in a status or an error."""
        self._struck.ended(operation, outcome, took, None, faults)

    def take(self, t: float) -> list[Traffic]:
        """A line for each operation (and the faults met) seen since the last call, in order of names."""
        sent, self._sent = self._sent, {}
        errors, self._errors = self._errors, {}
        lines = [self._line(t, name, count, errors.get(name, {})) for name, count in sorted(sent.items())]
        return lines + self._struck.take(t)

    def _line(self, t: float, operation: str, sent: int, errors: dict[str, int]) -> Traffic:
        failed = sum(errors.values())
        latency = Histogram()
        latency.record(self._latency, sent)
        return Traffic(t, operation, sent - failed, failed, dict(sorted(errors.items())), latency.to_json())
