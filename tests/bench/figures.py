"""How a bench tells what it measured: medians of its rounds in a table, judged by gate and aim, and kept as JSON.

A gate is to be passed, an aim to be reached; nothing is judged where other processes were in the way (see `quiet`),
and no row that is about something else than its bound: a small fleet says nothing about a large one.
Pure but for `tell`, which prints and writes.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from agent_sim.cli.report import environment
from agent_sim.results.machines import processor
from tests.bench.quiet import MOST, is_quiet

KEPT_IN: Final = Path("runs/bench")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure should be: at least `gate`, better `aim`; or at most, where `aim` is the smaller."""

    gate: float
    aim: float

    def verdict(self, value: float) -> str:
        """How a value stands to it."""
        least = self.aim >= self.gate
        if value >= self.aim if least else value <= self.aim:
            return "aim reached"
        return "gate passed" if (value >= self.gate if least else value <= self.gate) else "MISSED"

    def __str__(self) -> str:
        return f"{'≥' if self.aim >= self.gate else '≤'} {self.gate:g} → {self.aim:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: the same thing measured once a round. `unjudged` says why its bound does not hold for it."""

    name: str
    rounds: Sequence[float]
    unit: str = ""
    bound: Bound | None = field(default=None)
    unjudged: str = ""

    @property
    def median(self) -> float:
        return median(self.rounds)

    def verdict(self, share: float | None) -> str:
        """How it stands to its bound, where others took this share of a core meanwhile; empty if it has none."""
        if self.bound is None:
            return ""
        if self.unjudged:
            return f"not judged: {self.unjudged}"
        return self.bound.verdict(self.median) if _may_judge(share) else "not judged"


def _may_judge(share: float | None) -> bool:
    """`share` is None for what is no matter of time: it holds beside whatever else runs."""
    return share is None or is_quiet(share)


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(over, under, strict=True)]


def used_between(readings: Sequence[tuple[float, float]], began: float, ended: float) -> float:
    """What a counter grew by between two moments, of which it was read now and then: (when, how much so far).

    Raises ValueError for moments that the readings do not reach, as of a process that ended before.
    """
    return _at(readings, ended) - _at(readings, began)


def _at(readings: Sequence[tuple[float, float]], moment: float) -> float:
    for (before, less), (after, more) in pairwise(readings):
        if before <= moment <= after:
            return less + (more - less) * ((moment - before) / (after - before) if after > before else 1.0)
    raise ValueError(f"nothing was read around {moment}")


def table(figures: Sequence[Figure], share: float | None, spoilt: int = 0) -> str:
    """The rows as text, and below them what others took in the worst round, and how many rounds they spoilt."""
    wide = max(len(figure.name) for figure in figures)
    lines = [f"{'':{wide}} {'median':>11} {'least':>11} {'most':>11} {'':14} {'gate → aim':>15}"]
    for figure in figures:
        numbers = "".join(f" {_short(value):>11}" for value in (figure.median, min(figure.rounds), max(figure.rounds)))
        bound = "" if figure.bound is None else str(figure.bound)
        lines.append(f"{figure.name:{wide}}{numbers} {figure.unit:14} {bound:>15} {figure.verdict(share)}".rstrip())
    if share is not None:
        lines.append(f"other processes took {100 * share:.0f} % of a core{'' if is_quiet(share) else _REFUSAL}")
    if spoilt and is_quiet(share or 0.0):
        lines.append(f"left out: {spoilt} rounds in which they took more than {100 * MOST:.0f} %")
    return "\n".join(lines)


_REFUSAL: Final = f", more than {100 * MOST:.0f} %: nothing is judged; run it again on a quiet machine"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def as_json(figures: Sequence[Figure], share: float | None, machine: dict[str, str], spoilt: int = 0) -> str:
    """The same to keep."""
    rows = {
        figure.name: {
            "median": figure.median,
            "rounds": list(figure.rounds),
            "unit": figure.unit,
            "bound": None if figure.bound is None else {"gate": figure.bound.gate, "aim": figure.bound.aim},
            "verdict": figure.verdict(share),
        }
        for figure in figures
    }
    kept = {"figures": rows, "others": share, "spoilt": spoilt, "quiet": _may_judge(share), "machine": machine}
    return json.dumps(kept, ensure_ascii=False, indent=1)


def tell(bench: str, figures: Sequence[Figure], share: float | None, spoilt: int = 0) -> None:
    """Print the table of a bench, and keep its JSON under `runs/bench`."""
    KEPT_IN.mkdir(parents=True, exist_ok=True)
    file = KEPT_IN / f"{bench}.json"
    file.write_text(as_json(figures, share, machine(), spoilt) + "\n", encoding="utf-8")
    sys.stdout.write(f"{bench}: {len(figures[0].rounds)} rounds, kept in {file}\n{table(figures, share, spoilt)}\n\n")


def exit_code(counted: Sequence[Figure]) -> int:
    """1 if what is counted, and no matter of time, is not as it must be; a missed aim of speed is no failure."""
    return int(any(figure.verdict(None) == "MISSED" for figure in counted))


def machine() -> dict[str, str]:
    """What the figures hold for: hardware, system and versions, no names of hosts or users."""
    memory = psutil.virtual_memory().total / 2**30
    return {**environment(), "processor": _processor(), "memory": f"{memory:.0f} GiB"}


def _processor() -> str:
    """What the kernel calls it; empty where it does not say."""
    file = Path("/proc/cpuinfo")
    return processor(file.read_text(encoding="utf-8")) if file.exists() else ""
