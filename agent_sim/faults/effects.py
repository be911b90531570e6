"""What a fault can do, by name: values without behaviour.

A fault decides which of these happen; `course` says what they mean for one request, step by step, and shells carry
the steps out. Effects on a request come first, then those on an agent itself, then those on its way to a broker.
"""

from dataclasses import dataclass
from typing import Final

from agent_sim.instants import Instant, Span

# --- on a request and its answer --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delay:
    """The request is under way for so much longer."""

    span: Span


@dataclass(frozen=True, slots=True)
class Throttle:
    """Request and answer trickle at so many bytes a second."""

    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Reorder:
    """The request waits until a later one of the same agent has overtaken it, but no longer than this."""

    longest: Span


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The server gets the request a second time, so long after the first; nobody waits for that answer."""

    after: Span


@dataclass(frozen=True, slots=True)
class DropRequest:
    """The request never arrives; whoever sent it waits in vain."""


@dataclass(frozen=True, slots=True)
class DropReply:
    """The server acts, its answer never arrives; whoever sent the request waits in vain."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks, before the server has read the request or after it has acted."""

    acted: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """No connection comes about; known after a while, None for as long as connecting may take."""

    why: str
    after: Span | None = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Something on the way answers instead of the server, which never sees the request."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Truncate:
    """The answer's body ends early: this share of it is kept."""

    kept: float


@dataclass(frozen=True, slots=True)
class Garbage:
    """The answer's body is this instead."""

    body: bytes


# --- on an agent ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crash:
    """The agent's process dies and comes back after a while, with its identity or as a new machine would.

    As an effect on a request it dies before that is sent, or once the server has `acted`.
    """

    restart_after: Span
    keeps_identity: bool = True
    acted: bool = False


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The agent's clock is so far ahead, and gains `drift` seconds each second from now on; zeros set it right."""

    offset: Span
    drift: float = 0.0


# --- on an agent's way to a broker ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrokerDisconnect:
    """The connection to the broker ends; the agent connects again after a while.

    Without `will` it says goodbye first; with it the connection just breaks, and the broker publishes the will.
    """

    back_after: Span
    will: bool = False


@dataclass(frozen=True, slots=True)
class SessionTakeover:
    """Somebody else connects with the agent's client id: the broker throws the agent out."""


@dataclass(frozen=True, slots=True)
class BrokerRestart:
    """The broker itself goes down, and is there again after a while; it happens once, whoever suffers it."""

    down: Span


@dataclass(frozen=True, slots=True)
class DuplicateDelivery:
    """The broker delivers what it has for the agent twice."""


RequestEffect = (
    Delay
    | Throttle
    | Reorder
    | Duplicate
    | DropRequest
    | DropReply
    | Reset
    | Refuse
    | Answer
    | Truncate
    | Garbage
    | Crash
)
AgentEffect = Crash | ClockOffset
BrokerEffect = BrokerDisconnect | SessionTakeover | BrokerRestart
MessageEffect = DuplicateDelivery
Effect = RequestEffect | AgentEffect | BrokerEffect | MessageEffect

ONLY_SLOWER: Final = frozenset({Delay, Throttle})
"""After these, request and answer arrive as they were, once and in order."""


@dataclass(frozen=True, slots=True)
class Strike:
    """An effect on one request: by which fault, and when its window ends: it then lets go of what it holds."""

    fault: str
    effect: RequestEffect | MessageEffect
    until: Instant
