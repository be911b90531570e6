import pytest

from agent_sim.results.heat import BOUNDS_US, COLUMNS, heat_of
from agent_sim.results.timeline import LIMIT
from tests.results.journals import latencies


def test_each_latency_counts_in_the_row_of_its_bound_and_the_column_of_its_second():
    heat = heat_of({0: latencies(3, times=7), 2: latencies(0.05, 90_000)}, length=3, width=1)

    assert heat.width == 1
    assert heat.counts[BOUNDS_US.index(5_000)] == (7, 0, 0)
    assert heat.counts[0] == (0, 0, 1)
    assert heat.counts[-1] == (0, 0, 1)


@pytest.mark.parametrize("length", [0, 1, COLUMNS, COLUMNS + 1, LIMIT])
def test_a_map_has_few_columns_and_loses_no_request(length):
    heat = heat_of({place: latencies(10) for place in range(length)}, length, width=4)

    assert sum(map(sum, heat.counts)) == length
    assert len(heat.counts) == len(BOUNDS_US) + 1
    assert {len(row) for row in heat.counts} == {-(-length // (heat.width // 4))}
    assert len(heat.counts[0]) <= COLUMNS
