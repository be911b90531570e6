"""Where in a collection that only grows at its end the n-th record is, without counting up to it.

Records have ascending numbers. Where two known ones are as far apart in number as in place, none is missing between
them, and the place of every one between is known; elsewhere the nearest known one below says where to begin to count.
Knows no SQL. Whoever deletes records must begin anew.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

_MOST_KNOWN: Final = 10_000
"""Places remembered; our choice."""


@dataclass(slots=True)
class Positions:
    """Places, counted from 0, and the numbers of the records there."""

    _places: list[int] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """True if no place is known."""
        return not self._places

    def know(self, place: int, number: int) -> None:
        """The record at `place` has this number."""
        at = bisect_right(self._places, place)
        if at and self._places[at - 1] == place:
            self._numbers[at - 1] = number
        elif len(self._places) < _MOST_KNOWN:
            self._places.insert(at, place)
            self._numbers.insert(at, number)

    def find(self, place: int, last_place: int, last_number: int) -> tuple[int, int]:
        """The number at which to begin, and how many records to skip from there to reach `place`.

        `last_place` and `last_number` are those of the last record there is. With nothing to skip the number is the
        record's own.
        """
        at = bisect_right(self._places, place)
        if not at:
            return 0, place
        below, number = self._places[at - 1], self._numbers[at - 1]
        above, higher = last_place, last_number
        if at < len(self._places):
            above, higher = self._places[at], self._numbers[at]
        if higher - number == above - below:
            return number + place - below, 0
        return number, place - below
