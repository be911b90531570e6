"""A run so far, counted line by line as it goes on: what the terminal shows and what metrics tell.

Its size depends on the number of agents and of runs under way, not on how long the run lasts. `second` closes a second:
rates and percentiles are over the last ten of them, and `families` is replaced as a whole, so that another thread
may read it at any moment.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import Result
from agent_sim.results import journal
from agent_sim.results.measures import BOUNDS, Family, Instrument, Sample, Spread, samples
from agent_sim.results.plain import JsonObject

STATES: Final = ("starting", "online", "returning", "offline", "crashed", "refused")
"""An agent has not been heard of yet, has a session, lost it, was taken away, died, or was turned away."""

RECENT: Final = 10
"""Over how many seconds rates and percentiles are."""

_STATE_AFTER: Final[Mapping[type[journal.Line], str]] = {
    journal.AgentRegistered: "online",
    journal.SessionLost: "returning",
    journal.AgentOnline: "returning",
    journal.AgentOffline: "offline",
    journal.AgentCrashed: "crashed",
    journal.AgentRefused: "refused",
}
_OK: Final = "ok"
_NOT_COUNTED: Final = frozenset({journal.ServerRun, journal.ServerStory, journal.ServerAgent, journal.ServerJob})
"""What is read back by the hundred thousand, when all is over."""


@dataclass(slots=True)
class StormSoFar:
    """A storm under way or over; `last` is its last second as it told it."""

    operation: str
    is_running: bool = True
    due: int = 0
    completed: int = 0
    failed: int = 0
    ids: int = 0
    last: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """One operation over the last seconds."""

    per_second: float
    failed: int
    latency: Histogram


class Tally:
    """Told of every journal line and every storm's progress."""

    def __init__(self) -> None:
        self.phase = ""
        self.armed: dict[str, bool] = {}
        self._windows: dict[str, int] = {}  # the last that began of each fault
        self.storms: dict[str, StormSoFar] = {}
        self.outcomes: Counter[Result] = Counter()
        self.families: tuple[Family, ...] = ()
        self._run: journal.RunStarted | None = None
        self._declared: dict[str, int] = {}
        self._states: dict[str, tuple[str, str]] = {}  # of each agent: its fleet and state
        self._spelled: dict[tuple[str, str], tuple[str, str]] = {}  # each of those once, however many share it
        self._agents: Counter[tuple[str, ...]] = Counter()
        self._running: dict[str, set[int]] = {}
        self._posted: Counter[tuple[str, ...]] = Counter()
        self._completed: Counter[tuple[str, ...]] = Counter()
        self._turned_away = 0
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._latencies: dict[str, _Latency] = {}
        self._seconds: deque[dict[str, _Second]] = deque([{}], maxlen=RECENT + 1)

    def add(self, line: journal.Line) -> None:
        """Count one journal line."""
        if type(line) in _NOT_COUNTED:
            return
        match line:
            case journal.Traffic():
                self._traffic(line)
            case journal.JobPosted():
                self._posted[line.type,] += 1
            case journal.JobConfigured():
                self._running.setdefault(line.agent, set()).add(line.audit)
            case journal.JobCompleted():
                self._finished(line)
            case journal.JobLeft():
                self._over(line.agent, line.audit)
            case journal.PhaseStarted():
                self.phase = line.phase
            case journal.FaultArmed():
                self.armed[line.fault], self._windows[line.fault] = True, line.window
            case journal.FaultOver() if line.window == self._windows.get(line.fault, line.window):
                self.armed[line.fault] = False
            case journal.StormStarted():
                self.storms[line.storm] = StormSoFar(line.operation)
            case journal.StormEnded():
                self._storm_of(line.storm).is_running = False
            case journal.RunStarted():
                self._run = line
            case journal.FleetDeclared():
                self._declared[line.fleet] = line.agents
            case _:
                self._agent(line)

    def _agent(self, line: journal.Line) -> None:
        match line:
            case (
                journal.AgentRegistered()
                | journal.SessionLost()
                | journal.AgentOnline()
                | journal.AgentOffline()
                | journal.AgentCrashed()
                | journal.AgentRefused()
            ):
                now = line.fleet, _STATE_AFTER[type(line)]
                before = self._states.get(line.agent)
                self._states[line.agent] = self._spelled.setdefault(now, now)
                self._agents[now] += 1
                if before is not None:
                    self._agents[before] -= 1
                if isinstance(line, journal.AgentCrashed):
                    self._running.pop(line.agent, None)
            case _:
                pass

    def _finished(self, line: journal.JobCompleted) -> None:
        self._over(line.agent, line.audit)
        if line.accepted:
            self.outcomes[line.outcome] += 1
            self._completed[line.type, line.outcome.name.lower()] += 1
        else:
            self._turned_away += 1

    def _over(self, agent: str, audit: int) -> None:
        at_work = self._running.get(agent)
        if at_work is not None:
            at_work.discard(audit)
            if not at_work:
                del self._running[agent]

    def _traffic(self, line: journal.Traffic) -> None:
        latency = Histogram.from_json(line.latency)
        self._latencies.setdefault(line.operation, _Latency()).add(latency)
        self._seconds[-1].setdefault(line.operation, _Second()).add(line, latency)
        if line.ok:
            self._requests[line.operation, _OK] += line.ok
        for kind, count in line.errors.items():
            self._requests[line.operation, kind] += count

    def storm(self, name: str, said: JsonObject) -> None:
        """Take one second of a storm, as it told it."""
        storm = self._storm_of(name)
        storm.last = said
        storm.due += _whole(said, "offered")
        storm.completed += _whole(said, "completed")
        storm.failed += _whole(said, "failed")
        storm.ids += _whole(said, "ids")

    def _storm_of(self, name: str) -> StormSoFar:
        return self.storms.setdefault(name, StormSoFar(""))

    def second(self) -> None:
        """A second is over."""
        self._seconds.append({})
        self.families = tuple(self._families())

    # --- read by who shows it -------------------------------------------------------------------

    @property
    def agents(self) -> Mapping[str, int]:
        """How many agents are in each state; only states that some are in."""
        found: Counter[str] = Counter()
        for (_, state), count in self._by_state().items():
            found[state] += round(count)
        return {state: found[state] for state in STATES if found[state]}

    @property
    def posted(self) -> int:
        """Jobs that the server accepted."""
        return sum(self._posted.values())

    @property
    def running(self) -> int:
        """Runs that agents have in hand."""
        return sum(map(len, self._running.values()))

    def recent(self) -> Mapping[str, Recent]:
        """Each operation over the last seconds that are over."""
        whole = list(self._seconds)[:-1]
        made: dict[str, Recent] = {}
        for name in dict.fromkeys(name for second in whole for name in second):
            parts = [second[name] for second in whole if name in second]
            latency = Histogram()
            for part in parts:
                latency.merge(part.latency)
            ended = sum(part.ended for part in parts)
            made[name] = Recent(ended / len(whole), sum(part.failed for part in parts), latency)
        return made

    def _by_state(self) -> dict[tuple[str, ...], float]:
        counts: dict[tuple[str, ...], float] = {}
        for fleet, agents in self._declared.items():
            heard = sum(self._agents[fleet, state] for state in STATES)
            counts[fleet, "starting"] = max(agents - heard, 0)
        for of, count in self._agents.items():
            counts[of] = counts.get(of, 0) + count
        return counts

    def _families(self) -> Iterator[Family]:
        run = self._run
        if run is not None:
            yield Family(INFO, (Sample((run.scenario, str(run.seed), run.version), 1),))
        yield Family(AGENTS, samples(self._by_state()))
        yield Family(POSTED, samples(self._posted))
        yield Family(RUNNING, (Sample((), self.running),))
        yield Family(COMPLETED, samples(self._completed))
        yield Family(TURNED_AWAY, (Sample((), self._turned_away),))
        requests = {of: count for of, count in self._requests.items() if of[0] != journal.POOL_WAIT}
        yield Family(REQUESTS, samples(requests))
        yield Family(DURATIONS, tuple(each.spread(name) for name, each in self._latencies.items() if name != _WAIT))
        waits = self._latencies.get(_WAIT)
        yield Family(WAITS, () if waits is None else (waits.spread(),))
        yield Family(PHASE, (Sample((self.phase,), 1),) if self.phase else ())
        yield Family(FAULTS, samples({(name,): is_armed for name, is_armed in self.armed.items()}))
        yield from storm_families(self.storms)


