"""The management API over HTTP: routes from the table of endpoints, header rules, JSON, errors as JSON objects.

What operations do is the core's business; how replies are spelled, `http.rendering`'s.
Source: command-api 0, 1.2 to 1.4.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDict

from agent_sim.protocol.codec import read_operation
from agent_sim.protocol.command import (
    Acknowledge,
    CommandReply,
    ListJobHistory,
    ListTransitions,
    Operation,
    Page,
    Reschedule,
    Unschedule,
)
from agent_sim.protocol.endpoints import WITH_BODY, Endpoint
from agent_sim.protocol.forms import form_as_json
from agent_sim.server.http.desk import Desk, read_body
from agent_sim.server.http.refusals import (
    HEADER_MISSING,
    MEDIA_TYPE,
    NOT_FOUND,
    UNKNOWN_VERSION,
    Reason,
    Refused,
    wrong_method,
)
from agent_sim.server.http.rendering import body_of, error_body

LARGEST_BODY: Final = 2 * 1024 * 1024
"""Bytes; 10,000 GUIDs are 400 kB."""

SMALL_BODY: Final = 8 * 1024
"""Bytes; what is larger is read and handled off the loop."""

SMALL_PAGE: Final = 200
"""Records; a longer page, or one that must be searched for, is handled off the loop as well."""

PRODUCT_VERSION: Final = "25.4.1+agent-sim"

_API_VERSIONS: Final = ("1", "1.0", "2", "2.0")
_JSON_TYPE: Final = re.compile(r"(application/([\w.-]+\+)?json|application/json-patch\+json|text/json)", re.IGNORECASE)
_FORM_TYPE: Final = "application/x-www-form-urlencoded"

_logger = logging.getLogger(__name__)


# --- routes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Route:
    pattern: re.Pattern[str]
    row: Endpoint


_Found = tuple[Endpoint, Mapping[str, str]]


class Routes:
    """Finds the row of the table of endpoints that a method and a path, in any case, belong to."""

    def __init__(self, rows: Iterable[Endpoint]) -> None:
        rows = tuple(rows)
        self._fixed: dict[str, list[Endpoint]] = {}
        for row in rows:
            if "{" not in row.path:
                self._fixed.setdefault(row.path.lower(), []).append(row)
        self._routes = tuple(_Route(_pattern(row.path), row) for row in rows)

    def find(self, method: str, path: str) -> _Found:
        """The row, and the fields that the path holds. Raises Refused."""
        fixed = self._fixed.get(path.lower())
        if fixed is not None:  # then this is no id, whatever the method
            return _by_method(method, [(row, {}) for row in fixed])
        found = [(route.row, match) for route in self._routes if (match := route.pattern.fullmatch(path))]
        if not found:
            raise Refused(NOT_FOUND)
        return _by_method(method, [(row, match.groupdict()) for row, match in found])


def _by_method(method: str, found: list[_Found]) -> _Found:
    for row, fields in found:
        if row.method == method:
            return row, fields
    raise Refused(wrong_method(", ".join(sorted({row.method for row, _ in found}))))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), re.IGNORECASE)


# --- requests and answers ---------------------------------------------------------------------


class CommandSide:
    """Answers under `/KeyfactorAPI`."""

    def __init__(self, desk: Desk, rows: Iterable[Endpoint]) -> None:
        self._desk = desk
        self._routes = Routes(rows)

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """Answer one request to `path`, which is under the side's base. Raises Refused and MalformedMessage."""
        caller = await self._desk.person(request)
        row, fields = self._routes.find(request.method, path)
        self._check_headers(request)
        body = await self._body(request, row)
        query = tuple(request.query.items())
        if len(body) <= SMALL_BODY:
            operation = read_operation(row, fields, query, body)
            long = may_take_long(operation)
        else:
            operation = await asyncio.to_thread(read_operation, row, fields, query, body)
            long = True
        reply = await (self._desk.ask_at_length if long else self._desk.ask)(operation, caller)
        _log(row, caller.name, reply)
        is_small = len(reply.body) <= SMALL_PAGE if isinstance(reply.body, tuple) else not long
        return self._response(reply) if is_small else await asyncio.to_thread(self._response, reply)

    def refuse(self, reason: Reason) -> web.Response:
        """No, with its reason as JSON."""
        body = error_body(reason.problem.code, reason.message)
        headers = CIMultiDict(_headers(None))
        headers.extend(reason.headers)
        return web.Response(status=reason.problem.status, body=body, headers=headers)

    def _check_headers(self, request: web.Request) -> None:
        if request.headers.get("x-keyfactor-api-version", "1").strip() not in _API_VERSIONS:
            raise Refused(UNKNOWN_VERSION)
        # Never asked for on GET: a vendor sample goes without (command-api 1.2).
        lacking = request.method != "GET" and not request.headers.get("x-keyfactor-requested-with", "").strip()
        if lacking and self._desk.settings.strict_headers:
            raise Refused(HEADER_MISSING)

    async def _body(self, request: web.Request, row: Endpoint) -> bytes:
        # go-client sends `null` with requests that have no body (command-api 0, rule 6): not even looked at.
        if row.carries not in WITH_BODY:
            return b""
        kind = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
        if kind.lower() == _FORM_TYPE and row.method == "PUT":
            return form_as_json(row, await read_body(request, LARGEST_BODY))
        if not _JSON_TYPE.fullmatch(kind):
            raise Refused(MEDIA_TYPE)
        return await read_body(request, LARGEST_BODY)

    def _response(self, reply: CommandReply) -> web.Response:
        body = None if reply.status == 204 else body_of(reply, self._desk.settings)
        headers = _headers(reply.total, reply.is_least)
        if body is None:
            del headers["Content-Type"]
        return web.Response(status=reply.status, body=body, headers=headers)


def may_take_long(operation: Operation) -> bool:
    """True for a storm by query, and for what lists or counts all there is: only history has a cheap first page."""
    if isinstance(operation, Reschedule | Acknowledge | Unschedule):
        return bool(operation.query)
    if isinstance(operation, ListTransitions):
        return operation.limit > SMALL_PAGE
    page = getattr(operation, "page", None)
    if not isinstance(page, Page):
        return False
    return not isinstance(operation, ListJobHistory) or bool(page.limit > SMALL_PAGE or page.query or page.sort_field)


def _headers(total: int | None, is_least: bool = False) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Keyfactor-Product-Version": PRODUCT_VERSION,
        "X-Keyfactor-Correlation-Id": str(uuid4()),
        "Api-Supported-Versions": "1.0",
    }
    if total is None:
        return headers
    headers["X-Total-Count"] = str(total)
    return headers | {"X-Total-Count-Is": "at-least"} if is_least else headers


def _log(row: Endpoint, caller: str, reply: CommandReply) -> None:
    level = logging.INFO if row.method != "GET" and reply.is_success else logging.DEBUG
    if _logger.isEnabledFor(level):
        facts = {"operation": row.name, "caller": caller, "status": reply.status}
        _logger.log(level, "%s by %s: %d", row.name, caller, reply.status, extra=facts)
