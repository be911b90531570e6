"""What a query says, as frozen values: conditions joined by And and Or, or All for the empty query.

Nodes know neither which fields exist nor what their values mean; that is `resolve`. Positions are
1-based columns of the query's text, kept for errors only: two nodes that say the same are equal.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Operator(Enum):
    """The operators of command-api 5.1, by their spelling."""

    EQ = "-eq"
    NE = "-ne"
    LT = "-lt"
    LE = "-le"
    GT = "-gt"
    GE = "-ge"
    CONTAINS = "-contains"
    NOTCONTAINS = "-notcontains"
    STARTSWITH = "-startswith"
    ENDSWITH = "-endswith"


POSITIVE: Final[Mapping[Operator, Operator]] = {
    Operator.NE: Operator.EQ,
    Operator.NOTCONTAINS: Operator.CONTAINS,
}
"""Operators that hold exactly where another one does not, null fields included (command-api 5.3)."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A value as written, without its quotes; `text` is None for the bare word NULL."""

    text: str | None
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition; `position` is where its field stands."""

    field: str
    operator: Operator
    operand: Operand
    position: int = dataclasses.field(default=0, compare=False)
    operator_position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Every term holds; there are one or more."""

    terms: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one term holds; there are one or more."""

    terms: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every record: the empty query."""


Node = And | Or | Comparison | All
