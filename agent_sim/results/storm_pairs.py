"""Storms made in turn on two targets: which of their figures are compared, and what they say of the two.

Each run is a storm's `result.json` and what was measured beside it. One figure decides; the others may only show that B
is worse, so that a long tail or answers that are fast because they are errors do not pass. How sure a difference is,
`results.paired` says. Correctness is no figure: a broken rule is a verdict of its own (load-testing 3.10).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from agent_sim.draws import key, unit
from agent_sim.errors import UsageError
from agent_sim.results import plain
from agent_sim.results.compare import SCHEMA
from agent_sim.results.paired import LEAST_CHANGE, Answer, Comparison, Measured, compare
from agent_sim.results.plain import Json, JsonObject
from agent_sim.results.storm import StormResult, read_storm

MACHINE: Final = ("processor", "machine", "cores", "system", "python", "locust", "gevent", "geventhttpclient")

MORE_ERRORS: Final = 0.01
"""Of all requests: so many more that failed or were dropped are worse, however fast the rest was."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that a storm measured, less is better, in microseconds; `least` is the smallest change that matters."""

    of: Callable[[StormResult], float | None]
    least: float
    means: str


def _time_per_request(storm: StormResult) -> float | None:
    return 1e6 / storm.achieved_rate if storm.achieved_rate > 0 else None


def _percentile(q: float) -> Callable[[StormResult], float | None]:
    return lambda storm: storm.response.percentile(q) if storm.response.supports(q) else None


FIGURES: Final[Mapping[str, Figure]] = {
    "rate": Figure(_time_per_request, LEAST_CHANGE, "time per request"),
    "p50": Figure(_percentile(0.5), LEAST_CHANGE, "median latency"),
    "p95": Figure(_percentile(0.95), 2 * LEAST_CHANGE, "latency p95"),
    "p99": Figure(_percentile(0.99), 2 * LEAST_CHANGE, "latency p99"),
}
"""A tail moves by more than a median from run to run, so more of it must matter (load-testing 3.10)."""

_INTERRUPTED: Final = "interrupted"

_DECIDES: Final = {"closed": "rate", "open": "p50"}
"""Unless somebody says otherwise: how much a loop gets done, or how long who arrives waits."""


@dataclass(frozen=True, slots=True)
class StormRun:
    """One run. `calibration` is what the null server took just before it, `foreign` what others used meanwhile."""

    name: str
    storm: StormResult
    machine: Mapping[str, str]
    calibration: float | None = None
    foreign: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of the two. `because` is why nothing can be said, or what else than the deciding figure says it."""

    answer: Answer
    deciding: str
    figures: Mapping[str, Comparison]
    errors: tuple[float, float]
    broken: tuple[str, ...]
    because: str
    remarks: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 where B is worse or a rule is broken, 3 where nothing can be said."""
        return 1 if self.broken else {"worse": 1, "unsure": 3}.get(self.answer, 0)

    @property
    def words(self) -> str:
        """The verdict in one line."""
        if self.broken:
            return f"broken: {self.broken[0]}"
        said = _SAID[self.answer]
        return f"{said}: {self.because}" if self.because else f"{said}: {self.figures[self.deciding].words}"


_SAID: Final[Mapping[Answer, str]] = {
    "worse": "regression",
    "better": "improvement",
    "same": "no difference",
    "unsure": "cannot tell",
}


