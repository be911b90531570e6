"""The panel that a run shows on a terminal. Apart from `progress` because rich is of no use where there is none."""

from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent_sim.cli.progress import MOST, said
from agent_sim.protocol.enums import Result
from agent_sim.results import journal, wording
from agent_sim.results.render.rows import WAITING, in_order, percentile
from agent_sim.results.tally import Recent

if TYPE_CHECKING:
    from agent_sim.cli.progress import Progress

_COLOURS: Final = {Result.SUCCESS: "green", Result.WARNING: "yellow", Result.FAILURE: "red"}
_STATE_COLOURS: Final = {"online": "green", "offline": "yellow", "crashed": "red", "refused": "red"}
_QUANTILES: Final = (0.5, 0.95, 0.99)


def live(run: "Progress") -> Live | None:
    """What keeps showing the panel on standard error; None if that is no terminal after all."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    return Live(console=console, refresh_per_second=4, get_renderable=lambda: panel(run))


def panel(run: "Progress") -> Panel:
    """All that there is to see of it now."""
    parts = [_bar(run), Text(), _facts(run)]
    if run.recent:
        parts += [Text(), _requests(run.recent)]
    return Panel(Group(*parts), title=Text(run.title), border_style="cyan", padding=(1, 2))


def _bar(run: "Progress") -> RenderableType:
    elapsed, phase = run.elapsed(), run.tally.phase
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        Text(f"{min(elapsed, run.seconds):.0f} of {run.seconds:.0f} s"),
        ProgressBar(total=run.seconds, completed=min(elapsed, run.seconds), width=40),
        Text(f"phase {wording.visible(phase)}" if phase else "", style="bold"),
        Text(run.stage, style="dim"),
    )
    return bar


def _facts(run: "Progress") -> RenderableType:
    tally = run.tally
    facts = Table.grid(padding=(0, 2))
    states = [(f"{count:,} {state}", _STATE_COLOURS.get(state, "")) for state, count in tally.agents.items()]
    facts.add_row("agents", _joined(states or [(f"0 of {run.agents:,}", "")]))
    facts.add_row("jobs", f"{tally.posted:,} posted, {tally.running:,} running")
    facts.add_row("runs", _joined([(f"{tally.outcomes[of]:,} {of.name.lower()}", _COLOURS[of]) for of in _COLOURS]))
    facts.add_row("requests", f"{run.rate:.0f}/s")
    for name, is_armed in list(tally.armed.items())[-MOST:]:
        state = Text("armed", style="bold red") if is_armed else Text("over", style="dim")
        facts.add_row(Text(f"fault {wording.visible(name)}"), state)
    for name, storm in list(tally.storms.items())[-MOST:]:
        facts.add_row(Text(f"storm {wording.visible(name)}", style="bold magenta"), said(storm))
    return facts


def _joined(parts: list[tuple[str, str]]) -> Text:
    return Text("  ").join(Text(text, style=style) for text, style in parts)


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
