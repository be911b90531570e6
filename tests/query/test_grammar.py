"""Texts to nodes: every example of the reference and the seeds, and what is refused, with its place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.errors import QueryError
from agent_sim.query.fields import JOB_HISTORY
from agent_sim.query.grammar import MAX_BYTES, MAX_NESTING, parse
from agent_sim.query.nodes import All, And, Comparison, Node, Operand, Operator, Or
from tests.budget import examples
from tests.query.records import nodes, rendered

EQ, NE = Operator.EQ, Operator.NE

EXAMPLES = [
    # command-acknowledge.txt
    '(Result -eq "4" OR Result -eq "3") AND (Status -eq "3" OR Status -eq "5")',
    "field1 -eq value1 AND field2 -gt value2",
    # command-custom.txt, curly quotes as they stand there
    "Status -eq 2 and Capabilities -contains “LOGS”",
    "Status -eq 2",
    # command-reschedule.txt
    'JobType -ne "Inventory" AND Result -eq "4" AND (Status -eq "4" OR Status -eq "3")',
    # command-unschedule.txt
    (
        'JobType -notcontains "SslDiscovery" AND JobType -notcontains "Monitoring" AND JobType -notcontains "Sync" '
        'AND JobType -notcontains "SSHSync" AND JobType -notcontains "Inventory"'
    ),
    # command-api 5.2 and 5.5
    '(A -eq "x")AND B -eq "y"',
    'Status -eq 2 AND Capabilities -contains "LOGS"',
    'AgentId -eq "275b…"',
    'ClientMachine -eq "web01"',
    'JobID -eq "0b4b…"',
    'OperationStart -ge "%TODAY-1%" AND (Result -eq 4 OR Result -eq 3)',
    'Message -ne NULL AND Message -notcontains "timeout"',
    # scenario-format.md
    "Result -eq 4 AND Status -eq 3",
]


def compared(field: str, operator: Operator, text: str | None) -> Comparison:
    return Comparison(field, operator, Operand(text))


def value_of(query: str) -> str | None:
    node = parse(query)
    assert isinstance(node, Comparison)
    return node.operand.text


def refused(query: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(query)
    return caught.value


@pytest.mark.parametrize("query", EXAMPLES)
def test_every_example_of_the_sources_parses(query: str):
    assert not isinstance(parse(query), All)


def test_the_seeds_acknowledge_query_means_what_it_says():
    node = parse('(Result -eq "4" OR Result -eq "3") AND (Status -eq "3" OR Status -eq "5")')

    assert node == And(
        (
            Or((compared("Result", EQ, "4"), compared("Result", EQ, "3"))),
            Or((compared("Status", EQ, "3"), compared("Status", EQ, "5"))),
        )
    )


def test_and_binds_tighter_than_or():
    a, b, c = (compared(name, EQ, "1") for name in "ABC")

    assert parse("A -eq 1 OR B -eq 1 AND C -eq 1") == Or((a, And((b, c))))
    assert parse("A -eq 1 AND B -eq 1 OR C -eq 1") == Or((And((a, b)), c))
    assert parse("(A -eq 1 OR B -eq 1) AND C -eq 1") == And((Or((a, b)), c))


@pytest.mark.parametrize("query", ["", "  ", "\r\n\t", "\u00a0"])
def test_an_empty_query_is_everything(query: str):
    assert parse(query) == All()


def test_positions_are_columns_counted_from_one():
    node = parse(' Status -eq "2"')
    assert isinstance(node, Comparison)

    assert (node.position, node.operator_position, node.operand.position) == (2, 9, 13)


@pytest.mark.parametrize(
    "query",
    [
        "STATUS -EQ 2 And result -Ne 4",  # any case
        'Status -eq "2"AND Result -ne "4"',  # AND right after a quote
        "(Status -eq 2)and(Result -ne 4)",  # and between parentheses
        "((Status -eq 2) AND ((Result -ne 4)))",  # parentheses to spare
        'Status -eq"2" AND Result -ne"4"',  # no blank before a quote
        "Status -eq 2\n\tAND\u00a0Result -ne 4",  # any blanks, the no-break space of web pages among them
        "Status –eq “2” AND Result −ne „4“",  # as a word processor writes it
    ],
)
def test_spellings_of_one_query_mean_the_same(query: str):
    node = parse(query)

    assert isinstance(node, And)
    meant = [(term.field.lower(), term.operator, term.operand) for term in node.terms if isinstance(term, Comparison)]
    assert meant == [("status", EQ, Operand("2")), ("result", NE, Operand("4"))]


@pytest.mark.parametrize(
    ("operand", "value"),
    [
        ("NULL", None),
        ("null", None),
        ('"NULL"', "NULL"),  # quoted: the text
        ("NULLS", "NULLS"),
        ("2", "2"),
        ("-5", "-5"),
        ("%TODAY-7%", "%TODAY-7%"),
        ("CORP\\ada", "CORP\\ada"),
        ("AND", "AND"),  # where a value must stand, it is one
        ('6"pipe', '6"pipe'),  # a quote within a bare value is its own
        ('""', ""),
        ('"a b"', "a b"),
        ('"a (b) AND c -eq d"', "a (b) AND c -eq d"),
        ('"say ""hi"""', 'say "hi"'),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"CORP\ada"', r"CORP\ada"),
        (r'"\\host\share"', r"\\host\share"),  # backslashes are plain ...
        (r'"C:\certs\\"', "C:\\certs\\"),  # ... unless a quote follows
        (r'"a\\\"b"', r"a\"b"),
        (r'"\\"""', '\\"'),
        ('"it’s “so”"', "it’s “so”"),
        ('“a "b" c”', 'a "b" c'),
        ("“LOGS“", "LOGS"),  # editors mix up left and right
        ("„LOGS“", "LOGS"),
        (r"“a\”b”", "a”b"),
        ("“C:\\certs\\\\”", "C:\\certs\\"),
        ('"%"', "%"),
        ('"_"', "_"),
        ('"\'; DROP TABLE records; --"', "'; DROP TABLE records; --"),
        ('"\x00"', "\x00"),
        ('"🦊 ß İ"', "🦊 ß İ"),
        ("🦊", "🦊"),
        ('"two\nlines"', "two\nlines"),
    ],
)
def test_a_value_is_read_as_it_was_meant(operand: str, value: str | None):
    assert value_of(f"Message -eq {operand}") == value
    assert value_of(f"(Message -eq {operand} )") == value


