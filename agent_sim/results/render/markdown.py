"""The end of a run as Markdown, for a pull request or a job's summary page: verdict, checks, figures.

Names and messages come from servers and scenarios: what Markdown or HTML would take for its own is escaped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agent_sim.results.render.rows import COLUMNS, headline, rows
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
    if figures:
        yield "<details><summary>Requests</summary>"
        yield ""
        yield from _table(COLUMNS, figures)
        yield ""
        yield "</details>"
        yield ""
    yield f"outcome digest: `{summary.outcome_digest}`"


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
