"""The rules that a target can break, planted one by one and at random."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.storms.ledger import Account, Ledger
from agent_sim.storms.observe import Observed
from agent_sim.storms.pool import Batch, Pool
from agent_sim.storms.reconcile import Example, bounds, broken_rule, merged, reconcile, unread
from agent_sim.storms.taxonomy import ErrorKind, Outcome, Violation
from tests.storms.examples import tokens

OK, NO, UNKNOWN = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN


def book(outcomes: list[Outcome | None]) -> Ledger:
    """A ledger with one id per outcome; None was never sent."""
    pool, ledger = Pool(tokens(len(outcomes))), Ledger(len(outcomes))
    for outcome in outcomes:
        batch = pool.take(1)
        if outcome is not None:
            ledger.settle(ledger.send(batch, now=0), outcome, now=1)
    return ledger


def judged(outcomes, transitions, no_ops=(), not_checkable=()):
    observed = Observed(transitions, frozenset(no_ops), dict.fromkeys(not_checkable, "why"))
    return reconcile(tokens(len(outcomes)), book(outcomes), observed, again=True)


def broken(outcomes, transitions, **more):
    return {rule: count for rule, count in judged(outcomes, transitions, **more).violations.items() if count}


@pytest.mark.parametrize(
    ("outcome", "times", "rule"),
    [
        (OK, 1, None),
        (OK, 0, Violation.LOST_UPDATE),
        (OK, 2, Violation.DOUBLE_TRANSITION),
        (NO, 0, None),
        (NO, 1, Violation.PHANTOM_TRANSITION),
        (None, 0, None),
        (None, 1, Violation.PHANTOM_TRANSITION),  # never sent
        (UNKNOWN, 0, None),  # a timeout is unknown, not a failure
        (UNKNOWN, 1, None),
        (UNKNOWN, 2, Violation.OUT_OF_BOUNDS),
    ],
)
def test_one_id_breaks_at_most_one_rule(outcome, times, rule):
    found = {name: count for name, count in broken([outcome], [times]).items() if name != Violation.CONSERVATION}

    assert found == ({} if rule is None else {rule: 1})


def test_the_sum_is_conserved_even_where_ids_make_up_for_each_other():
    assert broken([OK, OK], [1, 1]) == {}
    assert broken([OK, NO], [0, 1]) == {Violation.LOST_UPDATE: 1, Violation.PHANTOM_TRANSITION: 1}
    assert broken([OK, OK, OK], [0, 0, 1])[Violation.CONSERVATION] == 2
    assert broken([OK, NO], [2, 1])[Violation.CONSERVATION] == 2


def test_a_no_op_is_neither_lost_nor_missing_from_the_sum():
    compared = judged([OK, OK], [0, 1], no_ops=[0])

    assert compared.is_clean
    assert compared.no_op == 1


def test_a_rule_that_the_target_cannot_show_is_named_and_not_judged():
    compared = judged([NO, OK], [1, 1], not_checkable=[Violation.PHANTOM_TRANSITION])

    assert compared.is_clean
    assert compared.not_checkable == ("phantom_transition: why",)


def test_an_example_says_what_was_asked_and_what_was_seen():
    assert judged([OK, OK], [1, 0]).examples == (
        Example(0, Violation.CONSERVATION, "1 transitions in all, expected 2"),
        Example(2, Violation.LOST_UPDATE, "1 accepted; 0 transitions, expected 1"),
    )


def test_a_frequent_violation_does_not_hide_a_rare_one():
    examples = judged([OK] * 30 + [NO], [0] * 30 + [1]).examples

    assert len(examples) == 10
    assert {example.rule for example in examples} == {
        Violation.CONSERVATION,
        Violation.LOST_UPDATE,
        Violation.PHANTOM_TRANSITION,
    }


@pytest.mark.parametrize(
    ("account", "again", "expected"),
    [
        (Account(3, 3, 0, 0), True, (1, 3)),  # three queries, each may have rescheduled it after another run
        (Account(3, 3, 0, 0), False, (1, 1)),  # acknowledged once and for all
        (Account(3, 1, 0, 2), True, (1, 3)),
        (Account(2, 0, 1, 1), False, (0, 1)),
        (Account(2, 0, 2, 0), True, (0, 0)),
    ],
)
def test_requests_by_query_may_each_have_changed_an_id(account, again, expected):
    assert bounds(account, again=again) == expected


def test_nothing_read_is_nothing_judged():
    compared = unread("the target is gone")

    assert compared.is_clean
    assert len(compared.not_checkable) == len(Violation)


outcomes = st.lists(st.sampled_from([OK, NO, UNKNOWN, None]), min_size=1, max_size=30)


@given(outcomes, st.data())
def test_an_honest_target_is_never_accused(booked, data):
    transitions = [
        1 if outcome is OK else data.draw(st.integers(0, 1)) if outcome is UNKNOWN else 0 for outcome in booked
    ]

    assert broken(booked, transitions) == {}


@given(outcomes, st.data())
def test_one_planted_bug_is_always_found(booked, data):
    honest = [1 if outcome is OK else 0 for outcome in booked]
    place = data.draw(st.integers(0, len(booked) - 1))
    bug = {OK: st.sampled_from([0, 2, 3]), UNKNOWN: st.integers(2, 4)}.get(booked[place], st.integers(1, 3))
    honest[place] = data.draw(bug)

    compared = judged(booked, honest)
    found = {rule for rule, count in compared.violations.items() if count} - {Violation.CONSERVATION}
    assert len(found) == 1
    assert [example.audit_id for example in compared.examples if example.audit_id] == [place + 1]


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 9))
def test_a_rule_is_broken_exactly_outside_the_bounds(accepted, refused, unknown, times):
    account = Account(accepted + refused + unknown, accepted, refused, unknown)
    low, high = bounds(account, again=True)

    assert (broken_rule(account, times, low, high) is None) is (low <= times <= high)


# --- batches, contenders, states ---------------------------------------------------------------


def batches(size, entries, copies=1):
    """A ledger of batches: (positions, outcome, how many the answer refused, how many were named)."""
    ledger = Ledger(size)
    for positions, outcome, failed, named in entries:
        for _ in range(copies):
            entry = ledger.send(Batch(positions), 0)
            entry.failed, entry.named = failed, named
            error = ErrorKind.HTTP_4XX_CONTRACT if outcome is NO else None
            ledger.settle(entry, outcome, 1, error)
    return ledger


def rules(ledger, transitions, kind="plain", again=False, no_ops=(), **more):
    observed = Observed(transitions, frozenset(no_ops), {}, **more)
    found = reconcile(tokens(len(transitions)), ledger, observed, again=again, kind=kind)
    return {rule.value: count for rule, count in found.violations.items() if count}


@pytest.mark.parametrize(
    ("outcome", "failed", "named", "transitions", "expected"),
    [
        (NO, 1, 4, (0, 0, 0), {}),  # refused as a whole
        (NO, 1, 4, (1, 1, 1), {}),  # all but the one that does not exist: the other policy
        (NO, 1, 4, (1, 0, 1), {"torn_batch": 1}),
        (NO, 0, 4, (1, 0, 1), {"phantom_transition": 2, "conservation": 2}),  # it named nobody as refused
        (OK, 0, 4, (1, 0, 1), {"torn_batch": 1}),
        (OK, 0, 4, (1, 1, 1), {}),
        (OK, 0, 4, (0, 0, 0), {"lost_update": 3, "conservation": 3}),
        (UNKNOWN, 0, 3, (1, 1, 1), {}),
        (UNKNOWN, 0, 3, (0, 0, 0), {}),
        (UNKNOWN, 0, 3, (1, 0, 0), {"torn_batch": 1}),  # it failed in the middle and left it so
    ],
)
def test_a_batch_is_done_as_a_whole_or_not_at_all(outcome, failed, named, transitions, expected):
    assert rules(batches(3, [((0, 1, 2), outcome, failed, named)]), transitions, kind="poison") == expected


def test_of_a_torn_batch_those_that_waited_already_are_not_missing():
    assert rules(batches(3, [((0, 1, 2), UNKNOWN, 0, 3)]), (1, 0, 1), no_ops=[1]) == {}
    assert rules(batches(3, [((0, 1, 2), NO, 1, 3)]), (1, 0, 1), no_ops=[1]) == {}  # it was the one that was refused


def test_whether_a_batch_is_torn_cannot_be_said_where_changes_cannot_be_seen():
    ledger = batches(2, [((0, 1), UNKNOWN, 0, 2)])
    observed = Observed((1, 0), frozenset(), {Violation.PHANTOM_TRANSITION: "why"})
    found = reconcile(tokens(2), ledger, observed, again=False)

    assert found.is_clean
    assert "torn_batch: why" in found.not_checkable


def test_of_contenders_exactly_one_wins():
    assert rules(batches(1, [((0,), NO, 1, 1)], copies=3), (0,), kind="contended") == {"no_winner": 1}
    assert rules(batches(1, [((0,), NO, 1, 1)], copies=3), (0,), kind="contended", no_ops=[0]) == {}
    assert rules(batches(1, [((0,), OK, 0, 1)], copies=2), (2,), kind="contended", again=True) == {}
    doubled = rules(batches(1, [((0,), OK, 0, 1)], copies=2), (2,), kind="contended", again=True, doubled={0})
    assert doubled == {"two_winners": 1}


def test_what_changed_and_is_not_so_in_the_end_is_in_an_illegal_state():
    assert rules(batches(1, [((0,), OK, 0, 1)]), (1,), illegal={0}) == {"illegal_state": 1}


def test_several_books_come_to_one():
    one = judged([OK, OK], [1, 0])
    both = merged([one, judged([NO], [1], not_checkable=[Violation.DOUBLE_TRANSITION])])

    assert (both.checked, both.violations[Violation.LOST_UPDATE], both.violations[Violation.PHANTOM_TRANSITION]) == (
        3,
        1,
        1,
    )
    assert both.not_checkable == ("double_transition: why",)