@pytest.mark.parametrize(
    ("query", "position", "token", "problem"),
    [
        # those of command-api 5.2
        ("Status", 7, "", "expected an operator such as -eq or -contains"),
        ("Status -eq", 11, "", "expected a value (in quotes if it holds blanks or parentheses)"),
        ("(Status -eq 2", 14, "", "the '(' at position 1 is never closed, expected ')'"),
        ("Status -eq 2 OR", 16, "", "expected a field name or '('"),
        ("A -eq 2 B -eq 3", 9, "B", "expected AND, OR or the end of the query"),
        ('Message -eq "abc', 13, '"abc', 'the quote is never closed, expected "'),
        # more of their kind
        ("Status -eq 2 AND", 17, "", "expected a field name or '('"),
        ("AND Status -eq 2", 1, "AND", "expected a field name or '('"),
        ("Status -eq 2 AND OR Result -eq 3", 18, "OR", "expected a field name or '('"),
        ("Status -eq 2)", 13, ")", "this ')' closes nothing"),
        ("()", 2, ")", "expected a field name or '('"),
        ("(Status -eq 2) (Result -eq 3)", 16, "(", "expected AND, OR or the end of the query"),
        ("(Status -eq 2 Result -eq 3)", 15, "Result", "expected AND, OR or ')'"),
        ("((A -eq 1) AND (B -eq 2", 24, "", "the '(' at position 16 is never closed, expected ')'"),
        ("Status 2", 8, "2", "expected an operator such as -eq or -contains"),
        ("Sta$tus -eq 2", 4, "$tus", "expected an operator such as -eq or -contains"),
        ("1st -eq 2", 1, "1st", "expected a field name or '('"),
        ("Status -eq (2)", 12, "(", "expected a value (in quotes if it holds blanks or parentheses)"),
        ('Status -eq "2"ORResult -eq 3', 15, "ORResult", "expected AND, OR or the end of the query"),
        ("Status -eq 2AND Result -eq 3", 17, "Result", "expected AND, OR or the end of the query"),
        ("A -eq 1 && B -eq 2", 9, "&&", "expected AND, OR or the end of the query"),
        ("Message -eq “abc", 13, "“abc", "the quote is never closed, expected ”"),
        ('Message -eq "abc”', 13, '"abc”', 'the quote is never closed, expected "'),
    ],
)
def test_what_is_no_query_is_refused_with_its_place(query: str, position: int, token: str, problem: str):
    error = refused(query)

    assert (error.position, error.token, error.problem) == (position, token, problem)


