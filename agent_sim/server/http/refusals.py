"""Why the HTTP shell itself says no, before the core is asked or when it broke: one row per reason.

Not here: refusals by the core, which are replies. Statuses and codes of both are in `server.problems`.
"""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from agent_sim.errors import MalformedMessage, MalformedSchedule
from agent_sim.server.http.committer import CommitFailed
from agent_sim.server.problems import Problem


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of refusal, its sentence, and headers that belong to it."""

    problem: Problem
    message: str
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """This request goes no further."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.message)


_BASIC: Final = ("WWW-Authenticate", 'Basic realm="agent-sim", charset="UTF-8"')
_BEARER: Final = 'Bearer realm="agent-sim"'
_WRONG: Final = "The user name or password is missing or wrong."

UNAUTHENTICATED: Final = Reason(Problem.UNAUTHENTICATED, _WRONG, (_BASIC,))
UNAUTHENTICATED_OR_TOKEN: Final = Reason(Problem.UNAUTHENTICATED, _WRONG, (_BASIC, ("WWW-Authenticate", _BEARER)))
SIGN_IN: Final = Reason(Problem.UNAUTHENTICATED, "You are not signed in, or no longer: sign in again.")
"""For browsers; it carries no challenge, or they would open a dialogue of their own."""

FORGED: Final = Reason(Problem.FORBIDDEN, "This request does not come from our page, or this account may not do that.")
NO_TOKENS: Final = Reason(
    Problem.UNAUTHENTICATED,
    "This server takes no bearer tokens: start it with --oauth, or with the setting oauth_issuer.",
    (_BASIC,),
)
NO_KEYS: Final = Reason(Problem.UNAVAILABLE, "The keys of the token's issuer cannot be had at present; try again.")
TWO_PROOFS: Final = Reason(Problem.MALFORMED, "The header Authorization stands more than once: send it once.")
NO_AGENT: Final = Reason(Problem.FORBIDDEN, "This account may not act as an agent.")
HEADER_MISSING: Final = Reason(
    Problem.HEADER_MISSING, "The header x-keyfactor-requested-with is required: send APIClient or XMLHttpRequest."
)
UNKNOWN_VERSION: Final = Reason(
    Problem.API_VERSION, "The header x-keyfactor-api-version names no version of this API: send 1, 1.0, 2 or 2.0."
)
NOT_FOUND: Final = Reason(Problem.NOT_FOUND, "There is nothing at this path.")
TOO_LARGE: Final = Reason(Problem.TOO_LARGE, "The body of the request is too large.")
MEDIA_TYPE: Final = Reason(Problem.MEDIA_TYPE, "The body of the request must be JSON: send it as application/json.")
BROKEN_BODY: Final = Reason(Problem.MALFORMED, "The body of the request is not framed or packed as its headers say.")
LATE_BODY: Final = Reason(Problem.MALFORMED, "The body of the request did not arrive in time.")
UNEXPECTED: Final = Reason(Problem.INTERNAL, "The server failed while handling this request; its log says more.")
NOT_COMMITTED: Final = Reason(
    Problem.UNAVAILABLE, "The server could not save: whether this request had an effect is unknown."
)


def bad_token(sentence: str) -> Reason:
    """A bearer token was sent and proves nobody (RFC 6750, 3.1)."""
    challenge = f'{_BEARER}, error="invalid_token", error_description="{sentence.replace(chr(34), chr(39))}"'
    return Reason(Problem.UNAUTHENTICATED, sentence, (_BASIC, ("WWW-Authenticate", challenge)))


def wrong_method(allowed: str) -> Reason:
    """`allowed` as the Allow header has it: `GET, POST`."""
    return Reason(Problem.METHOD, f"This path takes {allowed}.", (("Allow", allowed),))


def reason_of(error: Exception) -> Reason:
    """The reason behind an exception that ended a request; UNEXPECTED for one that is a bug."""
    match error:
        case Refused():
            return error.reason
        case MalformedSchedule():
            return Reason(Problem.SCHEDULE, str(error))
        case MalformedMessage():
            return Reason(Problem.MALFORMED, str(error))
        case CommitFailed():
            return NOT_COMMITTED
        case web.RequestPayloadError():
            return BROKEN_BODY
        case _:
            return UNEXPECTED
