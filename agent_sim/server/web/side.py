"""The pages: sign-in, the one page with all views, its files and its live feed.

What the page does to jobs and agents it does through the management API, as any other client, signed in by its
cookie; here are only the things that the API does not have. Source of the endpoints under /ui: our choice.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from agent_sim.errors import UsageError
from agent_sim.instants import Instant
from agent_sim.server.callers import Caller
from agent_sim.server.http.desk import Desk, read_body
from agent_sim.server.http.refusals import FORGED, NOT_FOUND, SIGN_IN, Reason, Refused, wrong_method
from agent_sim.server.web.browsers import COOKIE, Browsers, Signed, proves
from agent_sim.server.web.completions import completions
from agent_sim.server.web.controls import ControlKind, Controls
from agent_sim.server.web.live import Live
from agent_sim.server.web.overview import RANGES, Overview

READ: Final = "/agents/management/read/"
MODIFY: Final = "/agents/management/modify/"

_ASSETS: Final = {
    "app.js": "text/javascript",
    "api.js": "text/javascript",
    "charts.js": "text/javascript",
    "dialogs.js": "text/javascript",
    "overview.js": "text/javascript",
    "table.js": "text/javascript",
    "theme.js": "text/javascript",
    "uplot.min.js": "text/javascript",
    "page.css": "text/css",
    "uplot.min.css": "text/css",
    "icon.svg": "image/svg+xml",
    "uplot.LICENSE.txt": "text/plain",
}
_FORM_LIMIT: Final = 16 * 1024
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would hide from us where a form came from
    "Cache-Control": "no-store",
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages are made of. `api` is the management API's path; `controls` are for a demo only."""

    desk: Desk
    browsers: Browsers
    live: Live
    overview: Overview
    clock: Callable[[], Instant]
    api: str
    product_version: str
    controls: Controls | None = None


