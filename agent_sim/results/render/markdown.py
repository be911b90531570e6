"""The end of a run as Markdown, for a pull request or a job's summary page: verdict, checks, figures.

Names and messages come from servers and scenarios: what Markdown or HTML would take for its own is escaped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agent_sim.results.render.rows import COLUMNS, headline, herd_words, rows, storm_name
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import Answer, IfOpen, Verdict, headline_of, is_good
from agent_sim.results.wording import visible

_SIGNS: Final[Mapping[Answer, str]] = {
    "kept": "✅ kept",
    "held": "✅ held",
    "broken": "❌ **broken**",
    "unknown": "❔ unknown",
    "not_measured": "❔ not measured",
}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def render_markdown(
    summary: Summary, verdicts: Sequence[Verdict], *, replay: str = "", inconclusive: IfOpen = None
) -> str:
    """The document; the same arguments give the same text. `replay` is the command that replays the run."""
    return "\n".join(_lines(summary, verdicts, replay, headline_of(verdicts, inconclusive))) + "\n"


def _lines(summary: Summary, verdicts: Sequence[Verdict], replay: str, found: str) -> Iterator[str]:
    name = summary.run.scenario if summary.run is not None else "a run without a beginning"
    yield f"## agent-sim · {escaped(name)}: {found}"
    yield ""
    yield escaped(headline(summary))
    yield ""
    if verdicts:
        yield from _table(("check", "answer", "what was found"), [_checked(verdict) for verdict in verdicts])
        yield ""
    for verdict in verdicts:
        yield from _offenders(verdict)
    if replay and not all(map(is_good, verdicts)):
        yield from ("Replay it:", "", "```console", f"$ {visible(replay)}", "```", "")
    figures = [tuple(map(escaped, row.cells)) for row in rows(summary)]
    yield from _details("Requests", COLUMNS, figures)
    yield from _details("Outcomes by fleet and type", ("fleet", "type", *_ENDS), list(_mix(summary)))
    yield from _details("Errors", ("operation", "kind", "requests"), list(_errors(summary)))
    yield from _details("Storms and their ledgers", _LEDGER, list(_ledgers(summary)))
    for storm in summary.storms:
        if storm.herd is not None:
            yield f"herd {escaped(storm_name(storm))}: {escaped(herd_words(storm.herd))}"
            yield ""
    yield f"outcome digest: `{summary.outcome_digest}`"


# --- what is folded away ----------------------------------------------------------------------

_ENDS: Final = ("success", "warning", "failure")
_LEDGER: Final = ("storm", "sent", "accepted", "refused", "unknown", "violations", "not checkable", "generator")
_MOST: Final = 100
"""Rows of a table: pages that show Markdown have a limit, and `result.json` has all."""


def _details(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    if not lines:
        return
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from _table(columns, lines[:_MOST])
    if len(lines) > _MOST:
        yield ""
        yield f"and {len(lines) - _MOST:,} more in result.json"
    yield ""
    yield "</details>"
    yield ""


def _mix(summary: Summary) -> Iterator[tuple[str, ...]]:
    for each in summary.mix:
        named = {result.name.lower(): count for result, count in each.outcomes.items()}
        yield escaped(each.fleet), escaped(each.type), *(f"{named.get(end, 0):,}" for end in _ENDS)


def _errors(summary: Summary) -> Iterator[tuple[str, ...]]:
    found = [(storm_name(storm), storm.result.errors) for storm in summary.storms if storm.result is not None]
    found += [(name, each.errors) for name, each in summary.whole.operations.items()]
    for operation, errors in found:
        yield from ((escaped(operation), escaped(kind), f"{count:,}") for kind, count in errors.items() if count)


def _ledgers(summary: Summary) -> Iterator[tuple[str, ...]]:
    for storm in summary.storms:
        if (result := storm.result) is None:
            continue
        said, checked = result.ledger, result.reconciliation
        counts = (said.sent, said.accepted, said.refused, said.unknown, checked.broken)
        health = "saturated" if result.generator.saturated else "kept up"
        unclear = escaped("; ".join(checked.not_checkable)) or "–"
        yield escaped(storm_name(storm)), *(f"{count:,}" for count in counts), unclear, health


def _checked(verdict: Verdict) -> tuple[str, str, str]:
    warns = not is_good(verdict) and verdict.warn_only
    return escaped(verdict.name), "⚠️ warning" if warns else _SIGNS[verdict.answer], escaped(verdict.detail)


def _offenders(verdict: Verdict) -> Iterator[str]:
    if verdict.offenders:
        yield f"{escaped(verdict.name)}:"
        yield ""
        yield from (f"- {escaped(each)}" for each in verdict.offenders)
        yield ""


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"


def escaped(text: str) -> str:
    """The same text on one line, with nothing in it that Markdown, HTML or an autolink would act on."""
    safe = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", safe).replace("://", ":&#8203;//").replace("@", "&#64;")
