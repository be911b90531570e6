"""The closed lists of a storm: what can become of a request, and which rules a target can break.

An error is definite if the target certainly did nothing; after any other the target may have acted, and the
ledger counts the ids as unknown, never as failed. Source: load-testing 3.4 and 3.9.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final


class ErrorKind(StrEnum):
    """Everything that can go wrong, in the order of reports."""

    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    RESET_BEFORE_RESPONSE = "reset_before_response"
    READ_TIMEOUT = "read_timeout"
    HTTP_4XX_CONTRACT = "http_4xx_contract"
    HTTP_401_403 = "http_401_403"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    WRONG_2XX = "wrong_2xx"
    CLIENT_BUG = "client_bug"
    POOL_EXHAUSTED = "pool_exhausted"


class Outcome(Enum):
    """What a request means for the ids it carried."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Violation(StrEnum):
    """A broken rule of the reconciliation; the number of each must be 0."""

    LOST_UPDATE = "lost_update"
    DOUBLE_TRANSITION = "double_transition"
    PHANTOM_TRANSITION = "phantom_transition"
    OUT_OF_BOUNDS = "out_of_bounds"
    CONSERVATION = "conservation"
    TWO_WINNERS = "two_winners"
    NO_WINNER = "no_winner"
    TORN_BATCH = "torn_batch"
    ILLEGAL_STATE = "illegal_state"


DEFINITE: Final = frozenset(
    {
        ErrorKind.CONNECT_REFUSED,  # the request was never sent
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.TLS,
        ErrorKind.HTTP_4XX_CONTRACT,
        ErrorKind.HTTP_401_403,
        ErrorKind.HTTP_429,
        ErrorKind.POOL_EXHAUSTED,
    }
)
"""Errors after which the target certainly did nothing."""

UNANSWERED: Final = frozenset(
    {
        ErrorKind.CONNECT_REFUSED,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.TLS,
        ErrorKind.RESET_BEFORE_RESPONSE,
        ErrorKind.READ_TIMEOUT,
        ErrorKind.CLIENT_BUG,
    }
)
"""Errors that no status came with."""

_BY_STATUS: Final[Mapping[int, ErrorKind]] = {
    401: ErrorKind.HTTP_401_403,
    403: ErrorKind.HTTP_401_403,
    429: ErrorKind.HTTP_429,
}
_BY_CLASS: Final[Mapping[int, ErrorKind]] = {
    4: ErrorKind.HTTP_4XX_CONTRACT,
    5: ErrorKind.HTTP_5XX,
}


def classify(status: int, has_body: bool, expected: int) -> ErrorKind | None:
    """The error that an answer is, or None for the success that the operation promises.

    `expected` is that success; a 204 with a body, another 2xx and a redirect are all WRONG_2XX: the target
    did not say what it has to say, so what it did is unknown.
    """
    if status == expected and not (expected == 204 and has_body):
        return None
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, ErrorKind.WRONG_2XX)


def outcome_of(error: ErrorKind | None) -> Outcome:
    """What an error, or None for success, means for the ids of its request."""
    if error is None:
        return Outcome.ACCEPTED
    return Outcome.REFUSED if error in DEFINITE else Outcome.UNKNOWN