_WAIT: Final = journal.POOL_WAIT


def storm_families(storms: Mapping[str, StormSoFar]) -> Iterator[Family]:
    """What storms tell; those after the fiftieth are added up, their latest latencies left out."""
    yield Family(STORMS, samples({(name,): each.is_running for name, each in storms.items()}))
    for instrument, member in _STORM_COUNTS:
        yield Family(instrument, samples({(name,): getattr(each, member) for name, each in storms.items()}))
    told = [(name, each.last) for name, each in storms.items() if each.last is not None and each.is_running]
    latest = ((name, stat, _number(last, f"response_{stat}_us")) for name, last in told[:20] for stat in _STATS)
    yield Family(RESPONSE, tuple(Sample((name, stat), us / 1e6) for name, stat, us in latest))


def _whole(said: JsonObject, member: str) -> int:
    return round(_number(said, member))


def _number(said: JsonObject, member: str) -> float:
    value = said.get(member)
    return float(value) if isinstance(value, int | float) else 0.0


# --- what is still being counted --------------------------------------------------------------


class _Second:
    __slots__ = ("ended", "failed", "latency")

    def __init__(self) -> None:
        self.ended = self.failed = 0
        self.latency = Histogram()

    def add(self, line: journal.Traffic, latency: Histogram) -> None:
        self.ended += line.ok + line.failed
        self.failed += line.failed
        self.latency.merge(latency)


