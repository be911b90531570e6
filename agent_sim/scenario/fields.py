"""The kinds of value that a scenario's keys take: how each is read, written back, and described to an editor.

Readers raise ValueError with "found ..., expected ..."; places are added by `load`. Nothing here knows the blocks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from agent_sim.instants import MILLISECOND, NEVER, Span
from agent_sim.protocol.enums import CAPABILITY_WORDS, CUSTOM_PREFIX, SCANS, STORE_CATEGORIES, Category
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario import units
from agent_sim.scenario.units import Quantity, found

# --- units ------------------------------------------------------------------------------------


def pattern(text: str, *examples: str) -> WithJsonSchema:
    """A text of that shape, for editors."""
    return WithJsonSchema({"type": "string", "pattern": text, "examples": list(examples)})


def _at_least(least: Span) -> Callable[[object], Span]:
    def read(value: object) -> Span:
        span = units.duration(value)
        if span < least:
            raise ValueError(f"{found(value)}, expected at least {units.duration_text(least)}")
        return span

    return read


Duration = Annotated[
    Span,
    BeforeValidator(units.duration),
    PlainSerializer(units.duration_text),
    pattern(units.DURATION_PATTERN, "500ms", "30s", "1m30s"),
]
"""Nanoseconds."""

Share = Annotated[
    float, BeforeValidator(units.share), PlainSerializer(units.share_text), pattern(units.SHARE_PATTERN, "12%", "0.5%")
]
"""0..1."""

Rate = Annotated[
    float, BeforeValidator(units.rate), PlainSerializer(units.rate_text), pattern(units.RATE_PATTERN, "20/s", "5/min")
]
"""Per second."""

ShareRate = Annotated[
    float,
    BeforeValidator(units.share_rate),
    PlainSerializer(units.share_rate_text),
    pattern(units.SHARE_RATE_PATTERN, "0.5%/min"),
]
"""Of a whole, per second."""

Size = Annotated[
    int, BeforeValidator(units.size), PlainSerializer(units.size_text), pattern(units.SIZE_PATTERN, "400B", "200KB")
]
"""Bytes."""


Period = Annotated[
    Span,
    BeforeValidator(_at_least(MILLISECOND)),
    PlainSerializer(units.duration_text),
    pattern(units.DURATION_PATTERN, "30s", "1m30s"),
]
"""A duration that is not 0s."""

Turn = Annotated[
    Span,
    BeforeValidator(_at_least(10 * MILLISECOND)),
    PlainSerializer(units.duration_text),
    pattern(units.DURATION_PATTERN, "30s", "15m"),
]
"""As often as something is done again and again at most."""

HeartbeatPeriod = Annotated[
    Span,
    BeforeValidator(_at_least(100 * MILLISECOND)),
    PlainSerializer(units.duration_text),
    pattern(units.DURATION_PATTERN, "30s", "2s"),
]
"""As often as an agent beats at most."""


def _duration_or_never(value: object) -> Span:
    return NEVER if value == "never" else _at_least(MILLISECOND)(value)


def _never_text(span: Span) -> str:
    return "never" if span == NEVER else units.duration_text(span)


Lifetime = Annotated[
    Span,
    BeforeValidator(_duration_or_never),
    PlainSerializer(_never_text),
    pattern(rf"^never$|{units.DURATION_PATTERN}", "5m", "never"),
]
"""A duration, or `never`."""

# --- numbers and words ------------------------------------------------------------------------


def whole(value: object) -> int:
    """A whole number; what an expression came to is rounded down."""
    match value:
        case Quantity(amount, is_duration) if not is_duration:
            return floor(amount)
        case int() if not isinstance(value, bool):
            return value
        case str() if units.bare_number(value) is not None:
            raise ValueError(f"{found(value)}, expected a number: leave the quotes out")
    raise ValueError(f"{found(value)}, expected a whole number")


MOST_NUMBER: Final = 100_000
MOST_STORES: Final = 10_000
"""No agent can hold more: each thing counted is made, kept in memory and sent."""


def _number(most: int) -> Callable[[object], float]:
    def read(value: object) -> float:
        exact = None if isinstance(value, str) else units.bare_number(value)
        if exact is None or exact < 0:
            raise ValueError(f"{found(value)}, expected a number, 0 or more")
        if exact > most:
            raise ValueError(f"{found(value)}, expected at most {most:,}")
        return float(exact)

    return read


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{found(value)}, expected true or false")


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case Quantity():
            return str(value)
        case bool() | int() | float():
            shown = found(value).removeprefix("found ")
            raise ValueError(f'{found(value)}, expected a text: write "{shown}"')
    raise ValueError(f"{found(value)}, expected a text")


NAME_PATTERN: Final = "^[A-Za-z][A-Za-z0-9_-]{0,39}$"
_NAME: Final = re.compile(NAME_PATTERN)


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.match(value):
        return value
    shape = "expected a name: a letter, then letters, digits, - and _, at most 40 in all"
    raise ValueError(f"{found(value)}, {shape}")


AGENT_PATTERN: Final = "^[A-Za-z][A-Za-z0-9_-]{0,39}-[0-9]{1,6}$"
_AGENT: Final = re.compile(AGENT_PATTERN)


def _agent(value: object) -> str:
    if isinstance(value, str) and _AGENT.match(value):
        return value
    raise ValueError(f"{found(value)}, expected an agent by fleet and index such as emea-17")


def agent_parts(reference: str) -> tuple[str, int]:
    """`emea-17` as the fleet's name and the index in it."""
    fleet, _, index = reference.rpartition("-")
    return fleet, int(index)


