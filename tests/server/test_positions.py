"""Places are found as by counting, whatever is missing between the numbers."""

from hypothesis import given
from hypothesis import strategies as st

from agent_sim.server.tables.positions import Positions

numbers = st.sets(st.integers(1, 60), min_size=1).map(sorted)


def reached(there: list[int], begin: int, skip: int) -> int:
    return [number for number in there if number >= begin][skip]


@given(numbers, st.lists(st.integers(0, 59)), st.data())
def test_the_record_at_a_place_is_found_from_whatever_is_known(there, known, data):
    positions = Positions()
    for place in known:
        if place < len(there):
            positions.know(place, there[place])
    place = data.draw(st.integers(0, len(there) - 1))

    begin, skip = positions.find(place, len(there) - 1, there[-1])

    assert reached(there, begin, skip) == there[place]


def test_nothing_is_skipped_where_nothing_is_missing():
    positions = Positions()
    positions.know(0, 5)

    assert positions.find(700_000, 999_999, 1_000_004) == (700_005, 0)


def test_between_gaps_counting_begins_at_the_nearest_known_place():
    positions = Positions()
    positions.know(0, 1)
    positions.know(50, 90)

    assert positions.find(60, 100, 200) == (90, 10)
    assert positions.find(49, 100, 200) == (1, 49)


def test_of_very_many_places_only_so_many_are_kept():
    positions = Positions()
    for place in range(0, 40_000, 2):
        positions.know(place, place * 3)

    begin, skip = positions.find(39_999, 40_000, 200_000)

    assert begin + skip > 0
    assert len(positions._places) == 10_000
