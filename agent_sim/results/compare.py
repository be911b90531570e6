"""Two runs held beside each other: what changed, and what of it is a regression.

Read from their `result.json`, so that a run of last week, or of another version, is as good as one of today. A figure
that got worse by more than the tolerance is a regression; so is a check that held and holds no more, what is not there
any more, and the end of a run that a threshold aborted. Figures too small for a difference to mean anything have a
floor. Runs that are not alike have differences, and those are told first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from agent_sim.errors import UsageError
from agent_sim.histogram import Histogram
from agent_sim.results import plain, wording
from agent_sim.results.plain import Json, JsonObject

SCHEMA: Final = "agent-sim/result/1"

Better: TypeAlias = Literal["less", "more", "neither"]


# --- a run, as far as it is compared ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a kind of figure is said, which way is better, and what difference is none (in its own unit)."""

    say: Callable[[float], str]
    better: Better
    floor: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement; None where too few samples stand behind it."""

    quantity: Quantity
    value: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """One run. `traits` are what two runs must share to be compared, by what they are called; `end` is why it ended.

    `verdict` is what it came to as it was written.
    """

    name: str
    end: str
    traits: Mapping[str, str]
    figures: Mapping[str, Figure]
    checks: Mapping[str, str]
    verdict: str = ""


_LATENCY: Final = Quantity(lambda value: wording.latency(value), "less", 100.0)  # microseconds
_RATE: Final = Quantity(wording.rate, "more", 0.01)
_ERRORS: Final = Quantity(wording.share, "less", 0.001)
_OUTCOME: Final = Quantity(wording.share, "neither", 0.0)  # the scenario's own chance
_COUNT: Final = Quantity(lambda value: f"{value:,.0f}", "more", 1.0)
_WORK: Final = Quantity(lambda value: wording.latency(value), "neither", 0.0)
_CPU: Final = Quantity(lambda value: f"{value:.2f} s", "less", 1.0)

_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_MACHINE: Final = ("machine", "cores", "system", "python")
_VIRTUAL: Final = "the embedded server in virtual time"
_CPUS: Final = {
    "fleet_cpu_seconds": "CPU of the fleet",
    "server_cpu_seconds": "CPU of the server",
    "replay_cpu_seconds": "CPU of the replay",
}


def read_side(document: Json, name: str, scenario: str | None) -> Side:
    """A run from its `result.json`; `scenario` is its resolved scenario, if that is there. Raises UsageError."""
    try:
        whole = plain.mapping(document)
        if (schema := whole.get("schema")) != SCHEMA:
            raise ValueError(f"is no result of agent-sim: its schema is {schema!r}, expected {SCHEMA!r}")
        traits = _traits(whole, scenario)
        return Side(name, _end(whole), traits, dict(_figures(whole)), _checks(whole), str(whole.get("verdict")))
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def _traits(whole: JsonObject, scenario: str | None) -> dict[str, str]:
    run = plain.mapping(plain.member(whole, "the result", "run"))
    is_virtual = run.get("target") == _VIRTUAL
    traits = {
        "scenario": str(run.get("scenario")),
        "agents": str(run.get("agents")),
        "kind of run": "replay" if is_virtual else "live, own server" if run.get("embedded") else "live, other server",
        "connections": str(run.get("connections")),
    }
    if not is_virtual:  # virtual time is the same on every machine
        environment = plain.mapping(plain.member(whole, "the result", "environment"))
        traits |= {name: str(environment.get(name)) for name in _MACHINE}
    if scenario is not None:
        lines = [line for line in scenario.splitlines() if not line.startswith("seed:")]
        traits["resolved scenario"] = "\n".join(lines)
    return traits


def _end(whole: JsonObject) -> str:
    return str(plain.mapping(plain.member(whole, "the result", "ended")).get("reason"))


def _checks(whole: JsonObject) -> dict[str, str]:
    verdicts = [plain.mapping(each) for each in plain.sequence(plain.member(whole, "the result", "verdicts"))]
    return {_called(verdict): str(verdict.get("answer")) for verdict in verdicts if not verdict.get("warn_only")}


def _called(verdict: JsonObject) -> str:
    kind, name = str(verdict.get("kind")), str(verdict.get("name"))
    return name if name.startswith(f"{kind} ") else f"{kind} {name}"


# --- its figures ------------------------------------------------------------------------------


def _figures(whole: JsonObject) -> Iterator[tuple[str, Figure]]:
    seconds = plain.amount(plain.member(whole, "the result", "seconds"))
    for storm in plain.sequence(plain.member(whole, "the result", "storms")):
        yield from _storm(plain.mapping(storm))
    window = plain.mapping(plain.member(whole, "the result", "whole"))
    for name, traffic in plain.mapping(plain.member(window, "the run", "operations")).items():
        yield from _operation(name, plain.mapping(traffic), seconds)
    for job in plain.sequence(plain.member(whole, "the result", "jobs")):
        yield from _job(plain.mapping(job))
    environment = plain.mapping(plain.member(whole, "the result", "environment"))
    for key, name in _CPUS.items():
        if key in environment:
            yield name, Figure(_CPU, _measured(environment[key]))


def _measured(value: Json) -> float:
    try:
        return plain.amount(float(plain.text(value)))
    except ValueError as error:
        raise ValueError(f"must be seconds as text, is {plain.shown(value)}") from error


def _storm(storm: JsonObject) -> Iterator[tuple[str, Figure]]:
    if storm.get("result") is None:
        return
    name, result = f"storm {storm.get('name')}", plain.mapping(storm["result"])
    response = _histogram(result, name, "response")
    yield from _latencies(name, response if response.count else _histogram(result, name, "service"))
    ended = plain.count(plain.member(result, name, "completed"))
    failed = sum(plain.counts(plain.member(result, name, "errors")).values())
    yield f"{name} errors", Figure(_ERRORS, failed / ended if ended else None)
    for key, said in (("achieved_rate", "achieved"), ("ids_per_second", "ids/s")):
        yield f"{name} {said}", Figure(_RATE, plain.amount(plain.member(result, name, key)))


def _operation(name: str, traffic: JsonObject, seconds: float) -> Iterator[tuple[str, Figure]]:
    ok, failed = (plain.count(plain.member(traffic, name, key)) for key in ("ok", "failed"))
    yield from _latencies(name, _histogram(traffic, name, "latency"))
    yield f"{name} errors", Figure(_ERRORS, failed / (ok + failed) if ok + failed else None)
    yield f"{name} achieved", Figure(_RATE, ok / seconds if seconds else None)


def _job(job: JsonObject) -> Iterator[tuple[str, Figure]]:
    name = plain.text(plain.member(job, "a job", "type"))
    outcomes = plain.counts(plain.member(job, name, "outcomes"))
    ended = sum(outcomes.values())
    yield f"{name} jobs done", Figure(_COUNT, float(ended))
    yield f"{name} failures", Figure(_OUTCOME, outcomes.get("failure", 0) / ended if ended else None)
    worked = _histogram(job, name, "worked")
    yield f"{name} work p50", Figure(_WORK, worked.percentile(0.5) if worked.supports(0.5) else None)


def _latencies(name: str, histogram: Histogram) -> Iterator[tuple[str, Figure]]:
    for word, q in _QUANTILES.items():
        yield f"{name} {word}", Figure(_LATENCY, histogram.percentile(q) if histogram.supports(q) else None)


def _histogram(owner: JsonObject, name: str, key: str) -> Histogram:
    return Histogram.from_json(plain.histogram(plain.member(owner, name, key)))


# --- two of them ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that both runs tell. `change` is B less A as a share of A; None where it has no meaning."""

    name: str
    a: str
    b: str
    change: float | None
    regressed: bool


