"""The management API as an OpenAPI 3.1 document, made from the table of endpoints that the server routes by.

One function: rows in, plain JSON out. It tells what is really understood, also where that is more than the vendor
documents. What values look like is in `http.schemas`; where the document is served, in `http.docs`.
Source: command-api 1.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, get_type_hints

from pydantic.alias_generators import to_camel

from agent_sim.protocol import command
from agent_sim.protocol.endpoints import WITH_BODY, Carries, Endpoint
from agent_sim.protocol.names import has_default
from agent_sim.server.http.schemas import GUID, Schema, Schemas, array_member, summary
from agent_sim.settings import ServerSettings

Json = dict[str, Any]

LARGEST_NUMBER: Final = 10**15 - 1

_INTRODUCTION: Final = """\
The orchestrator part of Keyfactor Command's management API, as agent-sim's embedded server serves it.

- **Names** of paths, query parameters and JSON members match in any case. Unknown parameters and members are ignored.
- **Query parameters** for paging are taken as `pq.X` and as `X` (also with the prefixes `query.`, `cstQuery.` and
  `certificateStoreQuery.`); of duplicates the last one counts. An empty value counts as not given.
- **GUIDs** are understood in any case, with or without braces, and shown in lower case without.
- **Bodies** of requests that need none are not looked at.
- **Schedules** have one known member that is neither null nor false.
- **Ids or a query**: where a body takes a list of ids and `Query`, exactly one of them must be given; null, an empty
  list and an empty text count as not given.
- **Refusals** are objects with `ErrorCode` and `Message`. A request that fits this document can still be refused
  with 400 for what it means: a query that does not parse, an id that does not exist, a job that is not eligible.
- **How each behaviour is known**, and which setting changes what nobody outside the vendor knows, is told by the table
  at `fidelity`, beside this document.
"""


def document(rows: Iterable[Endpoint], settings: ServerSettings, *, server: str, version: str) -> Json:
    """The whole document. `server` is the API's base path, `version` the product version."""
    schemas = Schemas(settings)
    schemas.answer(command.ApiError)
    paths: dict[str, Json] = {}
    for row in rows:
        paths.setdefault(_template(row), {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keyfactor Command, as agent-sim serves it",
            "version": version,
            "description": _INTRODUCTION,
        },
        "servers": [{"url": server}],
        "security": [{"basic": []}, {"bearer": []}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, paths))],
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY,
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
            "responses": {str(status): _refusal(status) for status in _REFUSALS},
            "schemas": dict(sorted(schemas.named.items())),
        },
    }


_SECURITY: Final[Json] = {
    "basic": {"type": "http", "scheme": "basic", "description": r"`DOMAIN\user` or a plain name, and the password."},
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of an issuer that the server believes, if it was started with one.",
    },
}
_HEADERS: Final[Json] = {
    "ProductVersion": {"required": True, "schema": {"type": "string"}, "description": "The product's version."},
    "CorrelationId": {"required": True, "schema": {"type": "string", "format": "uuid"}},
    "Versions": {"required": True, "schema": {"const": "1.0"}, "description": "Versions of this API."},
    "TotalCount": {
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "description": "How many records there are on all pages together.",
    },
    "TotalCountIs": {
        "required": False,
        "schema": {"const": "at-least"},
        "description": "Of a search of runs: there may be more than X-Total-Count (setting `count_most`).",
    },
    "Authenticate": {"required": True, "schema": {"type": "string"}, "description": "How to sign in."},
}
_ALWAYS: Final = {
    "X-Keyfactor-Product-Version": "ProductVersion",
    "X-Keyfactor-Correlation-Id": "CorrelationId",
    "Api-Supported-Versions": "Versions",
}


# --- one operation ----------------------------------------------------------------------------


def _template(row: Endpoint) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{to_camel(found[1])}}}", row.path)


def _tag(path: str) -> str:
    return path.split("/")[1]


def _operation(row: Endpoint, schemas: Schemas) -> Json:
    name = row.operation.__name__
    told: Json = {
        "operationId": name[0].lower() + name[1:],
        "summary": summary(row.operation).split(". ")[0].rstrip("."),
        "description": _description(row),
        "tags": [_tag(row.path)],
        "parameters": [*_in_path(row), *_in_query(row), *_in_headers(row, schemas.settings)],
        "responses": _responses(row, schemas),
    }
    if row.carries in WITH_BODY:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(row, schemas)}}}
    return told


def _description(row: Endpoint) -> str:
    needed = " and ".join(f"`{permission}`" for permission in row.permissions)
    return f"{summary(row.operation)}\n\nPermission: {needed or 'none'}."


def _body(row: Endpoint, schemas: Schemas) -> Schema:
    if row.carries is Carries.OBJECT:
        return schemas.request(row.operation)
    return {"type": "array", "items": schemas.items(row.operation, *array_member(row.operation))}


# --- parameters -------------------------------------------------------------------------------


def _parameter(name: str, where: str, schema: Schema, description: str = "", *, required: bool = False) -> Json:
    told: Json = {"name": name, "in": where, "required": required, "schema": schema}
    return told | ({"description": description} if description else {})


