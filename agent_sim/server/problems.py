"""Every refusal of the server, as one table: HTTP status and ErrorCode for the management API, codes for agents.

Sentences are written where the facts are; this says only what a kind of refusal looks like. Codes that the
references attest are marked, the others are minted here (command-api 1.4, agent-protocol 2.4).
"""

from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Final

from agent_sim.protocol.agent import SESSION_UNKNOWN
from agent_sim.protocol.command import ApiError, CommandReply, FailedOperation


class Problem(Enum):
    """A kind of refusal: (HTTP status, ErrorCode)."""

    MALFORMED = (400, "0xA0110001")
    NOT_FOUND = (404, "0xA0110002")  # seen: data not found; for an id or a path that does not exist
    QUERY = (400, "0xA0110003")
    ONE_OR_THE_OTHER = (400, "0xA0110004")
    NOT_ELIGIBLE = (400, "0xA0110005")
    UNKNOWN_ID = (400, "0xA0110006")
    HEADER_MISSING = (400, "0xA0110007")  # seen
    SCHEDULE = (400, "0xA0110008")
    JOB_FIELDS = (400, "0xA0110009")
    TOO_MANY_IDS = (400, "0xA011000A")
    DUPLICATE = (400, "0xA011000B")
    INVALID_VALUE = (400, "0xA011000C")
    SORT_FIELD = (400, "0xA011004A")  # seen
    API_VERSION = (400, "0xA011000D")
    UNAUTHENTICATED = (401, "0xA0140001")
    FORBIDDEN = (403, "0xA0140002")  # seen
    METHOD = (405, "0xA011000E")
    TOO_LARGE = (413, "0xA011000F")
    MEDIA_TYPE = (415, "0xA0110010")
    INTERNAL = (500, "0xA0110011")
    UNAVAILABLE = (503, "0xA0110012")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def code(self) -> str:
        """The ErrorCode, a hexadecimal string."""
        return self.value[1]


MOST_REASONS: Final = 100
"""How many FailedOperations one answer lists; the rest is counted (our choice: clients print them all)."""


def refuse(problem: Problem, message: str, reasons: Iterable[str] = ()) -> CommandReply:
    """A refusal, with one FailedOperation for each item that was the reason."""
    given = list(reasons)
    shown = given[:MOST_REASONS]
    if len(given) > MOST_REASONS:
        shown.append(f"and {len(given) - MOST_REASONS} more")
    return CommandReply(problem.status, ApiError(problem.code, message, tuple(map(FailedOperation, shown))))


class AgentCode(StrEnum):
    """`CodeString` of a refusal to an agent; never one that asks for a new certificate (agent-protocol 2.4)."""

    NOT_APPROVED = "A0100004"  # the code that the vendor's agent was tried with
    NO_SESSION = SESSION_UNKNOWN
    NO_SUCH_RUN = "A0100011"
    STATUS = "A0100012"
    ALREADY_ENDED = "A0100013"
    DENIED = "A0100014"  # what a denied enrolment looks like (agent-protocol 4.3)
    UPLOAD = "A0100015"
    IDENTITY = "A0100016"
