"""Rates as people write them."""

import pytest

from agent_sim.errors import UsageError
from agent_sim.storms.rates import parse_load, parse_rate


@pytest.mark.parametrize(("text", "rate"), [("20/s", 20.0), ("0.5/s", 0.5), ("90/min", 1.5), (" 1800 / h ", 0.5)])
def test_a_rate_has_a_unit(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["20", "20/day", "/s", "-1/s", "0/s", "twenty/s", "", "1e3/s"])
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match="must be like 20/s"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("20/s", ((20.0,), False)),
        ("10/s,20/s, 40/s", ((10.0, 20.0, 40.0), False)),
        ("60/min..5/s", ((1.0, 5.0), True)),
    ],
)
def test_a_load_is_a_rate_or_steps_or_a_ramp(text, load):
    assert parse_load(text) == load


@pytest.mark.parametrize("text", ["20/s,", ",20/s", "20/s..", "..", "1/s..2/s..3/s", "1/s,2"])
def test_half_a_load_is_refused(text):
    with pytest.raises(UsageError, match="must be like 20/s"):
        parse_load(text)
