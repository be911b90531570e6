"""What a condition says besides, where all of it must hold; that it selects the same, the laws of `test_sql` show."""

import pytest

from agent_sim.query.fields import JOB_HISTORY
from agent_sim.query.grammar import parse
from agent_sim.query.implied import with_implied
from agent_sim.query.sql import Sql
from tests.query.records import CONTEXT


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Status -eq 3", " AND status <> 2"),
        ("Status -eq InProcess", " AND status = 2"),
        ("Result -eq Failure AND Status -eq 3", " AND result <> 0 AND status <> 2"),
        ("Status -eq 3 OR Status -eq 4", " AND status <> 2"),
        ("Result -eq 4 AND (Status -eq 3 OR Status -ne 4)", " AND result <> 0"),  # one of two says nothing
        ("Status -eq 3 OR Status -eq 2", ""),
        ("Status -ne 3", ""),
        ("Status -ge 3", ""),
        ("Status -eq NULL", ""),
        ('Agent -eq "a"', ""),
        ("", ""),
    ],
)
def test_what_a_condition_implies(query: str, said: str):
    assert with_implied(Sql("?", (1,)), parse(query), JOB_HISTORY, CONTEXT) == Sql(f"?{said}", (1,))
