"""The book of what was asked and what came of it."""

from hypothesis import given
from hypothesis import strategies as st

from agent_sim.storms.ledger import Account, Ledger, Totals
from agent_sim.storms.pool import Pool
from agent_sim.storms.taxonomy import Outcome
from tests.storms.examples import tokens


def test_a_batch_is_booked_on_each_of_its_ids():
    pool, ledger = Pool(tokens(4)), Ledger(4)
    first, second = pool.take(2), pool.take(1)
    entries = [ledger.send(first, now=10), ledger.send(second, now=20)]

    ledger.settle(entries[0], Outcome.ACCEPTED, now=30)
    ledger.settle(entries[1], Outcome.REFUSED, now=40)

    assert [ledger.account(position) for position in range(4)] == [
        Account(1, 1, 0, 0),
        Account(1, 1, 0, 0),
        Account(1, 0, 1, 0),
        Account(0, 0, 0, 0),
    ]
    assert ledger.windows(range(4)) == {0: (10, 30), 1: (10, 30), 2: (20, 40)}
    assert ledger.totals() == Totals(sent=3, accepted=2, refused=1, unknown=0)


def test_a_request_by_query_concerns_every_id():
    ledger = Ledger(3)
    entries = [ledger.send(None, now=1), ledger.send(None, now=2)]

    ledger.settle(entries[0], Outcome.ACCEPTED, now=5)
    ledger.settle(entries[1], Outcome.UNKNOWN, now=9)

    assert ledger.account(2) == Account(2, 1, 0, 1)
    assert ledger.windows({2}) == {2: (1, 9)}
    assert ledger.totals() == Totals(sent=3, accepted=3, refused=0, unknown=0)


def test_what_is_settled_stays_settled():
    pool, ledger = Pool(tokens(1)), Ledger(1)
    entry = ledger.send(pool.take(1), now=0)

    assert ledger.settle(entry, Outcome.UNKNOWN, now=1)
    assert not ledger.settle(entry, Outcome.ACCEPTED, now=2)
    assert ledger.account(0) == Account(1, 0, 0, 1)


def test_requests_still_under_way_at_the_end_are_unknown_never_failed():
    pool, ledger = Pool(tokens(3)), Ledger(3)
    ledger.settle(ledger.send(pool.take(1), now=0), Outcome.ACCEPTED, now=1)
    ledger.send(pool.take(2), now=2)

    assert ledger.in_flight == 1
    assert ledger.abandon(now=9) == 1
    assert ledger.in_flight == 0
    assert ledger.totals() == Totals(sent=3, accepted=1, refused=0, unknown=2)


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(1, 5), st.sampled_from([*Outcome, None])), max_size=30))
def test_every_id_sent_is_accepted_refused_or_unknown(size, requests):
    pool, ledger = Pool(tokens(size)), Ledger(size)
    for take, outcome in requests:
        batch = pool.take(take)
        if batch is not None:
            entry = ledger.send(batch, now=0)
            if outcome is not None:
                ledger.settle(entry, outcome, now=1)
    ledger.abandon(now=2)

    totals = ledger.totals()
    assert totals.sent == pool.used == totals.accepted + totals.refused + totals.unknown
