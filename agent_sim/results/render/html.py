"""The report of a run as one HTML file that needs nothing else: no network, no second file.

The template is `report.html.jinja`; styles, script and the chart library stand beside it and are put inline. Agents'
names and servers' messages are hostile until escaped: jinja2 escapes all text, chart data is JSON without `<`, and a
content security policy lets no script run but the two whose hashes it names.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import Result
from agent_sim.results import wording
from agent_sim.results.figures import Fault
from agent_sim.results.job_story import JobStory, story_of
from agent_sim.results.journal import POOL_WAIT, JobCompleted
from agent_sim.results.plain import Json
from agent_sim.results.render.charts import axis_seconds, chart_data, joined, storm_end
from agent_sim.results.render.health import CLIENT_COLUMNS, generators
from agent_sim.results.render.rows import COLUMNS, fault_words, herd_words, percentile, rows, storm_name
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import IfOpen, Verdict, headline_of, is_good, overall

MESSAGES: Final = 50
"""How many different messages the report prints; `result.json` has more."""

ROWS: Final = 200
"""How many rows of a table whose length a scenario settles: fleets by job types, phases, storms."""

SCENARIO_LENGTH: Final = 400_000
"""How many characters of the scenario: the file beside the report has the rest."""

_SECTIONS: Final = (
    ("checks", "Checks"),
    ("figures", "Requests"),
    ("time", "Over time"),
    ("jobs", "Jobs"),
    ("errors", "Errors"),
    ("storms", "Storms"),
    ("listed", "Slowest and failed"),
    ("generators", "Load generators"),
    ("environment", "Environment"),
    ("scenario", "Scenario"),
    ("again", "Run it again"),
)

_OUTCOMES: Final[Mapping[Result, str]] = {Result.SUCCESS: "good", Result.WARNING: "warn", Result.FAILURE: "bad"}


def render_html(
    summary: Summary,
    verdicts: Sequence[Verdict],
    *,
    scenario: str = "",
    environment: Mapping[str, str] | None = None,
    command: str = "",
    replay: str = "",
    inconclusive: IfOpen = None,
) -> str:
    """The whole file. `scenario` is the resolved scenario's text, `command` how to run it again, `replay` the same in
    virtual time."""
    chart = chart_data(summary)
    return _template().render(
        title=wording.visible(summary.run.scenario) if summary.run is not None else "a run without a beginning",
        found=overall(verdicts),
        verdict=headline_of(verdicts, inconclusive),
        because=because(verdicts),
        summary=summary,
        verdicts=verdicts,
        groups=_groups(verdicts),
        sections=_SECTIONS,
        figures=figures(summary),
        columns=COLUMNS,
        rows=rows(summary),
        errors=_errors(summary),
        outcomes=tuple(_OUTCOMES),
        unknown=UNKNOWN,
        messages=[each for each in summary.messages if each.text],
        job_lists=_job_lists(summary),
        listed=MESSAGES,
        most=ROWS,
        generators=generators(summary, environment or {}),
        client_columns=CLIENT_COLUMNS,
        scenario=scenario[:SCENARIO_LENGTH],
        scenario_lines=scenario.count("\n"),
        is_cut=len(scenario) > SCENARIO_LENGTH,
        environment=tuple((environment or {}).items()),
        command=command,
        replay=replay,
        chart=chart,
        phases=_strip(summary, ((phase.name, phase.start, phase.end) for phase in summary.phases)),
        faults=[(_met(fault), _strip(summary, _stretches(fault, summary))) for fault in summary.faults[:ROWS]],
        storms=_strip(summary, ((storm.name, storm.at, storm_end(storm)) for storm in summary.storms)),
        chart_json=safe_json(chart),
        policy=_policy(),
        css=Markup(_asset("report.css")),
        js=Markup(_asset("report.js")),
        chart_css=Markup(_asset("vendor/uplot/uPlot.min.css")),
        chart_js=Markup(_asset("vendor/uplot/uPlot.iife.min.js")),
    )


def because(verdicts: Sequence[Verdict]) -> str:
    """Why the verdict is what it is, in a sentence."""
    counting = [verdict for verdict in verdicts if verdict.counts]
    broken = sum(verdict.answer == "broken" for verdict in counting)
    undecided = sum(verdict.answer in ("unknown", "not_measured") for verdict in counting)
    warnings = sum(verdict.warn_only and verdict.answer not in ("kept", "held") for verdict in verdicts)
    of = f"of {wording.counted(len(counting), 'check')}"
    said = [f"{broken} {of} {'is' if broken == 1 else 'are'} broken"] if broken else []
    said += [f"{undecided} {of} could not be decided"] if undecided else []
    held = f"{'All ' if len(counting) > 1 else ''}{wording.counted(len(counting), 'check')} held"
    said = said or [held if counting else "No check was asked for"]
    return "; ".join(said) + (f", with {wording.counted(warnings, 'warning')}." if warnings else ".")


def safe_json(value: Json) -> Markup:
    """JSON that can stand inside a script element: no character in it can end one, nor a line of script."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII only: U+2028 is already escaped
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


