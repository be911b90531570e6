"""Bearer tokens at the door: fetches an issuer's keys when they are wanted and may be, then lets the judge judge.

A shell: when to fetch and what to believe is decided in `server.bearer`. Keys are never fetched because of a token
alone, however many come (see `KeyRing`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from agent_sim.instants import Instant
from agent_sim.server.bearer import Claimed, Judge, KeyRing, Rejected, read_keys
from agent_sim.server.callers import Caller
from agent_sim.server.http.refusals import NO_KEYS, Refused, bad_token
from agent_sim.server.issuers import DISCOVERY, read_discovery

FETCH_SECONDS: Final = 10.0
_LARGEST_ANSWER: Final = 1024 * 1024

Fetch = Callable[[str], Awaitable[bytes]]

_logger = logging.getLogger(__name__)


async def fetch(url: str) -> bytes:
    """What GET answers with 200. Raises aiohttp.ClientError, TimeoutError, ValueError."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(url, headers={"Accept": "application/json"}, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise ValueError(f"{url} answers {response.status}, not 200")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _LARGEST_ANSWER:
                raise ValueError(f"{url} answers with more than {_LARGEST_ANSWER} bytes")
        return bytes(body)


class Bearers:
    """Finds out who a token proves."""

    def __init__(self, judge: Judge, clock: Callable[[], Instant], jwks: str = "", fetch: Fetch = fetch) -> None:
        self.judge = judge
        self._clock, self._jwks, self._fetch = clock, jwks, fetch
        self._fetching = asyncio.Lock()

    async def caller(self, token: str) -> Caller:
        """Who sent it. Raises Refused."""
        known = self.judge.recall(token, self._clock())
        if known is not None:
            return known
        try:
            claimed = self.judge.read(token)
            await self._learn(claimed)
            return self.judge.verify(claimed, self._clock())
        except Rejected as rejected:
            _logger.debug("token refused: %s", rejected.fault.name)
            raise Refused(bad_token(rejected.fault.value)) from None

    async def _learn(self, claimed: Claimed) -> None:
        """Get the issuer's keys if the token's is not among them or they are old. Raises Refused."""
        ring = claimed.trust.keys
        found = bool(claimed.keys)
        if found and self._fetching.locked():
            return  # somebody is at it: what is held is good enough until they are back
        if ring.wants(found=found, now=self._clock()) or not found:
            async with self._fetching:  # those whose key is not held wait for whoever fetches
                if ring.wants(found=bool(claimed.keys), now=self._clock()):
                    await self._ask(claimed.trust.issuer, ring)
        if ring.is_empty:
            raise Refused(NO_KEYS)

    async def _ask(self, issuer: str, ring: KeyRing) -> None:
        ring.asked(self._clock())
        try:
            address = self._jwks or read_discovery(issuer, await self._fetch(issuer.rstrip("/") + DISCOVERY))
            keys = read_keys(await self._fetch(address))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _logger.warning("keys of issuer %s not fetched: %s", issuer, error or type(error).__name__)
        else:
            ring.learned(keys, self._clock())
            self.judge.forget()
            _logger.info("keys of issuer %s fetched: %d", issuer, len(keys))
        ring.asked(self._clock())  # the pause begins when the answer, or none, has come
