"""Rates as people write them: `20/s`, `90/min`, `1000/h`. A bare number is ambiguous and refused."""

import re
from collections.abc import Mapping
from typing import Final

from agent_sim.errors import UsageError

_UNITS: Final[Mapping[str, int]] = {"s": 1, "min": 60, "h": 3600}
_RATE: Final = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*/\s*(?P<unit>[a-z]+)")


def parse_load(text: str) -> tuple[tuple[float, ...], bool]:
    """`10/s`, steps `10/s,20/s,40/s`, or a ramp `10/s..50/s`: the rates, and whether they are a ramp's two ends.

    Raises UsageError.
    """
    if ".." in text:
        ends = tuple(parse_rate(part) for part in text.split("..", 1))
        return ends, True
    return tuple(parse_rate(part) for part in text.split(",")), False


def parse_rate(text: str) -> float:
    """Requests per second, more than 0. Raises UsageError."""
    found = _RATE.fullmatch(text.strip())
    if found is None or found["unit"] not in _UNITS or float(found["count"]) == 0:
        raise UsageError(f"rate {text!r} must be like 20/s, 90/min or 1000/h")
    return float(found["count"]) / _UNITS[found["unit"]]