# --- what the template shows ------------------------------------------------------------------

_GROUPS: Final = (
    ("Thresholds", ("threshold",)),
    ("Invariants", ("invariant",)),
    ("Storms", ("storm",)),
    ("The run itself", ("generator", "run")),
)


def _groups(verdicts: Sequence[Verdict]) -> list[tuple[str, list[Verdict]]]:
    """The verdicts by what they are about, those that do not hold first in each group."""
    made = [(title, [each for each in verdicts if each.kind in kinds]) for title, kinds in _GROUPS]
    return [(title, sorted(group, key=is_good)) for title, group in made if group]


UNKNOWN: Final = frozenset({"reset_before_response", "read_timeout", "http_5xx", "wrong_2xx", "client_bug"})
"""Errors after which the target may have acted: what storms' taxonomy calls unknown (load-testing 3.9)."""


@dataclass(frozen=True, slots=True)
class _Error:
    operation: str
    kind: str
    count: int
    share: float


def figures(summary: Summary) -> tuple[tuple[str, str], ...]:
    """The few figures that stand above all, in words."""
    runs = sum(summary.whole.outcomes.values())
    failures = sum(count for (_, result), count in summary.whole.outcomes.items() if result is Result.FAILURE)
    storms = [storm.result for storm in summary.storms if storm.result is not None]
    requests = sum(each.ended for name, each in summary.whole.operations.items() if name != POOL_WAIT)
    requests += sum(each.ended for each in storms)
    return (
        ("agents registered", f"{summary.agents.registered:,}"),
        ("runs completed", f"{runs:,}"),
        ("of them failures", wording.share(failures / runs) if runs else "–"),
        ("requests", f"{requests:,}"),
        ("ids accepted by storms", f"{sum(each.ledger.accepted for each in storms):,}" if storms else "–"),
        ("duration", wording.duration(summary.whole.seconds)),
    )


def _errors(summary: Summary) -> tuple[_Error, ...]:
    found = [
        (storm_name(storm), storm.result.errors, storm.result.ended)
        for storm in summary.storms
        if storm.result is not None
    ]
    found += [(name, each.errors, each.ended) for name, each in summary.whole.operations.items()]
    return tuple(
        _Error(operation, kind, count, count / max(ended, count))
        for operation, errors, ended in found
        for kind, count in errors.items()
        if count
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """A run with its story; the shares are of the longest one in the list, in percent."""

    story: JobStory
    waited: float
    worked: float


def _job_lists(summary: Summary) -> tuple[tuple[str, str, list[_Listed]], ...]:
    return (
        ("Longest at work", "No job was completed.", _listed(summary, summary.slowest)),
        ("First to fail", "No job failed.", _listed(summary, summary.failed)),
    )


def _listed(summary: Summary, jobs: Sequence[JobCompleted]) -> list[_Listed]:
    told = [story_of(summary.facts, job) for job in jobs]
    longest = max(((each.waited or 0) + each.worked for each in told), default=0) or 1.0
    return [_Listed(each, 100 * (each.waited or 0) / longest, 100 * each.worked / longest) for each in told]


@dataclass(frozen=True, slots=True)
class _Stretch:
    name: str
    style: str


def _strip(summary: Summary, stretches: Iterable[tuple[str, float, float]]) -> tuple[_Stretch, ...]:
    """Where stretches of time lie above the charts, as shares of their common axis."""
    axis = axis_seconds(summary) or 1.0
    return tuple(
        _Stretch(name, f"left: {100 * start / axis:.3f}%; width: {100 * max(end - start, 0) / axis:.3f}%")
        for name, start, end in stretches
    )


def _stretches(fault: Fault, summary: Summary) -> Iterator[tuple[str, float, float]]:
    return ((fault.name, start, end) for start, end in joined(fault.stretches, summary))


def _met(fault: Fault) -> str:
    return f"fault {wording.visible(fault.name)}: {fault_words(fault)}"


# --- the template and its assets --------------------------------------------------------------


@cache
def _asset(name: str) -> str:
    return resources.files("agent_sim.results.render").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {
        "visible": wording.visible,
        "count": lambda value: f"{value:,}",
        "share": wording.share,
        "digits": wording.digits,
        "rate": wording.rate,
        "duration": wording.duration,
        "latency": wording.latency,
        "percentile": _percentile,
        "herd": herd_words,
        "outcome": lambda result: result.name.lower(),
        "tone": lambda result: _OUTCOMES.get(result, "warn"),
    }
    return made.from_string(_asset("report.html.jinja"))


def _percentile(histogram: Histogram, q: float = 0.5) -> str:
    return percentile(histogram, q)


@cache
def _policy() -> str:
    """Only our own two scripts may run, whatever else may have got into the page."""
    hashes = " ".join(f"'sha256-{_sha256(_asset(name))}'" for name in ("vendor/uplot/uPlot.iife.min.js", "report.js"))
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