def _plain_number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _any_scalar(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{found(value)}, expected a number or a text")
    return value


AnyScalar = Annotated[int | float | str, BeforeValidator(_any_scalar)]


def _value(value: object) -> object:
    match value:
        case Quantity(amount, is_duration) if not is_duration:
            return int(amount) if amount.denominator == 1 else float(amount)
        case bool() | int() | float() | str():
            return value
    raise ValueError(f"{found(value)}, expected a text, a number, true or false")


Value = Annotated[bool | int | float | str, BeforeValidator(_value)]
"""What a field of a job can be given."""

Whole = Annotated[int, BeforeValidator(whole)]
Count = Annotated[int, BeforeValidator(whole), Field(ge=1)]


def _up_to(most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "minimum": 0, "maximum": most})


Number = Annotated[float, BeforeValidator(_number(MOST_NUMBER)), PlainSerializer(_plain_number), _up_to(MOST_NUMBER)]
"""Of certificates in a store, or endpoints."""

StoreNumber = Annotated[
    float, BeforeValidator(_number(MOST_STORES)), PlainSerializer(_plain_number), _up_to(MOST_STORES)
]
"""Of stores."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(_name), pattern(NAME_PATTERN, "emea", "night-shift")]

AgentRef = Annotated[str, BeforeValidator(_agent), pattern(AGENT_PATTERN, "emea-17")]

# --- job types and capabilities ---------------------------------------------------------------

CUSTOM_PATTERN: Final = rf"^{CUSTOM_PREFIX}[A-Za-z][A-Za-z0-9_.-]{{0,59}}$"
_CUSTOM: Final = re.compile(CUSTOM_PATTERN)

BEHAVIOUR_WORDS: Final = (*(category.value for category in (*STORE_CATEGORIES, *SCANS)), "LOGS", Category.CUSTOM.value)
"""What an agent can be given; `custom` stands for every custom type that is not named itself."""

POSTABLE_WORDS: Final = (Category.INVENTORY.value, Category.MANAGEMENT.value, Category.FETCH_LOGS.value)
"""What the operator can have repeated by the server, besides custom types."""

ONLY_NOW: Final = (Category.REENROLLMENT.value, Category.DISCOVERY.value)
"""What the management API takes for now only."""

SCHEDULE_WORDS: Final = (*POSTABLE_WORDS, *(category.value for category in SCANS), *ONLY_NOW)
"""What the operator can post, besides custom types."""


def _word(known: tuple[str, ...], noun: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and (value in known or _CUSTOM.match(value)):
            return value
        if isinstance(value, str) and value.startswith(CUSTOM_PREFIX):
            raise ValueError(f"{found(value)}, expected custom:Name of letters, digits, _, . and -, without blanks")
        remark = did_you_mean(value, (*known, "custom:Name")) if isinstance(value, str) else f"expected a {noun}"
        raise ValueError(f"{found(value)}, which is no {noun} that this version knows; {remark}")

    return read


def _words_schema(known: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"enum": list(known)}, {"type": "string", "pattern": CUSTOM_PATTERN}]})


Capability = Annotated[str, BeforeValidator(_word(CAPABILITY_WORDS, "capability")), _words_schema(CAPABILITY_WORDS)]
BehaviourWord = Annotated[str, BeforeValidator(_word(BEHAVIOUR_WORDS, "job type")), _words_schema(BEHAVIOUR_WORDS)]
PostableWord = Annotated[str, BeforeValidator(_word(SCHEDULE_WORDS, "job type")), _words_schema(SCHEDULE_WORDS)]

PLACEHOLDERS: Final = ("store", "agent", "type", "attempt", "occurrence", "n")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def _message(value: object) -> str:
    text = _text(value)
    for placeholder in _PLACEHOLDER.findall(text):
        if placeholder not in PLACEHOLDERS:
            remark = did_you_mean(placeholder, PLACEHOLDERS)
            raise ValueError(f"found the unknown placeholder {{{placeholder}}}, {remark}")
    return text


Message = Annotated[str, BeforeValidator(_message)]

JOB_TYPE_PATTERN: Final = "^[A-Za-z][A-Za-z0-9_.-]{0,59}$"
_JOB_TYPE: Final = re.compile(JOB_TYPE_PATTERN)


def _job_type(value: object) -> str:
    if isinstance(value, str) and _JOB_TYPE.match(value):
        return value
    raise ValueError(f"{found(value)}, expected a name of letters, digits, _, . and -, at most 60 in all")


JobTypeName = Annotated[str, BeforeValidator(_job_type), pattern(JOB_TYPE_PATTERN, "Patch")]

# --- points in time ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimePoint:
    """A moment of a run: so long after a phase begins, or after the run does."""

    phase: str = ""
    offset: Span = 0


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time of day in UTC, in minutes after midnight."""

    minutes: int


