"""A scenario that behaves as a server's history says: its fleets, job types, rates, outcomes and durations.

What is fitted is plain: durations by median and 95th percentile, outcomes by their shares, work by how much of it
there was. Work that the server repeats keeps its schedule where that explains the runs; all other work is posted
evenly over the time that the history covers. A retried run counts as work of its own, less the retries to expect.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final, TypeAlias

from agent_sim.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Instant, Span, to_datetime
from agent_sim.jobs.retries import RETRIED
from agent_sim.protocol.enums import CUSTOM_PREFIX, STORE_TYPE_IDS, Category, Result
from agent_sim.protocol.schedule import Daily, Interval, Monthly, Schedule, Weekly
from agent_sim.scenario.apportion import largest_remainder
from agent_sim.scenario.fields import WEEKDAYS
from agent_sim.scenario.observed import ENDS, Observation, Observed
from agent_sim.scenario.units import duration_text, share_text

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | bool"

BEHAVIOUR: Final = "recorded"

_MOST_RETRIES: Final = 20
_SHARE_PARTS: Final = 10**6
_SLOWEST_BEAT: Final[Span] = 5 * MINUTE
_FASTEST_BEAT: Final[Span] = SECOND
_BEATS_PER_ROUND: Final = 4
_LONGEST_PAUSE: Final = 1.2
_TRUST_SCHEDULE: Final = 0.03
"""A recurring schedule is kept if it explains the number of runs to within this share."""


# --- what is fitted ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """What the runs of one kind of job came to; durations in nanoseconds."""

    word: str
    runs: int
    shares: Mapping[Result, float]
    median: Span
    p95: Span
    longest: Span


def targets(runs: Sequence[Observation]) -> dict[str, Target]:
    """By the scenario's word, in order of how much there was."""
    by_word: dict[str, list[Observation]] = defaultdict(list)
    for run in runs:
        by_word[run.word].append(run)
    ordered = sorted(by_word.items(), key=lambda item: (-len(item[1]), item[0]))
    return {word: _target(word, of_word) for word, of_word in ordered}


def _target(word: str, runs: list[Observation]) -> Target:
    results = Counter(run.result for run in runs)
    durations = sorted(run.duration for run in runs)
    return Target(
        word,
        len(runs),
        {result: results[result] / len(runs) for result in ENDS if results[result]},
        quantile(durations, 0.5),
        quantile(durations, 0.95),
        durations[-1],
    )


def quantile(ordered: Sequence[Span], q: float) -> Span:
    """The smallest of these values that a share `q` of them does not exceed."""
    return ordered[max(ceil(q * len(ordered)) - 1, 0)]


def span_of(runs: Sequence[Observation]) -> Span:
    """The time that the runs cover: from the first start to the last, and the pause that would follow it."""
    whole = _covered([run.start for run in runs])
    series: dict[tuple[str, str, str], list[Instant]] = defaultdict(list)
    for run in runs:
        series[run.machine, run.word, run.store].append(run.start)
    # Work in step pauses longer than the mean of all; what is rare may pause longer than the history goes back.
    spans = [span for starts in series.values() if (span := _covered(starts)) <= whole * _LONGEST_PAUSE]
    return _whole_seconds(max([whole, *spans])) or MINUTE


def _covered(starts: Sequence[Instant]) -> Span:
    return (max(starts) - min(starts)) * len(starts) // max(len(starts) - 1, 1)


