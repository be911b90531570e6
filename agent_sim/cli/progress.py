"""Live progress of a run: a rich panel on a terminal, a plain line every few seconds elsewhere.

It counts journal lines as they are written and knows nothing else about the run.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent_sim.protocol.enums import Result
from agent_sim.results import journal
from agent_sim.results.plain import JsonObject

_PLAIN_EVERY: Final = 5.0
_COLOURS: Final = {Result.SUCCESS: "green", Result.WARNING: "yellow", Result.FAILURE: "red"}


class Progress:
    """Told of every journal line and every storm's progress; shows the sum."""

    def __init__(self, title: str, agents: int, seconds: float, elapsed: Callable[[], float]) -> None:
        self._title, self._agents, self._seconds, self._elapsed = title, agents, seconds, elapsed
        self._online: set[str] = set()
        self._outcomes: Counter[Result] = Counter()
        self._posted = self._running = 0
        self._requests = 0
        self._rate = 0.0
        self._phase = ""
        self._doing = "starting"
        self._storms: dict[str, str] = {}
        self._said_at = 0.0
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._panel)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def doing(self, what: str) -> None:
        """Name the stage the run is in."""
        self._doing = what

    def second(self) -> None:
        """Called about once a second: rates are over this time."""
        self._rate, self._requests = float(self._requests), 0
        if not self._console.is_terminal and self._elapsed() - self._said_at >= _PLAIN_EVERY:
            self._said_at = self._elapsed()
            sys.stderr.write(f"{self._elapsed():6.0f} s  {self._line()}\n")
            sys.stderr.flush()

    def observe(self, line: journal.Line) -> None:
        """Count one journal line."""
        match line:
            case journal.AgentRegistered(agent=agent):
                self._online.add(agent)
            case journal.PhaseStarted(phase=phase):
                self._phase = phase
            case journal.JobPosted():
                self._posted += 1
            case journal.JobConfigured():
                self._running += 1
            case journal.JobCompleted(outcome=outcome, accepted=accepted):
                self._running -= 1
                self._outcomes[outcome] += accepted  # what the server turned away is no outcome, as in the report
            case journal.Traffic(operation=operation, ok=ok, failed=failed) if operation != journal.POOL_WAIT:
                self._requests += ok + failed
            case journal.StormEnded(storm=storm):
                self._storms[storm] = "done"

    def storm(self, name: str, progress: JsonObject) -> None:
        """Take one progress line of a storm."""
        ids, completed, failed = (progress.get(key, 0) for key in ("ids", "completed", "failed"))
        self._storms[name] = f"{completed} requests/s, {ids} ids/s, {failed} failed"

    # --- showing --------------------------------------------------------------------------------

    def _line(self) -> str:
        outcomes = ", ".join(f"{self._outcomes[result]} {result.name.lower()}" for result in _COLOURS)
        storms = "".join(f"; storm {name}: {text}" for name, text in self._storms.items() if text != "done")
        phase = f"phase {self._phase}, " if self._phase else ""
        return (
            f"{self._doing}: {phase}{len(self._online)}/{self._agents} agents, {self._running} jobs running,"
            f" {outcomes}, {self._rate:.0f} requests/s{storms}"
        )

    def _panel(self) -> Panel:
        elapsed = self._elapsed()
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Text(f"{min(elapsed, self._seconds):.0f} of {self._seconds:.0f} s"),
            ProgressBar(total=self._seconds, completed=min(elapsed, self._seconds), width=40),
            Text(f"phase {self._phase}" if self._phase else "", style="bold"),
            Text(self._doing, style="dim"),
        )
        facts = Table.grid(padding=(0, 2))
        facts.add_row("agents online", f"{len(self._online)} of {self._agents}")
        facts.add_row("jobs posted", str(self._posted))
        facts.add_row("jobs running", str(self._running))
        outcomes = Text("  ").join(
            Text(f"{self._outcomes[result]} {result.name.lower()}", style=colour) for result, colour in _COLOURS.items()
        )
        facts.add_row("jobs done", outcomes)
        facts.add_row("requests", f"{self._rate:.0f}/s")
        for name, text in self._storms.items():
            facts.add_row(Text(f"storm {name}", style="bold magenta"), text)
        return Panel(Group(bar, Text(), facts), title=self._title, border_style="cyan", padding=(1, 2))
