"""Who is signed in with a browser: sessions by cookie, each with a token against forged requests, and one-time links.

All in memory: after a restart everybody signs in again. How a password is checked is `server.auth`'s business, what
a caller may do that of `callers`; here nothing knows HTTP.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent_sim.instants import HOUR, MINUTE, Instant, Span
from agent_sim.server.callers import Caller

COOKIE: Final = "agent_sim_session"

IDLE: Final[Span] = 8 * HOUR
"""How long a session lasts that nobody uses; our choice."""

LINK_LASTS: Final[Span] = 30 * MINUTE
MOST_SESSIONS: Final = 1000


@dataclass(slots=True)
class Signed:
    """One browser's session; `forgery_token` must come back with whatever changes state."""

    caller: Caller
    ends: Instant
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    forgery_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Browsers:
    """Sessions and links. `clock` gives the present instant."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self._sessions: dict[str, Signed] = {}
        self._links: dict[str, tuple[Caller, Instant]] = {}

    def open(self, caller: Caller) -> Signed:
        """Begin a session; the oldest gives way when there are too many."""
        self._forget()
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        signed = Signed(caller, self._clock() + IDLE)
        self._sessions[signed.token] = signed
        return signed

    def find(self, token: str) -> Signed | None:
        """The session of a cookie, which lives on by being used; None for one that is over."""
        signed = self._sessions.get(token)
        now = self._clock()
        if signed is None or signed.ends <= now:
            return None
        signed.ends = now + IDLE
        return signed

    def close(self, token: str) -> None:
        """End a session; one that is over already is no error."""
        self._sessions.pop(token, None)

    def link(self, caller: Caller) -> str:
        """A token that signs one browser in as this caller, once and soon."""
        token = secrets.token_urlsafe(32)
        self._links[token] = (caller, self._clock() + LINK_LASTS)
        return token

    def redeem(self, token: str) -> Signed | None:
        """The session that a link opens; None for a link that was used, is too old or never was."""
        caller, ends = self._links.pop(token, (None, 0))
        return self.open(caller) if caller is not None and self._clock() < ends else None

    def _forget(self) -> None:
        now = self._clock()
        self._sessions = {token: signed for token, signed in self._sessions.items() if signed.ends > now}
        self._links = {token: link for token, link in self._links.items() if link[1] > now}


def proves(signed: Signed, given: str) -> bool:
    """True if this is the session's token against forged requests."""
    return hmac.compare_digest(signed.forgery_token.encode(), given.encode("utf-8", "surrogateescape"))
