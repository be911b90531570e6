"""The client-credentials grant as bytes: what asks a token endpoint for a token, and what it answers (RFC 6749, 4.4).

Shared by every shell that fetches one. When to fetch the next is decided here too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus, urlencode

from agent_sim.errors import TargetError
from agent_sim.logins import OAuthClient

_DEFAULT_LIFETIME: Final = 300.0
"""Seconds, where the answer does not say (our choice; the RFC recommends to say)."""

_RENEW_AT: Final = 0.75
"""At this share of its life a token is renewed, so that a slow endpoint or a failure leaves time for another try."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}


@dataclass(frozen=True, slots=True)
class Granted:
    """A token and how long it lasts, in seconds."""

    token: str = field(repr=False)
    lifetime: float

    @property
    def header(self) -> str:
        return f"Bearer {self.token}"

    @property
    def renew_after(self) -> float:
        """Seconds after which to fetch the next one."""
        return max(self.lifetime * _RENEW_AT, 1.0)


def request_body(client: OAuthClient) -> bytes:
    """The form; the client says who it is in it, as the vendor's clients do."""
    fields = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.client_secret}
    fields |= {"scope": " ".join(client.scopes)} if client.scopes else {}
    fields |= {"audience": client.audience} if client.audience else {}
    return urlencode(fields, quote_via=quote_plus).encode()


def read_grant(url: str, status: int, body: bytes) -> Granted:
    """The token in an answer. Raises TargetError, which never shows what came back but its error's name."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    said = answer if isinstance(answer, dict) else {}
    if status != 200:
        error = said.get("error")
        why = error if isinstance(error, str) and error.isascii() and len(error) < 60 else f"status {status}"
        raise TargetError(f"the token endpoint {url} gives no token: {why}")
    token, kind, lifetime = said.get("access_token"), said.get("token_type"), said.get("expires_in")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise TargetError(f"{url} is no token endpoint: its answer holds no token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TargetError(f"the token endpoint {url} gives no bearer token")
    if isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and lifetime > 0:
        return Granted(token, float(lifetime))
    return Granted(token, _DEFAULT_LIFETIME)
