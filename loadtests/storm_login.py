"""How a storm signs in: by Basic authentication, or with a bearer token that a greenlet keeps fresh.

The first token is fetched before the storm begins and the next ones beside it: a request only reads what is there.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPParseError

from agent_sim.credentials import Credentials
from agent_sim.errors import TargetError
from agent_sim.logins import AccessToken, Login, OAuthClient
from agent_sim.protocol.oauth import HEADERS, Granted, read_grant, request_body

_SECONDS = 30.0
_TRY_AGAIN = 2.0

Header = Callable[[], Mapping[str, str]]
"""The header as it is at that moment."""


def sign_in(login: Login, ca: str = "") -> Header:
    """The header that each request carries. Raises TargetError if no token is to be had."""
    match login:
        case Credentials(username, password):
            proof = b64encode(f"{username}:{password}".encode()).decode("ascii")
            return lambda: {"Authorization": f"Basic {proof}"}
        case AccessToken(token):
            return lambda: {"Authorization": f"Bearer {token}"}
        case OAuthClient():
            return _Fresh(login, ca).header


class _Fresh:
    """A token that is renewed as long as the process lives."""

    def __init__(self, client: OAuthClient, ca: str) -> None:
        self._client, self._ca = client, client.ca or ca
        self._granted = self._fetch()
        gevent.spawn(self._renew)

    def header(self) -> Mapping[str, str]:
        return {"Authorization": self._granted.header}

    def _renew(self) -> None:
        wait = self._granted.renew_after
        while True:
            gevent.sleep(wait)
            try:
                self._granted = self._fetch()
                wait = self._granted.renew_after
            except TargetError:
                wait = _TRY_AGAIN  # the old token may hold until then; if not, the target says so

    def _fetch(self) -> Granted:
        url = self._client.token_url
        parts = urlsplit(url)
        more: dict[str, Any] = {"ssl_options": {"ca_certs": self._ca}} if self._ca else {}
        try:
            http = HTTPClient.from_url(url, network_timeout=_SECONDS, connection_timeout=_SECONDS, **more)
            response = http.request("POST", parts.path or "/", body=request_body(self._client), headers=dict(HEADERS))
            return read_grant(url, response.status_code, bytes(response.read()))
        except (OSError, HTTPParseError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TargetError(f"the token endpoint {url} cannot be reached: {reason}")