class _Latency:
    __slots__ = ("counts", "total_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total_us = 0

    def add(self, latency: Histogram) -> None:
        self.total_us += latency.total_us
        for value, times in latency.values():
            self.counts[bisect_left(BOUNDS, value / 1e6)] += times

    def spread(self, *labels: str) -> Spread:
        return Spread(labels, tuple(self.counts), self.total_us / 1e6)


# --- the instruments --------------------------------------------------------------------------

INFO: Final = Instrument("agent_sim_fleet_info", "gauge", "The run.", ("scenario", "seed", "version"))
AGENTS: Final = Instrument("agent_sim_fleet_agents", "gauge", "Agents by fleet and state.", ("fleet", "state"))
POSTED: Final = Instrument("agent_sim_fleet_jobs_posted", "counter", "Jobs that the server accepted.", ("type",))
RUNNING: Final = Instrument("agent_sim_fleet_runs_in_hand", "gauge", "Runs that agents are at work on.")
COMPLETED: Final = Instrument(
    "agent_sim_fleet_runs_completed", "counter", "Runs completed and accepted.", ("type", "outcome")
)
TURNED_AWAY: Final = Instrument(
    "agent_sim_fleet_completions_refused", "counter", "Completions that the server did not accept."
)
REQUESTS: Final = Instrument(
    "agent_sim_fleet_requests", "counter", "Requests of agents and operator that ended.", ("operation", "result")
)
DURATIONS: Final = Instrument(
    "agent_sim_fleet_request_duration_seconds",
    "histogram",
    "Time from sending a request to its answer, as the agent saw it.",
    ("operation",),
)
WAITS: Final = Instrument(
    "agent_sim_fleet_connection_wait_seconds", "histogram", "Time that requests waited for a connection of our own."
)
PHASE: Final = Instrument("agent_sim_fleet_phase_info", "gauge", "The phase of the scenario.", ("phase",))
FAULTS: Final = Instrument("agent_sim_fleet_faults_armed", "gauge", "Whether a declared fault is armed.", ("fault",))
STORMS: Final = Instrument("agent_sim_storm_running", "gauge", "Whether a storm is under way.", ("storm",))
DUE: Final = Instrument("agent_sim_storm_requests_due", "counter", "Requests of storms that were due.", ("storm",))
DONE: Final = Instrument(
    "agent_sim_storm_requests_completed", "counter", "Requests of storms that were answered.", ("storm",)
)
FAILED: Final = Instrument(
    "agent_sim_storm_requests_failed", "counter", "Requests of storms that ended in an error.", ("storm",)
)
IDS: Final = Instrument("agent_sim_storm_ids_accepted", "counter", "Ids that storms had accepted.", ("storm",))
RESPONSE: Final = Instrument(
    "agent_sim_storm_response_seconds",
    "gauge",
    "Time from when a request was due to its answer, over the last second.",
    ("storm", "stat"),
)

_STATS: Final = ("p50", "p95", "max")
_STORM_COUNTS: Final = ((DUE, "due"), (DONE, "completed"), (FAILED, "failed"), (IDS, "ids"))

INSTRUMENTS: Final = (
    INFO, AGENTS, POSTED, RUNNING, COMPLETED, TURNED_AWAY, REQUESTS, DURATIONS, WAITS, PHASE, FAULTS,
    STORMS, DUE, DONE, FAILED, IDS, RESPONSE,
)  # fmt: skip  # a line each would say no more
"""All there are, for whoever draws or checks them."""
