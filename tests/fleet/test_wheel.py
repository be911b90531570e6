from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.fleet.wheel import _FEW, _SLACK, TICK, Wheel
from agent_sim.instants import DAY, HOUR, NEVER, SECOND

INSTANTS = st.integers(0, 100 * DAY)


def test_an_empty_wheel_has_nothing_due_ever():
    wheel = Wheel()

    assert wheel.next_due() == NEVER
    assert wheel.due(NEVER) == []


@pytest.mark.parametrize(("at", "found_at"), [(0, 0), (1, TICK), (TICK, TICK), (TICK + 1, 2 * TICK)])
def test_nothing_is_found_before_its_instant_nor_later_than_the_tick_after_it(at, found_at):
    wheel = Wheel()
    wheel.put("a", at)

    assert wheel.next_due() == found_at
    assert wheel.due(found_at - 1) == []
    assert wheel.due(found_at) == ["a"]
    assert wheel.next_due() == NEVER


def test_who_puts_in_what_is_due_first_is_told_so():
    wheel = Wheel()

    told = [wheel.put(item, at) for item, at in [("a", 5 * SECOND), ("b", 9 * SECOND), ("c", SECOND), ("d", SECOND)]]

    assert told == [True, False, True, False]
    assert wheel.next_due() == SECOND


def test_one_slot_is_emptied_in_the_order_in_which_it_was_filled():
    wheel = Wheel()
    for item in range(1000):
        wheel.put(item, SECOND)

    assert wheel.due(SECOND) == list(range(1000))


@given(waiting=st.lists(INSTANTS, max_size=60), steps=st.lists(INSTANTS, max_size=20))
def test_whatever_the_steps_everything_is_found_once_in_its_tick(waiting, steps):
    wheel, found = Wheel(), []
    for at in waiting:
        wheel.put(at, at)

    for now in (*sorted(steps), 101 * DAY):
        due = wheel.due(now)
        assert all(at <= now for at in due)
        assert wheel.next_due() > now
        found += due

    assert Counter(found) == Counter(waiting)
    assert [at for at in found if at] == sorted((at for at in found if at), key=lambda at: -(-at // TICK))


@given(ticks=st.integers(1, 10 * SECOND), at=INSTANTS)
def test_a_tick_may_be_of_any_length(ticks, at):
    wheel = Wheel(ticks)
    wheel.put("a", at)

    assert at <= wheel.next_due() < at + ticks
    assert wheel.due(wheel.next_due()) == ["a"]


LATER = (3 + _SLACK) * TICK


@pytest.mark.parametrize(("items", "turn"), [(1, LATER), (_FEW - 1, LATER), (_FEW, 3 * TICK)])
def test_few_items_are_looked_for_with_those_of_the_next_ticks_and_many_at_once(items, turn):
    wheel = Wheel()
    wheel.due(TICK)
    for number in range(items):
        wheel.put(number, 3 * TICK)
    wheel.put("next", LATER)

    assert wheel.next_turn() == turn
    assert len(wheel.due(turn)) == items + (turn == LATER)


def test_an_empty_wheel_is_never_turned_and_one_far_ahead_as_soon_as_something_is_due():
    wheel = Wheel()
    assert wheel.next_turn() == NEVER

    wheel.put("far", HOUR)
    assert wheel.next_turn() == HOUR
