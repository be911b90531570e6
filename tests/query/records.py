"""Made-up records and nodes for the laws of the query language, and the table they are looked up in."""

import json
import sqlite3
from collections.abc import Mapping

from hypothesis import strategies as st

from agent_sim.instants import DAY, MILLISECOND, SECOND, from_iso, to_iso
from agent_sim.query import sql
from agent_sim.query.fields import OPERATORS, SUBSTRING, Collection, Field, Kind
from agent_sim.query.implied import with_implied
from agent_sim.query.nodes import And, Comparison, Node, Operand, Operator, Or
from agent_sim.query.scope import quote
from agent_sim.query.values import Context

NOW = from_iso("2026-02-23T16:41:04.603Z")
CONTEXT = Context(NOW, me="CORP\\ada")

# Short and alike, so that records match now and then; hostile, so that it matters how.
_WORDS = ["", " ", "a", "A", "a ", "ab", "b", "A B", "aZ", "z", "%", "_", "a%b", "(a)", "NULL", "LOGS", "Inventory"]
_NASTY = [
    "'; DROP TABLE records; --",
    '"',
    "\\",
    "a\\",
    '\\"',
    "“a”",
    "\x00",
    "a\x00b",
    "b\x00",
    "🦊",
    "İ",
    "i",
    "ſ",
    "s",
]
_NAMES = ["straße", "STRASSE", "%ME%", "%TODAY%", "ada", "CORP\\ada", "WinCertInventory", "SslDiscovery"]
_TEXTS = st.sampled_from([*_WORDS, *_NASTY, *_NAMES]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
_SCHEDULES = st.sampled_from(
    ["I_1", "I_60", "D_23:30", "W_135_08:30", "M_15_04:00", "O_2026-02-23T16:41", "i_60", "xI_1"]
)
_SCHEDULE_WORDS = st.sampled_from(["I_", "d_", "Weekly", "Once", "Immediate", "exactlyonce", "Immediately"])
_GUIDS = st.sampled_from([f"0d8cf0c8-56ca-4b8a-b16a-c062018e170{digit}" for digit in "abc"])
_NUMBERS = st.integers(-1, 6) | st.sampled_from([-(2**63), 2**63 - 2])
_INSTANTS = st.builds(
    lambda base, days, offset: base + days * DAY + offset,
    st.sampled_from([NOW, NOW // DAY * DAY]),
    st.integers(-2, 2),
    st.sampled_from([-1, 0, 1, MILLISECOND - 1, MILLISECOND, SECOND]),
)
# Elements of a JSON array; SQLite ends a JSON string at an escaped NUL.
_ELEMENTS = st.lists(_TEXTS.filter(lambda text: "\x00" not in text), max_size=3)

_STORED: Mapping[Kind, st.SearchStrategy[object]] = {
    Kind.STRING: _TEXTS,
    Kind.USER: _TEXTS,
    Kind.INTEGER: _NUMBERS,
    Kind.ENUM: st.integers(0, 5),
    Kind.DATE: _INSTANTS,
    Kind.BOOLEAN: st.integers(0, 1),
    Kind.GUID: _GUIDS,
    Kind.COLLECTION: st.builds(json.dumps, _ELEMENTS) | st.just("[]"),
    Kind.JOB_TYPE: _TEXTS,
    Kind.SCHEDULE_TYPE: _SCHEDULES,
}

_DATES = (
    st.builds(lambda at: to_iso(at).removesuffix("Z"), _INSTANTS)
    | st.builds(lambda at: to_iso(at)[:10], _INSTANTS)
    | st.sampled_from(["%TODAY%", "%today-1%", "%TODAY+2%", "02/23/2026", "0001-01-01", "9999-12-31T23:59:59Z"])
)


def _operands(field: Field, operator: Operator) -> st.SearchStrategy[str]:
    if operator in SUBSTRING or field.kind in (Kind.STRING, Kind.USER, Kind.COLLECTION, Kind.JOB_TYPE):
        return _TEXTS
    return {
        Kind.INTEGER: st.builds(str, _NUMBERS),
        Kind.ENUM: st.builds(str, st.integers(0, 6)) | st.sampled_from(sorted(field.names) or ["0"]),
        Kind.DATE: _DATES,
        Kind.BOOLEAN: st.sampled_from(["true", "False", "1", "0"]),
        Kind.GUID: _GUIDS | _GUIDS.map(lambda guid: "{" + guid.upper() + "}"),
        Kind.SCHEDULE_TYPE: _SCHEDULES | _SCHEDULE_WORDS | _TEXTS,
    }[field.kind]


def nodes(collection: Collection) -> st.SearchStrategy[Node]:
    """Anything that fits the collection."""

    @st.composite
    def comparison(draw: st.DrawFn) -> Node:
        name = draw(st.sampled_from(sorted(collection.fields)))
        field = collection.fields[name]
        operator = draw(st.sampled_from([each for each in Operator if each in OPERATORS[field.kind]]))
        if operator in (Operator.EQ, Operator.NE) and draw(st.integers(0, 5)) == 0:
            return Comparison(name, operator, Operand(None))
        return Comparison(name, operator, Operand(draw(_operands(field, operator))))

    def joined(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        terms = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(And, terms) | st.builds(Or, terms)

    return st.recursive(comparison(), joined, max_leaves=5)


def rows(collection: Collection, node: Node) -> st.SearchStrategy[dict[str, object]]:
    """Records of the collection by column. Any field may be null; those `node` does not ask for are."""
    asked = [field for name in _names_in(node) if (field := collection.find(name))]
    columns = {field.column: _STORED[field.kind] for field in asked}
    columns |= {field.category: _TEXTS for field in asked if field.category}
    blank = dict.fromkeys(columns_of(collection))
    drawn = st.fixed_dictionaries({name: st.none() | stored for name, stored in columns.items()})
    return drawn.map(lambda row: {**blank, **row})


def _names_in(node: Node) -> set[str]:
    match node:
        case And(terms) | Or(terms):
            return set[str]().union(*map(_names_in, terms))
        case Comparison(name):
            return {name}
        case _:
            return set()


def columns_of(collection: Collection) -> list[str]:
    names = [name for field in collection.fields.values() for name in (field.column, field.category) if name]
    return sorted(set(names))


def table(collection: Collection) -> sqlite3.Connection:
    """An empty table `records` with the collection's columns."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_function("fold", 1, sql.fold, deterministic=True)
    connection.execute(f"CREATE TABLE records (number INTEGER PRIMARY KEY, {', '.join(columns_of(collection))})")
    return connection


def fill(connection: sqlite3.Connection, collection: Collection, records: list[dict[str, object]]) -> None:
    """Make `records`, numbered from 0, the table's whole content."""
    names = columns_of(collection)
    marks = ", ".join("?" * (len(names) + 1))
    connection.execute("DELETE FROM records")
    values = [(number, *(record[name] for name in names)) for number, record in enumerate(records)]
    connection.executemany(f"INSERT INTO records (number, {', '.join(names)}) VALUES ({marks})", values)


def selected(
    connection: sqlite3.Connection, node: Node, collection: Collection, context: Context = CONTEXT
) -> list[int]:
    """The numbers of the records that the compiled condition selects, with what it implies as it is asked."""
    condition = with_implied(sql.compile(node, collection, context), node, collection, context)
    text = f"SELECT number FROM records WHERE {condition.where} ORDER BY number"
    found = connection.execute(text, condition.params)
    return [number for (number,) in found]


def rendered(node: Node) -> str:
    """The text of a node, every group in parentheses."""
    match node:
        case And(terms):
            return "(" + " AND ".join(map(rendered, terms)) + ")"
        case Or(terms):
            return "(" + " OR ".join(map(rendered, terms)) + ")"
        case Comparison(name, operator, operand):
            value = "NULL" if operand.text is None else quote(operand.text)
            return f"{name} {operator.value} {value}"
        case _:
            return ""
