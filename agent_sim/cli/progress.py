"""Live progress of a run: a rich panel on a terminal, a plain line every few seconds elsewhere, or nothing at all.

It shows what a tally has counted of the journal's lines, and knows nothing else about the run.
"""

import os
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from agent_sim.protocol.enums import Result
from agent_sim.results import journal, wording
from agent_sim.results.plain import JsonObject
from agent_sim.results.tally import Recent, StormSoFar, Tally

if TYPE_CHECKING:
    from rich.live import Live

_PLAIN_EVERY: Final = 5.0
_OUTCOMES: Final = (Result.SUCCESS, Result.WARNING, Result.FAILURE)
MOST: Final = 6
"""Storms and faults shown at once; the rest are counted."""


class Progress:
    """Told of every journal line and every storm's progress; shows the sum. `tally` is what was counted."""

    def __init__(
        self,
        title: str,
        agents: int,
        seconds: float,
        elapsed: Callable[[], float],
        tally: Tally | None = None,
        *,
        is_quiet: bool = False,
    ) -> None:
        self.tally = Tally() if tally is None else tally
        self.title, self.agents, self.seconds, self.elapsed = title, agents, seconds, elapsed
        self.stage = "starting"
        self.recent: dict[str, Recent] = {}
        self._said_at = 0.0
        self._live = None if is_quiet else _live(self)
        self._is_plain = self._live is None and not is_quiet

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def doing(self, what: str) -> None:
        """Name the stage the run is in."""
        self.stage = what

    def second(self) -> None:
        """Called about once a second: rates are over this time."""
        self.tally.second()
        is_said = self._is_plain and self.elapsed() - self._said_at >= _PLAIN_EVERY
        if is_said or self._live is not None:  # nobody else looks
            self.recent = dict(self.tally.recent())
        if is_said:
            self._said_at = self.elapsed()
            sys.stderr.write(f"{self.elapsed():6.0f} s  {self._line()}\n")
            sys.stderr.flush()

    def observe(self, line: journal.Line) -> None:
        """Count one journal line."""
        self.tally.add(line)

    def storm(self, name: str, progress: JsonObject) -> None:
        """Take one progress line of a storm."""
        self.tally.storm(name, progress)

    # --- showing --------------------------------------------------------------------------------

    @property
    def rate(self) -> float:
        """Requests in a second."""
        return sum(each.per_second for name, each in self.recent.items() if name != journal.POOL_WAIT)

    def _line(self) -> str:
        tally = self.tally
        outcomes = ", ".join(f"{tally.outcomes[result]} {result.name.lower()}" for result in _OUTCOMES)
        phase = f"phase {wording.visible(tally.phase)}, " if tally.phase else ""
        others = [f", {count} {state}" for state, count in tally.agents.items() if state not in ("starting", "online")]
        storms = [f"; storm {wording.visible(name)}: {said(storm)}" for name, storm in self._running_storms()]
        armed = [wording.visible(name) for name, is_armed in tally.armed.items() if is_armed]
        faults = f"; fault {_few(armed)}" if armed else ""
        return (
            f"{self.stage}: {phase}{tally.agents.get('online', 0)}/{self.agents} agents{''.join(others)},"
            f" {tally.running} jobs running, {outcomes}, {self.rate:.0f} requests/s{''.join(storms)}{faults}"
        )

    def _running_storms(self) -> Iterator[tuple[str, StormSoFar]]:
        return ((name, storm) for name, storm in self.tally.storms.items() if storm.is_running)


def _live(run: Progress) -> "Live | None":
    """None where there is no terminal; rich is asked only if there may be one, or somebody insists (as it has it)."""
    if not (sys.stderr.isatty() or os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"):
        return None
    from agent_sim.cli.panel import live

    return live(run)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def said(storm: StormSoFar) -> str:
    """How a storm stands."""
    if not storm.is_running:
        return f"done: {storm.completed:,} requests, {storm.ids:,} ids, {storm.failed:,} failed"
    if storm.last is None:
        return "starting"
    completed, ids, failed = (storm.last.get(key, 0) for key in ("completed", "ids", "failed"))
    p95 = storm.last.get("response_p95_us")
    late = f", p95 {wording.latency(p95)}" if isinstance(p95, int | float) and completed else ""
    return f"{completed} requests/s, {ids} ids/s, {failed} failed{late}"
