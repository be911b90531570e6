"""Durations, shares, rates and sizes: what each text means, what is refused, and that writing undoes reading."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from agent_sim.scenario import units
from agent_sim.scenario.units import Quantity


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500ms", 500 * MILLISECOND),
        ("5s", 5 * SECOND),
        ("0s", 0),
        ("1m30s", 90 * SECOND),
        ("2h", 2 * HOUR),
        ("1d", DAY),
        ("1d2h3m4s5ms", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND + 5 * MILLISECOND),
        ("1.5s", 1500 * MILLISECOND),
        ("0.001s", MILLISECOND),
        ("90m", 90 * MINUTE),
        (Quantity(Fraction(SECOND), is_duration=True), SECOND),
        (Quantity(Fraction(SECOND, 3), is_duration=True), 333 * MILLISECOND),  # the nearest whole millisecond
    ],
)
def test_a_duration_is_read_in_nanoseconds(text: object, span: int):
    assert units.duration(text) == span


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (30, "found 30, expected a duration with its unit: write 30s"),
        (0, "found 0, expected a duration with its unit: write 0s"),
        (1.5, "found 1.5, expected a duration with its unit: write 1.5s"),
        ("30", 'found "30", expected a duration with its unit: write 30s'),
        (True, "found true, expected a duration such as 500ms, 30s, 1m30s, 2h or 1d"),
        (None, "found nothing, expected a duration such as 500ms, 30s, 1m30s, 2h or 1d"),
        ("", 'found "", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        ("5 s", 'found "5 s", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        ("5min", 'found "5min", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        ("-5s", 'found "-5s", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        ("30s1m", 'found "30s1m", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        ("٣s", 'found "٣s", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        (["5s"], "found a list, expected a duration such as 500ms, 30s, 1m30s, 2h or 1d"),
        ("0.1ms", 'found "0.1ms", expected a duration of whole milliseconds'),
        ("3651d", 'found "3651d", expected at most 3650d'),
        (Quantity(Fraction(-SECOND), is_duration=True), "found -1 seconds, expected a duration of 0s or more"),
        (Quantity(Fraction(5)), "found 5, expected a duration with its unit: write 5s"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_mend(value: object, message: str):
    assert refused(units.duration, value) == message


@pytest.mark.parametrize(
    ("value", "part"),
    [("12%", 0.12), ("0.5%", 0.005), ("100%", 1.0), ("0%", 0.0), (Quantity(Fraction(1, 4)), 0.25)],
)
def test_a_share_is_read_as_a_part_of_one(value: object, part: float):
    assert units.share(value) == part


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (12, "found 12, expected a share with its unit: write 12%"),
        (0.5, "found 0.5, expected a share with its unit: write 50%"),
        ("12 %", 'found "12 %", expected a share such as 12% or 0.5%'),
        ("101%", "found 101%, expected 0% to 100%"),
        (Quantity(Fraction(5, 2)), "found 250%, expected 0% to 100%"),
        (Quantity(Fraction(SECOND), is_duration=True), "found 1s, expected a share such as 12% or 0.5%"),
    ],
)
def test_what_is_no_share_is_refused_with_the_mend(value: object, message: str):
    assert refused(units.share, value) == message


@pytest.mark.parametrize(("text", "rate"), [("20/s", 20.0), ("5/min", 5 / 60), ("36/h", 0.01), ("0/s", 0.0)])
def test_a_rate_is_read_per_second(text: str, rate: float):
    assert units.rate(text) == rate


def test_a_share_per_time_is_read_per_second():
    assert units.share_rate("0.6%/min") == 0.0001


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (units.rate, 20, "found 20, expected a rate such as 20/s or 5/min: write 20/s"),
        (units.rate, "20/m", 'found "20/m", expected a rate such as 20/s or 5/min'),
        (units.rate, "5%/s", 'found "5%/s", expected a rate such as 20/s or 5/min'),
        (units.rate, "2000000000/s", 'found "2000000000/s", expected at most 1000000000/s'),
        (units.share_rate, "5/s", 'found "5/s", expected a share per time such as 0.5%/min'),
        (units.share_rate, 5, "found 5, expected a share per time such as 0.5%/min: write 5%/s"),
    ],
)
def test_what_is_no_rate_is_refused_with_the_mend(read, value: object, message: str):
    assert refused(read, value) == message


@pytest.mark.parametrize(
    ("text", "count"),
    [("400B", 400), ("200KB", 200_000), ("2MB", 2_000_000), ("1.5KB", 1500), ("4KiB", 4096), ("1GB", 10**9)],
)
def test_a_size_is_read_in_bytes(text: str, count: int):
    assert units.size(text) == count


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2000, "found 2000, expected a size with its unit: write 2000B"),
        ("2mb", 'found "2mb", expected a size such as 400B, 200KB or 2MB'),
        ("0.5B", 'found "0.5B", expected a size of whole bytes, at most 1GB'),
        ("2GB", 'found "2GB", expected a size of whole bytes, at most 1GB'),
    ],
)
def test_what_is_no_size_is_refused_with_the_mend(value: object, message: str):
    assert refused(units.size, value) == message


@given(st.integers(0, 3650 * 24 * 3600 * 1000))
def test_a_duration_written_is_read_back(milliseconds: int):
    span = milliseconds * MILLISECOND

    assert units.duration(units.duration_text(span)) == span


@given(st.floats(0, 1))
def test_a_share_written_is_read_back(part: float):
    assert units.share(units.share_text(part)) == part


@given(st.floats(0, 1e9, allow_subnormal=False))
def test_a_rate_written_is_read_back(rate: float):
    assert units.rate(units.rate_text(rate)) == rate


@given(st.integers(0, 10**9))
def test_a_size_written_is_read_back(count: int):
    assert units.size(units.size_text(count)) == count


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_nothing_but_a_value_error_comes_of_any_value(value: object):
    for read in (units.duration, units.share, units.rate, units.share_rate, units.size):
        try:
            said: object = read(value)
        except ValueError as error:
            said = str(error)
        assert str(said).startswith("found ") if isinstance(said, str) else isinstance(said, int | float)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"),
        (500 * MILLISECOND, "500ms"),
        (1500 * MILLISECOND, "1.5s"),
        (90 * SECOND, "1m30s"),
        (HOUR, "1h"),
        (DAY + MILLISECOND, "1d1ms"),
        (MINUTE + 1001 * MILLISECOND, "1m1.001s"),
    ],
)
def test_a_duration_is_written_shortly(span: int, text: str):
    assert units.duration_text(span) == text


@pytest.mark.parametrize(("rate", "text"), [(5 / 60, "5/min"), (20.0, "20/s"), (1 / 3600, "1/h"), (0.5, "0.5/s")])
def test_a_rate_is_written_in_its_shortest_unit(rate: float, text: str):
    assert units.rate_text(rate) == text


def refused(read, value: object) -> str:
    with pytest.raises(ValueError) as caught:
        read(value)
    return str(caught.value)
