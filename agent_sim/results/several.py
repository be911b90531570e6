"""Several runs side by side, the first of them being what the others are held against.

The figures and the rules of what is worse are those of `results.compare`, pair by pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sim.results.compare import Row, Side, compare, unlike


@dataclass(frozen=True, slots=True)
class Cell:
    """What one run has to say; `change` is against the first run, as a share of it."""

    text: str
    change: float | None
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One check or figure, a cell for each run."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Several:
    """The runs by name, their verdicts, and all that they tell; `differences` is why they may not be alike."""

    names: tuple[str, ...]
    verdicts: tuple[str, ...]
    lines: tuple[Line, ...]
    differences: tuple[str, ...]
    tolerance: float

    @property
    def worse(self) -> int:
        """Cells that are worse than the first run's by more than the tolerance."""
        return sum(cell.is_worse for line in self.lines for cell in line.cells)


def several(sides: Sequence[Side], tolerance: float) -> Several:
    """Hold all runs against the first."""
    first, *others = sides
    columns = [{row.name: row for row in compare(first, other, tolerance)} for other in others]
    names = dict.fromkeys(name for column in columns for name in column)
    return Several(
        names=tuple(side.name for side in sides),
        verdicts=tuple(side.verdict for side in sides),
        lines=tuple(_line(name, [column.get(name) for column in columns]) for name in names),
        differences=tuple(f"{other.name}: {difference}" for other in others for difference in unlike(first, other)),
        tolerance=tolerance,
    )


_NOTHING = Cell("–", None, False)


def _line(name: str, rows: Sequence[Row | None]) -> Line:
    known = next(row for row in rows if row is not None)
    others = (_NOTHING if row is None else Cell(row.b, row.change, row.regressed) for row in rows)
    return Line(name, (Cell(known.a, None, False), *others))