def unlike(a: Side, b: Side) -> tuple[str, ...]:
    """What two runs should share and do not, a phrase each; () if they are alike."""
    common = [trait for trait in a.traits if trait in b.traits]
    traits = [_difference(name, a.traits[name], b.traits[name]) for name in common if a.traits[name] != b.traits[name]]
    is_other_end = a.end != b.end and not _is_cut_short(a, b)
    return (*traits, *([_difference("end", a.end, b.end)] if is_other_end else ()))


def _is_cut_short(a: Side, b: Side) -> bool:
    """True if only the second was aborted, as by a threshold: that is worse, and not another kind of run."""
    return a.end == "finished" and b.end.startswith("aborted")


def _difference(trait: str, a: str, b: str) -> str:
    if "\n" in a or "\n" in b:
        pairs = zip([*a.splitlines(), ""], [*b.splitlines(), ""], strict=False)
        a, b = next((one.strip(), other.strip()) for one, other in pairs if one != other)
    return f"{trait}: {a or 'nothing'} against {b or 'nothing'}"


def compare(a: Side, b: Side, tolerance: float) -> tuple[Row, ...]:
    """Every check and figure that either run has; a regression is worse in B by more than the tolerance, or gone."""
    ends = (Row("end of the run", a.end, b.end, None, True),) if _is_cut_short(a, b) else ()
    return (*ends, *_compare_checks(a, b), *_compare_figures(a, b, tolerance))


_RANK: Final[Mapping[str, int]] = {"kept": 0, "held": 0, "unknown": 1, "not_measured": 1, "broken": 2}


def _compare_checks(a: Side, b: Side) -> Iterator[Row]:
    for name in _both(a.checks, b.checks):
        before, after = a.checks.get(name), b.checks.get(name)
        worse = before is not None and (after is None or _RANK.get(after, 1) > _RANK.get(before, 1))
        yield Row(name, _word(before), _word(after), None, worse)


def _word(answer: str | None) -> str:
    return "–" if answer is None else answer.replace("_", " ")


def _compare_figures(a: Side, b: Side, tolerance: float) -> Iterator[Row]:
    for name in _both(a.figures, b.figures):
        before, after = a.figures.get(name), b.figures.get(name)
        quantity = (before or after or _NOTHING).quantity
        x, y = (None if each is None else each.value for each in (before, after))
        change = (y - x) / x if x and y is not None else None
        # The CPU is measured where it can be; all else that is not there any more happens no more.
        gone = before is not None and after is None and quantity is not _CPU
        regressed = gone or (x is not None and y is not None and _is_worse(quantity, x, y, tolerance))
        yield Row(name, _said(quantity, x), "gone" if gone else _said(quantity, y), change, regressed)


_NOTHING: Final = Figure(_WORK, None)


def _is_worse(quantity: Quantity, a: float, b: float, tolerance: float) -> bool:
    if quantity.better == "neither":
        return False
    by = b - a if quantity.better == "less" else a - b
    return by > quantity.floor and by > tolerance * abs(a)


def _said(quantity: Quantity, value: float | None) -> str:
    return "n/a" if value is None else quantity.say(value)


def _both(a: Mapping[str, object], b: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))
