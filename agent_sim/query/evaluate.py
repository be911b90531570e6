"""Whether one record matches, without a database: the oracle that SQL is tested against.

Works on plain Python values, in the most obvious way; what `sql` selects must be what this selects.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final, assert_never

from agent_sim.query.fields import Collection, Field, Kind
from agent_sim.query.nodes import All, And, Comparison, Node, Operator, Or
from agent_sim.query.resolve import resolve
from agent_sim.query.values import Context, Moment, ScheduleClass, Value

Row = Mapping[str, object]
"""A record by column; dates are instants, collections JSON texts or sequences of texts."""


def matches(node: Node, collection: Collection, context: Context, row: Row) -> bool:
    """True if the record is one that `node` selects. Raises QueryError if it does not fit the collection."""
    match node:
        case All():
            return True
        case And(terms):
            return all(_verdicts(terms, collection, context, row))
        case Or(terms):
            return any(_verdicts(terms, collection, context, row))
        case Comparison():
            found = resolve(node, collection, context)
            return _holds(found.field, found.operator, found.value, row)
        case _:
            assert_never(node)


def _verdicts(terms: tuple[Node, ...], collection: Collection, context: Context, row: Row) -> list[bool]:
    """Of every term: one that does not fit is refused even where the others decide."""
    return [matches(term, collection, context, row) for term in terms]


def _holds(field: Field, operator: Operator, value: Value | None, row: Row) -> bool:
    if operator is Operator.NE:
        return not _holds(field, Operator.EQ, value, row)
    if operator is Operator.NOTCONTAINS:
        return not _holds(field, Operator.CONTAINS, value, row)
    stored = row[field.column]
    match value:
        case None | ScheduleClass(""):
            return stored is None
        case Moment():
            return isinstance(stored, int) and _MOMENTS[operator](stored, value)
        case int():
            return isinstance(stored, int) and _NUMBERS[operator](stored, value)
        case ScheduleClass(prefix):
            return isinstance(stored, str) and stored.casefold().startswith(prefix.casefold())
        case str():
            fits = _TEXTS[operator]
            return any(fits(text.casefold(), value.casefold()) for text in _candidates(field, operator, row))
        case _:
            assert_never(value)


def _candidates(field: Field, operator: Operator, row: Row) -> list[str]:
    """The texts of which one has to fit; none where the field is null."""
    found: list[object] = [row[field.column]]
    if field.kind is Kind.JOB_TYPE and operator is Operator.EQ:
        found.append(row[field.category])
    if field.kind is Kind.COLLECTION:
        found = _elements(row[field.column])
    return [str(text) for text in found if text is not None]


def _elements(stored: object) -> list[object]:
    elements = json.loads(stored) if isinstance(stored, str) else stored
    return list(elements) if isinstance(elements, list | tuple) else []


_TEXTS: Final[Mapping[Operator, Callable[[str, str], bool]]] = {
    Operator.EQ: lambda text, value: text.rstrip(" ") == value.rstrip(" "),
    Operator.CONTAINS: lambda text, value: value in text,
    Operator.STARTSWITH: str.startswith,
    Operator.ENDSWITH: lambda text, value: text.rstrip(" ").endswith(value.rstrip(" ")),
}

_NUMBERS: Final[Mapping[Operator, Callable[[int, int], bool]]] = {
    Operator.EQ: int.__eq__,
    Operator.LT: int.__lt__,
    Operator.LE: int.__le__,
    Operator.GT: int.__gt__,
    Operator.GE: int.__ge__,
}

_MOMENTS: Final[Mapping[Operator, Callable[[int, Moment], bool]]] = {
    Operator.EQ: lambda at, moment: moment.start <= at < moment.equal_end,
    Operator.LT: lambda at, moment: at < moment.start,
    Operator.LE: lambda at, moment: at < moment.end,
    Operator.GT: lambda at, moment: at >= moment.end,
    Operator.GE: lambda at, moment: at >= moment.start,
}