def turns(pairs: int, seed: int) -> tuple[str, ...]:
    """Who is first in each pair: each as often as the other, within any two pairs, by chance which of them."""
    chance = key(seed, "turns")
    firsts = ["ab"[unit(chance, place // 2) < 0.5] for place in range(pairs)]
    return tuple({"a": "b", "b": "a"}[first] if place % 2 else first for place, first in enumerate(firsts))


def read_run(document: Json, beside: JsonObject, name: str) -> StormRun:
    """A run from its `result.json`, and from what was kept beside it if anything. Raises UsageError."""
    try:
        whole = plain.mapping(document)
        if (schema := whole.get("schema")) != SCHEMA:
            raise ValueError(f"is no result of agent-sim: its schema is {schema!r}, expected {SCHEMA!r}")
        storms = plain.sequence(plain.member(whole, "the result", "storms"))
        results = [storm.get("result") for storm in map(plain.mapping, storms)]
        if len(results) != 1 or results[0] is None:
            raise ValueError(f"must be of one storm, has {len(results)}")
        environment = plain.mapping(plain.member(whole, "the result", "environment"))
        return StormRun(
            name,
            read_storm(plain.mapping(results[0])),
            {trait: str(environment[trait]) for trait in MACHINE if trait in environment},
            plain.maybe(plain.amount)(beside.get("null_server_us")),
            plain.maybe(plain.amount)(beside.get("foreign_cores")),
        )
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def broken_rules(storm: StormResult) -> list[str]:
    """What of a run is no matter of figures: ids that did not change once, and that it had to stop itself."""
    rules = [f"{count} {rule}" for rule, count in storm.reconciliation.violations.items() if count]
    itself = storm.stopped is not None and storm.stopped != _INTERRUPTED
    return [*rules, *([f"it stopped itself: {storm.stopped}"] if itself else [])]


def judge(
    a: Sequence[StormRun], b: Sequence[StormRun], figure: str | None = None, *, anyway: bool = False
) -> Judgement:
    """Compare runs in the order in which they were made. `anyway`: also on machines that are not alike or were busy.

    Raises UsageError for what cannot be compared, `paired.Disturbed` where the machine was in the way.
    """
    runs = [*a, *b]
    if not runs:
        raise UsageError("cannot compare: there is no run")
    broken = tuple(f"{run.name}: {rule}" for run in runs for rule in broken_rules(run.storm))
    _require_alike(runs)
    deciding = figure or _DECIDES.get(runs[0].storm.model, "p50")
    known = [name for name, row in FIGURES.items() if all(row.of(run.storm) is not None for run in runs)]
    if deciding not in known:
        least = min(run.storm.response.count for run in runs)
        raise UsageError(f"cannot compare: {deciding} needs more samples than the {least} of a run: make runs longer")
    figures = {name: _compared(FIGURES[name], a, b, anyway=anyway) for name in known}
    errors = _errors(a), _errors(b)
    answer, because = _answer(deciding, figures, errors, runs)
    return Judgement(answer, deciding, figures, errors, broken, because, _remarks(a, b))


def _compared(figure: Figure, a: Sequence[StormRun], b: Sequence[StormRun], *, anyway: bool) -> Comparison:
    def measured(run: StormRun) -> Measured:
        return Measured(figure.of(run.storm) or 0.0, run.calibration, run.machine, run.foreign)

    return compare([measured(run) for run in a], [measured(run) for run in b], figure.least, anyway=anyway)


def _answer(
    deciding: str, figures: Mapping[str, Comparison], errors: tuple[float, float], runs: Sequence[StormRun]
) -> tuple[Answer, str]:
    if errors[1] - errors[0] > MORE_ERRORS:
        return (
            "worse",
            f"{100 * errors[1]:.1f} % of B's requests failed or were dropped, {100 * errors[0]:.1f} % of A's",
        )
    if saturated := sum(run.storm.generator.saturated for run in runs):
        return "unsure", f"the generator itself was saturated in {saturated} of {len(runs)} runs: ask for less load"
    if errors[0] - errors[1] > MORE_ERRORS and figures[deciding].answer == "worse":
        return "unsure", f"{100 * errors[0]:.1f} % of A's requests failed or were dropped, so that its rest had it easy"
    if figures[deciding].answer != "worse":
        for name, row in figures.items():
            if row.answer == "worse":
                return "worse", f"{FIGURES[name].means}: {row.words}"
    return figures[deciding].answer, ""


def _errors(runs: Sequence[StormRun]) -> float:
    """The share of requests that failed or were not even sent, in the median run."""
    return median((run.storm.failed + run.storm.dropped) / max(run.storm.ended + run.storm.dropped, 1) for run in runs)


def _require_alike(runs: Sequence[StormRun]) -> None:
    first = _asked(runs[0].storm)
    for run in runs[1:]:
        for trait, value in _asked(run.storm).items():
            if value != first[trait]:
                raise UsageError(f"cannot compare: {trait}: {first[trait]} in {runs[0].name}, {value} in {run.name}")


def _asked(storm: StormResult) -> dict[str, str]:
    """What two storms must have in common for their figures to mean the same."""
    steps = [f"{step.from_rate:g}/s..{step.to_rate:g}/s" for step in storm.steps]
    return {
        "storm": f"{storm.operation} by {storm.by}",
        "kind": storm.kind,
        "ids a request": str(storm.batch),
        "model": storm.model,
        "users": "not told" if storm.users is None else str(storm.users),
        "rates": ", ".join(steps),
        "processes": str(storm.workers.asked),
        "end": "interrupted" if storm.stopped == _INTERRUPTED else "as planned",
    }


def _remarks(a: Sequence[StormRun], b: Sequence[StormRun]) -> tuple[str, ...]:
    begun = [sorted((one.storm.started_at, other.storm.started_at)) for one, other in zip(a, b, strict=True)]
    if all(before[1] < after[0] for before, after in pairwise(begun)):
        return ()
    return ("the runs were not made in turn: what changed about the machine between them counts as a difference",)
