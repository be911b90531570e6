"""Records of the management API that are spelled as the documentation has them, read at once.

Nearly all are: every name in its one spelling, every member of its field's own JSON type. Such a record is made of its
members as they are, for a fifth of what the liberal way of `codec` costs. Whatever is not exactly so is Unusual, and
left to that way: it knows other spellings, nearly fitting types, and what to say of the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import IntEnum
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from agent_sim.errors import MalformedMessage
from agent_sim.instants import from_iso
from agent_sim.protocol import schedule
from agent_sim.protocol.names import TIMES, wire_names

Reader = Callable[[object], object]
"""Makes a value of JSON as orjson reads it. Raises Unusual."""


class Unusual(Exception):  # no error: it says that the other way has to be taken
    """Not to be read at once."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A field: its `name` on the wire, the one type that its JSON has, and what is made of that, if anything.

    `otherwise` is its value where the member is null or missing, MISSING if it may be neither.
    """

    name: str
    json: type
    made: Reader | None
    otherwise: object


@cache
def reader(kind: type) -> Reader | None:
    """What reads an object of a kind at once; None for a kind with a field that is not plain."""
    if not is_dataclass(kind):
        return None
    made = [_member(kind, name, wired) for name, wired in wire_names(kind)]
    members = [member for member in made if member is not None]
    if len(members) < len(made):
        return None
    rows = [(member.name, member.json, member.made, member.otherwise) for member in members]
    known = frozenset(member.name for member in members)
    lower = frozenset(name.lower() for name in known)

    def read(value: object) -> object:
        if type(value) is not dict or (
            not value.keys() <= known and any(name.lower() in lower for name in value.keys() - known)
        ):
            raise Unusual
        values = []
        for name, json, make, otherwise in rows:
            found = value.get(name)
            if found is None:
                if otherwise is MISSING:
                    raise Unusual
                values.append(otherwise)
            elif type(found) is not json:
                raise Unusual
            else:
                values.append(found if make is None else make(found))
        return kind(*values)

    return read


def _member(kind: type[Any], name: str, wired: str) -> _Member | None:
    hints = get_type_hints(kind, include_extras=True)
    [item] = (item for item in fields(kind) if item.name == name)
    hint, may_be_null = _bare(hints[name])
    otherwise = item.default if item.default is not MISSING else None if may_be_null else MISSING
    found = (str, _time) if name in TIMES and hint is int else _shape(hint)
    if found is None or item.default_factory is not MISSING:
        return None
    return _Member(wired, *found, otherwise)


def _bare(hint: object) -> tuple[object, bool]:
    """`X` of `X | None` and of an X that goes by another name, and whether it may be null."""
    if get_origin(hint) is Annotated:
        plain, *more = get_args(hint)
        is_only_named = all(isinstance(part, FieldInfo) and not part.metadata for part in more)
        return _bare(plain) if is_only_named else (None, False)
    parts = get_args(hint)
    if NoneType in parts:
        rest = [part for part in parts if part is not NoneType]
        return (rest[0] if len(rest) == 1 else schedule.Schedule if set(rest) == _SCHEDULES else None), True
    return hint, False


_SCHEDULES: Final = frozenset(get_args(schedule.Schedule))


def _shape(hint: object) -> tuple[type, Reader | None] | None:
    """The type that the JSON of a hint has, and what is made of it; None for what is not plain."""
    if hint in (str, int, bool):
        return cast(type, hint), None
    if hint == schedule.Schedule:
        return dict, _schedule
    if get_origin(hint) is tuple:
        [of, *_] = get_args(hint)
        return _items(of)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return int, _one_of({member.value: member for member in hint})
    if is_dataclass(hint) and (inner := reader(cast(type, hint))) is not None:
        return dict, inner
    return None


def _items(of: object) -> tuple[type, Reader] | None:
    shape = _shape(of)
    if shape is None:
        return None
    json, make = shape

    def read(value: object) -> object:
        items = cast("list[object]", value)
        if any(type(item) is not json for item in items):
            raise Unusual
        return tuple(items) if make is None else tuple([make(item) for item in items])

    return list, read


def _one_of(members: Mapping[object, object]) -> Reader:
    def read(value: object) -> object:
        if (found := members.get(value)) is None:
            raise Unusual
        return found

    return read


def _time(value: object) -> object:
    try:
        return from_iso(cast(str, value))
    except ValueError:
        raise Unusual from None


def _schedule(value: object) -> object:
    try:
        found = schedule.from_rest(value)
    except MalformedMessage:
        raise Unusual from None
    if found is None:
        raise Unusual
    return found