_AFTER_PHASE: Final = re.compile(r"(?P<phase>[A-Za-z][A-Za-z0-9_-]*)(?:\+(?P<offset>.*))?")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_POINT_PATTERN: Final = rf"{units.DURATION_PATTERN}|^[A-Za-z][A-Za-z0-9_-]*(\+.+)?$"


def time_point(value: object) -> TimePoint:
    """`steady`, `steady+30s`, or `1m30s` from the run's start."""
    if isinstance(value, str) and (parts := _AFTER_PHASE.fullmatch(value)):
        offset = parts["offset"]
        return TimePoint(parts["phase"], 0 if offset is None else units.duration(offset))
    if isinstance(value, Quantity) or units.bare_number(value) is not None:
        return TimePoint(offset=units.duration(value))
    if isinstance(value, str) and value[:1].isdigit():
        return TimePoint(offset=units.duration(value))
    expected = "expected a phase such as steady or steady+30s, or a time from the start such as 1m30s"
    raise ValueError(f"{found(value)}, {expected}")


def time_point_text(point: TimePoint) -> str:
    """The shortest way to write it."""
    if not point.phase:
        return units.duration_text(point.offset)
    return f"{point.phase}+{units.duration_text(point.offset)}" if point.offset else point.phase


def _clock_or_point(value: object) -> ClockTime | TimePoint:
    if isinstance(value, str) and (parts := _CLOCK.fullmatch(value)):
        return ClockTime(int(parts[1]) * 60 + int(parts[2]))
    if isinstance(value, str) and ":" in value:
        raise ValueError(f"{found(value)}, expected a time of day from 00:00 to 23:59 (UTC)")
    return time_point(value)


def _clock_text(time: ClockTime | TimePoint) -> str:
    if isinstance(time, TimePoint):
        return time_point_text(time)
    return f"{time.minutes // 60:02d}:{time.minutes % 60:02d}"


Moment = Annotated[
    TimePoint,
    BeforeValidator(time_point),
    PlainSerializer(time_point_text),
    pattern(_POINT_PATTERN, "steady", "steady+30s", "1m30s"),
]
TimeOfDay = Annotated[
    ClockTime | TimePoint,
    BeforeValidator(_clock_or_point),
    PlainSerializer(_clock_text),
    pattern(rf"^([01][0-9]|2[0-3]):[0-5][0-9]$|{_POINT_PATTERN}", "02:00", "steady+30s"),
]

WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

# --- metrics ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    """How the bounds of one metric are read, and written back."""

    read: Callable[[object], float]
    text: Callable[[float], str | int]


def _seconds(value: object) -> float:
    return units.duration(value) / 1e9


def _seconds_text(value: float) -> str:
    return units.duration_text(round(value * 1000) * 1_000_000)


def _times(value: object) -> float:
    match value:
        case Quantity(amount, is_duration) if not is_duration:
            return float(amount)
        case int() | float() if not isinstance(value, bool) and value >= 0:
            return float(value)
        case str() if (number := units.bare_number(value)) is not None:
            return float(number)
    raise ValueError(f"{found(value)}, expected how many times as long, such as 1.5")


BOUNDS: Final[Mapping[str, Bound]] = {
    "latency": Bound(_seconds, _seconds_text),
    "throughput": Bound(units.rate, units.rate_text),
    "error_rate": Bound(units.share, units.share_text),
    "ids_per_second": Bound(units.rate, units.rate_text),
    "poll_latency": Bound(_seconds, _seconds_text),
    "poll_slowdown": Bound(_times, "{:g}".format),
    "jobs": Bound(whole, int),
}
"""By metric; what each measures is `results.metrics`."""
