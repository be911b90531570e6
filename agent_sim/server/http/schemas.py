"""JSON schemas of the management API's values, read off the dataclasses that `protocol.codec` reads and writes by.

A request's schema says what is understood, which is more than what is asked for; an answer's says exactly what is
sent, in the dialect that the settings choose. Names that differ only in case cannot be told to a schema: the
document's text does that. Pure: classes in, plain JSON out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import IntEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, cast, get_args, get_origin, get_type_hints

from agent_sim.protocol import command, schedule
from agent_sim.protocol.names import TIMES, has_default, wire_names
from agent_sim.settings import ServerSettings

Schema = dict[str, Any]

GUID: Final[Schema] = {
    "type": "string",
    "pattern": r"^\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$",
    "description": "A GUID in any case, with or without braces.",
    "examples": ["275b5f3c-9d3e-4f9b-8a53-3a6f0f1f2d11"],
}
TIME: Final[Schema] = {
    "type": "string",
    "description": "An ISO 8601 time; without a zone it is UTC.",
    "examples": ["2026-01-02T23:30:00Z"],
}
_SHOWN_TIME: Final[Schema] = {"type": "string", "format": "date-time", "pattern": "Z$"}
_PLAIN: Final[Mapping[object, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    object: {},
}
_MENTIONS_ID: Final = re.compile(r"(^|_)(id|ids|guid)$")
_SCHEDULES: Final = frozenset(get_args(schedule.Schedule))


@dataclass
class Schemas:
    """Collects the named schemas that others refer to."""

    settings: ServerSettings
    named: dict[str, Schema] = field(default_factory=dict)

    def request(self, kind: type) -> Schema:
        """A reference to what a body of this kind may be."""
        return self._refer(kind, f"{kind.__name__}Request", self._request_object)

    def answer(self, kind: type) -> Schema:
        """A reference to what an answer of this kind is."""
        if not is_dataclass(kind):
            return dict(_PLAIN[kind])
        return self._refer(kind, kind.__name__, self._answer_object)

    def items(self, kind: type, name: str, hint: object) -> Schema:
        """What the elements of a bare array in a body are."""
        return self._asked(name, hint)

    def _refer(self, kind: type, name: str, make: Callable[[type], Schema]) -> Schema:
        if name not in self.named:
            self.named[name] = {}  # so that a value that holds its own kind ends
            self.named[name] = make(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    # --- requests -----------------------------------------------------------------------------

    def _request_object(self, kind: type) -> Schema:
        hints = get_type_hints(kind)
        members: dict[str, Schema] = {}
        required: list[str] = []
        for name, alias in wire_names(kind):
            members[alias] = self._asked(name, hints[name])
            if has_default(kind, name):
                members[alias] = _or_null(members[alias])
            else:
                required.append(alias)
        found: Schema = {"type": "object", "description": summary(kind), "properties": members}
        return found | ({"required": required} if required else {})

    def _asked(self, name: str, hint: object) -> Schema:
        return self._member(name, hint, self.request, TIME, self._asked_schedule(), as_ids=False)

    def _asked_schedule(self) -> Schema:
        if "KeyfactorScheduleRequest" not in self.named:
            self.named["KeyfactorScheduleRequest"] = _SCHEDULE_REQUEST
        return {"$ref": "#/components/schemas/KeyfactorScheduleRequest"}

    # --- answers ------------------------------------------------------------------------------

    def _answer_object(self, kind: type) -> Schema:
        hints = get_type_hints(kind)
        members = {alias: self._answer_member(name, hints[name]) for name, alias in wire_names(kind)}
        absent = {alias for name, alias in wire_names(kind) if NoneType in get_args(hints[name])}
        if self.settings.null_style == "null":
            members = {alias: _or_null(part) if alias in absent else part for alias, part in members.items()}
            absent = set()
        found: Schema = {
            "type": "object",
            "description": summary(kind),
            "properties": members,
            "required": [alias for alias in members if alias not in absent],
            "additionalProperties": False,
        }
        return _DIALECT.get(kind, _as_it_is)(found, self.settings)

    def _answer_member(self, name: str, hint: object) -> Schema:
        return self._member(name, hint, self.answer, _SHOWN_TIME, self._shown_schedule(), as_ids=True)

    def _shown_schedule(self) -> Schema:
        if "KeyfactorSchedule" not in self.named:
            self.named["KeyfactorSchedule"] = _SCHEDULE_SHOWN
        return {"$ref": "#/components/schemas/KeyfactorSchedule"}

    # --- both ---------------------------------------------------------------------------------

    def _member(
        self, name: str, hint: object, refer: Callable[[type], Schema], time: Schema, when: Schema, *, as_ids: bool
    ) -> Schema:
        """What one member may be, null aside."""

        def of(part: object) -> Schema:
            return self._member(name, part, refer, time, when, as_ids=as_ids)

        hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        origin, arguments = get_origin(hint), [part for part in get_args(hint) if part is not NoneType]
        if name in TIMES:
            return time
        if hint in _SCHEDULES or set(arguments) == _SCHEDULES:
            return when
        if origin in (Union, UnionType):
            return of(arguments[0]) if len(arguments) == 1 else _any_of([of(part) for part in arguments])
        if origin is tuple:
            return {"type": "array", "items": of(arguments[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {
                "type": "object",
                "additionalProperties": self._member("", arguments[1], refer, time, when, as_ids=as_ids),
            }
        if isinstance(hint, type) and issubclass(hint, IntEnum):
            return {"type": "integer", "enum": [member.value for member in hint], "description": _legend(hint)}
        if is_dataclass(hint):
            return refer(cast(type, hint))
        if hint is str and _MENTIONS_ID.search(name):
            return {"type": "string", "format": "uuid"} if as_ids else GUID_BY_VALUE
        return dict(_PLAIN[hint])


GUID_BY_VALUE: Final[Schema] = {"type": "string", "description": GUID["description"], "examples": GUID["examples"]}
"""In a body a text that is no GUID is an id that does not exist: refused, but understood."""


def summary(kind: type) -> str:
    """What the class says of itself, as running text."""
    return " ".join((kind.__doc__ or "").split())


def _legend(kind: type[IntEnum]) -> str:
    return ", ".join(f"{member.value} {wording(member)}" for member in kind)


def wording(member: IntEnum) -> str:
    """`CompletedWillRetry` from COMPLETED_WILL_RETRY."""
    return member.name.title().replace("_", "")


def _any_of(parts: list[Schema]) -> Schema:
    if all(set(part) == {"type"} for part in parts):
        return {"type": sorted({part["type"] for part in parts})}
    return {"anyOf": parts}


def _or_null(part: Schema) -> Schema:
    if isinstance(part.get("type"), str) and "enum" not in part:
        return part | {"type": [part["type"], "null"]}
    if isinstance(part.get("type"), list):
        return part | {"type": [*part["type"], "null"]}
    return {"anyOf": [part, {"type": "null"}]} if part else part


# --- what the settings change -----------------------------------------------------------------


def _as_it_is(found: Schema, settings: ServerSettings) -> Schema:
    return found


def _job_history(found: Schema, settings: ServerSettings) -> Schema:
    if settings.enum_style == "name":
        hints = get_type_hints(command.JobHistoryRecord)
        for alias in ("Result", "Status"):
            kind = hints[alias.lower()]
            found["properties"][alias] = {"type": "string", "enum": [wording(member) for member in kind]}
    return found


_TIMESTAMPS: Final[Mapping[str, tuple[str, ...]]] = {
    "both": ("RequestTimestmap", "RequestTimestamp"),
    "sdk": ("RequestTimestamp",),
    "seed": ("RequestTimestmap",),
}


def _stamped(found: Schema, settings: ServerSettings) -> Schema:
    names = _TIMESTAMPS[settings.timestamp_key]
    stamp = found["properties"].pop("RequestTimestamp")
    found["properties"] |= dict.fromkeys(names, stamp)
    found["required"] = [name for name in found["required"] if name != "RequestTimestamp"] + list(names)
    return found


def _error(found: Schema, settings: ServerSettings) -> Schema:
    found["required"] = ["ErrorCode", "Message"]
    found["properties"]["ErrorCode"] |= {"pattern": "^0x[0-9A-F]{8}$"}
    found["properties"]["FailedOperations"] |= {"minItems": 1, "description": "What was refused, one by one."}
    return found


_DIALECT: Final[Mapping[type, Callable[[Schema, ServerSettings], Schema]]] = {
    command.JobHistoryRecord: _job_history,
    command.ScheduledJob: _stamped,
    command.ApiError: _error,
}


# --- schedules --------------------------------------------------------------------------------

_DAYS: Final = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]


def _object(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}


def _members(time: Schema, day: Schema) -> dict[str, Schema]:
    """What each member of a schedule holds."""
    return {
        "Immediate": {"const": True},
        "Off": {"const": True},
        "Interval": _object(Minutes={"type": "integer", "minimum": 1, "maximum": 10**7}),
        "Daily": _object(Time=time),
        "Weekly": _object(Days={"type": "array", "items": day, "minItems": 1}, Time=time),
        "Monthly": _object(Day={"type": "integer", "minimum": 1, "maximum": 31}, Time=time),
        "ExactlyOnce": _object(Time=time),
    }


def _request_schedule() -> Schema:
    day: Schema = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 6}, {"enum": _DAYS}]}
    absent: Schema = {"enum": [None, False]}
    members = _members(TIME, day)
    return {
        "description": "When a job runs: an object with one member that is given; null and false count as not given,"
        " and with none the schedule itself is not. Unknown members are passed over beside a known one. Times are UTC;"
        " `Off` is for stores only.",
        "anyOf": [
            *(
                {"title": name, "type": "object", "required": [name]}
                | {"properties": {other: part if other == name else absent for other in members}}
                for name, part in members.items()
            ),
            {"title": "not given", "type": "object", "additionalProperties": absent},
        ],
    }


def _shown() -> Schema:
    day: Schema = {"type": "integer", "minimum": 0, "maximum": 6, "description": "0 is Sunday."}
    members = {
        name: part | {"additionalProperties": False} if "properties" in part else part
        for name, part in _members(_SHOWN_TIME, day).items()
    }
    return {
        "description": "When a job runs: exactly one member.",
        "type": "object",
        "properties": members,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


_SCHEDULE_REQUEST: Final = _request_schedule()
_SCHEDULE_SHOWN: Final = _shown()


def array_member(kind: type) -> tuple[str, object]:
    """Name and type of the elements of an operation's last field, which a bare array carries."""
    name = fields(kind)[-1].name
    return name, get_args(get_type_hints(kind)[name])[0]
