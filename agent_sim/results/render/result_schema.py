"""The JSON Schema of `result.json`, for whoever reads it with a program: derived from the values that are written.

Members that are there today stay, with these types; further ones may be added, so none is forbidden.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import IntEnum
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from agent_sim.histogram import Histogram
from agent_sim.results import journal
from agent_sim.results.figures import Agents, Fault, FleetJobs, JobCounts, Message, OperationTraffic, Storm
from agent_sim.results.plain import Json, JsonObject
from agent_sim.results.render.json import SCHEMA
from agent_sim.results.timeline import Timeline
from agent_sim.results.verdict import EXIT_CODES, Verdict

_OBJECT: Final[JsonObject] = {"type": "object"}
_PLAIN: Final[Mapping[object, JsonObject]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    # An infinite or missing figure is written as null.
    float: {"type": ["number", "null"]},
    NoneType: {"type": "null"},
    Histogram: {"$ref": "#/$defs/histogram"},
}


def result_schema() -> JsonObject:
    """The schema, as JSON Schema 2020-12."""
    window: dict[str, Json] = {
        "name": _PLAIN[str],
        "start": _PLAIN[float],
        "end": _PLAIN[float],
        "operations": {**_OBJECT, "additionalProperties": _of(OperationTraffic)},
        "outcomes": _list(_object({"type": _PLAIN[str], "outcome": _PLAIN[str], "count": _PLAIN[int]})),
    }
    members: dict[str, Json] = {
        "schema": {"const": SCHEMA},
        "verdict": {"enum": list(EXIT_CODES)},
        "settled_as": {"enum": ["pass", "fail", None]},
        "exit_code": {"enum": [*sorted(EXIT_CODES.values())]},
        "command": _PLAIN[str],
        "replay": _PLAIN[str],
        "outcome_digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "run": _of(journal.RunStarted | None),
        "ended": _of(journal.RunEnded | None),
        "seconds": _PLAIN[float],
        "verdicts": _list(_of(Verdict)),
        "agents": _of(Agents),
        "jobs": _list(_of(JobCounts)),
        "mix": _list(_of(FleetJobs)),
        "whole": _object(window),
        "phases": _list(_object(window)),
        "faults": _list(_of(Fault)),
        "storms": _list(_of(Storm)),
        "messages": _list(_of(Message)),
        "slowest": _list(_of(journal.JobCompleted)),
        "failed": _list(_of(journal.JobCompleted)),
        "timeline": _of(Timeline),
        "environment": {**_OBJECT, "additionalProperties": _PLAIN[str]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "The result of an agent-sim run",
        "description": "Times are seconds since the run started, latencies microseconds, outcomes and answers words.",
        **_object(members),
        "$defs": {"histogram": _HISTOGRAM},
    }


_COUNTS: Final[JsonObject] = {**_OBJECT, "additionalProperties": _PLAIN[int]}
_HISTOGRAM: Final[JsonObject] = {
    **_OBJECT,
    "properties": {**dict.fromkeys(("count", "total_us", "min_us", "max_us"), _PLAIN[int]), "buckets": _COUNTS},
    "required": ["count", "total_us", "min_us", "max_us", "buckets"],
}


def _object(members: Mapping[str, Json]) -> JsonObject:
    return {**_OBJECT, "properties": members, "required": list(members)}


def _list(member: Json) -> JsonObject:
    return {"type": "array", "items": member}


def _of(kind: Any) -> JsonObject:  # a type as annotations write it
    """How a value of this type is written (`render.json`)."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return _object({field.name: _of(hints[field.name]) for field in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return {"enum": [member.name.lower() for member in kind]}
    return _composed(get_origin(kind), get_args(kind))


def _composed(origin: Any, inner: tuple[Any, ...]) -> JsonObject:
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, UnionType):
        return {"anyOf": [_of(each) for each in inner]}
    if origin is tuple:
        return _list(_of(inner[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {**_OBJECT, "additionalProperties": _of(inner[1])}
    raise TypeError(f"{origin} has no form in a result")
