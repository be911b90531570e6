"""When a trigger fires: the scheduler's interval types as recurrence rules, one row each.

The product has no cron expressions: an `intervalType` and its `intervalValues` say it in words. Only HOURS with a
number and MONTHLYWEEKDAYS with "Fourth Monday" are attested (command-api 8, the vendor's examples); every other row is
inferred from what the product's console offers. Times are UTC; the time of day is that of the trigger's start.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from dateutil import rrule
from dateutil.rrule import DAILY, HOURLY, MINUTELY, MONTHLY, SECONDLY, WEEKLY, YEARLY, weekday

from agent_sim.errors import MalformedMessage
from agent_sim.instants import DAY, HOUR, MINUTE, SECOND, Instant, Span, from_datetime, to_datetime
from agent_sim.protocol.oig import Trigger, TriggerType

T = TypeVar("T")

_LARGEST_INTERVAL: Final = 100_000
_LAST_YEAR: Final = 9000  # rules are not looked for beyond it

_WEEKDAYS: Final[Mapping[str, weekday]] = {
    "MONDAY": rrule.MO,
    "TUESDAY": rrule.TU,
    "WEDNESDAY": rrule.WE,
    "THURSDAY": rrule.TH,
    "FRIDAY": rrule.FR,
    "SATURDAY": rrule.SA,
    "SUNDAY": rrule.SU,
}
_ORDINALS: Final[Mapping[str, int]] = {"FIRST": 1, "SECOND": 2, "THIRD": 3, "FOURTH": 4, "FIFTH": 5, "LAST": -1}

# --- intervalValues to what rrule takes --------------------------------------------------------

_Rule = dict[str, object]


def _every(values: tuple[str, ...]) -> _Rule:
    """One number: every so many."""
    if len(values) != 1 or not re.fullmatch("[0-9]{1,6}", values[0].strip()):
        raise MalformedMessage(f'intervalValues must be one whole number such as ["1"], is {list(values)}')
    number = int(values[0])
    if not 1 <= number <= _LARGEST_INTERVAL:
        raise MalformedMessage(f"intervalValues must be 1 to {_LARGEST_INTERVAL}, is {number}")
    return {"interval": number}


def _every_or_one(values: tuple[str, ...]) -> _Rule:
    return _every(values or ("1",))


def _weekdays(values: tuple[str, ...]) -> _Rule:
    """Days of the week; none is the start's own."""
    days = [_named(value, _WEEKDAYS, "a day of the week such as Monday") for value in values]
    return {"byweekday": days} if days else {}


def _month_weekdays(values: tuple[str, ...]) -> _Rule:
    """`Fourth Monday`."""
    return {"byweekday": [_nth_weekday(value) for value in _needed(values, "Fourth Monday")]}


def _nth_weekday(value: str) -> weekday:
    ordinal, _, day = value.strip().partition(" ")
    which = "First to Fifth, or Last, and a day of the week, such as Fourth Monday"
    return _named(day, _WEEKDAYS, which)(_named(ordinal, _ORDINALS, which))


def _month_dates(values: tuple[str, ...]) -> _Rule:
    """Days of the month, or `Last`; a month that has no such day is left out."""
    return {"bymonthday": [_month_date(value) for value in _needed(values, "15")]}


def _month_date(value: str) -> int:
    text = value.strip()
    if text.upper() == "LAST":
        return -1
    if re.fullmatch("[0-9]{1,2}", text) and 1 <= int(text) <= 31:
        return int(text)
    raise MalformedMessage(f"intervalValues must be days of the month, 1 to 31 or Last, has {value!r}")


def _needed(values: tuple[str, ...], example: str) -> tuple[str, ...]:
    if not values:
        raise MalformedMessage(f'intervalValues is missing: such as ["{example}"]')
    return values


def _named(value: str, known: Mapping[str, T], expected: str) -> T:
    found = known.get(value.strip().upper())
    if found is None:
        raise MalformedMessage(f"intervalValues has {value!r}, must be {expected}")
    return found


