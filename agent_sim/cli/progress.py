"""Live progress of a run: a rich panel on a terminal, a plain line every few seconds elsewhere, or nothing at all.

It shows what a tally has counted of the journal's lines, and knows nothing else about the run.
"""

import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent_sim.protocol.enums import Result
from agent_sim.results import journal, wording
from agent_sim.results.plain import JsonObject
from agent_sim.results.render.rows import WAITING, in_order, percentile
from agent_sim.results.tally import Recent, StormSoFar, Tally

_PLAIN_EVERY: Final = 5.0
_COLOURS: Final = {Result.SUCCESS: "green", Result.WARNING: "yellow", Result.FAILURE: "red"}
_STATE_COLOURS: Final = {"online": "green", "offline": "yellow", "crashed": "red", "refused": "red"}
_QUANTILES: Final = (0.5, 0.95, 0.99)
_MOST: Final = 6
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
        self._title, self._agents, self._seconds, self._elapsed = title, agents, seconds, elapsed
        self._doing = "starting"
        self._recent: dict[str, Recent] = {}
        self._said_at = 0.0
        self._console = Console(stderr=True, quiet=is_quiet)
        self._is_plain = not self._console.is_terminal and not is_quiet
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._panel, transient=is_quiet)
        self._is_live = self._console.is_terminal and not is_quiet

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            self._live.stop()

    def doing(self, what: str) -> None:
        """Name the stage the run is in."""
        self._doing = what

    def second(self) -> None:
        """Called about once a second: rates are over this time."""
        self.tally.second()
        self._recent = dict(self.tally.recent())
        if self._is_plain and self._elapsed() - self._said_at >= _PLAIN_EVERY:
            self._said_at = self._elapsed()
            sys.stderr.write(f"{self._elapsed():6.0f} s  {self._line()}\n")
            sys.stderr.flush()

    def observe(self, line: journal.Line) -> None:
        """Count one journal line."""
        self.tally.add(line)

    def storm(self, name: str, progress: JsonObject) -> None:
        """Take one progress line of a storm."""
        self.tally.storm(name, progress)

    # --- showing --------------------------------------------------------------------------------

    def _rate(self) -> float:
        return sum(each.per_second for name, each in self._recent.items() if name != journal.POOL_WAIT)

    def _line(self) -> str:
        tally = self.tally
        outcomes = ", ".join(f"{tally.outcomes[result]} {result.name.lower()}" for result in _COLOURS)
        phase = f"phase {wording.visible(tally.phase)}, " if tally.phase else ""
        others = [f", {count} {state}" for state, count in tally.agents.items() if state not in ("starting", "online")]
        storms = [f"; storm {wording.visible(name)}: {_said(storm)}" for name, storm in self._running_storms()]
        armed = [wording.visible(name) for name, is_armed in tally.armed.items() if is_armed]
        faults = f"; fault {_few(armed)}" if armed else ""
        return (
            f"{self._doing}: {phase}{tally.agents.get('online', 0)}/{self._agents} agents{''.join(others)},"
            f" {tally.running} jobs running, {outcomes}, {self._rate():.0f} requests/s{''.join(storms)}{faults}"
        )

    def _running_storms(self) -> Iterator[tuple[str, StormSoFar]]:
        return ((name, storm) for name, storm in self.tally.storms.items() if storm.is_running)

    def _panel(self) -> Panel:
        parts = [self._bar(), Text(), self._facts()]
        if self._recent:
            parts += [Text(), _requests(self._recent)]
        return Panel(Group(*parts), title=Text(self._title), border_style="cyan", padding=(1, 2))

    def _bar(self) -> RenderableType:
        elapsed, phase = self._elapsed(), self.tally.phase
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Text(f"{min(elapsed, self._seconds):.0f} of {self._seconds:.0f} s"),
            ProgressBar(total=self._seconds, completed=min(elapsed, self._seconds), width=40),
            Text(f"phase {wording.visible(phase)}" if phase else "", style="bold"),
            Text(self._doing, style="dim"),
        )
        return bar

    def _facts(self) -> RenderableType:
        tally = self.tally
        facts = Table.grid(padding=(0, 2))
        states = [(f"{count:,} {state}", _STATE_COLOURS.get(state, "")) for state, count in tally.agents.items()]
        facts.add_row("agents", _joined(states or [(f"0 of {self._agents:,}", "")]))
        facts.add_row("jobs", f"{tally.posted:,} posted, {tally.running:,} running")
        facts.add_row("runs", _joined([(f"{tally.outcomes[of]:,} {of.name.lower()}", _COLOURS[of]) for of in _COLOURS]))
        facts.add_row("requests", f"{self._rate():.0f}/s")
        for name, is_armed in list(tally.armed.items())[-_MOST:]:
            state = Text("armed", style="bold red") if is_armed else Text("over", style="dim")
            facts.add_row(Text(f"fault {wording.visible(name)}"), state)
        for name, storm in list(tally.storms.items())[-_MOST:]:
            facts.add_row(Text(f"storm {wording.visible(name)}", style="bold magenta"), _said(storm))
        return facts


def _joined(parts: list[tuple[str, str]]) -> Text:
    return Text("  ").join(Text(text, style=style) for text, style in parts)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _said(storm: StormSoFar) -> str:
    if not storm.is_running:
        return f"done: {storm.completed:,} requests, {storm.ids:,} ids, {storm.failed:,} failed"
    if storm.last is None:
        return "starting"
    completed, ids, failed = (storm.last.get(key, 0) for key in ("completed", "ids", "failed"))
    p95 = storm.last.get("response_p95_us")
    late = f", p95 {wording.latency(p95)}" if isinstance(p95, int | float) and completed else ""
    return f"{completed} requests/s, {ids} ids/s, {failed} failed{late}"


def _requests(recent: dict[str, Recent]) -> RenderableType:
    """The last seconds by operation; a percentile only where enough requests stand behind it."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("last ten seconds")
    for heading in ("per second", "p50", "p95", "p99", "failed"):
        table.add_column(heading, justify="right")
    for name in in_order(recent):
        each = recent[name]
        shown = WAITING if name == journal.POOL_WAIT else name
        latencies = (percentile(each.latency, q) for q in _QUANTILES)
        failed = Text(f"{each.failed:,}", style="red" if each.failed else "")
        table.add_row(shown, wording.digits(each.per_second), *latencies, failed)
    return table
