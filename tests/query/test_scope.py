"""Narrowing somebody else's query so that nothing in it can escape."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.errors import QueryError
from agent_sim.query.fields import JOB_HISTORY
from agent_sim.query.grammar import MAX_BYTES, MAX_NESTING, parse
from agent_sim.query.nodes import And, Comparison, Node
from agent_sim.query.scope import conjoin, quote
from tests.budget import examples
from tests.query.records import nodes, rendered

PREFIX = 'Agent -startswith "agentsim-smoke-"'


def test_a_query_is_put_in_parentheses_before_it_is_narrowed():
    assert conjoin("Result -eq 4 OR Status -eq 3", PREFIX) == f"(Result -eq 4 OR Status -eq 3) AND {PREFIX}"


@pytest.mark.parametrize("query", ["", " \n"])
def test_an_empty_query_narrowed_is_the_clause(query: str):
    assert conjoin(query, PREFIX) == PREFIX


def test_a_clause_with_an_or_gets_parentheses_too():
    assert conjoin("Result -eq 4", "A -eq 1 OR B -eq 2") == "(Result -eq 4) AND (A -eq 1 OR B -eq 2)"


@pytest.mark.parametrize(
    "query",
    [
        "Result -eq 4) OR (Result -ne 4",  # balanced together, not by itself
        "Result -eq 4) OR Result -ne 4 OR (Status -eq 1",
        'Message -eq "x',  # would swallow what follows
        'Message -eq "x\\',
        "Result -eq",
    ],
)
def test_a_query_cannot_reach_beyond_its_parentheses(query: str):
    with pytest.raises(QueryError):
        conjoin(query, PREFIX)


def test_an_empty_clause_is_refused_because_it_would_not_narrow():
    with pytest.raises(QueryError):
        conjoin("Result -eq 4", " ")


def test_a_query_that_grows_over_a_limit_is_refused():
    deep = "(" * MAX_NESTING + "Result -eq 4" + ")" * MAX_NESTING
    long = f'Message -eq "{"x" * (MAX_BYTES - 20)}"'

    for query in (deep, long):
        with pytest.raises(QueryError):
            conjoin(query, PREFIX)


@settings(max_examples=examples(60), deadline=None)
@given(nodes(JOB_HISTORY), nodes(JOB_HISTORY))
def test_what_is_conjoined_means_both(query: Node, clause: Node):
    assert parse(conjoin(rendered(query), rendered(clause))) == And((query, clause))


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("agentsim-smoke-", '"agentsim-smoke-"'),
        ("", '""'),
        ('say "hi"', r'"say \"hi\""'),
        (r"CORP\ada", r'"CORP\ada"'),
        ("C:\\certs\\", r'"C:\certs\\"'),
        ('\\"', r'"\\\""'),
        ('" OR Result -ne "', r'"\" OR Result -ne \""'),
    ],
)
def test_quoting_escapes_quotes_and_the_backslashes_before_them(value: str, quoted: str):
    assert quote(value) == quoted


@settings(max_examples=examples(120), deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from('\\"“” a'), max_size=12))
def test_a_quoted_value_parses_back_to_itself(value: str):
    node = parse(f"Message -eq {quote(value)}AND(Message -ne {quote(value)})")

    assert isinstance(node, And)
    assert [term.operand.text for term in node.terms if isinstance(term, Comparison)] == [value, value]