def _whole_seconds(span: Span) -> Span:
    return -(-span // SECOND) * SECOND


def retries(runs: Sequence[Observation]) -> int:
    """The longest row of runs of one job that the server said it would try again."""
    longest = 0
    row: Counter[str] = Counter()
    for run in runs:
        row[run.job] = row[run.job] + 1 if run.will_retry else 0
        longest = max(longest, row[run.job])
    return min(longest, _MOST_RETRIES)


# --- the scenario -----------------------------------------------------------------------------


def fit(observed: Observed, name: str, *, keep_names: bool) -> dict[str, Tree]:
    """The scenario as a tree that `scenario.load` takes, without a seed. There must be at least one run."""
    found, length, again = targets(observed.runs), span_of(observed.runs), retries(observed.runs)
    fleets = _fleets(observed)
    schedules = [item for fleet in fleets for item in _schedules(fleet, found, length, again)]
    beat = _beat(schedules)
    longest = max(target.longest for target in found.values())
    return {
        "version": 1,
        "name": name,
        "stop": {"after": duration_text(length), "drain": duration_text(_whole_seconds(4 * beat + 2 * longest))},
        "server": {"retries": again, "job_timeout": duration_text(max(HOUR, 2 * _whole_seconds(longest)))},
        "fleets": [_fleet(fleet, beat) for fleet in fleets],
        "behaviours": [{"name": BEHAVIOUR, "jobs": [_job(target, observed, keep_names) for target in found.values()]}],
        "schedules": [schedule.written for schedule in schedules],
        "checks": {"invariants": {"no_lost_jobs": True, "at_most_once": True}},
    }


@dataclass(frozen=True, slots=True)
class _Fleet:
    """Machines that can do the same; `stores` has how many each has."""

    name: str
    capabilities: tuple[str, ...]
    stores: Mapping[str, int]
    runs: tuple[Observation, ...]

    def __len__(self) -> int:
        return len(self.stores)


def _fleets(observed: Observed) -> list[_Fleet]:
    of_machine: dict[str, list[Observation]] = defaultdict(list)
    for run in observed.runs:
        of_machine[run.machine].append(run)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for machine, words in sorted(observed.machines.items()):
        groups[_one_store_type(words, of_machine[machine])].append(machine)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        _Fleet(
            f"fleet-{number}",
            capabilities,
            {machine: len({run.store for run in of_machine[machine] if run.store}) for machine in machines},
            tuple(run for machine in machines for run in of_machine[machine]),
        )
        for number, (capabilities, machines) in enumerate(ordered, start=1)
    ]


def _one_store_type(words: frozenset[str], runs: list[Observation]) -> tuple[str, ...]:
    """The capabilities with one store type, the one used most: a fleet has as many stores of each type."""
    used = Counter(run.capability for run in runs if run.capability in STORE_TYPE_IDS)
    types = sorted(words & STORE_TYPE_IDS.keys(), key=lambda word: (-used[word], word))
    return tuple(sorted({*(words - STORE_TYPE_IDS.keys()), *types[:1]}))


def _fleet(fleet: _Fleet, beat: Span) -> dict[str, Tree]:
    made: dict[str, Tree] = {
        "name": fleet.name,
        "count": len(fleet),
        "capabilities": list(fleet.capabilities),
        "heartbeat": {"every": duration_text(beat)},
        "behaviour": BEHAVIOUR,
    }
    if any(fleet.stores.values()):
        made["stores"] = {"per_agent": _counts(Counter(fleet.stores.values()))}
    return made


def _counts(counts: Counter[int]) -> Tree:
    if len(counts) == 1:
        return next(iter(counts))
    values = sorted(counts)
    shares = _shares([counts[value] for value in values])
    return {"dist": "discrete", "values": {str(value): share for value, share in zip(values, shares, strict=True)}}


def _shares(counts: list[int]) -> list[str]:
    """Counts as shares that total 100 % exactly."""
    parts = largest_remainder(tuple(Fraction(count * _SHARE_PARTS, sum(counts)) for count in counts))
    return [share_text(part / _SHARE_PARTS) for part in parts]


def _job(target: Target, observed: Observed, keep_names: bool) -> dict[str, Tree]:
    results = list(target.shares)
    shares = _shares([round(target.shares[result] * target.runs) for result in results])
    outcomes: list[Tree] = []
    for result, share in zip(results, shares, strict=True):
        outcome: dict[str, Tree] = {"result": result.name.lower(), "weight": share}
        if keep_names and (message := _message(target.word, result, observed)):
            outcome["message"] = message
        outcomes.append(outcome)
    return {"type": target.word, "duration": _duration(target), "outcomes": outcomes}


def _duration(target: Target) -> Tree:
    median, p95, longest = (_milliseconds(span) for span in (target.median, target.p95, target.longest))
    if median == 0 or p95 <= median:
        return duration_text(median)
    spans = {"median": median, "p95": p95, "max": longest}
    return {"dist": "lognormal", **{key: duration_text(span) for key, span in spans.items()}}


def _milliseconds(span: Span) -> Span:
    return round(span / MILLISECOND) * MILLISECOND


def _message(word: str, result: Result, observed: Observed) -> str:
    said = Counter(run.message for run in observed.runs if run.word == word and run.result is result and run.message)
    found = said.most_common(1)[0][0] if said else ""
    return " ".join(found.replace("{", "(").replace("}", ")").split())[:200]


# --- its schedules ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scheduled:
    """A schedule, and how often an agent gets something to do by it."""

    written: dict[str, Tree]
    every: Span


