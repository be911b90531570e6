"""What metrics are made of, whoever carries them: instruments, and what each of them shows at one moment.

Names follow Prometheus' rules: base units, no abbreviations, help that is a sentence. Prometheus and OpenTelemetry both
render these values (`results.render.prometheus`, `results.render.otlp`); nothing here knows either.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

MOST_NAMES: Final = 50
"""How many values of one label are told apart; all later ones count as `other`. It bounds the number of series."""

OTHER: Final = "other"

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of a histogram's buckets in seconds: those of the embedded server, so that both can be compared."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is measured. A counter's name is without its `_total`."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a gauge or counter; `labels` stand under those of its instrument."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Spread:
    """One histogram: how many fell into each bucket of `BOUNDS` and beyond, and the sum of all in seconds."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """An instrument and what it shows now."""

    instrument: Instrument
    samples: tuple[Sample | Spread, ...]


Counts: TypeAlias = Mapping[tuple[str, ...], float]


def samples(counts: Counts) -> tuple[Sample, ...]:
    """A sample for each, where the first label is one of few: later ones are added up as `other`."""
    names = list(dict.fromkeys(labels[0] for labels in counts if labels))
    return _added(counts, set(names[:MOST_NAMES]))


def _added(counts: Counts, kept: Iterable[str]) -> tuple[Sample, ...]:
    made: dict[tuple[str, ...], float] = {}
    for labels, count in counts.items():
        name = labels if not labels or labels[0] in kept else (OTHER, *labels[1:])
        made[name] = made.get(name, 0) + count
    return tuple(Sample(labels, value) for labels, value in made.items())
