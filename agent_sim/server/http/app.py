"""The server as an aiohttp application: which side answers which path, and the sweep that runs beside them.

A loop around the core and nothing more: rules about jobs and agents are found in `server.core` and below.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agent_sim.errors import UsageError
from agent_sim.instants import SECOND, Instant
from agent_sim.protocol import oig as oig_wire
from agent_sim.protocol.endpoints import ENDPOINTS, SIM_ENDPOINTS
from agent_sim.server.auth import Accounts
from agent_sim.server.http.agents import AgentsSide
from agent_sim.server.http.bearers import Bearers
from agent_sim.server.http.command import PRODUCT_VERSION, CommandSide
from agent_sim.server.http.committer import LINGER, Committer
from agent_sim.server.http.desk import Core, Desk
from agent_sim.server.http.docs import description_sides
from agent_sim.server.http.metrics import MetricsSide
from agent_sim.server.http.oauth import OAuth, TokenSide, WellKnownSide
from agent_sim.server.http.oig import OigCore, OigSide
from agent_sim.server.http.refusals import NOT_FOUND, UNEXPECTED, Reason, Refused, reason_of, wrong_method
from agent_sim.server.http.rendering import error_body
from agent_sim.server.ports import Store
from agent_sim.server.web.browsers import Browsers
from agent_sim.server.web.controls import Controls
from agent_sim.server.web.live import Live
from agent_sim.server.web.overview import Overview
from agent_sim.server.web.side import Pages, WebSide, extras
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings

SWEEP_AT_LEAST_EVERY: Final = 1.0
"""Seconds: a run that was configured after a sweep may be overdue before the time that sweep asked for."""

SWEEP_AT_MOST_EVERY: Final = 0.01

DESK: Final = web.AppKey("desk", Desk)

_logger = logging.getLogger(__name__)
_connections_logger = logging.getLogger(f"{__name__}.connections")


def _is_ours(record: logging.LogRecord) -> bool:
    """False for what aiohttp reports of peers that do not speak HTTP: their fault, answered 400, and no news."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_connections_logger.addFilter(_is_ours)

_CONNECTIONS: Final[Mapping[str, object]] = {
    "logger": _connections_logger,
    "access_log": None,  # each side logs its messages, at DEBUG
    # A query of 8 kB, escaped, stands in one line; a certificate in one header (agent-protocol 1).
    "max_line_size": 32 * 1024,
    "max_field_size": 32 * 1024,
}


class Side(Protocol):
    """Answers the requests to all paths under one base."""

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        """The answer to a request whose path is the base and `path`, which is empty or begins with a slash."""

    def refuse(self, reason: Reason) -> web.StreamResponse:
        """The answer to a request that is refused or failed."""


Beside = Callable[[Desk], AbstractAsyncContextManager[object]]
"""Another way to the same desk."""


class HealthSide:
    """Says that the server runs, to anybody."""

    async def answer(self, request: web.Request, path: str) -> web.Response:
        if path:
            raise Refused(NOT_FOUND)
        if request.method not in ("GET", "HEAD"):
            raise Refused(wrong_method("GET, HEAD"))
        return web.json_response({"status": "ok"})

    def refuse(self, reason: Reason) -> web.Response:
        body = error_body(reason.problem.code, reason.message)
        return web.Response(status=reason.problem.status, body=body, content_type="application/json")


