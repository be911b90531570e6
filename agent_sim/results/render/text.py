"""The end of a run in the terminal: one table and the verdict, as a rich renderable (the command line prints it).

Colour only repeats what words say, so that it can be missing. Names come from servers and scenarios: they are shown
as plain text without control characters, never as markup.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from agent_sim.results import wording
from agent_sim.results.render.rows import COLUMNS, NOTHING, Row, fault_words, headline, herd_words, rows
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Answer, IfOpen, Overall, Verdict, headline_of, is_good, overall

_SAID: Final[Mapping[Answer, tuple[str, str]]] = {
    "kept": ("kept", "green"),
    "held": ("held", "green"),
    "broken": ("BROKEN", "bold red"),
    "unknown": ("unknown", "yellow"),
    "not_measured": ("not measured", "yellow"),
}
_OVERALL: Final[Mapping[Overall, str]] = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "INCONCLUSIVE": "bold yellow",
}
_WIDE: Final = 100
_WARNING: Final = ("warning", "yellow")


def render_text(summary: Summary, verdicts: Sequence[Verdict], inconclusive: IfOpen = None) -> RenderableType:
    """Headline, table of figures, a line per verdict, and last `verdict: PASS`, `FAIL` or `INCONCLUSIVE`."""
    found, said = overall(verdicts), headline_of(verdicts, inconclusive)
    faults: list[RenderableType] = [_faults(summary), Text("")] if summary.faults else []
    herds = [(storm.name, herd_words(storm.herd)) for storm in summary.storms if storm.herd is not None]
    told = [Text(wording.visible(f"herd {name} · {words}")) for name, words in herds]
    return Group(
        Text(headline(summary), style="bold"),
        Text(""),
        _Figures(rows(summary)),
        Text(""),
        *faults,
        *([*told, Text("")] if told else []),
        _answers(verdicts) if verdicts else Text("no check was asked for", style="dim"),
        Text.assemble("verdict: ", (said, _OVERALL[found])),
    )


class _Figures:
    """The table, which closes up where the terminal is narrow: the usual 80 columns are enough."""

    def __init__(self, lines: Sequence[Row]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _table(self._lines, is_narrow=options.max_width < _WIDE)


def _table(lines: Sequence[Row], is_narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1 if is_narrow else 2, 0, 0), header_style="bold")
    table.add_column(COLUMNS[0], overflow="fold", min_width=8)  # the one column that gives way
    for column in COLUMNS[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    for place, line in enumerate(lines):
        if place and line.section != lines[place - 1].section:
            table.add_row()
        cells = [_cell(text.replace(" (", "\n(") if is_narrow else text) for text in line.cells[1:-1]]
        table.add_row(_cell(line.cells[0]), *cells, Text(line.cells[-1], style="red" if line.errors else ""))
    return table


def _cell(text: str) -> Text:
    lines = "\n".join(map(wording.visible, text.split("\n")))
    return Text(lines, style="dim" if text.startswith(("n/a", NOTHING)) else "")


def _faults(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for fault in summary.faults:
        table.add_row(Text("fault"), Text(f"{wording.visible(fault.name)} · {fault_words(fault)}"))
    return table


def _answers(verdicts: Sequence[Verdict]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for verdict in verdicts:
        is_warning = verdict.warn_only and not is_good(verdict)
        table.add_row(Text(*(_WARNING if is_warning else _SAID[verdict.answer])), _explained(verdict))
    return table


def _explained(verdict: Verdict) -> Text:
    said = Text.assemble(wording.visible(verdict.name), (f" · {wording.visible(verdict.detail)}", "dim"))
    for offender in verdict.offenders:
        said.append(f"\n- {wording.visible(offender)}")
    return said