# --- the table --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """One intervalType. `step`: rules of fixed length can be entered anywhere on their grid, whatever their age."""

    of: TriggerType
    frequency: int
    read: Callable[[tuple[str, ...]], _Rule]
    step: Span | None = None
    is_attested: bool = False


INTERVALS: Final[Mapping[str, Interval]] = {
    "SECONDS": Interval(TriggerType.PERIODIC, SECONDLY, _every, SECOND),
    "MINUTES": Interval(TriggerType.PERIODIC, MINUTELY, _every, MINUTE),
    "HOURS": Interval(TriggerType.PERIODIC, HOURLY, _every, HOUR, is_attested=True),
    "DAYS": Interval(TriggerType.PERIODIC, DAILY, _every, DAY),
    "WEEKS": Interval(TriggerType.PERIODIC, WEEKLY, _every, 7 * DAY),
    "DAILY": Interval(TriggerType.CRON, DAILY, _every_or_one, DAY),
    "WEEKLY": Interval(TriggerType.CRON, WEEKLY, _weekdays, 7 * DAY),
    "MONTHLYDATES": Interval(TriggerType.CRON, MONTHLY, _month_dates),
    "MONTHLYWEEKDAYS": Interval(TriggerType.CRON, MONTHLY, _month_weekdays, is_attested=True),
    "YEARLY": Interval(TriggerType.CRON, YEARLY, _every_or_one),
}


def checked(trigger: Trigger, now: Instant) -> Trigger:
    """The trigger as a server keeps it, with its first time to fire. Raises MalformedMessage for one that makes no
    sense or never fires.

    What was to begin already joins its own rhythm, a Single one fires at once. Without a start it begins now.
    """
    if trigger.trigger_type is TriggerType.NONE:
        return replace(trigger, interval_type=None, interval_values=(), next_fire=None)
    start = now // SECOND * SECOND if trigger.start_time is None else trigger.start_time
    if trigger.end_time is not None and trigger.end_time < start:
        raise MalformedMessage("endTime is before startTime")
    if trigger.trigger_type is TriggerType.SINGLE:
        return _first(replace(trigger, start_time=start, interval_type=None, interval_values=()), start)
    kept = replace(trigger, start_time=start, interval_type=_row_of(trigger)[0])
    # A start that was given counts itself; one that was made up has just passed.
    return _first(kept, following(kept, now if trigger.start_time is None else now - 1))


def _first(trigger: Trigger, at: Instant | None) -> Trigger:
    if at is None:
        raise MalformedMessage("the trigger never fires: check startTime, endTime and intervalValues")
    return replace(trigger, next_fire=at)


def following(trigger: Trigger, after: Instant) -> Instant | None:
    """When the trigger fires next, strictly after an instant; None if never again."""
    if trigger.trigger_type in (TriggerType.NONE, TriggerType.SINGLE) or trigger.start_time is None:
        return None
    found = _rule(trigger, trigger.start_time, after).after(to_datetime(after))
    if found is None:
        return None
    at = from_datetime(found)
    return None if trigger.end_time is not None and at > trigger.end_time else at


def _rule(trigger: Trigger, start: Instant, after: Instant) -> rrule.rrule:
    _, row = _row_of(trigger)
    given = row.read(trigger.interval_values)
    if row.step is not None and after > start:
        step = row.step * _number(given.get("interval", 1))
        start += (after - start) // step * step
    return rrule.rrule(row.frequency, dtstart=to_datetime(start), until=_until(start), **given)  # type: ignore[arg-type]


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _until(start: Instant) -> datetime:
    begin = to_datetime(start)
    return begin.replace(year=_LAST_YEAR, day=1) if begin.year < _LAST_YEAR else begin


def _row_of(trigger: Trigger) -> tuple[str, Interval]:
    name = (trigger.interval_type or "").strip().upper()
    row = INTERVALS.get(name)
    if row is None or row.of is not trigger.trigger_type:
        known = ", ".join(word for word, each in INTERVALS.items() if each.of is trigger.trigger_type)
        kind = trigger.trigger_type.value
        raise MalformedMessage(f"intervalType of a {kind} trigger must be one of {known}, is {trigger.interval_type!r}")
    return name, row
