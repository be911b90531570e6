import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.instants import DAY, MILLISECOND, SECOND, from_iso, seconds, to_iso


def test_text_has_a_z_and_no_trailing_zeros():
    assert to_iso(0) == "1970-01-01T00:00:00Z"
    assert to_iso(DAY + 41 * SECOND + 600 * MILLISECOND) == "1970-01-02T00:00:41.6Z"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("1970-01-01T00:00:01", SECOND),  # no zone: taken as UTC
        ("1970-01-01T01:00:01+01:00", SECOND),
        ("1970-01-01", 0),
    ],
)
def test_times_are_read_in_any_iso_form(text, instant):
    assert from_iso(text) == instant


@given(st.integers(min_value=0, max_value=4 * 10**12).map(lambda ms: ms * MILLISECOND))
def test_what_is_written_is_read_back(instant):
    assert from_iso(to_iso(instant)) == instant


def test_seconds_are_rounded_to_whole_milliseconds():
    assert seconds(0.0014999) == MILLISECOND
