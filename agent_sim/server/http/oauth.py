"""A token endpoint for tests and demonstrations: the client-credentials grant for this server's own accounts.

`POST /oauth/token` takes an account's name and password, by a Basic header or in the form, and gives a short-lived
bearer token (RFC 6749, 4.4); discovery and public key stand under `/.well-known/`. Passwords are checked by `auth`,
tokens made by `tokens` and judged by `bearer`. No other grant, no refreshing, no scopes that mean anything.
"""

import logging
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web
from multidict import CIMultiDict

from agent_sim.credentials import Credentials
from agent_sim.server.auth import basic, read_basic
from agent_sim.server.bearer import Judge
from agent_sim.server.http.desk import Desk, read_body
from agent_sim.server.http.refusals import NOT_FOUND, Reason, Refused, wrong_method
from agent_sim.server.http.rendering import error_body
from agent_sim.server.tokens import AUDIENCE, TokenMaker

TOKEN_PATH: Final = "/oauth/token"
KEYS_PATH: Final = "/.well-known/jwks.json"

_LARGEST_FORM: Final = 16 * 1024
_MOST_FIELDS: Final = 20
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="agent-sim", charset="UTF-8"'}

_logger = logging.getLogger(__name__)


class OAuth:
    """This server as an issuer. It has an address, and its tokens are believed, once `opened_at` was called."""

    def __init__(self, maker: TokenMaker, judge: Judge, roles: Mapping[str, frozenset[str]]) -> None:
        self.maker = maker
        self._judge, self._roles = judge, roles
        self._issuer: str | None = None

    def opened_at(self, address: str) -> None:
        """The server listens here."""
        self._issuer = address.rstrip("/")
        self._judge.believe(self.maker.trust(self._issuer, self._roles))

    @property
    def issuer(self) -> str:
        """Raises Refused while the server is not listening."""
        if self._issuer is None:
            raise Refused(NOT_FOUND)
        return self._issuer


class _Denied(Exception):
    """An error of the token endpoint (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status
        super().__init__(description)


class _Side:
    """What both sides below share."""

    def __init__(self, desk: Desk, oauth: OAuth) -> None:
        self._desk, self._oauth = desk, oauth

    def refuse(self, reason: Reason) -> web.Response:
        """No, with its reason as JSON."""
        headers = CIMultiDict({"Content-Type": "application/json", **_NO_STORE})
        headers.extend(reason.headers)
        body = error_body(reason.problem.code, reason.message)
        return web.Response(status=reason.problem.status, body=body, headers=headers)


class TokenSide(_Side):
    """Answers under `/oauth`."""

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """A token, or an error in OAuth's words. Raises Refused."""
        if path.lower() != TOKEN_PATH.removeprefix("/oauth"):
            raise Refused(NOT_FOUND)
        if request.method != "POST":
            raise Refused(wrong_method("POST"))
        issuer = self._oauth.issuer
        try:
            return await self._grant(request, issuer)
        except _Denied as denied:
            _logger.debug("no token: %s", denied.error)
            answer = {"error": denied.error, "error_description": denied.description}
            headers = _NO_STORE | (_CHALLENGE if denied.status == 401 else {})
            return web.json_response(answer, status=denied.status, headers=headers)

    async def _grant(self, request: web.Request, issuer: str) -> web.Response:
        fields = _fields(request, await read_body(request, _LARGEST_FORM))
        given = _credentials(request, fields)
        if fields.get("grant_type") != "client_credentials":
            missing = "grant_type" not in fields
            error = "invalid_request" if missing else "unsupported_grant_type"
            raise _Denied(error, "grant_type must be client_credentials")
        if fields.get("audience", AUDIENCE) != AUDIENCE:
            raise _Denied("invalid_target", f"audience must be {AUDIENCE}")
        name = await self._prove(given)
        maker = self._oauth.maker
        roles = self._desk.accounts.roles(name)
        answer: dict[str, object] = {
            "access_token": maker.make(issuer, name, roles, self._desk.clock()),
            "token_type": "Bearer",
            "expires_in": maker.lifetime_seconds,
        }
        if fields.get("scope"):
            answer["scope"] = fields["scope"]  # said back, as a client may insist on it
        _logger.info("token given to %s", name, extra={"caller": name})
        return web.json_response(answer, headers=_NO_STORE)

    async def _prove(self, given: tuple[Credentials, ...]) -> str:
        """The name of the account that any reading of what was given proves."""
        for credentials in given:
            try:
                return (await self._desk.by_password(basic(credentials))).name
            except Refused:
                continue
        raise _Denied("invalid_client", "the client id or secret is missing or wrong", 401)


def _fields(request: web.Request, body: bytes) -> dict[str, str]:
    """The fields of the form; it must be one, and hold each once."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise _Denied("invalid_request", "send the form as application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise _Denied("invalid_request", "the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _Denied("invalid_request", "a field of the form stands more than once")
    return fields


def _credentials(request: web.Request, fields: Mapping[str, str]) -> tuple[Credentials, ...]:
    """What the client says it is: from the header or from the form, never from both (RFC 6749, 2.3)."""
    headers = request.headers.getall("Authorization", [])
    secret = fields.get("client_secret")
    if len(headers) > 1 or (headers and secret is not None):
        raise _Denied("invalid_request", "the client must say who it is in one way only")
    if not headers:
        return (Credentials(fields.get("client_id", ""), secret),) if secret is not None else ()
    given = read_basic(headers[0])
    if given is None:
        return ()
    if fields.get("client_id", given.username) != given.username:
        raise _Denied("invalid_request", "client_id and the header Authorization name two clients")
    # The RFC has both form-encoded in the header, and half of all clients do not: either reading may be right.
    decoded = Credentials(unquote_plus(given.username), unquote_plus(given.password))
    return (given,) if decoded == given else (given, decoded)


class WellKnownSide(_Side):
    """Answers under `/.well-known`."""

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """Discovery or keys. Raises Refused."""
        issuer = self._oauth.issuer
        documents: Mapping[str, object] = {
            "/openid-configuration": _discovery(issuer),
            "/oauth-authorization-server": _discovery(issuer),
            KEYS_PATH.removeprefix("/.well-known"): self._oauth.maker.jwks,
        }
        document = documents.get(path.lower())
        if document is None:
            raise Refused(NOT_FOUND)
        if request.method not in ("GET", "HEAD"):
            raise Refused(wrong_method("GET, HEAD"))
        return web.json_response(document)


def _discovery(issuer: str) -> Mapping[str, object]:
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + KEYS_PATH,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
    }
