"""Between values and bytes: the agents' JSON, and the management API's JSON and query strings.

Nothing here knows sockets or HTTP libraries: a shell hands over bytes and strings. Whatever cannot be read
raises MalformedMessage with a sentence for the sender.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum, IntEnum, auto
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import quote, urlencode

import orjson
from pydantic import TypeAdapter, ValidationError

from agent_sim.errors import MalformedMessage
from agent_sim.instants import from_iso, to_iso
from agent_sim.protocol import agent, at_once, command, schedule, strictness
from agent_sim.protocol.endpoints import BY_OPERATION, Carries, Endpoint
from agent_sim.protocol.names import TIMES, has_default, wire_names

T = TypeVar("T")


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    found = _ADAPTERS.get(kind)
    if found is None:
        found = _ADAPTERS[kind] = TypeAdapter(kind)
    return found


# --- the agents' wire -------------------------------------------------------------------------

_BODY_BY_ACTION: Mapping[str, type[agent.Body]] = {
    "register": agent.Register,
    "heartbeat": agent.Heartbeat,
    "configure": agent.Configure,
    "update": agent.UpdateInventory,
    "enroll": agent.Enroll,
    "locations": agent.UpdateLocations,
    "complete": agent.Complete,
}


def agent_body(value: agent.Body | agent.ReplyBody) -> bytes:
    """The JSON of a message on the agents' wire."""
    if type(value) is agent.Heartbeat:
        return _heartbeat(value)
    if type(value) is agent.Configuration:
        return _configuration(value)
    if isinstance(value, agent.Garbled):
        whole = agent_body(value.intended)
        return whole[: len(whole) // 2]  # an object without its end is never JSON
    return _adapter(type(value)).serializer.to_json(value, by_alias=True)


def _heartbeat(beat: agent.Heartbeat) -> bytes:
    """What the adapter makes of it, to the byte, for a third of the time: it is most of what a fleet says."""
    said = {
        "AgentPlatform": int(beat.agent_platform),
        "TenantId": beat.tenant_id,
        "ClientMachine": beat.client_machine,
        "SessionToken": beat.session_token,
    }
    try:
        return orjson.dumps(said)
    except TypeError:  # half a surrogate pair: let the adapter say so
        return _adapter(agent.Heartbeat).dump_json(beat, by_alias=True)


_OK = orjson.Fragment(_adapter(agent.Outcome).dump_json(agent.OK, by_alias=True))
_COMMON = ("audit_id", "job_cancelled", "result", "max_characters_to_return")
_of_its_kind = attrgetter(*(item.name for item in fields(agent.Configuration) if item.name not in _COMMON))
_NOTHING = _of_its_kind(agent.Configuration())


def _configuration(told: agent.Configuration) -> bytes:
    """The same for a job that is told little more than its number, as a fetch of logs is."""
    said = {"AuditId": told.audit_id, "JobCancelled": told.job_cancelled, "Result": _OK}
    if told.max_characters_to_return is not None:
        said["MaxCharactersToReturn"] = told.max_characters_to_return
    if told.result is agent.OK and _of_its_kind(told) == _NOTHING:
        with suppress(TypeError):  # a number of more than 64 bits
            return orjson.dumps(said)
    return _adapter(agent.Configuration).dump_json(told, by_alias=True)


def read_agent_request(endpoint: str, data: bytes) -> agent.AgentRequest:
    """The request that was POSTed to `endpoint` of our own server. Raises MalformedMessage."""
    return agent_reader(endpoint)(data)


def agent_reader(endpoint: str) -> Callable[[bytes], agent.AgentRequest]:
    """The same for all requests to one endpoint, made once. Raises MalformedMessage, and what it returns does."""
    kind = _BODY_BY_ACTION.get(endpoint.rsplit("/", 1)[-1].lower())
    if kind is None:
        raise MalformedMessage(f"no agent endpoint ends like {endpoint!r}")
    validate = _adapter(kind).validator.validate_json

    def read(data: bytes) -> agent.AgentRequest:
        try:
            return agent.AgentRequest(endpoint, validate(data))
        except ValidationError as error:
            raise MalformedMessage(_sentence(error)) from error

    return read


def read_agent_reply(request: agent.AgentRequest, data: bytes) -> agent.ReplyBody | None:
    """What a server answered; None for an empty or unreadable body, as the vendor's agent takes it."""
    try:
        return cast(agent.ReplyBody, _read(agent.REPLY_OF[type(request.body)], data)) if data else None
    except MalformedMessage:
        return None


def agent_path(endpoint: str, base: str) -> str:
    """The path to POST to: `base`, a slash, and the endpoint less one `KeyfactorAgents/` (agent-protocol 1)."""
    stripped = endpoint.replace("KeyfactorAgents/", "", 1)
    return f"{base.rstrip('/')}/{stripped.lstrip('/')}"


def _read(kind: type, data: bytes) -> object:
    try:
        return _adapter(kind).validate_json(data)
    except ValidationError as error:
        raise MalformedMessage(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


# --- the management API: operations -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApiCall:
    """An operation as HTTP carries it; `path` is under the API's base, `query` without its question mark."""

    method: str
    path: str
    query: str
    body: bytes | None


def api_call(operation: command.Operation) -> ApiCall:
    """How to ask for `operation` over HTTP."""
    row = BY_OPERATION[type(operation)]
    match row.carries:
        case Carries.NOTHING:
            return ApiCall(row.method, row.path, "", None)
        case Carries.PAGE | Carries.PATH_AND_PAGE:
            page: command.Page = operation.page  # type: ignore[attr-defined]  # the table says that it has one
            return ApiCall(row.method, _path(row, operation), urlencode(_page_parameters(page)), None)
        case Carries.PARAMETERS:
            return ApiCall(row.method, row.path, urlencode(_parameters(operation)), None)
        case Carries.PATH:
            return ApiCall(row.method, _path(row, operation), "", None)
        case Carries.OBJECT:
            return ApiCall(row.method, row.path, "", _object_body(operation))
        case Carries.ARRAY | Carries.PARAMETERS_AND_ARRAY:
            *given, (_, items) = _parameters(operation).items()
            return ApiCall(row.method, row.path, urlencode(given), json.dumps(to_json(items, omit_none=True)).encode())


def _object_body(operation: command.Operation) -> bytes:
    if isinstance(operation, command.Reschedule | command.Acknowledge) and operation.query is None:
        # What storms send by the thousand: the same bytes for a tenth of the time.
        ids = operation.job_audit_ids
        return b"{}" if ids is None else f'{{"JobAuditIds": [{", ".join(map(str, ids))}]}}'.encode()
    return json.dumps(to_json(operation, omit_none=True)).encode()


def _path(row: Endpoint, operation: command.Operation) -> str:
    return row.path.format(**{name: quote(str(value), safe="") for name, value in _plain(operation).items()})


def _plain(operation: command.Operation) -> dict[str, object]:
    return {item.name: getattr(operation, item.name) for item in fields(operation)}  # type: ignore[arg-type]  # all are


def _parameters(operation: command.Operation) -> dict[str, object]:
    return {name.replace("_", ""): value for name, value in _plain(operation).items()}


def _page_parameters(page: command.Page) -> dict[str, object]:
    given: dict[str, object] = {"pq.pageReturned": page.number, "pq.returnLimit": page.limit}
    if page.query:
        given["pq.queryString"] = page.query
    if page.sort_field:
        given |= {"pq.sortField": page.sort_field, "pq.sortAscending": int(page.descending)}
    if page.skip:
        given["pq.skipCount"] = page.skip
    return given


_PAGE_PREFIX = re.compile(r"^(?:pq|query|certificatestorequery|cstquery)\.", re.IGNORECASE)


def read_operation(
    row: Endpoint, path: Mapping[str, str], query: Sequence[tuple[str, str]], body: bytes
) -> command.Operation:
    """The operation that a request to `row` asks for. Raises MalformedMessage."""
    kind = cast("type[Any]", row.operation)
    match row.carries:
        case Carries.NOTHING:
            return cast(command.Operation, kind())
        case Carries.PAGE:
            return cast(command.Operation, kind(read_page(query)))
        case Carries.PARAMETERS:
            return cast(command.Operation, kind(**_from_parameters(kind, query)))
        case Carries.PATH:
            return cast(command.Operation, kind(**_from_path(kind, path)))
        case Carries.PATH_AND_PAGE:
            return cast(command.Operation, kind(**_from_path(kind, path), page=read_page(query)))
        case Carries.OBJECT:
            return cast(command.Operation, from_json(kind, _object(body), strict=True))
        case Carries.ARRAY:
            return cast(command.Operation, kind(**_from_array(kind, body)))
        case Carries.PARAMETERS_AND_ARRAY:
            return cast(command.Operation, kind(**_from_parameters(kind, query), **_from_array(kind, body)))


def read_page(query: Sequence[tuple[str, str]]) -> command.Page:
    """Paging from a query string: either spelling, any case, the last duplicate wins (command-api 1.5)."""
    given = {_PAGE_PREFIX.sub("", name).lower(): value for name, value in query}
    return command.Page(
        query=given.get("querystring", ""),
        number=_whole(given, "pagereturned", 1, at_least=1),
        limit=_whole(given, "returnlimit", 50, at_least=1),
        sort_field=given.get("sortfield", ""),
        descending=_direction(given.get("sortascending", "0")),
        skip=_whole(given, "skipcount", 0, at_least=0),
    )


def _whole(given: Mapping[str, str], name: str, default: int, at_least: int) -> int:
    text = given.get(name, "").strip()
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < at_least:
        raise MalformedMessage(f"{name} must be a whole number, {at_least} or more; found {text[:40]!r}")
    return int(text)


def _direction(text: str) -> bool:
    # 0 is ascending and 1 descending, despite the parameter's name (command-api 1.5).
    word = text.strip().lower() or "0"
    if word not in ("0", "1", "ascending", "descending"):
        raise MalformedMessage(f"sortAscending must be 0 (ascending) or 1 (descending); found {text[:40]!r}")
    return word in ("1", "descending")


def _from_parameters(kind: type[Any], query: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The fields that travel in the query string: whole numbers and texts, names in any case."""
    given = {name.lower(): value for name, value in query}
    hints = get_type_hints(kind)
    values: dict[str, object] = {}
    for item in fields(kind):
        spelled = item.name.replace("_", "")
        if hints[item.name] not in (int, str):
            continue
        if spelled not in given and item.name in _required(kind):
            raise MalformedMessage(f"{spelled} is missing from the query string")
        if spelled in given:
            is_number = hints[item.name] is int
            values[item.name] = _whole(given, spelled, 0, at_least=0) if is_number else given[spelled]
    return values


def _required(kind: type[Any]) -> frozenset[str]:
    return frozenset(item.name for item in fields(kind) if item.default is MISSING)


def _from_path(kind: type[Any], path: Mapping[str, str]) -> dict[str, object]:
    hints = get_type_hints(kind)
    return {name: _whole(path, name, 0, at_least=0) if hints[name] is int else text for name, text in path.items()}


def _from_array(kind: type[Any], body: bytes) -> dict[str, object]:
    """The last field, which is what a bare array in the body holds."""
    name, hint = list(get_type_hints(kind).items())[-1]
    [item, _] = get_args(hint)
    items = _json(body)
    if not isinstance(items, list):
        raise MalformedMessage(f"the body must be {_ARRAYS.get(item, 'a JSON array of objects')}")
    if item in _ARRAYS and not all(type(element) is item for element in items):
        raise MalformedMessage(f"the body must be {_ARRAYS[item]}")
    return {name: tuple(element if item in _ARRAYS else from_json(item, element, strict=True) for element in items)}


_ARRAYS: Mapping[type, str] = {str: "a JSON array of GUIDs", int: "a JSON array of whole numbers"}


def _object(body: bytes) -> Mapping[str, object]:
    value = _json(body)
    if not isinstance(value, dict):
        raise MalformedMessage("the body must be a JSON object")
    return value


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"the body is not valid JSON: {error}") from error


# --- the management API: values ---------------------------------------------------------------

_SCHEDULES = frozenset(get_args(schedule.Schedule))


def to_json(value: object, *, omit_none: bool) -> object:
    """A value of the management API as plain JSON. `omit_none` leaves out members that are None."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, int):
        return int(value)
    if type(value) in _SCHEDULES:
        return schedule.to_rest(cast(schedule.Schedule, value))
    if is_dataclass(value) and not isinstance(value, type):
        return {
            alias: to_iso(member) if name in TIMES and member is not None else to_json(member, omit_none=omit_none)
            for name, alias in wire_names(type(value))
            if (member := getattr(value, name)) is not None or not omit_none
        }
    if isinstance(value, tuple | list):
        return [to_json(item, omit_none=omit_none) for item in value]
    if isinstance(value, Mapping):
        return {str(name): to_json(member, omit_none=omit_none) for name, member in value.items()}
    return value


_AS_THEY_ARE = frozenset({str, int, bool, float, NoneType})


def from_json(kind: type[T], value: object, *, strict: bool = False) -> T:
    """Read a value of the management API: names in any case, unknown ones ignored. Raises MalformedMessage.

    With `strict`, a member of another JSON type than its field's is refused.
    """
    try:
        return cast(T, _adapter(kind).validate_python(_fold(kind, value, strict)))
    except ValidationError as error:
        raise MalformedMessage(_sentence(error)) from error


def read_reply(operation: command.Operation, status: int, body: bytes, total: int | None) -> command.CommandReply:
    """What a server answered to `operation`. Raises MalformedMessage for a body that is not what it should be."""
    row = BY_OPERATION[type(operation)]
    if status >= 300:
        return command.CommandReply(status, _read_error(body))
    if row.reply is None or not body.strip():
        return command.CommandReply(status)
    if (found := _at_once(row.reply, body, many=row.many)) is not None:
        return command.CommandReply(status, found, total if row.many else None)
    value = _json(body)
    if not row.many:
        return command.CommandReply(status, from_json(row.reply, value))
    if not isinstance(value, list):
        raise MalformedMessage(f"{row.name} must answer a JSON array")
    return command.CommandReply(status, tuple(from_json(row.reply, item) for item in value), total)


def _at_once(kind: type, body: bytes, *, many: bool) -> command.Record | tuple[command.Record, ...] | None:
    """A record, or many, spelled in the one way that is read at once; None for any other."""
    read = at_once.reader(kind)
    if read is None:
        return None
    try:
        value = orjson.loads(body)
        if not many:
            return cast(command.Record, read(value))
        return tuple(map(cast("Callable[[object], command.Record]", read), value)) if type(value) is list else None
    except (at_once.Unusual, orjson.JSONDecodeError):
        return None


def unreadable(error: MalformedMessage) -> command.CommandReply:
    """The reply that stands for an answer which is none: what a gateway would call 502."""
    return command.CommandReply(502, command.ApiError("", f"the answer cannot be read: {error}"))


def _read_error(body: bytes) -> command.ApiError | None:
    try:
        value = _json(body)
        return from_json(command.ApiError, {"ErrorCode": "", **value} if isinstance(value, dict) else value)
    except MalformedMessage:
        return None


def _fold(hint: object, value: object, strict: bool, place: str = "") -> object:
    """`value` with the names of every object put right, schedules and times read, by the type `hint`."""
    if value is None:
        return None
    bare, shape = _shape(hint)
    if shape is _Shape.SCHEDULE:
        return schedule.from_rest(value)
    if shape is _Shape.OBJECT and isinstance(value, Mapping):
        return _fold_object(cast(type, bare), value, strict)
    if shape is _Shape.ENUM and isinstance(value, str):
        names = _enum_names(cast("type[IntEnum]", bare))
        return names.get(value.lower(), value)  # some servers write names (command-api 0, rule 1)
    if shape is _Shape.ITEMS and isinstance(value, list):
        [of, *_] = get_args(bare)
        if of in _PLAIN and all(kind is of for kind in set(map(type, value))):
            return tuple(value)  # ten thousand ids, at once
        return tuple(_fold(of, item, strict, f"{place}.{index}") for index, item in enumerate(value))
    if strict:
        strictness.check(bare, value, place)
    return value


_PLAIN = (int, str)


class _Shape(Enum):
    """What there is to fold in a value of a type."""

    SCHEDULE = auto()
    OBJECT = auto()
    ENUM = auto()
    ITEMS = auto()
    PLAIN = auto()


@cache  # a list of a thousand records has ten thousand values, all of some twenty types
def _shape(hint: object) -> tuple[object, _Shape]:
    """`hint` without what `_bare` takes off, and its shape."""
    bare = _bare(hint)
    if bare == schedule.Schedule:
        return bare, _Shape.SCHEDULE
    if is_dataclass(bare):
        return bare, _Shape.OBJECT
    if isinstance(bare, type) and issubclass(bare, IntEnum):
        return bare, _Shape.ENUM
    return bare, _Shape.ITEMS if get_origin(bare) is tuple and get_args(bare) else _Shape.PLAIN


@dataclass(frozen=True, slots=True)
class _Member:
    """A field of an object; `lower` is its wire name in lower case."""

    alias: str
    lower: str
    hint: object
    is_time: bool
    has_default: bool
    may_be_null: bool


@cache
def _members(kind: type) -> tuple[_Member, ...]:
    hints = get_type_hints(kind)
    return tuple(
        _Member(
            alias, alias.lower(), hints[name], name in TIMES, has_default(kind, name), NoneType in get_args(hints[name])
        )
        for name, alias in wire_names(kind)
    )


@cache
def _enum_names(kind: type[IntEnum]) -> Mapping[str, int]:
    return {member.name.replace("_", "").lower(): member.value for member in kind}


def _fold_object(kind: type, value: Mapping[object, object], strict: bool) -> dict[str, object]:
    given = {str(name).lower(): member for name, member in value.items()}
    folded: dict[str, object] = {}
    for of in _members(kind):
        alias, member = of.alias, given.get(of.lower)
        # Clients of some languages write null for what they leave out: only where null says nothing else.
        if member is not None or (of.lower in given and not of.has_default):
            folded[alias] = _time(alias, member) if of.is_time else _fold(of.hint, member, strict, alias)
        elif not strict and not of.has_default and of.may_be_null:
            folded[alias] = None  # servers leave out what they might write as null (command-api 0, rule 3)
    return folded


def _time(name: str, value: object) -> object:
    if value is None:
        return None
    try:
        return from_iso(str(value))
    except ValueError as error:
        raise MalformedMessage(f"{name} must be a time such as 2026-01-02T23:30:00Z") from error


def _bare(hint: object) -> object:
    """`X` from `X | None` and from `Annotated[X, ...]`."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType) and hint != schedule.Schedule:
        rest = [part for part in get_args(hint) if part is not NoneType]
        if set(rest) == _SCHEDULES:
            return schedule.Schedule
        if len(rest) == 1:
            return _bare(rest[0])
    return hint
