"""Plain JSON, typed: what it is, and readers that take only what they should.

Every reader returns the value or raises ValueError with the end of a sentence ("must be text, is 5"); the caller
knows what the value is called. Not a schema language: a reader per type that journals and storm results use.
"""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from agent_sim.histogram import HistogramJson

Json: TypeAlias = bool | int | float | str | list["Json"] | Mapping[str, "Json"] | None
JsonObject: TypeAlias = Mapping[str, Json]
Counts: TypeAlias = Mapping[str, int]

T = TypeVar("T")


def member(data: JsonObject, owner: str, name: str) -> Json:
    """A member that must be there."""
    if name not in data:
        raise ValueError(f"{owner} lacks {name}")
    return data[name]


def text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, is {value!r}")
    return value


def whole(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be a whole number, is {value!r}")
    return value


def number(value: Json) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"must be a number, is {value!r}")
    return float(value)


def truth(value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, is {value!r}")
    return value


def mapping(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise ValueError(f"must be an object, is {value!r}")
    return value


def sequence(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, is {value!r}")
    return value


def texts(value: Json) -> tuple[str, ...]:
    return tuple(text(each) for each in sequence(value))


def counts(value: Json) -> Counts:
    return {name: whole(count) for name, count in mapping(value).items()}


def histogram(value: Json) -> HistogramJson:
    data = mapping(value)
    buckets = dict(counts(member(data, "the histogram", "buckets")))
    if not all(bucket.isdecimal() for bucket in buckets):
        raise ValueError("has a bucket whose name is no number")
    return {
        "count": whole(member(data, "the histogram", "count")),
        "total_us": whole(member(data, "the histogram", "total_us")),
        "min_us": whole(member(data, "the histogram", "min_us")),
        "max_us": whole(member(data, "the histogram", "max_us")),
        "buckets": buckets,
    }


def maybe(read: Callable[[Json], T]) -> Callable[[Json], T | None]:
    """The same reader, which lets null pass."""
    return lambda value: None if value is None else read(value)