def _number(least: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": LARGEST_NUMBER}


def _in_path(row: Endpoint) -> list[Json]:
    hints = get_type_hints(row.operation)
    return [
        _parameter(to_camel(name), "path", _path_schema(name, hints[name]), required=True)
        for name in re.findall(r"\{(\w+)\}", row.path)
    ]


def _path_schema(name: str, hint: object) -> Schema:
    if hint is int:
        return _number(0)
    return GUID if name == "id" or name.endswith("_id") else {"type": "string", "minLength": 1}


_EMPTY: Final[Schema] = {"type": "string", "maxLength": 0}
_PAGING: Final[tuple[tuple[str, Schema, str], ...]] = (
    ("queryString", {"type": "string"}, "Which records: a condition such as `Status -eq 2`; all if not given."),
    ("pageReturned", {"anyOf": [_number(1), _EMPTY], "default": 1}, "Which page; the first is 1."),
    ("returnLimit", {"anyOf": [_number(1), _EMPTY], "default": 50}, "Records per page; more than the most are cut."),
    ("sortField", {"type": "string"}, "The field to sort by."),
    (
        "sortAscending",
        {"enum": ["0", "1", "ascending", "descending", ""], "default": "0"},
        "0 is ascending and 1 descending, despite the name.",
    ),
    ("skipCount", {"anyOf": [_number(0), _EMPTY], "default": 0}, "Records to leave out before the first page."),
)


def _in_query(row: Endpoint) -> list[Json]:
    return _IN_QUERY[row.carries](row.operation)


def _paging(operation: type) -> list[Json]:
    return [_shared(name) for name in _PAGING_PARAMETERS]


def _shared(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{name}"}


def _by_name(operation: type) -> list[Json]:
    hints = get_type_hints(operation)
    return [
        _parameter(
            to_camel(item.name),
            "query",
            _query_schema(hints[item.name]),
            required=not has_default(operation, item.name),
        )
        for item in fields(operation)
        if hints[item.name] in (int, str)
    ]


def _query_schema(hint: object) -> Schema:
    return _number(0) if hint is int else {"type": "string"}


def _none(operation: type) -> list[Json]:
    return []


_IN_QUERY: Final[Mapping[Carries, Callable[[type], list[Json]]]] = {
    Carries.NOTHING: _none,
    Carries.PAGE: _paging,
    Carries.PARAMETERS: _by_name,
    Carries.PATH: _none,
    Carries.PATH_AND_PAGE: _paging,
    Carries.OBJECT: _none,
    Carries.ARRAY: _none,
    Carries.PARAMETERS_AND_ARRAY: _by_name,
}


def _in_headers(row: Endpoint, settings: ServerSettings) -> list[Json]:
    is_needed = row.method != "GET" and settings.strict_headers
    return [_shared("needed-requested-with" if is_needed else "requested-with"), _shared("api-version")]


_PAGING_PARAMETERS: Final[Mapping[str, Json]] = {
    spelled: _parameter(spelled, "query", schema, meaning)
    for name, schema, meaning in _PAGING
    for spelled in (f"pq.{name}", name[0].upper() + name[1:])
}
_CLIENT: Final[Schema] = {"type": "string", "examples": ["APIClient", "XMLHttpRequest"]}
_REQUESTED_WITH: Final = _parameter("x-keyfactor-requested-with", "header", _CLIENT, "Not looked at here.")
_NEEDED_REQUESTED_WITH: Final = _parameter(
    "x-keyfactor-requested-with", "header", _CLIENT | {"pattern": r"\S"}, "Anything that is not blank.", required=True
)
_VERSION: Final = _parameter(
    "x-keyfactor-api-version",
    "header",
    {"enum": ["1", "1.0", "2", "2.0"], "default": "1"},
    "The version of this API that is wanted.",
)
_PARAMETERS: Final[Mapping[str, Json]] = {
    **_PAGING_PARAMETERS,
    "requested-with": _REQUESTED_WITH,
    "needed-requested-with": _NEEDED_REQUESTED_WITH,
    "api-version": _VERSION,
}


# --- answers ----------------------------------------------------------------------------------

_REFUSALS: Final[Mapping[int, str]] = {
    400: "The request cannot be understood, or what it asks for cannot be done.",
    401: "Nobody signed in.",
    403: "The caller lacks a permission.",
    404: "There is no such thing.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    500: "A bug; the server's log tells more.",
    503: "The server could not save; whether the request had an effect is unknown.",
}


def _responses(row: Endpoint, schemas: Schemas) -> Json:
    told = {str(row.success): _success(row, schemas)}
    return told | {str(status): {"$ref": f"#/components/responses/{status}"} for status in _refused_with(row)}


def _refused_with(row: Endpoint) -> list[int]:
    known = {400, 401, 500, 503}
    if row.permissions:
        known.add(403)
    if "{" in row.path or row.carries is Carries.PARAMETERS:
        known.add(404)
    if row.carries in WITH_BODY:
        known |= {413, 415}
    return sorted(known)


def _success(row: Endpoint, schemas: Schemas) -> Json:
    if row.reply is None:
        return {"description": "Done.", "headers": _headers()}
    one = schemas.answer(row.reply)
    is_page = row.carries in (Carries.PAGE, Carries.PATH_AND_PAGE)
    return {
        "description": "A page of records." if is_page else "What was asked for.",
        "headers": _headers(*(_OF_PAGES if is_page else ())),
        "content": {"application/json": {"schema": {"type": "array", "items": one} if row.many else one}},
    }


_OF_PAGES: Final = (("X-Total-Count", "TotalCount"), ("X-Total-Count-Is", "TotalCountIs"))


def _refusal(status: int) -> Json:
    extra = [("WWW-Authenticate", "Authenticate")] if status == 401 else []
    return {
        "description": _REFUSALS[status],
        "headers": _headers(*extra),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ApiError"}}},
    }


def _headers(*more: tuple[str, str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{which}"} for name, which in (*_ALWAYS.items(), *more)}
