"""Every exception that agent-sim raises on purpose.

    AgentSimError
    ├── UsageError            the command line, a file or the environment asks for the impossible  (exit 2)
    │   └── ScenarioError     a scenario file is wrong; carries every problem found, with places
    ├── QueryError            a query of the query language does not parse or does not fit
    ├── ProtocolError         a peer broke the protocol
    │   └── MalformedMessage  what it sent cannot be read
    │       └── MalformedSchedule  nor can a schedule in it
    ├── IllegalTransition     a job or run was asked for a change of state that no table row allows
    ├── TransportError        a call did not end in an answer
    │   ├── ConnectFailed     the peer never saw the request
    │   │   └── BrokerRefused a broker does not let us in, or not to our topics
    │   └── ReplyTimeout      the peer may have acted: the outcome is unknown
    └── TargetError           the target is unreachable, not what it should be, or refuses us  (exit 4)

Errors are built from facts and write their own sentence. Unknown sessions, refused ids and the
like are answers, not errors; tracebacks are for bugs.
"""

from dataclasses import dataclass


class AgentSimError(Exception):
    """The root: catch it at the rim, once, and turn it into a status or an exit code."""


class UsageError(AgentSimError):
    """What was asked for cannot be done; the text names the place and the mend."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file: where (1-based), what was found, what was expected."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class ScenarioError(UsageError):
    """A scenario cannot be used; `problems` holds all that is wrong with it, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.path, p.line, p.column, p.message))
        super().__init__("\n".join(map(str, self.problems)))


class QueryError(AgentSimError):
    """A query cannot be understood; names the position (1-based column) and the token there."""

    def __init__(self, problem: str, position: int, token: str) -> None:
        self.problem, self.position, self.token = problem, position, token
        at = f"at position {position}" + (f", near {token!r}" if token else ", at the end of the query")
        super().__init__(f"{problem} ({at})")


class ProtocolError(AgentSimError):
    """The other side broke the protocol."""


class MalformedMessage(ProtocolError):
    """A message that cannot be read as what it should be."""


class MalformedSchedule(MalformedMessage):
    """The schedule in it is none, or is two."""


class IllegalTransition(AgentSimError):
    """`event` may not happen in `state`."""

    def __init__(self, state: object, event: object) -> None:
        self.state, self.event = state, event
        super().__init__(f"{event!r} may not happen in state {state!r}")


class TransportError(AgentSimError):
    """A call ended without an answer."""


class ConnectFailed(TransportError):
    """No connection: the request was never sent."""


class BrokerRefused(ConnectFailed):
    """The broker refuses our credentials, or its ACL our topics: trying again will not help."""


class ReplyTimeout(TransportError):
    """The request went out and no answer came (in time): whether the peer acted is unknown."""


class TargetError(AgentSimError):
    """The target cannot be used: unreachable, no Command server, or it refuses our credentials."""