class FrontSide:
    """The page at `/`, and no to all other paths."""

    def __init__(self, page: Side) -> None:
        self._page, self._no = page, HealthSide()

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        if path:
            raise Refused(NOT_FOUND)
        return await self._page.answer(request, path)

    def refuse(self, reason: Reason) -> web.StreamResponse:
        return self._no.refuse(reason)


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides by their bases: lower case, with a slash before and none behind."""

    by_base: tuple[tuple[str, Side], ...]
    otherwise: Side

    def find(self, path: str) -> tuple[Side, str]:
        """The side that answers `path`, and what of the path is below its base."""
        path = re.sub("/{2,}", "/", path).rstrip("/")
        lowered = path.lower() + "/"
        for base, side in self.by_base:
            if lowered.startswith(base + "/"):
                return side, path[len(base) :]
        return self.otherwise, path


def make_app(
    core: Core,
    store: Store,
    accounts: Accounts,
    settings: ServerSettings = DEFAULT_SETTINGS,
    clock: Callable[[], Instant] = time.time_ns,
    *,
    bearers: Bearers | None = None,
    oauth: OAuth | None = None,
    browsers: Browsers | None = None,
    controls: Controls | None = None,
    oig: OigCore | None = None,
    beside: Sequence[Beside] = (),
) -> web.Application:
    """The application. It commits what is open when it is cleaned up; closing the store is the caller's business.

    `beside` is what else serves at the same desk, for as long as the application runs. Raises UsageError if the
    settings put one thing on top of another.
    """
    if not settings.api_bases or not settings.agents_bases:
        raise UsageError("the settings api_bases and agents_bases must each name one path at least")
    browsers = browsers or Browsers(clock)
    committer = Committer(store, LINGER if settings.durability == "full" else 0.0)
    desk = Desk(core, accounts, settings, clock, committer, bearers, browsers)
    live = Live(overview := Overview(store, settings, clock), clock, desk.apart, extras(controls))
    base = f"/{settings.api_bases[0].strip('/')}"
    pages = Pages(desk, browsers, live, overview, clock, base, PRODUCT_VERSION, controls)
    sides = _sides(desk, oauth, WebSide(pages))
    sides = replace(sides, by_base=(("/metrics", MetricsSide(desk, overview, PRODUCT_VERSION)), *sides.by_base))
    if oig is not None:
        scheduler = OigSide(desk, oig)
        sides = replace(sides, by_base=((_base(oig_wire.BASE), scheduler), *sides.by_base))

    async def handle(request: web.Request) -> web.StreamResponse:
        side, path = sides.find(request.path)
        try:
            return await side.answer(request, path)
        except ConnectionError:
            raise  # the client is gone
        except Exception as error:  # the rim: a bug is one 500 and the server goes on
            reason = reason_of(error)
            if reason is UNEXPECTED:
                _logger.exception("request failed", extra={"method": request.method, "path": request.path})
            return side.refuse(reason)

    app = web.Application(handler_args=_CONNECTIONS)
    app[DESK] = desk
    app.router.add_route("*", "/{path:.*}", handle)
    app.cleanup_ctx.append(lambda _: _sweeping(desk))
    app.on_shutdown.append(lambda _: live.close())
    if oig is not None:
        app.cleanup_ctx.append(scheduler.keeping_time)
    for one in beside:
        app.cleanup_ctx.append(partial(_serving, desk, one))
    return app


def _sides(desk: Desk, oauth: OAuth | None, pages: Side) -> Sides:
    agents, command = AgentsSide(desk), CommandSide(desk, ENDPOINTS)
    by_base: list[tuple[str, Side]] = [(_base(base), agents) for base in desk.settings.agents_bases]
    for base in desk.settings.api_bases:
        by_base += [*description_sides(desk, f"/{base.strip('/')}"), (_base(base), command)]
    by_base += [("/healthz", HealthSide()), ("/ui", pages)]
    if oauth is not None:
        by_base += [("/oauth", TokenSide(desk, oauth)), ("/.well-known", WellKnownSide(desk, oauth))]
    if desk.settings.sim_api:
        rows = [replace(row, path=row.path.removeprefix("/sim")) for row in SIM_ENDPOINTS]
        by_base.append(("/sim", CommandSide(desk, rows)))
    return Sides(_in_order(by_base), FrontSide(pages))


def _base(base: str) -> str:
    return "/" + base.strip("/").lower()


def _in_order(by_base: list[tuple[str, Side]]) -> tuple[tuple[str, Side], ...]:
    """The longest first, as one base may lie under another. Raises UsageError for one that is empty or used twice."""
    bases = [base for base, _ in by_base]
    for base in bases:
        if base == "/" or bases.count(base) > 1:
            what = "is empty" if base == "/" else f"names {base} a second time"
            raise UsageError(f"one of the settings api_bases and agents_bases {what}: give each a path of its own")
    return tuple(sorted(by_base, key=lambda row: -len(row[0])))


async def _serving(desk: Desk, beside: Beside, app: web.Application) -> AsyncIterator[None]:
    async with beside(desk):
        yield


# --- the sweep --------------------------------------------------------------------------------


async def _sweeping(desk: Desk) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_forever(desk, desk.sweep), name="sweep"),
        asyncio.create_task(_forever(desk, desk.store_seen), name="store seen"),
    ]
    yield
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await desk.close()


async def _forever(desk: Desk, sweep: Callable[[], Awaitable[Instant]]) -> None:
    pause = 0.0
    while True:
        await asyncio.sleep(pause)
        pause = await _once(desk, sweep)


async def _once(desk: Desk, sweep: Callable[[], Awaitable[Instant]]) -> float:
    """Sweep once; returns the seconds until the next time."""
    try:
        wanted = await sweep()
    except Exception:  # a bug here must not end the sweep for ever
        _logger.exception("sweep failed")
        return SWEEP_AT_LEAST_EVERY
    return min(max((wanted - desk.clock()) / SECOND, SWEEP_AT_MOST_EVERY), SWEEP_AT_LEAST_EVERY)
