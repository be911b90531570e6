"""Ids leased to processes: each to one and once, whatever becomes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.instants import SECOND
from agent_sim.storms.kinds import dues, supply
from agent_sim.storms.leases import Leased, Lessor, Settled, Shelf
from agent_sim.storms.plan import Stage
from agent_sim.storms.pool import Pool
from agent_sim.storms.taxonomy import Outcome
from tests.storms.examples import plan, tokens

SHELF = "reschedule"


def lessor(ids: int, size: int = 2, processes: int = 2) -> Lessor:
    return Lessor({SHELF: Shelf(Pool(tokens(ids)), tokens(ids), size)}, processes)


def said(number: int | None, outcome: Outcome = Outcome.ACCEPTED) -> Settled:
    return Settled(SHELF, number, 10, 20, outcome)


def test_a_lease_is_taken_batch_by_batch_with_what_is_asked_for():
    lease = lessor(5).lease("a", SHELF, 9)
    pool = Leased(5)
    pool.add(lease)
    batch = pool.take(2)

    assert batch is not None
    assert list(batch.positions) == [0, 1]
    assert pool.tokens[0] == tokens(5)[0]
    assert pool.number_of(batch) == 0
    assert pool.used == 2


def test_leases_become_few_towards_the_end_of_the_pool():
    giver = lessor(64, size=1)

    assert [len(giver.lease("a", SHELF, 40)["batches"]) for _ in range(8)] == [16, 12, 9, 7, 5, 5, 5, 5]


def test_the_pool_is_exhausted_once_the_last_lease_is_used_up():
    giver, pool = lessor(3, processes=1), Leased(3)
    pool.add(giver.lease("a", SHELF, 1))

    assert pool.take(2) is not None
    assert (pool.take(2), pool.is_exhausted, pool.starved) == (None, False, 1)  # more will come
    pool.add(giver.lease("a", SHELF, 1))
    assert pool.take(2) is not None
    assert (pool.take(2), pool.is_exhausted, pool.starved) == (None, True, 1)
    assert giver.lease("a", SHELF, 1)["batches"] == []


def test_what_a_lost_process_has_not_reported_is_unknown_and_given_to_nobody():
    giver = lessor(24)
    giver.lease("a", SHELF, 2)
    giver.settle("a", [said(0)])

    assert giver.lose("a", 5, 99) == giver.unsettled + 1 == 1
    assert [(tuple(batch.positions), each.outcome) for batch, each in giver.book() if batch] == [
        ((0, 1), Outcome.ACCEPTED),
        ((2, 3), Outcome.UNKNOWN),
    ]
    again = Leased(24)
    again.add(giver.lease("b", SHELF, 9))
    assert again.take(2).positions == (4, 5)  # type: ignore[union-attr]


def test_what_a_process_has_left_in_the_end_was_never_sent():
    giver = lessor(24)
    giver.lease("a", SHELF, 2)
    giver.settle("a", [said(0)])

    assert giver.give_back("a") == 1
    assert [tuple(batch.positions) for batch, _ in giver.book() if batch] == [(0, 1)]


def test_it_is_for_whoever_sends_next():
    giver = lessor(4)
    giver.lease("a", SHELF, 2)
    giver.give_back("a")
    again = giver.lease("b", SHELF, 2)

    assert (again["first"], again["batches"], again["is_last"]) == (1, [[0, 1]], False)
    assert giver.settle("a", [said(0)]) == 1  # a late word of who had it before
    assert giver.lease("b", SHELF, 2)["is_last"]


def test_a_report_that_comes_twice_or_from_another_or_too_late_is_not_booked():
    giver = lessor(8)
    giver.lease("a", SHELF, 1)

    assert giver.settle("b", [said(0)]) == 1
    assert giver.settle("a", [said(0)]) == 0
    assert giver.settle("a", [said(0, Outcome.REFUSED)]) == 1
    assert giver.settle("a", [said(7), said(-3)]) == 2
    assert [each.outcome for _, each in giver.book()] == [Outcome.ACCEPTED]


def test_requests_by_query_have_no_number_and_all_count():
    giver = lessor(8)
    giver.settle("a", [said(None), said(None)])

    assert [batch for batch, _ in giver.book()] == [None, None]


@settings(deadline=None)
@given(
    st.integers(0, 60), st.integers(1, 7), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=60)
)
def test_no_id_is_leased_twice(size, batch, asked):
    giver = lessor(size, batch, processes=3)
    pools = {name: Leased(size) for name in "abc"}
    for name, wanted in asked:
        pools[name].add(giver.lease(name, SHELF, wanted))
    taken: list[int] = []
    for pool in pools.values():
        while each := pool.take(batch):
            taken += each.positions

    assert len(taken) == len(set(taken))
    assert set(taken) <= set(range(size))


def test_batches_that_belong_together_go_to_one_process():
    together = 3
    giver = Lessor({SHELF: Shelf(Pool(tokens(60)), tokens(60), 1)}, 2, together)

    assert [len(giver.lease(name, SHELF, wanted)["batches"]) for name, wanted in (("a", 1), ("b", 4))] == [3, 6]


CONTENDED = plan(kind="contended", copies=3, stages=(Stage(30, 0), Stage(30, SECOND)))


def dealt(ids: int, names: str) -> Lessor:
    return Lessor({SHELF: Shelf(supply(CONTENDED, tokens(ids)), tokens(ids), 2)}, len(names), 1, list(names))


@pytest.mark.parametrize("names", ["ab", "abcde"])
def test_the_copies_of_a_batch_are_dealt_to_several_processes_and_are_due_at_one_moment(names):
    giver, moments = dealt(8, names), list(dues(CONTENDED))
    rivals: dict[int, list[tuple[int, str]]] = {}
    turns = {name: iter(moments[seat :: len(names)]) for seat, name in enumerate(names)}
    for wanted in (1, 2, 3, 9):  # whoever comes first, and however much he asks for
        for name in reversed(names):
            for positions in giver.lease(name, SHELF, wanted)["batches"]:
                rivals.setdefault(positions[0], []).append((next(turns[name]), name))

    assert sorted(rivals) == [0, 2, 4, 6]
    assert all(len(group) == 3 for group in rivals.values())
    assert all(len({due for due, _ in group}) == 1 for group in rivals.values())
    assert all(len({name for _, name in group}) == min(3, len(names)) for group in rivals.values())
    assert all(giver.lease(name, SHELF, 1)["is_last"] for name in names)


def test_a_rival_whose_arrival_is_dropped_gives_its_batch_up_be_it_here_or_yet_to_come():
    giver, pool = dealt(20, "ab"), Leased(20, is_dealt=True)
    pool.add(giver.lease("a", SHELF, 2))
    pool.skip(2)
    later = pool.take(2)
    pool.skip(2)  # its lease is late
    pool.add(giver.lease("a", SHELF, 2))
    last = pool.take(2)

    assert later is not None
    assert last is not None
    assert (later.positions, last.positions) == ((0, 1), (4, 5))  # copies 2 and 6 of 3 each


def test_another_part_of_the_storm_goes_on_with_whole_batches_and_whoever_is_there():
    giver = Lessor({SHELF: Shelf(supply(CONTENDED, tokens(20)), tokens(20), 2)}, 2, 3, "ab")
    giver.lease("a", SHELF, 1)
    giver.give_back("a")
    giver.deal_anew("abc")

    assert [giver.lease(name, SHELF, 1)["batches"] for name in "abc"] == [[[4, 5], [6, 7], [8, 9]]] * 3


def test_ids_that_several_processes_asked_for_are_used_once():
    giver = dealt(8, "ab")
    for name in "ab":
        first = giver.lease(name, SHELF, 3)["first"]
        giver.settle(name, [said(first), said(first + 1)])

    assert giver.used == 4


def test_each_operation_has_a_shelf_and_numbers_are_common():
    giver = Lessor({name: Shelf(Pool(tokens(9)), tokens(9), 1) for name in ("one", "other")}, 1)
    firsts = [giver.lease("a", name, 1)["first"] for name in ("one", "other", "one")]

    assert firsts == [0, 1, 2]
    assert giver.settle("a", [Settled("other", 0, 1, 2, Outcome.ACCEPTED)]) == 1
    assert giver.settle("a", [Settled("one", 0, 1, 2, Outcome.ACCEPTED)]) == 0


def test_a_process_that_runs_dry_asks_for_twice_as_much():
    asked: list[int] = []
    giver, pool = lessor(64, size=1), Leased(64, asked.append)
    pool.add(giver.lease("a", SHELF, 4))
    for _ in range(6):
        pool.take(1)

    assert (asked[0], asked[-1], pool.starved) == (4, 8, 2)
