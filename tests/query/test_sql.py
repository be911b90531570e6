"""Conditions for SQLite: parameterised, fit for indexes, and the same as the evaluator on random data."""

import re
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_sim.instants import from_iso
from agent_sim.query import sql
from agent_sim.query.evaluate import matches
from agent_sim.query.fields import (
    AGENTS,
    CERTIFICATE_STORES,
    JOB_HISTORY,
    JOB_TYPES,
    SCHEDULED_JOBS,
    Collection,
    Field,
    Kind,
)
from agent_sim.query.grammar import MAX_BYTES, parse
from agent_sim.query.nodes import Comparison, Operand, Operator
from agent_sim.query.scope import quote
from agent_sim.query.sql import Sql, fold
from agent_sim.query.values import Context
from tests.budget import examples
from tests.query.records import CONTEXT, fill, nodes, rendered, rows, selected, table

COLLECTIONS = [JOB_HISTORY, SCHEDULED_JOBS, AGENTS, JOB_TYPES, CERTIFICATE_STORES]

HOSTILE = [
    "'; DROP TABLE records; --",
    "' OR '1'='1",
    '") OR 1=1 --',
    "%",
    "_",
    "%%%",
    "a%b_c",
    "\\",
    "\x00",
    "a\x00b",
    "?",
    "{}",
    "{0}",
    "🦊🔥",
    "e\u0301",
    "İSTANBUL",
    "straße",
    "“”",
    "",
    " ",
    "x" * 4000,
]


def compiled(query: str, collection: Collection = JOB_HISTORY) -> Sql:
    return sql.compile(parse(query), collection, CONTEXT)


@pytest.mark.parametrize(
    ("query", "where", "params"),
    [
        ("", "TRUE", ()),
        ("Result -eq Failure", "result = ?", (4,)),
        ("Status -ge 3", "status >= ?", (3,)),
        ("Result -ne 4", "(result = ?) IS NOT TRUE", (4,)),
        ("Message -ne NULL", "message IS NOT NULL", ()),
        ('Message -contains "A"', "instr(fold(message), ?) > 0", ("a",)),
        ('Agent -startswith "ORCH"', "instr(fold(agent_machine), ?) = 1", ("orch",)),
        ('Agent -eq "Orch "', "rtrim(fold(agent_machine)) = ?", ("orch",)),
        (
            'JobType -ne "Inventory"',
            "((rtrim(fold(job_type)) = ? OR rtrim(fold(job_category)) = ?)) IS NOT TRUE",
            ("inventory", "inventory"),
        ),
        (
            "OperationStart -eq 1970-01-02",
            "(operation_start >= ? AND operation_start < ?)",
            (86_400 * 10**9, 2 * 86_400 * 10**9),
        ),
        ("ScheduleType -eq Immediate", "schedule IS NULL", ()),
        ("Result -eq 4 AND (Status -eq 3 OR Status -eq 4)", "((status = ? OR status = ?) AND result = ?)", (3, 4, 4)),
    ],
)
def test_a_condition_is_written_with_a_mark_for_each_value(
    query: str, where: str, params: tuple[str | int | None, ...]
):
    assert compiled(query) == Sql(where, params)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("operator", ["-eq", "-ne", "-contains", "-notcontains", "-startswith", "-endswith"])
def test_a_value_never_stands_in_the_text(operator: str, text: str):
    query = f"Message {operator} {quote(text)} OR JobType {operator} {quote(text)}"
    plain = f"Message {operator} plain OR JobType {operator} plain"

    assert compiled(query).where == compiled(plain).where


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_finds_itself_and_breaks_nothing(text: str):
    connection = table(JOB_TYPES)
    blank: dict[str, object] = {"id": None, "job_type_name": "other", "description": "something else"}
    fill(connection, JOB_TYPES, [blank, {**blank, "description": f"({text})"}])

    found = selected(connection, parse(f"Description -contains {quote(f'({text})')}"), JOB_TYPES)

    assert found == [1]
    assert connection.execute("SELECT count(*) FROM records").fetchone() == (2,)


