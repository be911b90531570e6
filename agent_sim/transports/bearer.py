"""A bearer token that is always fresh: fetched before the first request, renewed beside all others.

A request only ever reads the header that is there, so fetching a token is never part of what is measured. An old
token is kept until a new one has come.
"""

import asyncio
import logging
import ssl
from types import TracebackType
from typing import Final, Self

from agent_sim.errors import TargetError, UsageError
from agent_sim.logins import AccessToken, OAuthClient
from agent_sim.protocol.oauth import HEADERS, Granted, read_grant, request_body

_SECONDS: Final = 30.0
_TRY_AGAIN: Final = 2.0

_logger = logging.getLogger(__name__)


class Bearer:
    """The header of one OAuth client, or of a token that was given; open it with `async with`.

    `ca` is a PEM file that TLS trusts as well, unless the client names its own. Raises TargetError if there is no
    first token, UsageError for a CA file that cannot be used.
    """

    def __init__(self, login: OAuthClient | AccessToken, ca: str = "") -> None:
        self._login, self._ca = login, ca
        self._granted: Granted | None = None
        self._renewing: asyncio.Task[None] | None = None

    @property
    def header(self) -> str:
        """`Authorization` as it is now."""
        if isinstance(self._login, AccessToken):
            return f"Bearer {self._login.token}"
        assert self._granted is not None, "use `async with`"
        return self._granted.header

    async def __aenter__(self) -> Self:
        if isinstance(self._login, OAuthClient):
            self._granted = await _fetch(self._login, self._ca)
            self._renewing = asyncio.create_task(self._renew(self._login, self._granted), name="renew a bearer token")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})

    async def _renew(self, client: OAuthClient, granted: Granted) -> None:
        while True:
            await asyncio.sleep(granted.renew_after)
            try:
                granted = self._granted = await _fetch(client, self._ca)
            except TargetError as error:
                _logger.warning("token not renewed: %s", error)
                granted = Granted(granted.token, _TRY_AGAIN)


async def _fetch(client: OAuthClient, ca: str) -> Granted:
    import aiohttp  # most runs have no token to fetch

    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                client.token_url,
                data=request_body(client),
                headers=HEADERS,
                ssl=_trust(client.ca or ca),
                allow_redirects=False,
            ) as response,
        ):
            return read_grant(client.token_url, response.status, await response.read())
    except (aiohttp.ClientError, OSError) as error:
        reason = (str(error) or type(error).__name__).partition("\n")[0][:200]
    # Raised out here: aiohttp's errors hold the request, and so the secret.
    raise TargetError(f"the token endpoint {client.token_url} cannot be reached: {reason}")


def _trust(ca: str) -> ssl.SSLContext | bool:
    if not ca:
        return True
    context = ssl.create_default_context()
    try:
        if ca.lstrip().startswith("-----BEGIN"):
            context.load_verify_locations(cadata=ca)
        else:
            context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"the CA certificates of the token endpoint cannot be read ({error})") from error
    return context
