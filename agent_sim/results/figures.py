"""The figures that a run comes to, as frozen values. `results.summary` makes them, checks and reports read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import Result
from agent_sim.results.storm import StormResult


@dataclass(frozen=True, slots=True)
class OperationTraffic:
    """The requests of one operation that ended; `errors` counts those that failed by kind."""

    operation: str
    ok: int
    failed: int
    errors: Mapping[str, int]
    latency: Histogram

    @property
    def ended(self) -> int:
        """Requests that ended either way."""
        return self.ok + self.failed


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the run, in seconds since its start; `outcomes` counts accepted completions by (type, result).

    `calm` has the requests of `operations` that met no declared fault.
    """

    name: str
    start: float
    end: float
    operations: Mapping[str, OperationTraffic]
    outcomes: Mapping[tuple[str, Result], int]
    calm: Mapping[str, OperationTraffic] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Its length."""
        return max(self.end - self.start, 0.0)


@dataclass(frozen=True, slots=True)
class Agents:
    """Counts of events; `registered` counts agents, `again` further registrations."""

    registered: int = 0
    again: int = 0
    approved: int = 0
    refused: int = 0
    sessions_lost: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A declared fault: the stretches in which it was armed, in seconds, and how many requests (of agents or of
    storms) and agents it met."""

    name: str
    windows: int
    stretches: tuple[tuple[float, float], ...]
    requests: int
    agents: int


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Jobs of one type (a scenario's word); `turned_away` are completions that the server did not accept."""

    type: str
    posted: int
    not_posted: int
    started: int
    outcomes: Mapping[Result, int]
    turned_away: int
    worked: Histogram

    @property
    def completed(self) -> int:
        """Accepted completions."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class FleetJobs:
    """How the accepted runs of one job type ended in one fleet."""

    fleet: str
    type: str
    outcomes: Mapping[Result, int]

    @property
    def completed(self) -> int:
        """Accepted completions."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Herd:
    """How long the polls of agents took in the minute before a storm, and while it lasted."""

    before: Histogram
    meanwhile: Histogram


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm in the run, `at` seconds after its start; no result means that it left none, or `problem` with it.

    `herd` is of a storm of that kind, None if nothing is known of its agents.
    """

    name: str
    operation: str
    at: float
    result: StormResult | None
    problem: str = ""
    herd: Herd | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something that went wrong, in somebody's words, and how often."""

    what: str
    kind: str
    text: str
    count: int