def test_columns_come_from_the_collection_even_where_they_are_expressions():
    joined = Collection("JobHistory", {"Result": Field(Kind.ENUM, "run.result", {"Failure": 4})})

    assert sql.compile(parse("RESULT -eq failure"), joined, CONTEXT) == Sql("run.result = ?", (4,))


def test_an_index_on_result_and_status_serves_the_reschedule_query():
    connection = table(JOB_HISTORY)
    connection.execute("CREATE INDEX failed ON records (result, status)")
    condition = compiled('JobType -ne "Inventory" AND Result -eq "4" AND (Status -eq "4" OR Status -eq "3")')

    [plan] = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT number FROM records WHERE {condition.where}", condition.params
    )
    assert "USING INDEX failed (result=? AND status=?)" in plan[3]


@pytest.mark.parametrize(
    "query",
    [
        "OR ".join(['Agent-eq""'] * 630),  # as wide as 8 kB allow
        "Result -eq 1 AND (" * 32 + "Result -eq 1" + ")" * 32,  # as deep, on the right
        "(" * 32 + "Result -eq 1" + ") OR Result -eq 1" * 32,  # and on the left
        "JobType -ne x OR JobType -ne y AND (" * 32 + "JobType -ne z" + ")" * 32,
    ],
)
def test_the_largest_queries_stay_within_what_sqlite_parses(query: str):
    assert len(query) <= MAX_BYTES
    connection = table(JOB_HISTORY)

    assert selected(connection, parse(query), JOB_HISTORY) == []


def test_a_bushy_query_stays_within_what_sqlite_parses():
    def tree(level: int) -> str:
        word = "AND" if level % 2 else "OR"
        return f"({tree(level - 1)}{word} {tree(level - 1)})" if level else 'Capabilities-ne""'

    query = tree(8)
    for _ in range(24):
        query = f'({query}OR Capabilities-ne""AND Capabilities-ne"")'
    assert len(query) <= MAX_BYTES

    assert selected(table(AGENTS), parse(query), AGENTS) == []


def test_folding_ignores_case_in_every_script_and_keeps_null():
    assert (fold("STRASSE"), fold("ΑΒΓ"), fold(None), fold(25)) == (fold("straße"), fold("αβγ"), None, "25")


def test_today_moves_with_the_clock_that_is_passed_in():
    node = Comparison("OperationStart", Operator.LT, Operand("%TODAY%"))

    for day in ("2026-02-23", "2026-02-24"):
        condition = sql.compile(node, JOB_HISTORY, Context(from_iso(f"{day}T23:59:59Z")))
        assert condition.params == (from_iso(f"{day}T00:00:00Z"),)


def test_a_condition_has_as_many_marks_as_parameters():
    condition = compiled('JobType -eq a AND OperationStart -eq %TODAY% OR Message -contains "?" AND Result -ne 3')

    assert len(re.findall(r"\?", condition.where)) == len(condition.params) == 6


@pytest.fixture(scope="module", params=COLLECTIONS, ids=lambda collection: collection.name)
def prepared(request: pytest.FixtureRequest) -> tuple[Collection, sqlite3.Connection]:
    return request.param, table(request.param)


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_sql_selects_is_what_the_evaluator_selects(
    prepared: tuple[Collection, sqlite3.Connection], data: st.DataObject
):
    collection, connection = prepared
    node = data.draw(nodes(collection))
    records = data.draw(st.lists(rows(collection, node), min_size=1, max_size=4))
    fill(connection, collection, records)

    expected = [n for n, record in enumerate(records) if matches(node, collection, CONTEXT, record)]
    assert selected(connection, node, collection) == expected
    assert selected(connection, parse(rendered(node)), collection) == expected
