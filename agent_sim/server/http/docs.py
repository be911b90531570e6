"""The API's description: `openapi.json` under the API's base, `docs`, the same for people as one HTML page, and
`fidelity`, how each behaviour of the server is known.

For anybody who is signed in, whatever they may do (our choice: it tells nothing secret, but everything under this base
asks who is there). The page is made once, needs no second file and runs no script. What the description says is made
in `http.openapi`.
"""

import hashlib
import json
from base64 import b64encode
from functools import cache
from importlib import resources
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from agent_sim.protocol.endpoints import ENDPOINTS
from agent_sim.server.http.command import PRODUCT_VERSION
from agent_sim.server.http.desk import Desk
from agent_sim.server.http.openapi import document
from agent_sim.server.http.refusals import NOT_FOUND, Reason, Refused, wrong_method
from agent_sim.server.http.rendering import error_body
from agent_sim.server.web.browsers import COOKIE

METHODS: Final = ("get", "post", "put", "delete")


class DocumentSide:
    """Answers one GET with one text that never changes."""

    def __init__(self, desk: Desk, text: str, headers: dict[str, str]) -> None:
        self._desk, self._body, self._headers = desk, text.encode(), headers

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """The text. Raises Refused."""
        await self._reader(request)
        if path:
            raise Refused(NOT_FOUND)
        if request.method not in ("GET", "HEAD"):
            raise Refused(wrong_method("GET, HEAD"))
        return web.Response(body=self._body, headers=self._headers)

    async def _reader(self, request: web.Request) -> None:
        browsers = self._desk.browsers
        if browsers is None or browsers.find(request.cookies.get(COOKIE, "")) is None:
            await self._desk.caller(request)

    def refuse(self, reason: Reason) -> web.Response:
        """No, with its reason as JSON."""
        body = error_body(reason.problem.code, reason.message)
        answer = web.Response(status=reason.problem.status, body=body, content_type="application/json")
        answer.headers.extend(reason.headers)
        return answer


def description_sides(desk: Desk, base: str) -> tuple[tuple[str, DocumentSide], ...]:
    """Where the description is, both ways, for the API under `base`, which begins with a slash."""
    described = document(ENDPOINTS, desk.settings, server=base, version=PRODUCT_VERSION)
    text = json.dumps(described, separators=(",", ":"))
    return (
        (f"{base}/openapi.json".lower(), DocumentSide(desk, text, {"Content-Type": "application/json; charset=utf-8"})),
        (f"{base}/docs".lower(), DocumentSide(desk, page(described), _page_headers())),
        (f"{base}/fidelity".lower(), DocumentSide(desk, _fidelity(), {"Content-Type": "text/markdown; charset=utf-8"})),
    )


def _fidelity() -> str:
    return resources.files("agent_sim.server").joinpath("fidelity.md").read_text(encoding="utf-8")


# --- the page ---------------------------------------------------------------------------------


def page(described: dict[str, Any]) -> str:
    """An OpenAPI document of ours as HTML."""
    operations = [
        {"method": method.upper(), "path": path, **row[method]}
        for path, row in described["paths"].items()
        for method in METHODS
        if method in row
    ]
    parts = described["components"]
    return _template().render(
        about=described["info"],
        server=described["servers"][0]["url"],
        introduction=_paragraphs(described["info"]["description"]),
        tags=[(tag["name"], [each for each in operations if tag["name"] in each["tags"]]) for tag in described["tags"]],
        operations=operations,
        schemas=parts["schemas"],
        signing_in=parts["securitySchemes"],
        parameter=lambda given: parts["parameters"][_name(given)] if "$ref" in given else given,
        response=lambda given: parts["responses"][_name(given)] if "$ref" in given else given,
        css=Markup(_style()),
    )


def _page_headers() -> dict[str, str]:
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


@cache
def _style() -> str:
    return resources.files("agent_sim.server.http").joinpath("docs.css").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    text = resources.files("agent_sim.server.http").joinpath("docs.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"type": kind_of, "text": _marked}
    return environment.from_string(text)


def kind_of(schema: dict[str, Any]) -> Markup:
    """What a schema allows, in a few words, with links to the named ones."""
    if "$ref" in schema:
        name = _name(schema)
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        kinds = dict.fromkeys(map(kind_of, schema["anyOf"]))
        return Markup(" or ").join(kind for kind in kinds if kind != "empty")
    if schema.get("maxLength") == 0:
        return Markup("empty")
    if "const" in schema:
        return Markup("{}").format(json.dumps(schema["const"]))
    if "enum" in schema:
        return Markup("{}").format(", ".join(str(value) for value in schema["enum"] if value != ""))
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind_of(schema["items"]))
    kinds = schema.get("type", "anything")
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return Markup("{}").format(_BETTER.get(str(schema.get("format")), text) if isinstance(kinds, str) else text)


_BETTER: Final = {"uuid": "GUID", "date-time": "time"}


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rsplit("/", 1)[-1]


def _paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Paragraphs and lists of a text of ours, which knows `- ` and nothing else of Markdown's blocks."""
    blocks: list[tuple[str, list[str]]] = []
    for block in text.strip().split("\n\n"):
        joined = block.replace("\n  ", " ")
        kind = "ul" if joined.startswith("- ") else "p"
        lines = (
            [line.removeprefix("- ") for line in joined.split("\n")] if kind == "ul" else [joined.replace("\n", " ")]
        )
        blocks.append((kind, lines))
    return blocks


def _marked(text: str) -> Markup:
    """`code` and **strong** as HTML."""
    for sign, tag in (("`", "code"), ("**", "strong")):
        parts = (text if isinstance(text, Markup) else Markup("{}").format(text)).split(sign)
        text = Markup("").join(
            Markup(f"<{tag}>") + part + Markup(f"</{tag}>") if index % 2 else part for index, part in enumerate(parts)
        )
    return Markup(text)
