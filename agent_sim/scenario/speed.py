"""A scenario at another speed: every span a tenth, every rate ten times, for a speed of 10.

What is decided does not change, because no draw depends on a time. Spans that are not the scenario's own stay: bounds
on latencies, the transport's timeouts, ages in days. What the server repeats by the calendar has no other speed.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.instants import MILLISECOND
from agent_sim.scenario import units
from agent_sim.scenario.fit import Tree

_TEXTS: Final = frozenset({"name", "description", "labels", "message", "result", "metric", "stat", "type", "behaviour"})
_KEPT: Final = _TEXTS | {"transport", "age_out", "params", "version", "seed", "capabilities"}
_CALENDAR: Final = frozenset({"interval", "daily", "weekly", "monthly", "exactly_once"})
_LEAST_BEAT: Final = 100 * MILLISECOND
_SPAN: Final = re.compile(r"(?P<phase>(?:[A-Za-z][A-Za-z0-9_-]*\+)?)(?P<span>(?=[0-9.])(?:[0-9.]+(?:d|h|ms|m|s))+)")
# In a condition, texts in quotes are not spans, and neither are numbers or parts of names.
_SPAN_IN_CONDITION: Final = re.compile(
    r"""'[^']*'|"[^"]*"|[A-Za-z_][\w.-]*|(?P<span>(?=[0-9.])(?:[0-9.]+(?:d|h|ms|m|s))+)"""
)
_RATE: Final = re.compile(r"[0-9.]+%?/(?:s|min|h)")


def at_speed(tree: dict[str, Tree], speed: float) -> dict[str, Tree]:
    """The same scenario, as a resolved tree, so many times as fast. Raises UsageError for what cannot be."""
    if speed != 1 and (fixed := _first_fixed(tree.get("schedules", []))):
        raise UsageError(f"--speed: the schedule {fixed}, which has only one speed")
    return tree if speed == 1 else {key: _scaled_member(key, value, speed, "") for key, value in tree.items()}


def _first_fixed(schedules: Tree) -> str:
    for schedule in schedules if isinstance(schedules, list) else []:
        given = schedule.get("schedule") if isinstance(schedule, dict) else None
        if isinstance(schedule, dict) and isinstance(given, dict) and (fixed := _CALENDAR & given.keys()):
            return f"{schedule['name']} is {min(fixed)}"
    return ""


def _scaled(value: Tree, speed: float, place: str) -> Tree:
    if isinstance(value, Mapping):
        return {
            _text(key, speed, place) if place.endswith(".values") else key: _scaled_member(key, member, speed, place)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_scaled(item, speed, place) for item in value]
    return _text(value, speed, place) if isinstance(value, str) else value


def _scaled_member(key: str, value: Tree, speed: float, place: str) -> Tree:
    if key == "when" and isinstance(value, str):
        return _SPAN_IN_CONDITION.sub(lambda found: _text(found[0], speed, place) if found["span"] else found[0], value)
    return value if key in _KEPT else _scaled(value, speed, f"{place}.{key}")


def _text(text: str, speed: float, place: str) -> str:
    if _RATE.fullmatch(text):
        amount, slash, unit = text.partition("/")
        sign = "%" if amount.endswith("%") else ""
        faster_rate = Fraction(amount.removesuffix("%")) * Fraction(repr(speed))
        return f"{units.decimal_text(faster_rate)}{sign}{slash}{unit}"
    found = _SPAN.fullmatch(text)
    if found is None or place.startswith(".checks.thresholds"):
        return text
    span = units.duration(found["span"])
    least = _LEAST_BEAT if "heartbeat" in place else MILLISECOND
    faster = max(round(span / speed / MILLISECOND) * MILLISECOND, least) if span else 0
    return found["phase"] + units.duration_text(faster)