def test_an_unknown_operator_is_named_with_the_known_ones():
    error = refused("Status -foo 2")

    assert (error.position, error.token) == (8, "-foo")
    assert error.problem == (
        "unknown operator, expected one of -eq, -ne, -lt, -le, -gt, -ge, -contains, -notcontains, "
        "-startswith, -endswith"
    )


@pytest.mark.parametrize(
    ("operator", "meant"), [("-contain", "-contains"), ("-eq2", "-eq"), ("-StartWith", "-startswith")]
)
def test_a_misspelt_operator_is_answered_with_the_one_meant(operator: str, meant: str):
    error = refused(f"Status {operator} 2")

    assert (error.token, error.problem) == (operator, f"unknown operator, did you mean {meant}?")


def test_a_backslash_that_eats_the_closing_quote_is_explained():
    error = refused(r'StorePath -eq "C:\certs\" AND Result -eq 4')

    assert error.position == 15
    assert error.problem.endswith(r'a value that ends in \ ends in \\"')


def test_an_error_says_it_all_in_one_line():
    assert str(refused("A -eq 2 B -eq 3")) == ("expected AND, OR or the end of the query (at position 9, near 'B')")


def test_a_long_token_is_cut_in_the_error():
    assert refused(f"A -eq 1 {'x' * 500}").token == "x" * 39 + "…"


def test_a_query_of_8_kb_parses_and_one_byte_more_does_not():
    query = f'Message -eq "{"ü" * ((MAX_BYTES - 14) // 2)}"'
    assert len(query.encode()) == MAX_BYTES

    assert value_of(query) == "ü" * 4089
    error = refused(query + " ")
    assert (error.position, error.problem) == (
        len(query) + 1,
        "a query may hold 8192 bytes (8 kB), this one has 8193: shorten or split it",
    )


def test_parentheses_nest_32_deep_and_no_deeper():
    def nested(depth: int) -> str:
        return "(" * depth + "Status -eq 2" + ")" * depth

    assert parse(nested(MAX_NESTING)) == compared("Status", EQ, "2")
    error = refused(nested(MAX_NESTING + 1))
    assert (error.position, error.token, error.problem) == (33, "(", "parentheses nest deeper than 32")


def test_side_by_side_parentheses_do_not_add_up():
    assert isinstance(parse(" AND ".join(["(A -eq 1)"] * 100)), And)


@pytest.mark.parametrize(
    "query",
    [
        "(" * MAX_BYTES,
        ")" * MAX_BYTES,
        '"' * MAX_BYTES,
        'A -eq "' + "\\" * 8000,
        "A -eq " + '"' * 8001,
        "-" * MAX_BYTES,
    ],
)
def test_hostile_texts_are_refused_as_queries_not_as_accidents(query: str):
    assert refused(query).position <= len(query) + 1


def test_the_longest_chain_of_conditions_needs_no_recursion():
    query = "OR ".join(['A-eq""'] * 900)
    assert len(query) < MAX_BYTES

    assert parse(query) == Or((compared("A", EQ, ""),) * 900)


def test_half_a_character_is_refused_where_it_stands():
    error = refused('Message -eq "\ud83e"')

    assert (error.position, error.token) == (14, "\\ud83e")


@settings(max_examples=examples(80), deadline=None)
@given(nodes(JOB_HISTORY))
def test_a_node_written_out_parses_back_to_itself(node: Node):
    assert parse(rendered(node)) == node


@settings(max_examples=examples(120), deadline=None)
@given(st.text(st.sampled_from('AND or()"“”\\-eq NULL 2$\x00🦊\ud800'), max_size=40))
def test_any_text_is_a_query_or_a_query_error(text: str):
    assert _is_answered(text)


def _is_answered(text: str) -> bool:
    try:
        return isinstance(parse(text), And | Or | Comparison | All)
    except QueryError as error:
        return 1 <= error.position <= len(text) + 1
