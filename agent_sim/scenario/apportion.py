"""Whole numbers from shares, exactly: by largest remainder, so that nothing is lost to rounding."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor
from typing import TypeVar


def largest_remainder(amounts: tuple[Fraction, ...]) -> tuple[int, ...]:
    """Whole numbers near the amounts that total their sum (rounded); ties go to the earlier."""
    whole = [floor(amount) for amount in amounts]
    left = floor(sum(amounts, Fraction()) + Fraction(1, 2)) - sum(whole)
    by_rest = sorted(range(len(amounts)), key=lambda n: (whole[n] - amounts[n], n))
    for n in by_rest[:left]:
        whole[n] += 1
    return tuple(whole)


T = TypeVar("T")


def dealt(shares: Sequence[tuple[T, float]], ranks: Sequence[float]) -> list[T]:
    """One value for each place, so that each value has its exact share of them; `ranks` says who is served first."""
    counts = largest_remainder(tuple(Fraction(repr(share)) * len(ranks) for _, share in shares))
    values = [value for (value, _), count in zip(shares, counts, strict=True) for _ in range(count)]
    served = sorted(range(len(ranks)), key=lambda place: ranks[place])
    chosen = dict(zip(served, values, strict=True))
    return [chosen[place] for place in range(len(ranks))]


def portion(share: float, of: int) -> int:
    """The nearest whole number to a share of a whole; halves count up."""
    return floor(Fraction(repr(share)) * of + Fraction(1, 2))
