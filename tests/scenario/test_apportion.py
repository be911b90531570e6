"""Shares of a whole as whole numbers: nothing is lost, and nobody is more than one off."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from agent_sim.scenario.apportion import largest_remainder, portion

AMOUNTS = st.lists(st.fractions(0, 10_000, max_denominator=1000), max_size=20).map(tuple)


def test_the_largest_remainders_get_what_is_left():
    assert largest_remainder((Fraction("180.6"), Fraction("60.2"), Fraction("60.2"))) == (181, 60, 60)


def test_a_tie_goes_to_the_earlier():
    assert largest_remainder((Fraction(1, 2), Fraction(1, 2))) == (1, 0)


@given(AMOUNTS)
def test_the_whole_numbers_total_the_rounded_sum(amounts: tuple[Fraction, ...]):
    assert sum(largest_remainder(amounts)) == int(sum(amounts, Fraction()) + Fraction(1, 2))


@given(AMOUNTS)
def test_each_whole_number_is_next_to_its_amount(amounts: tuple[Fraction, ...]):
    assert all(abs(whole - amount) < 1 for whole, amount in zip(largest_remainder(amounts), amounts, strict=True))


def test_a_portion_is_the_nearest_whole_number_and_halves_count_up():
    assert [portion(0.1, agents) for agents in (4, 5, 14, 15, 100)] == [0, 1, 1, 2, 10]