def _beat(schedules: Sequence[_Scheduled]) -> Span:
    """Heartbeats frequent enough that no round waits for the one before it."""
    shortest = min((schedule.every for schedule in schedules), default=_SLOWEST_BEAT * _BEATS_PER_ROUND)
    return min(max(shortest // _BEATS_PER_ROUND // SECOND * SECOND, _FASTEST_BEAT), _SLOWEST_BEAT)


def _schedules(fleet: _Fleet, found: Mapping[str, Target], length: Span, again: int) -> Iterator[_Scheduled]:
    for word in found:
        runs = [run for run in fleet.runs if run.word == word]
        posted = list(runs)
        for recurrence, of_it in _recurring(runs).items():
            made = _repeated(fleet, word, recurrence, of_it, length)
            if made is not None:
                posted = [run for run in posted if run.recurrence != recurrence]
                yield made
        if posted:
            yield from _posted(fleet, word, posted, round(len(posted) / _runs_of_one(found[word], again)), length)


def _recurring(runs: list[Observation]) -> dict[Schedule, list[Observation]]:
    groups: dict[Schedule, list[Observation]] = defaultdict(list)
    for run in runs:
        if run.recurrence is not None:
            groups[run.recurrence].append(run)
    return groups


def _repeated(
    fleet: _Fleet, word: str, recurrence: Schedule, runs: list[Observation], length: Span
) -> _Scheduled | None:
    """The server's own schedule, if it explains how many runs there were."""
    said = _recurrence(recurrence)
    period = every(recurrence)
    machines = {run.machine for run in runs}
    stores = sum(fleet.stores[machine] for machine in machines) if runs[0].store else len(machines)
    expected = stores * length / period
    if said is None or abs(expected - len(runs)) > _TRUST_SCHEDULE * len(runs):
        return None
    label = "-".join(filter(str.isalnum, map(str, said)))
    return _Scheduled(_written(fleet, word, f"-{label}", len(machines), schedule=said), period)


def every(recurrence: Schedule) -> Span:
    """How often a job with this schedule runs, on average."""
    match recurrence:
        case Interval(minutes):
            return minutes * MINUTE
        case Weekly(days, _):
            return 7 * DAY // max(len(days), 1)
        case Monthly():
            return 30 * DAY
        case _:
            return DAY


def _recurrence(recurrence: Schedule) -> dict[str, Tree] | None:
    match recurrence:
        case Interval(minutes):
            return {"interval": duration_text(minutes * MINUTE)}
        case Daily(time):
            return {"daily": _clock(time)}
        case Weekly(days, time):
            return {"weekly": {"days": [WEEKDAYS[day] for day in days], "time": _clock(time)}}
        case Monthly(day, time):
            return {"monthly": {"day": day, "time": _clock(time)}}
        case _:
            return None


def _clock(time: int) -> str:
    return to_datetime(time).strftime("%H:%M")


def _runs_of_one(target: Target, again: int) -> float:
    """How many runs a job that is posted once comes to, retries included."""
    category = Category.CUSTOM if target.word.startswith(CUSTOM_PREFIX) else Category(target.word)
    failing = target.shares.get(Result.FAILURE, 0.0)
    return sum(failing**attempt for attempt in range(again + 1)) if category in RETRIED else 1.0


def _posted(fleet: _Fleet, word: str, runs: list[Observation], jobs: int, length: Span) -> Iterator[_Scheduled]:
    """Rounds over all that had such work, and once more for what is left over."""
    machines = {run.machine for run in runs}
    per_round = sum(fleet.stores[machine] for machine in machines) if runs[0].store else len(machines)
    rounds, rest = divmod(jobs, per_round)
    if rounds:
        every = -(-length // rounds // MILLISECOND) * MILLISECOND
        text = duration_text(every)
        yield _Scheduled(_written(fleet, word, "", len(machines), every=text, spread=text), every)
    if rest:
        count = max(round(rest * len(machines) / per_round), 1)
        made = _written(fleet, word, "-rest", count, at="0s", spread=duration_text(length * 9 // 10))
        yield _Scheduled(made, length)


def _written(fleet: _Fleet, word: str, label: str, count: int, **when: Tree) -> dict[str, Tree]:
    select: dict[str, Tree] = {"fleets": [fleet.name]}
    if count < len(fleet):
        select["count"] = count
    short = word.removeprefix(CUSTOM_PREFIX).lower()
    return {"name": f"{fleet.name}-{short}{label}"[:40], "type": word, "select": select, **when}
