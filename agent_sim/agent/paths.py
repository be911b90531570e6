"""The ways that a job can go besides the straight one: what job servers have been cursed for, as values.

A path only says what the agent does otherwise; that it did is decided in `behaviour`, and done in `worker`. Spans are
in nanoseconds. Success, warning and failure have no path: they are straight.
"""

from dataclasses import dataclass

from agent_sim.instants import Span


@dataclass(frozen=True, slots=True)
class Reject:
    """Local validation fails: no work, no upload, completed at once (agent-protocol 4.0)."""


@dataclass(frozen=True, slots=True)
class NeverStart:
    """The job stays on the agent's list and is never configured; only a crash makes the agent look at it again."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Taken and never completed; the agent goes on with its other jobs. What ends the run is the server's timeout."""

    after_upload: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """Completed `by` later than the work was done; the agent goes on with its other jobs meanwhile."""

    by: Span


@dataclass(frozen=True, slots=True)
class CompleteTwice:
    """The same completion is sent again `gap` after it was acknowledged."""

    gap: Span


@dataclass(frozen=True, slots=True)
class StaleSession:
    """The agent registers anew before it completes, and completes under the session that this superseded."""


@dataclass(frozen=True, slots=True)
class LostAck:
    """The server acts on the completion, but its answer does not arrive: the agent sends it again."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies just before the completion leaves, or just after; it is started again after `restart_after`."""

    after_completing: bool = False
    restart_after: Span = 0
    keeps_identity: bool = True


@dataclass(frozen=True, slots=True)
class Oversize:
    """The log or data of the completion has `size` characters, whatever limit the server told."""

    size: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """The completion's body breaks off: it does not parse."""


Path = Reject | NeverStart | Hang | Late | CompleteTwice | StaleSession | LostAck | Crash | Oversize | Malformed
