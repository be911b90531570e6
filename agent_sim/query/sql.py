"""From nodes to an SQL condition for SQLite. Values are parameters, columns come from the collection's table.

Texts compare in Unicode case folding, which SQLite cannot do: a store registers `fold` first,
`connection.create_function("fold", 1, fold, deterministic=True)`. Trailing spaces do not count where a
text ends (-eq, -ne, -endswith). No LIKE: values have no wildcards. Integer columns stand alone, so
that indexes serve them. A condition may be null, which WHERE takes for false: do not negate it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from agent_sim.query.fields import Collection, Field, Kind
from agent_sim.query.nodes import POSITIVE, All, And, Comparison, Node, Operator, Or
from agent_sim.query.resolve import Resolved, resolve
from agent_sim.query.values import Context, Moment, ScheduleClass, Value


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition to stand after WHERE or AND, with a parameter for each `?` in it."""

    where: str
    params: tuple[str | int | float | None, ...] = ()


def fold(text: object) -> str | None:
    """The SQL function of that name: the text without differences of case; null stays null."""
    return None if text is None else str(text).casefold()


def compile(node: Node, collection: Collection, context: Context) -> Sql:  # noqa: A001 - read as sql.compile
    """The condition that selects what `node` says. Raises QueryError if it does not fit the collection."""
    match node:
        case All():
            return Sql("TRUE")
        case And(terms):
            return _joined("AND", _deepest_first(terms, collection, context))
        case Or(terms):
            return _joined("OR", _deepest_first(terms, collection, context))
        case Comparison():
            return _comparison(resolve(node, collection, context))
        case _:
            assert_never(node)


def _deepest_first(terms: tuple[Node, ...], collection: Collection, context: Context) -> list[Sql]:
    """Each term's condition. SQLite's parser has a stack of 100 and needs it for what nests on the right."""
    parts = [(_depth(term), compile(term, collection, context)) for term in terms]
    return [part for _, part in sorted(parts, key=lambda pair: pair[0], reverse=True)]


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, node.terms), default=0) if isinstance(node, And | Or) else 0


def _joined(word: str, parts: list[Sql]) -> Sql:
    params = tuple(param for part in parts for param in part.params)
    return Sql(f"({f' {word} '.join(part.where for part in parts)})", params)


def _comparison(found: Resolved) -> Sql:
    column = found.field.column
    if found.value is None:
        return Sql(f"{column} IS NULL" if found.operator is Operator.EQ else f"{column} IS NOT NULL")
    positive = POSITIVE.get(found.operator, found.operator)
    test = _test(found.field, positive, found.value)
    # Null fields are not equal to anything and contain nothing, so "not true" rather than NOT.
    return test if positive is found.operator else Sql(f"({test.where}) IS NOT TRUE", test.params)


def _test(field: Field, operator: Operator, value: Value) -> Sql:
    match value:
        case Moment():
            return _moment(field.column, operator, value)
        case int():
            return Sql(f"{field.column} {_ORDER[operator]} ?", (value,))
        case ScheduleClass(""):
            return Sql(f"{field.column} IS NULL")
        case ScheduleClass(prefix):
            return _text(field.column, Operator.STARTSWITH, prefix)
        case str():
            return _texts(field, operator, value)
        case _:
            assert_never(value)


_ORDER: Final[Mapping[Operator, str]] = {
    Operator.EQ: "=",
    Operator.LT: "<",
    Operator.LE: "<=",
    Operator.GT: ">",
    Operator.GE: ">=",
}


def _moment(column: str, operator: Operator, moment: Moment) -> Sql:
    if operator is Operator.EQ:
        return Sql(f"({column} >= ? AND {column} < ?)", (moment.start, moment.equal_end))
    sign, bound = {
        Operator.LT: ("<", moment.start),
        Operator.LE: ("<", moment.end),
        Operator.GT: (">=", moment.end),
        Operator.GE: (">=", moment.start),
    }[operator]
    return Sql(f"{column} {sign} ?", (bound,))


def _texts(field: Field, operator: Operator, value: str) -> Sql:
    match field.kind, operator:
        case Kind.GUID, Operator.EQ:
            return Sql(f"{field.column} = ?", (value,))
        case Kind.JOB_TYPE, Operator.EQ:
            return _joined("OR", [_text(name, operator, value) for name in (field.column, field.category)])
        case Kind.COLLECTION, _:
            test = _text("element.value", operator, value)
            return Sql(f"EXISTS (SELECT 1 FROM json_each({field.column}) AS element WHERE {test.where})", test.params)
        case _:
            return _text(field.column, operator, value)


def _text(column: str, operator: Operator, value: str) -> Sql:
    template, end = _TEXT[operator]
    folded = value.casefold()
    return Sql(template.format(column), (folded.rstrip(" ") + end if end is not None else folded,))


# Per operator: the test, and what is put after the value once its trailing spaces are off (None: they stay).
# Folded text holds no capital letter, so "Z" can mark the end of a text; substr() would stop at a NUL.
_TEXT: Final[Mapping[Operator, tuple[str, str | None]]] = {
    Operator.EQ: ("rtrim(fold({})) = ?", ""),
    Operator.CONTAINS: ("instr(fold({}), ?) > 0", None),
    Operator.STARTSWITH: ("instr(fold({}), ?) = 1", None),
    Operator.ENDSWITH: ("instr(rtrim(fold({})) || 'Z', ?) > 0", "Z"),
}
