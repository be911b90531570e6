"""How each kind of storm makes requests of its ids, and when they are due."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.instants import SECOND
from agent_sim.storms.arrivals import due_offsets
from agent_sim.storms.kinds import Part, drawn, dues, parts, poison, supply
from agent_sim.storms.plan import Stage
from tests.storms.examples import plan, tokens

LONG = (Stage(10, 0), Stage(10, 100 * SECOND))


def taken(asked, size, batch, most=1000):
    pool = supply(asked, tokens(size))
    batches = []
    while len(batches) < most and not pool.is_exhausted and (found := pool.take(batch)) is not None:
        batches.append(tuple(found.positions))
    return batches


def test_a_plain_storm_asks_for_each_id_once():
    assert taken(plan(), 5, 2) == [(0, 1), (2, 3), (4,)]


def test_contenders_get_the_same_batch_as_often_as_said_and_at_the_same_moment():
    asked = plan(kind="contended", copies=3, stages=LONG)

    assert taken(asked, 4, 2) == [(0, 1)] * 3 + [(2, 3)] * 3
    due = list(dues(asked))
    assert len(due) == len(list(due_offsets(asked)))
    assert all(due[place] == due[place - place % 3] for place in range(len(due)))


def test_a_contended_storm_ends_with_its_ids_and_a_dropped_arrival_does_not_mix_the_rivals_up():
    from_ = supply(plan(kind="contended", copies=3, stages=LONG), tokens(4))
    from_.take(2)
    from_.skip(2)
    batches = [from_.take(2) for _ in range(4)]

    assert [batch and batch.positions for batch in batches] == [range(2), *[range(2, 4)] * 3]
    assert from_.is_exhausted
    assert from_.take(2) is None
    assert from_.is_exhausted


def test_a_hot_storm_is_about_the_same_few_ids_in_order_and_shuffled_by_turns():
    batches = taken(plan(kind="hot", hot=6, stages=LONG), 50, 4, most=40)

    assert set().union(*batches) == set(range(6))
    assert all(len(set(batch)) == 4 for batch in batches)
    assert all(list(batch) == sorted(batch) for batch in batches[::2])
    assert any(list(batch) != sorted(batch) for batch in batches[1::2])


def test_a_mixed_storm_asks_mostly_by_ids_then_for_another_operation_then_by_query():
    asked = plan(kind="mixed", stages=LONG)
    counts = Counter(drawn(asked, number) for number in range(10_000))

    assert parts(asked) == (
        Part("reschedule", "ids", 0.7),
        Part("acknowledge", "ids", 0.2),
        Part("reschedule", "query", 0.1),
    )
    assert [counts[index] / 10_000 for index in range(3)] == pytest.approx([0.7, 0.2, 0.1], abs=0.02)


def test_a_poison_is_an_id_like_the_others_that_nobody_has():
    [token] = tokens(1)

    first, second = poison(token, 1), poison(token, 2)
    assert len({token.audit_id, first.audit_id, second.audit_id}) == 3
    assert len(first.job_id) == len("00000000-0000-4000-8000-000000000000")
    assert first.job_id != second.job_id


@settings(deadline=None)
@given(st.sampled_from(["plain", "mixed", "contended", "hot", "poison", "herd"]), st.integers(0, 40), st.integers(1, 9))
def test_whatever_the_kind_a_batch_names_each_id_once_and_only_ids_that_there_are(kind, size, batch):
    for positions in taken(plan(kind=kind, hot=7, stages=LONG), size, batch, most=60):
        assert 0 < len(positions) <= batch
        assert len(set(positions)) == len(positions)
        assert set(positions) <= set(range(size))


@pytest.mark.parametrize("kind", ["plain", "contended"])
def test_what_is_due_is_due_in_order(kind):
    due = list(dues(plan(kind=kind, arrivals="poisson", stages=LONG)))

    assert all(earlier <= later for earlier, later in pairwise(due))
