"""When a job runs: one value, its two spellings, and the next run after an instant.

On the agents' wire a schedule is a short string (`I_60`, `D_23:30`), in the management API an object
with one member (`{"Interval": {"Minutes": 60}}`). Sources: agent-protocol 5, command-api 6. All UTC.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent_sim.errors import MalformedSchedule
from agent_sim.instants import DAY, MINUTE, Instant, from_iso, to_datetime, to_iso

_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True, slots=True)
class Immediate:
    """Once, now."""


@dataclass(frozen=True, slots=True)
class Off:
    """Not at all: ends a store's inventory schedule (command-api 6)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many minutes."""

    minutes: int


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at the time of day of `time`; its date is the first day."""

    time: Instant


@dataclass(frozen=True, slots=True)
class Weekly:
    """On `days` (0 is Sunday) at the time of day of `time`."""

    days: tuple[int, ...]
    time: Instant


@dataclass(frozen=True, slots=True)
class Monthly:
    """On a day of the month, clamped to its length, at the time of day of `time`."""

    day: int
    time: Instant


@dataclass(frozen=True, slots=True)
class ExactlyOnce:
    """Once, at `time`; a time in the past is due now."""

    time: Instant


Schedule = Immediate | Off | Interval | Daily | Weekly | Monthly | ExactlyOnce

RECURRING: Final = (Interval, Daily, Weekly, Monthly)


def recurs(schedule: Schedule) -> bool:
    """True if the job waits again after a run."""
    return isinstance(schedule, RECURRING)


def next_run(schedule: Schedule, after: Instant) -> Instant:
    """The first run strictly later than `after` (for Immediate and a past ExactlyOnce: `after` itself).

    Raises ValueError for Off, which never runs.
    """
    match schedule:
        case Immediate():
            return after
        case Interval(minutes):
            return after + minutes * MINUTE
        case Daily(time):
            return max(_next_day(time, after, lambda _: True), time if time > after else 0)
        case Weekly(days, time):
            return _next_day(time, after, lambda day: (day.weekday() + 1) % 7 in days)
        case Monthly(day, time):
            return _next_day(time, after, lambda date: date.day == min(day, _month_length(date)))
        case ExactlyOnce(time):
            return max(time, after)
        case Off():
            raise ValueError("a schedule that is off never runs")


def _next_day(time: Instant, after: Instant, wanted: Callable[[datetime], bool]) -> Instant:
    candidate = after // DAY * DAY + time % DAY
    while candidate <= after or not wanted(to_datetime(candidate)):
        candidate += DAY
    return candidate


def _month_length(date: datetime) -> int:
    return monthrange(date.year, date.month)[1]


# --- the agents' wire -------------------------------------------------------------------------


def to_wire(schedule: Schedule) -> str | None:
    """The string an agent reads; None means now. Off has no wire form: such a job is not sent."""
    match schedule:
        case Immediate() | Off():
            return None
        case Interval(minutes):
            return f"I_{minutes}"
        case Daily(time):
            return f"D_{_hh_mm(time)}"
        case Weekly(days, time):
            # The wire counts from 1 = Sunday, the management API from 0.
            return f"W_{''.join(str(day + 1) for day in sorted(days))}_{_hh_mm(time)}"
        case Monthly(day, time):
            return f"M_{day}_{_hh_mm(time)}"
        case ExactlyOnce(time):
            return f"O_{to_datetime(time):%Y-%m-%dT%H:%M}"


def _hh_mm(time: Instant) -> str:
    return f"{to_datetime(time):%H:%M}"


_TIME = r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
_WIRE: Final = {
    "I": re.compile(r"I_(?P<minutes>[1-9]\d*)"),
    "D": re.compile(rf"D_{_TIME}"),
    "W": re.compile(rf"W_(?P<days>[1-7]+)_{_TIME}"),
    "M": re.compile(rf"M_(?P<day>L|[12]?\d|3[01])_{_TIME}"),
    "O": re.compile(r"O_(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d).*"),
}


def from_wire(text: str | None) -> Schedule:
    """Read the wire's string. What cannot be read is due now, as for the vendor's agent."""
    if text is None or (pattern := _WIRE.get(text[:1])) is None or (found := pattern.fullmatch(text)) is None:
        return Immediate()
    parts = found.groupdict()
    match text[0]:
        case "I":
            return Interval(int(parts["minutes"]))
        case "D":
            return Daily(_time_of_day(parts))
        case "W":
            return Weekly(tuple(sorted({int(digit) - 1 for digit in parts["days"]})), _time_of_day(parts))
        case "M":
            day = 31 if parts["day"] == "L" else max(int(parts["day"]), 1)
            return Monthly(day, _time_of_day(parts))
        case _:
            return _exactly_once(parts["date"])


def _exactly_once(text: str) -> Schedule:
    try:
        return ExactlyOnce(from_iso(text))
    except ValueError:
        return Immediate()


def _time_of_day(parts: Mapping[str, str]) -> Instant:
    return (int(parts["hour"]) * 60 + int(parts["minute"])) * MINUTE


# --- the management API -----------------------------------------------------------------------


def to_rest(schedule: Schedule) -> dict[str, object]:
    """The object with exactly one member that the management API shows (command-api 6)."""
    match schedule:
        case Immediate():
            return {"Immediate": True}
        case Off():
            return {"Off": True}
        case Interval(minutes):
            return {"Interval": {"Minutes": minutes}}
        case Daily(time):
            return {"Daily": {"Time": to_iso(time)}}
        case Weekly(days, time):
            return {"Weekly": {"Days": list(days), "Time": to_iso(time)}}
        case Monthly(day, time):
            return {"Monthly": {"Day": day, "Time": to_iso(time)}}
        case ExactlyOnce(time):
            return {"ExactlyOnce": {"Time": to_iso(time)}}


def from_rest(value: object) -> Schedule | None:
    """Read a schedule object; None if it is absent, empty or `{"Immediate": false}`.

    Raises MalformedSchedule with a sentence that names the member and what it should be.
    """
    if value is None:
        return None
    if isinstance(value, dict) and len(value) == 1 and value.get("Immediate") is True:
        return Immediate()  # as most are
    if not isinstance(value, Mapping):
        raise MalformedSchedule("Schedule must be an object with one member, such as {'Immediate': true}")
    given = {str(name).lower(): member for name, member in value.items() if member is not None and member is not False}
    if not given:
        return None
    # What other versions add is passed over (command-api 1.6), but not where it is all that there is: no guess is safe.
    given = {name: member for name, member in given.items() if name in _REST} or given
    if len(given) > 1:
        raise MalformedSchedule(f"Schedule must have one member, has {len(given)}: {', '.join(sorted(given))}")
    [(name, member)] = given.items()
    reader = _REST.get(name)
    if reader is None:
        raise MalformedSchedule(f"Schedule has no member {name!r}; it takes one of {', '.join(_REST_NAMES)}")
    return reader(member)


def _mark(member: object, name: str, schedule: Schedule) -> Schedule:
    if member is not True:
        raise MalformedSchedule(f"{name} must be true, where it is given")
    return schedule


def _interval(member: object) -> Schedule:
    minutes = _part(member, "Interval", "Minutes")
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 < minutes <= 10**7:
        raise MalformedSchedule("Interval.Minutes must be a whole number of minutes, 1 or more")
    return Interval(minutes)


def _daily(member: object) -> Schedule:
    return Daily(_time(member, "Daily"))


def _weekly(member: object) -> Schedule:
    days = _part(member, "Weekly", "Days")
    if not isinstance(days, list | tuple) or not days:
        raise MalformedSchedule("Weekly.Days must be a list of days, 0 (Sunday) to 6 (Saturday) or their names")
    return Weekly(tuple(sorted({_weekday(day) for day in days})), _time(member, "Weekly"))


def _weekday(day: object) -> int:
    if isinstance(day, str) and day.lower() in _WEEKDAYS:
        return _WEEKDAYS.index(day.lower())
    if isinstance(day, int) and not isinstance(day, bool) and 0 <= day <= 6:
        return day
    raise MalformedSchedule(f"Weekly.Days has {day!r}: days are 0 (Sunday) to 6 (Saturday) or their names")


def _monthly(member: object) -> Schedule:
    day = _part(member, "Monthly", "Day")
    if isinstance(day, bool) or not isinstance(day, int) or not 1 <= day <= 31:
        raise MalformedSchedule("Monthly.Day must be a whole number, 1 to 31")
    return Monthly(day, _time(member, "Monthly"))


def _once(member: object) -> Schedule:
    return ExactlyOnce(_time(member, "ExactlyOnce"))


def _time(member: object, name: str) -> Instant:
    text = _part(member, name, "Time")
    try:
        return from_iso(text) if isinstance(text, str) else _no_time(name)
    except (ValueError, OverflowError):
        return _no_time(name)


def _no_time(name: str) -> Instant:
    example = to_iso(from_iso(datetime(2026, 1, 2, 23, 30, tzinfo=UTC).isoformat()))
    raise MalformedSchedule(f"{name}.Time must be a time such as {example}")


def _part(member: object, name: str, wanted: str) -> object:
    if not isinstance(member, Mapping):
        raise MalformedSchedule(f"{name} must be an object with {wanted}")
    for key, value in member.items():
        if str(key).lower() == wanted.lower():
            return value
    raise MalformedSchedule(f"{name} lacks {wanted}")


_REST: Final[Mapping[str, Callable[[object], Schedule]]] = {
    "immediate": lambda member: _mark(member, "Immediate", Immediate()),
    "off": lambda member: _mark(member, "Off", Off()),
    "interval": _interval,
    "daily": _daily,
    "weekly": _weekly,
    "monthly": _monthly,
    "exactlyonce": _once,
}
_REST_NAMES: Final = ("Immediate", "Off", "Interval", "Daily", "Weekly", "Monthly", "ExactlyOnce")
