"""Two ways of doing the same, measured in turn, A B A B: how many times as much B takes, and how sure that is.

One run against one run says nothing: neighbours, clocks and heat move figures by more than most changes do. What moves
slowly hits a run and the next one alike, so pairs of them are compared, as ratios, and the interval of their mean is
Student's over their logarithms. A regression is an interval that leaves out 1 and a ratio beyond the least that
matters (load-testing 3.10). Machines that are not alike, or that were busy with something else, are not compared.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.errors import UsageError

LEAST_PAIRS: Final = 3
"""For a quiet machine; where runs of the same differ by 2.5 % at random and drift by 10 %, eight are what it takes to
catch a slowdown of a tenth 95 times in 100 (`tests/results/test_paired.py`)."""

LEAST_CHANGE: Final = 0.05
WIDEST: Final = 0.1
"""An interval reaching further than this to either side of its ratio cannot tell a slowdown that matters."""

FOREIGN: Final = 0.1
"""Cores that something else may have used meanwhile (load-testing 3.10)."""

CALIBRATION_WITHIN: Final = 0.1
"""How far the two sides' medians against the null server may be apart."""

Answer = Literal["worse", "better", "same", "unsure"]


class Disturbed(UsageError):
    """What was measured may be sound, and the machine was in the way: on a quieter one it can be made again."""


# Student's t for a two-sided interval of 95 %, by degrees of freedom; beyond them the normal distribution's.
_T: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL: Final = 1.96


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: what it took (less is better), what the null server took just before it, on which machine.

    `foreign` is how many cores something else used meanwhile; None where nobody looked.
    """

    value: float
    calibration: float | None = None
    machine: Mapping[str, str] | None = None
    foreign: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """B as times A, with its interval of 95 %, and each side as times the null server if that was measured."""

    ratio: float
    low: float
    high: float
    pairs: int
    answer: Answer
    a_calibrated: float | None
    b_calibrated: float | None

    @property
    def words(self) -> str:
        """One line for people."""
        said = f"B takes {self.ratio:.3f} times what A takes ({self.low:.3f} to {self.high:.3f}, {self.pairs} pairs)"
        return f"{said}: {_SAID[self.answer]}"


_SAID: Final[Mapping[Answer, str]] = {
    "worse": "B is worse",
    "better": "B is better",
    "same": "no difference that matters",
    "unsure": "too noisy to tell: more pairs, or a quieter machine",
}


def compare(
    a: Sequence[Measured], b: Sequence[Measured], least: float = LEAST_CHANGE, *, anyway: bool = False
) -> Comparison:
    """Runs in the order in which they were made, each of A beside its one of B; less change than `least` is none.

    `anyway`: whatever the machines were and did.
    Raises UsageError for what cannot be compared, Disturbed where only the machine is to blame.
    """
    if problem := next(iter([*_no_pairs(a, b), *([] if anyway else _unlike_machines([*a, *b]))]), None):
        raise UsageError(f"cannot compare: {problem}")
    if not anyway and (problem := next(iter([*_busy([*a, *b]), *_drifted(a, b)]), None)):
        raise Disturbed(f"cannot tell: {problem}")
    logs = [math.log(after.value / before.value) for before, after in zip(a, b, strict=True)]
    mean = math.fsum(logs) / len(logs)
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in logs) / (len(logs) - 1))
    half = _quantile(len(logs) - 1) * spread / math.sqrt(len(logs))
    ratio, low, high = math.exp(mean), math.exp(mean - half), math.exp(mean + half)
    return Comparison(ratio, low, high, len(logs), _answer(ratio, low, high, least), _calibrated(a), _calibrated(b))


def _answer(ratio: float, low: float, high: float, least: float) -> Answer:
    if low > 1 and ratio > 1 + least:
        return "worse"
    if high < 1 and ratio < 1 / (1 + least):
        return "better"
    if high / ratio > 1 + WIDEST:
        return "unsure"
    return "same"


def _no_pairs(a: Sequence[Measured], b: Sequence[Measured]) -> list[str]:
    runs = [*a, *b]
    if len(a) != len(b):
        return [f"{len(a)} runs of A and {len(b)} of B: they must be made in turn"]
    if len(a) < LEAST_PAIRS:
        return [f"{len(a)} pairs of runs, at least {LEAST_PAIRS} are needed"]
    if any(not (each.value > 0 and math.isfinite(each.value)) for each in runs):
        return ["a run without a figure"]
    return []


def _unlike_machines(runs: Sequence[Measured]) -> list[str]:
    first = runs[0].machine or {}
    for run in runs[1:]:
        other = run.machine or {}
        for trait in sorted({*first, *other}):
            if first.get(trait) != other.get(trait):
                return [f"{trait}: {first.get(trait, 'unknown')} against {other.get(trait, 'unknown')}"]
    return []


def _busy(runs: Sequence[Measured]) -> list[str]:
    most = max((run.foreign for run in runs if run.foreign is not None), default=0.0)
    return [f"something else used {most:.2f} cores meanwhile, {FOREIGN:g} are allowed"] if most > FOREIGN else []


def _drifted(a: Sequence[Measured], b: Sequence[Measured]) -> list[str]:
    one, other = _calibrations(a), _calibrations(b)
    if bool(one) != bool(other) or 0 < len(one) < len(a) or 0 < len(other) < len(b):
        return ["some runs were calibrated and others were not"]
    if not one:
        return []
    apart = abs(_median(one) / _median(other) - 1)
    if apart <= CALIBRATION_WITHIN:
        return []
    return [f"the null server took {_median(one):.1f} beside A and {_median(other):.1f} beside B: the machine changed"]


def _calibrations(runs: Sequence[Measured]) -> list[float]:
    return [run.calibration for run in runs if run.calibration]


def _calibrated(runs: Sequence[Measured]) -> float | None:
    known = [run.value / run.calibration for run in runs if run.calibration]
    return _median(known) if known else None


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _quantile(freedom: int) -> float:
    return _T[freedom - 1] if freedom <= len(_T) else _NORMAL
