"""Plain JSON, typed: what it is, and readers that take only what they should.

Every reader returns the value or raises ValueError with the end of a sentence ("must be text, is 5"); the caller
knows what the value is called. Not a schema language: a reader per type that journals and storm results use.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeVar

from agent_sim.histogram import LAST_BUCKET, HistogramJson

Json: TypeAlias = bool | int | float | str | list["Json"] | Mapping[str, "Json"] | None
JsonObject: TypeAlias = Mapping[str, Json]
Counts: TypeAlias = Mapping[str, int]

T = TypeVar("T")

_MOST: Final = 2**63 - 1
_WIDEST: Final = 60
_DIGITS: Final = len(str(LAST_BUCKET))


def member(data: JsonObject, owner: str, name: str) -> Json:
    """A member that must be there."""
    if name not in data:
        raise ValueError(f"{owner} lacks {name}")
    return data[name]


def text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, is {shown(value)}")
    return value


def whole(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be a whole number, is {shown(value)}")
    return value


def count(value: Json) -> int:
    """How many of something there were."""
    if not 0 <= (found := whole(value)) <= _MOST:
        raise ValueError(f"must be a count from 0 to {_MOST}, is {shown(found)}")
    return found


def number(value: Json) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not _is_finite(value):
        raise ValueError(f"must be a number, is {shown(value)}")
    return float(value)


def amount(value: Json) -> float:
    """A number that cannot be less than nothing: a time, a rate."""
    if (found := number(value)) < 0:
        raise ValueError(f"must be 0 or more, is {found!r}")
    return found


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def shown(value: Json) -> str:
    """The value as an error names it, not longer than a line takes."""
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"


def truth(value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, is {shown(value)}")
    return value


def mapping(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise ValueError(f"must be an object, is {shown(value)}")
    return value


def sequence(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, is {shown(value)}")
    return value


def texts(value: Json) -> tuple[str, ...]:
    return tuple(text(each) for each in sequence(value))


def counts(value: Json) -> Counts:
    return {name: count(each) for name, each in mapping(value).items()}


def histogram(value: Json) -> HistogramJson:
    data = mapping(value)
    buckets = dict(counts(member(data, "the histogram", "buckets")))
    if not all(bucket.isdecimal() for bucket in buckets):
        raise ValueError("has a bucket whose name is no number")
    if any(len(bucket) > _DIGITS or int(bucket) > LAST_BUCKET for bucket in buckets):
        raise ValueError(f"has a bucket beyond the last one, {LAST_BUCKET}")
    return {
        "count": count(member(data, "the histogram", "count")),
        "total_us": count(member(data, "the histogram", "total_us")),
        "min_us": count(member(data, "the histogram", "min_us")),
        "max_us": count(member(data, "the histogram", "max_us")),
        "buckets": buckets,
    }


def maybe(read: Callable[[Json], T]) -> Callable[[Json], T | None]:
    """The same reader, which lets null pass."""
    return lambda value: None if value is None else read(value)
