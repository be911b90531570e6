"""What the text of an operand means for the kind of its field (command-api 5.3).

One reader per kind, in a table. Nothing here compares: SQL and the evaluator each do that their own way.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent_sim.instants import DAY, MILLISECOND, MINUTE, SECOND, Instant, from_datetime
from agent_sim.query.fields import SUBSTRING, Field, Kind
from agent_sim.query.nodes import Operator
from agent_sim.query.wording import did_you_mean


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and when: `me` as DOMAIN\\user, user@domain or user; None if nobody is known."""

    now: Instant
    me: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as written. Compared as the wire shows times, in whole milliseconds (finer if written finer).

    It begins at `start`, is over at `end` (both for the ordering), and `equal_end` bounds what equals
    it: a date without a time is its midnight in order, but -eq means that whole day.
    """

    start: Instant
    end: Instant
    equal_end: Instant


@dataclass(frozen=True, slots=True)
class ScheduleClass:
    """Every schedule whose wire text begins with `prefix`; an empty one means Immediate, stored as null."""

    prefix: str


Value = str | int | Moment | ScheduleClass


def read(field: Field, operator: Operator, text: str, context: Context) -> Value:
    """The value of an operand. Raises ValueError with what was expected, in plain words."""
    if operator in SUBSTRING:
        return _PARTS.get(field.kind, _text)(field, text, context)
    return _WHOLES[field.kind](field, text, context)


def _text(field: Field, text: str, context: Context) -> Value:
    return text


def _user(field: Field, text: str, context: Context) -> Value:
    token = text.strip().upper()
    if not (token.startswith("%ME") and token.endswith("%")):
        return text
    if token not in _ME:
        raise ValueError(did_you_mean(token, _ME))
    if context.me is None:
        raise ValueError(f"{token} stands for the caller, who is not known here")
    return _ME[token](context.me)


_ME: Final[Mapping[str, Callable[[str], str]]] = {
    "%ME%": str,
    "%ME-AN%": lambda me: me.rsplit("\\", 1)[-1].split("@", 1)[0],  # the account name alone
}


def _integer(field: Field, text: str, context: Context) -> Value:
    found = re.fullmatch("[+-]?[0-9]{1,19}", text.strip())
    if found is None or not -_INT64 <= (number := int(found[0])) < _INT64:
        raise ValueError("expected a whole number (of at most 64 bits)")
    return number


_INT64: Final = 2**63


def _enum(field: Field, text: str, context: Context) -> Value:
    names = {_squeezed(name): number for name, number in field.names.items()}
    if (number := names.get(_squeezed(text))) is not None:
        return number
    try:
        # Numbers without a name are let through: the vendor's schema allows some it does not name.
        return _integer(field, text, context)
    except ValueError:
        raise ValueError(f"this is neither, {did_you_mean(text, field.names)}") from None


def _squeezed(name: str) -> str:
    return "".join(name.casefold().split())


def _boolean(field: Field, text: str, context: Context) -> Value:
    try:
        return _BOOLEANS[text.strip().casefold()]
    except KeyError:
        raise ValueError("expected true or false") from None


_BOOLEANS: Final = {"true": 1, "false": 0, "1": 1, "0": 0}


def _guid(field: Field, text: str, context: Context) -> Value:
    found = _GUID.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("expected a GUID such as 0d8cf0c8-56ca-4b8a-b16a-c062018e170d")
    return "-".join(found.groups())


_GUID: Final = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")


def _schedule(field: Field, text: str, context: Context) -> Value:
    prefix = _SCHEDULES.get(text.strip().casefold())
    return text if prefix is None else ScheduleClass(prefix)


# No stored text is just a prefix or one of these words, so they are free to name the whole class.
_SCHEDULES: Final[Mapping[str, str]] = {
    "immediate": "",
    "immediately": "",
    "i_": "I_",
    "interval": "I_",
    "d_": "D_",
    "daily": "D_",
    "w_": "W_",
    "weekly": "W_",
    "m_": "M_",
    "monthly": "M_",
    "o_": "O_",
    "once": "O_",
    "exactlyonce": "O_",
}


def _date(field: Field, text: str, context: Context) -> Value:
    if today := _TODAY.fullmatch(text.strip()):
        offset = int(today[1].replace(" ", "")) if today[1] else 0
        return _whole_day((context.now // DAY + offset) * DAY)
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(_DATES)
    try:
        return _moment(found.groupdict())
    except ValueError:
        raise ValueError(f"no such date or time, {_DATES}") from None


_DATES: Final = "expected a date such as 2026-02-23, 2026-02-23T16:41:04Z, 02/23/2026 or %TODAY-7%"
_TODAY: Final = re.compile(r"%TODAY *([+-] *[0-9]{1,9})? *%", re.IGNORECASE)
_DATE: Final = re.compile(
    r"(?:(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"|(?P<us_month>[0-9]{1,2})/(?P<us_day>[0-9]{1,2})/(?P<us_year>[0-9]{4}))"
    r"(?:(?:T| +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r" *(?:Z|(?P<zone>[+-])(?P<zone_hours>0[0-9]|1[0-4]):?(?P<zone_minutes>[0-5][0-9]))?)?",
    re.IGNORECASE,
)


def _moment(parts: Mapping[str, str | None]) -> Moment:
    def number(name: str) -> int:
        return int(parts[name] or parts.get(f"us_{name}") or 0)

    date = datetime(number("year"), number("month"), number("day"), tzinfo=UTC)
    if parts["hour"] is None:
        return _whole_day(from_datetime(date))
    time = date.replace(hour=number("hour"), minute=number("minute"), second=number("second"))
    fraction = parts["fraction"] or ""
    ahead = (number("zone_hours") * 60 + number("zone_minutes")) * MINUTE
    start = from_datetime(time) + int(fraction.ljust(9, "0")) + (ahead if parts["zone"] == "-" else -ahead)
    end = start + min(MILLISECOND, SECOND // 10 ** len(fraction))
    return Moment(*map(_clamped, (start, end, end)))


def _whole_day(start: Instant) -> Moment:
    return Moment(*map(_clamped, (start, start + MILLISECOND, start + DAY)))


def _clamped(at: int) -> Instant:
    """Years beyond 1677 to 2262 do not fit 64 bits of nanoseconds, and nothing is stored out there."""
    return max(-_INT64, min(at, _INT64 - 1))


_Reader = Callable[[Field, str, Context], Value]

_WHOLES: Final[Mapping[Kind, _Reader]] = {
    Kind.STRING: _text,
    Kind.USER: _user,
    Kind.INTEGER: _integer,
    Kind.ENUM: _enum,
    Kind.DATE: _date,
    Kind.BOOLEAN: _boolean,
    Kind.GUID: _guid,
    Kind.COLLECTION: _text,
    Kind.JOB_TYPE: _text,
    Kind.SCHEDULE_TYPE: _schedule,
}

# Part of a GUID or schedule need not look like one.
_PARTS: Final[Mapping[Kind, _Reader]] = {Kind.USER: _user}
