"""What does not fit a collection is refused, with position and token."""

import pytest

from agent_sim.errors import QueryError
from agent_sim.query import evaluate, sql
from agent_sim.query.fields import AGENTS, CERTIFICATE_STORES, JOB_HISTORY, Collection
from agent_sim.query.grammar import parse
from agent_sim.query.values import Context

CONTEXT = Context(0)

REFUSED = [
    # unknown fields
    (JOB_HISTORY, "Statsu -eq 2", 1, "Statsu", "JobHistory has no such field, did you mean Status?"),
    (JOB_HISTORY, "Result -eq 4 AND capabilities -contains x", 18, "capabilities", None),
    (AGENTS, "(Result -eq 4)", 2, "Result", None),
    # operators that do not fit
    (JOB_HISTORY, 'Result -contains "4"', 8, "-contains", None),
    (
        JOB_HISTORY,
        "Message -gt 4",
        9,
        "-gt",
        "Message is a text, expected one of -eq, -ne, -contains, -notcontains, -startswith, -endswith",
    ),
    (JOB_HISTORY, 'OperationStart -startswith "2026"', 16, "-startswith", None),
    (CERTIFICATE_STORES, "Approved -ge true", 10, "-ge", "Approved is true or false, expected one of -eq, -ne"),
    # NULL with an operator of order or part
    (JOB_HISTORY, "Message -contains NULL", 19, "NULL", None),
    (JOB_HISTORY, "OperationEnd -lt null", 18, "NULL", None),
    # values that cannot be read
    (JOB_HISTORY, 'Result -eq "Faild"', 12, "Faild", None),
    (JOB_HISTORY, 'Result -eq ""', 12, '""', None),
    (
        JOB_HISTORY,
        "JobHistoryId -eq 17a",
        18,
        "17a",
        "JobHistoryId is a whole number, expected a whole number (of at most 64 bits)",
    ),
    (JOB_HISTORY, 'Result -eq 4 OR OperationStart -ge "soon"', 36, "soon", None),
    (JOB_HISTORY, 'AgentId -eq "275b…"', 13, "275b…", None),
    (AGENTS, "Identity -eq %ME%", 14, "%ME%", None),
]


@pytest.mark.parametrize(("collection", "query", "position", "token", "problem"), REFUSED)
def test_what_does_not_fit_the_collection_is_refused_with_its_place(
    collection: Collection, query: str, position: int, token: str, problem: str | None
):
    with pytest.raises(QueryError) as caught:
        sql.compile(parse(query), collection, CONTEXT)

    assert (caught.value.position, caught.value.token) == (position, token)
    assert problem is None or caught.value.problem == problem


@pytest.mark.parametrize(("collection", "query"), [(case[0], case[1]) for case in REFUSED])
def test_the_evaluator_refuses_the_same_whatever_the_record(collection: Collection, query: str):
    row = {field.column: None for field in collection.fields.values()}

    with pytest.raises(QueryError):
        evaluate.matches(parse(query), collection, CONTEXT, row)


def test_a_condition_is_not_skipped_because_another_decides():
    row: dict[str, object] = {"result": 4, "status": 3}

    for query in ("Result -eq 4 OR Nonsense -eq 1", "Result -eq 3 AND Nonsense -eq 1"):
        with pytest.raises(QueryError):
            evaluate.matches(parse(query), JOB_HISTORY, CONTEXT, row)


def test_the_first_problem_in_the_text_is_the_one_reported():
    with pytest.raises(QueryError) as caught:
        sql.compile(parse("One -eq 1 AND (Two -eq 2 OR (Three -eq 3))"), JOB_HISTORY, CONTEXT)

    assert caught.value.token == "One"
