"""Conditions of rules, as values: what they may look at, and whether one holds.

`scenario.conditions` makes them from text and checks their types; nothing here parses. Every name has a kind, so a
condition that was read cannot go wrong when it is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

Value = bool | int | float | str


class Kind(Enum):
    """What a name or literal stands for; only like is compared with like."""

    NUMBER = "a number"
    DURATION = "a duration"
    TEXT = "a text"


NAMES: Final[Mapping[str, Kind]] = {
    "time": Kind.DURATION,
    "phase": Kind.TEXT,
    "job.type": Kind.TEXT,
    "job.capability": Kind.TEXT,
    "job.occurrence": Kind.NUMBER,
    "job.attempt": Kind.NUMBER,
    "store": Kind.TEXT,
    "agent.index": Kind.NUMBER,
    "agent.name": Kind.TEXT,
    "agent.fleet": Kind.TEXT,
}
"""What a condition may name, besides `agent.labels.NAME`, a text that is empty where there is no such label."""

LABELS: Final = "agent.labels."


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it stands; durations in nanoseconds."""

    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """One of NAMES, or a label."""

    name: str


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left of a number after division."""

    of: "Term"
    by: int


Term = Literal | Name | Remainder


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values and one of == != < <= > >=."""

    left: Term
    sign: str
    right: Term


@dataclass(frozen=True, slots=True)
class Among:
    """A value that is one of several."""

    left: Term
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Both:
    left: "Condition"
    right: "Condition"


@dataclass(frozen=True, slots=True)
class Either:
    left: "Condition"
    right: "Condition"


@dataclass(frozen=True, slots=True)
class Negation:
    of: "Condition"


Condition = Compare | Among | Both | Either | Negation


def holds(condition: Condition, values: Mapping[str, Value]) -> bool:
    """Whether the condition is true of these values."""
    match condition:
        case Compare(left, sign, right):
            return _compared(_value(left, values), sign, _value(right, values))
        case Among(left, choices):
            return _value(left, values) in choices
        case Both(left, right):
            return holds(left, values) and holds(right, values)
        case Either(left, right):
            return holds(left, values) or holds(right, values)
        case Negation(inner):
            return not holds(inner, values)


def looks_at(condition: Condition, name: str) -> bool:
    """True if the condition names it."""
    match condition:
        case Compare(left, _, right):
            return _names(left) == name or _names(right) == name
        case Among(left, _):
            return _names(left) == name
        case Both(left, right) | Either(left, right):
            return looks_at(left, name) or looks_at(right, name)
        case Negation(inner):
            return looks_at(inner, name)


def named(condition: Condition) -> tuple[str, ...]:
    """Every name that the condition looks at."""
    match condition:
        case Compare(left, _, right):
            return tuple(filter(None, (_names(left), _names(right))))
        case Among(left, _):
            return (_names(left),)
        case Both(left, right) | Either(left, right):
            return (*named(left), *named(right))
        case Negation(inner):
            return named(inner)


def compared_with(condition: Condition, name: str) -> tuple[Value, ...]:
    """Every value that the condition compares this name with."""
    match condition:
        case Compare(left, _, right):
            pairs = ((left, right), (right, left))
            return tuple(other.value for one, other in pairs if _names(one) == name and isinstance(other, Literal))
        case Among(left, values):
            return values if _names(left) == name else ()
        case Both(left, right) | Either(left, right):
            return (*compared_with(left, name), *compared_with(right, name))
        case Negation(inner):
            return compared_with(inner, name)


def _names(term: Term) -> str:
    match term:
        case Name(name):
            return name
        case Remainder(of, _):
            return _names(of)
        case Literal():
            return ""


def _value(term: Term, values: Mapping[str, Value]) -> Value:
    match term:
        case Literal(value):
            return value
        case Name(name):
            return values.get(name, "")
        case Remainder(of, by):
            number = _value(of, values)
            assert isinstance(number, int)
            return number % by


def _compared(left: Value, sign: str, right: Value) -> bool:
    if sign == "==":
        return left == right
    if sign == "!=":
        return left != right
    assert not isinstance(left, str)
    assert not isinstance(right, str)
    if sign in ("<", "<="):
        return left < right or (sign == "<=" and left == right)
    return left > right or (sign == ">=" and left == right)
