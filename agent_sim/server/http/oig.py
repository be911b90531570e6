"""The scheduler's API over HTTP, and the clock that wakes its core: routes, header rules, JSON.

What operations do is `server.oig`'s business. Job names stand in paths, so these are read before anything is decoded:
a name may hold blanks, slashes and any alphabet. Source: the seed, command-api 8.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import unquote

from aiohttp import web

from agent_sim.errors import MalformedMessage
from agent_sim.instants import SECOND, Instant
from agent_sim.protocol import oig
from agent_sim.protocol.oig_codec import body_of, read_operation
from agent_sim.server.callers import Caller
from agent_sim.server.http.desk import Desk, read_body
from agent_sim.server.http.refusals import MEDIA_TYPE, NOT_FOUND, Reason, Refused, wrong_method
from agent_sim.server.problems import Problem

LARGEST_BODY: Final = 1024 * 1024

LONGEST_SLEEP: Final = 60.0
"""Seconds: a clock that was set is noticed after so long."""

AFTER_A_BUG: Final = 1.0

REQUESTED_BY_MISSING: Final = Reason(
    Problem.HEADER_MISSING, f"The header {oig.REQUESTED_BY} is required on writes: send it with any value."
)

_JSON: Final = {"Content-Type": "application/json"}
_JSON_TYPE: Final = re.compile(r"application/([\w.-]+\+)?json", re.IGNORECASE)
_ABOVE: Final = oig.BASE.count("/")  # segments of the base

_logger = logging.getLogger(__name__)


class OigCore(Protocol):
    """The scheduler, as the shell needs it. A call that raises has changed nothing."""

    def handle(self, request: oig.Operation, caller: Caller, now: Instant) -> oig.Reply: ...

    def wake(self, now: Instant) -> None: ...

    def next_wake(self) -> Instant: ...


# --- routes -----------------------------------------------------------------------------------


def find(method: str, segments: list[str]) -> tuple[oig.Endpoint, Mapping[str, str]]:
    """The row that a method and a path's decoded segments belong to, and what the path holds. Raises Refused."""
    found = [(row, fields) for row in oig.ENDPOINTS if (fields := _fields(row.path, segments)) is not None]
    if not found:
        raise Refused(NOT_FOUND)
    fixed = [each for each in found if len(each[1]) == min(len(fields) for _, fields in found)]
    for row, fields in fixed:
        if row.method == method:
            return row, fields
    raise Refused(wrong_method(", ".join(sorted({row.method for row, _ in fixed}))))


def _fields(path: str, segments: list[str]) -> dict[str, str] | None:
    steps = path.strip("/").split("/")
    if len(steps) != len(segments):
        return None
    if any(step != given for step, given in zip(steps, segments, strict=True) if not step.startswith("{")):
        return None
    pairs = zip(steps, segments, strict=True)
    return {step.strip("{}"): given for step, given in pairs if step.startswith("{")}


def segments_of(raw_path: str) -> list[str]:
    """What of a path, still encoded, is below the base, in decoded segments; slashes too many do not count."""
    below = [part for part in raw_path.split("/") if part][_ABOVE:]
    try:
        return [unquote(part, errors="strict") for part in below]
    except UnicodeDecodeError:
        raise MalformedMessage("the path is not UTF-8, percent-encoded") from None


# --- requests and answers ---------------------------------------------------------------------


class OigSide:
    """Answers under the scheduler's base, and keeps its time."""

    def __init__(self, desk: Desk, core: OigCore) -> None:
        self._desk, self._core = desk, core
        self._moved = asyncio.Event()
        self._is_begun = False

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """Answer one request. Raises Refused and MalformedMessage."""
        caller = await self._desk.caller(request)
        row, fields = find(request.method, segments_of(request.rel_url.raw_path))
        if row.writes and oig.REQUESTED_BY not in request.headers:
            raise Refused(REQUESTED_BY_MISSING)
        body = await self._body(request, row)
        operation = read_operation(row, fields, _query(request.query.items()), body)
        async with self._desk.turn:
            reply = self._core.handle(operation, caller, self._desk.clock())
        self._moved.set()
        await self._desk.committer.settled()
        _log(row, caller.name, reply)
        shown = body_of(reply, str(request.url.with_query(None)))
        return web.Response(status=reply.status, body=shown, headers=_JSON)

    def refuse(self, reason: Reason) -> web.Response:
        """No, with its reason as JSON."""
        status = reason.problem.status
        body = json.dumps({"status": status, "message": reason.message}).encode()
        response = web.Response(status=status, body=body, headers=_JSON)
        response.headers.extend(reason.headers)
        return response

    async def _body(self, request: web.Request, row: oig.Endpoint) -> bytes:
        if row.carries is not oig.Carries.BODY:
            return b""
        kind = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
        if not _JSON_TYPE.fullmatch(kind):
            raise Refused(MEDIA_TYPE)
        return await read_body(request, LARGEST_BODY)

    # --- the clock ----------------------------------------------------------------------------

    async def keeping_time(self, app: web.Application) -> AsyncIterator[None]:
        """For as long as the application runs."""
        task = asyncio.create_task(self._wake_forever(), name="scheduler clock")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _wake_forever(self) -> None:
        while True:
            self._moved.clear()
            async with self._desk.turn:
                pause = self._wake()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), min(max(pause, 0.0), LONGEST_SLEEP))

    def _wake(self) -> float:
        """Let the core do what is due; returns the seconds until the next time."""
        now = self._desk.clock()
        try:
            if self._core.next_wake() <= now or not self._is_begun:
                self._core.wake(now)
                self._is_begun = True
                self._desk.committer.flush()
            return (self._core.next_wake() - now) / SECOND
        except Exception:  # a bug here must not stop the clock for ever
            _logger.exception("the scheduler could not do what is due")
            return AFTER_A_BUG


def _query(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(items)


def _log(row: oig.Endpoint, caller: str, reply: oig.Reply) -> None:
    level = logging.INFO if row.writes and reply.is_success else logging.DEBUG
    if _logger.isEnabledFor(level):
        facts = {"operation": f"{row.method} {row.path}", "caller": caller, "status": reply.status}
        _logger.log(level, "%s %s by %s: %d", row.method, row.path, caller, reply.status, extra=facts)