class WebSide:
    """Answers everything under `/ui`; the page itself is also what `/` shows."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._table = {
            ("GET", ""): self._page,
            ("GET", "/sign-in"): self._sign_in_form,
            ("POST", "/sign-in"): self._sign_in,
            ("POST", "/sign-out"): self._sign_out,
            ("GET", "/live"): self._live,
            ("GET", "/timeline"): self._timeline,
            ("GET", "/session"): self._session,
            ("POST", "/controls"): self._control,
        }

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer one request. Raises Refused."""
        path = path.lower()
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._table.get((method, path))
        if handler is not None:
            return await handler(request)
        allowed = sorted(known for known, route in self._table if route == path)
        if allowed:
            raise Refused(wrong_method(", ".join(allowed)))
        if method == "GET" and path.startswith("/assets/"):
            return _asset(path.removeprefix("/assets/"))
        raise Refused(NOT_FOUND)

    def refuse(self, reason: Reason) -> web.StreamResponse:
        """No, as a small page that leads back. No challenge: the browser's own dialogue must not open."""
        text = _templates().get_template("refused.html.jinja").render(message=reason.message)
        return web.Response(status=reason.problem.status, text=text, content_type="text/html", headers=_HEADERS)

    # --- signing in and out ---------------------------------------------------------------------

    def _signed(self, request: web.Request) -> Signed:
        signed = self._pages.browsers.find(request.cookies.get(COOKIE, ""))
        if signed is None:
            raise Refused(SIGN_IN)
        return signed

    async def _sign_in_form(self, request: web.Request) -> web.StreamResponse:
        link = request.query.get("link")
        if link is None:
            return _html("sign_in.html.jinja", problem="", username="", link="")
        # Redeemed by a POST only, for whatever looks at links beforehand must not use them up.
        return _html("sign_in.html.jinja", problem="", username="", link=link)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        _refuse_other_origin(request)
        form = parse_qs((await read_body(request, _FORM_LIMIT)).decode("utf-8", "replace"), keep_blank_values=True)
        given = {name: values[-1] for name, values in form.items()}
        if given.get("link"):
            signed = self._pages.browsers.redeem(given["link"])
            if signed is None:
                problem = "This link was used or is too old. Sign in with a user name and password."
                return _html("sign_in.html.jinja", status=403, problem=problem, username="", link="")
            return _signed_in(signed, request)
        caller = await self._caller(given.get("username", ""), given.get("password", ""))
        if caller is None:
            problem = "The user name or password is wrong."
            username = given.get("username", "")
            return _html("sign_in.html.jinja", status=401, problem=problem, username=username, link="")
        return _signed_in(self._pages.browsers.open(caller), request)

    async def _caller(self, username: str, password: str) -> Caller | None:
        try:
            return await self._pages.desk.by_user(username, password)
        except Refused:
            return None

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        _refuse_other_origin(request)
        self._pages.browsers.close(request.cookies.get(COOKIE, ""))
        answer = web.Response(status=303, headers={"Location": "/ui/sign-in", **_HEADERS})
        answer.del_cookie(COOKIE, path="/")
        return answer

    # --- the page -----------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.StreamResponse:
        signed = self._pages.browsers.find(request.cookies.get(COOKIE, ""))
        if signed is None:
            return web.Response(status=303, headers={"Location": "/ui/sign-in", **_HEADERS})
        may_read = signed.caller.may(READ)
        return _html(
            "page.html.jinja",
            user=signed.caller.name,
            may_read=may_read,
            may_modify=signed.caller.may(MODIFY),
            forgery_token=signed.forgery_token,
            api=self._pages.api,
            product_version=self._pages.product_version,
            controls=self._pages.controls is not None,
            fields=completions(),
            picture=await self._pages.live.picture() if may_read else None,
        )

    async def _session(self, request: web.Request) -> web.StreamResponse:
        self._signed(request)
        return web.Response(status=204, headers=_HEADERS)

    async def _timeline(self, request: web.Request) -> web.StreamResponse:
        self._reader(request)
        name = request.query.get("range", "")
        if name not in RANGES:
            raise Refused(NOT_FOUND)
        overview, now = self._pages.overview, self._pages.clock()
        return _json(await self._pages.desk.apart(lambda: overview.timeline(name, now)))

    async def _live(self, request: web.Request) -> web.StreamResponse:
        self._reader(request)
        if self._pages.live.is_full:
            return web.Response(status=503, headers={"Retry-After": "5", **_HEADERS})
        headers = {**_HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        async for message in self._pages.live.messages():
            try:
                self._signed(request)
                await answer.write(message.encode())
            except (ConnectionError, Refused):
                break
        return answer

    def _reader(self, request: web.Request) -> Signed:
        signed = self._signed(request)
        if not signed.caller.may(READ):
            raise Refused(FORGED)
        return signed

    # --- a demo's buttons ---------------------------------------------------------------------

    async def _control(self, request: web.Request) -> web.StreamResponse:
        signed = self._signed(request)
        if not proves(signed, request.headers.get("X-CSRF-Token", "")) or not signed.caller.may(MODIFY):
            raise Refused(FORGED)
        if self._pages.controls is None:
            raise Refused(NOT_FOUND)
        wanted = _wanted(await read_body(request, _FORM_LIMIT))
        try:
            act = self._pages.controls.start if wanted.starts else self._pages.controls.stop
            act(wanted.kind, wanted.name)
        except KeyError:
            return _json({"Message": f"There is no {wanted.kind} {wanted.name}."}, status=404)
        except UsageError as error:
            return _json({"Message": str(error)}, status=409)
        _logger.info("%s %s by %s", wanted.kind, wanted.name, signed.caller.name)
        return web.Response(status=204, headers=_HEADERS)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which of a demo's controls is to start or stop."""

    kind: ControlKind
    name: str
    starts: bool


def _wanted(body: bytes) -> _Wanted:
    try:
        given = json.loads(body)
        kind, name, does = given["kind"], given["name"], given["do"]
    except (ValueError, TypeError, KeyError):
        raise Refused(NOT_FOUND) from None
    if kind not in ("fault", "storm") or does not in ("start", "stop") or not isinstance(name, str):
        raise Refused(NOT_FOUND)
    return _Wanted(kind, name, does == "start")


def _refuse_other_origin(request: web.Request) -> None:
    """A form of another site must not sign anybody in or out. Browsers say where a form came from."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise Refused(FORGED)


def _signed_in(signed: Signed, request: web.Request) -> web.StreamResponse:
    answer = web.Response(status=303, headers={"Location": "/", **_HEADERS})
    answer.set_cookie(COOKIE, signed.token, path="/", httponly=True, samesite="Strict", secure=request.secure)
    return answer


# --- what is sent -----------------------------------------------------------------------------


def _html(template: str, status: int = 200, **values: object) -> web.Response:
    text = _templates().get_template(template).render(values)
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)


def _json(value: object, status: int = 200) -> web.Response:
    text = json.dumps(value, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json", headers=_HEADERS)


def _asset(name: str) -> web.Response:
    if name == "grafana.json":
        return web.Response(body=dashboard(), content_type="application/json", headers=_HEADERS)
    if name not in _ASSETS:
        raise Refused(NOT_FOUND)
    headers = {**_HEADERS, "Cache-Control": "no-cache", "Content-Type": f"{_ASSETS[name]}; charset=utf-8"}
    return web.Response(body=_content(name), headers=headers)


def dashboard() -> bytes:
    """A Grafana dashboard over `/metrics`, to be imported as it is."""
    return resources.files("agent_sim.server.web").joinpath("dashboards", "grafana.json").read_bytes()


@cache
def _content(name: str) -> bytes:
    return resources.files("agent_sim.server.web").joinpath("assets", name).read_bytes()


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("agent_sim.server.web", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment


def extras(controls: Controls | None) -> Callable[[], dict[str, Any]]:
    """What a live message holds besides the overview."""

    def look() -> dict[str, Any]:
        if controls is None:
            return {"controls": None}
        return {
            "story": controls.story(),
            "controls": [
                {"kind": each.kind, "name": each.name, "note": each.note, "running": each.is_running}
                for each in controls.listed()
            ],
        }

    return look
