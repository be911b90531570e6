"""Whole numbers from shares, exactly: by largest remainder, so that nothing is lost to rounding."""

from fractions import Fraction
from math import floor


def largest_remainder(amounts: tuple[Fraction, ...]) -> tuple[int, ...]:
    """Whole numbers near the amounts that total their sum (rounded); ties go to the earlier."""
    whole = [floor(amount) for amount in amounts]
    left = floor(sum(amounts, Fraction()) + Fraction(1, 2)) - sum(whole)
    by_rest = sorted(range(len(amounts)), key=lambda n: (whole[n] - amounts[n], n))
    for n in by_rest[:left]:
        whole[n] += 1
    return tuple(whole)


def portion(share: float, of: int) -> int:
    """The nearest whole number to a share of a whole; halves count up."""
    return floor(Fraction(repr(share)) * of + Fraction(1, 2))
