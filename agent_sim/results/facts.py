"""The jobs of a run, one by one: what the operator was promised, what agents did, what the server says at the end.

The material of the invariants. It keeps a few lines for each job (nothing else does), by id, as they stood in the
journal; their order there does not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.instants import Instant, from_iso
from agent_sim.protocol.enums import BUILT_IN, CUSTOM_PREFIX, JOB_WORDS
from agent_sim.results.journal import (
    AgentCrashed,
    AgentOffline,
    AgentOnline,
    AgentRefused,
    AgentRegistered,
    FaultArmed,
    FleetDeclared,
    JobCancelled,
    JobCompleted,
    JobConfigured,
    JobLeft,
    JobPosted,
    JobsUnscheduled,
    Line,
    NotReadBack,
    PostFailed,
    RunEnded,
    RunStarted,
    SendFailed,
    ServerAgent,
    ServerCensus,
    ServerJob,
    ServerRun,
    ServerStory,
    SessionLost,
    Steps,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Job ids are in lower case; audit ids are those of JobHistory.

    `unscheduled` has the jobs that storms and the operator asked the server to take off the schedule, and when last,
    `unnamed` has the posts whose answer named no job, `handed` the agents that were given each run, `completions` the
    reports of each run that were accepted, `refused` those that were not, `left` the runs and `never_started` the
    jobs that agents leave open because the scenario has them do so. `fleet_of` has the agents that were heard of,
    `let_in` those that had a session, `doors` when each that was ever turned away was so or was let in, `there_since`
    when each was last away, turned away or without an answer (first registered, if never), `faults` when each began.
    From `runs` to `census` it is what was read back after the drain.
    """

    posted: Mapping[str, JobPosted]
    unnamed: tuple[JobPosted, ...]
    refused_posts: int
    cancelled: frozenset[str]
    unscheduled: Mapping[str, float]
    handed: Mapping[int, tuple[JobConfigured, ...]]
    completions: Mapping[int, tuple[JobCompleted, ...]]
    refused: Mapping[int, tuple[JobCompleted, ...]]
    left: frozenset[int]
    never_started: frozenset[str]
    fleets: Mapping[str, FleetDeclared]
    fleet_of: Mapping[str, str]
    doors: Mapping[str, tuple[tuple[float, bool], ...]]
    there_since: Mapping[str, float]
    let_in: frozenset[str]
    runs: Mapping[str, tuple[ServerRun, ...]]
    waiting: Mapping[str, ServerJob]
    stories: Mapping[str, Steps]
    agents: tuple[ServerAgent, ...]
    census: ServerCensus | None
    faults: Mapping[str, float]
    ended: RunEnded | None
    started_at: Instant | None

    @property
    def was_cut_short(self) -> bool:
        """True unless the run came to its own end: work in flight may then be in any state."""
        return self.ended is None or self.ended.reason != "finished"

    @property
    def was_read_back(self) -> bool:
        """True if the server told of its history."""
        return bool(self.runs or self.waiting) or self.census is not None

    @property
    def shows_transitions(self) -> bool:
        """True if the server told what it did when, and not only what came of it."""
        return self.census is not None and self.census.shows_transitions

    @property
    def is_idle(self) -> bool:
        """True if nobody asked for a job and nobody did one."""
        return not (self.posted or self.unnamed or self.refused_posts or self.handed or self.completions)


_WORDS: Final[Mapping[str, str]] = {job.history: job.word for job in BUILT_IN}


def word_of(kind: str) -> str:
    """The scenario's word for a job type, from that word or from JobHistory's name."""
    if kind in JOB_WORDS or kind.startswith(CUSTOM_PREFIX):
        return kind
    return _WORDS.get(kind, f"{CUSTOM_PREFIX}{kind}")


_AWAY: Final = (AgentOffline, AgentOnline, AgentRefused, SendFailed, SessionLost)


class FactsFold:
    """Gathers the facts, one line at a time; lines of other events do not count."""

    def __init__(self) -> None:
        self._posted: dict[str, JobPosted] = {}
        self._unnamed: dict[tuple[str, str], JobPosted] = {}
        self._refused_posts = 0
        self._cancelled: set[str] = set()
        self._unscheduled: dict[str, float] = {}
        self._handed: dict[int, dict[str, JobConfigured]] = {}
        self._completions: dict[int, list[JobCompleted]] = {}
        self._refused: dict[int, list[JobCompleted]] = {}
        self._left: set[int] = set()
        self._faults: dict[str, float] = {}
        self._never_started: set[str] = set()
        self._fleets: dict[str, FleetDeclared] = {}
        self._fleet_of: dict[str, str] = {}
        self._doors: dict[str, list[tuple[float, bool]]] = {}
        self._let_in: set[str] = set()
        self._there_since: dict[str, float] = {}
        self._runs: dict[str, dict[int, ServerRun]] = {}
        self._waiting: dict[str, ServerJob] = {}
        self._stories: dict[str, Steps] = {}
        self._agents: list[ServerAgent] = []
        self._census: ServerCensus | None = None
        self._ended: RunEnded | None = None
        self._started_at: Instant | None = None

    def add(self, line: Line) -> None:
        """Take one line in."""
        match line:
            case RunStarted():
                self._started_at = instant_of(line.started_at)
            case RunEnded():
                self._ended = line
            case JobPosted(job=None):
                # One for each machine and type will do: no answer told them apart.
                self._unnamed.setdefault((line.machine, line.type), line)
            case JobPosted(job=str(job)):
                self._posted[job.lower()] = line
            case PostFailed():
                self._refused_posts += bool(line.machine)
            case JobCancelled():
                self._cancelled.add(line.job.lower())
            case JobsUnscheduled():
                self._unscheduled |= {job.lower(): line.t for job in (*line.accepted, *line.unanswered)}
            case JobConfigured():
                self._handed.setdefault(line.audit, {}).setdefault(line.agent, line)
            case FaultArmed():
                self._faults.setdefault(line.fault, line.t)
            case JobCompleted(accepted=True):
                self._completions.setdefault(line.audit, []).append(line)
            case JobCompleted():
                self._refused.setdefault(line.audit, []).append(line)
            case JobLeft(audit=0):
                self._never_started.add(line.job.lower())
            case JobLeft():
                self._left.add(line.audit)
            case ServerRun():
                # By audit id: pages that are read while history grows can repeat a record.
                self._runs.setdefault(line.job.lower(), {})[line.audit] = line
            case ServerJob():
                self._waiting[line.job.lower()] = line
            case ServerStory():
                job = line.job.lower()
                self._stories[job] = self._stories.get(job, ()) + line.steps
            case _:
                self._add_agent(line)

    def _add_agent(self, line: Line) -> None:
        if isinstance(line, _AWAY):
            self._was_away(line.agent, line.t)
        match line:
            case FleetDeclared():
                self._fleets[line.fleet] = line
            case AgentRegistered():
                self._fleet_of[line.agent] = line.fleet
                self._let_in.add(line.agent)
                if line.first:
                    self._was_away(line.agent, line.t)
                if line.agent in self._doors:  # only who was ever turned away has a story worth keeping
                    self._doors[line.agent].append((line.t, True))
            case AgentRefused():
                self._fleet_of[line.agent] = line.fleet
                if line.code:
                    self._doors.setdefault(line.agent, []).append((line.t, False))
            case SendFailed():
                self._fleet_of[line.agent] = line.fleet
            case AgentCrashed():
                self._was_away(line.agent, line.restart)
            case ServerAgent():
                self._agents.append(line)
            case ServerCensus():
                self._census = line
            case NotReadBack() if self._census is None:
                self._runs, self._waiting, self._stories, self._agents = {}, {}, {}, []
            case _:
                pass

    def _was_away(self, agent: str, until: float) -> None:
        self._there_since[agent] = max(until, self._there_since.get(agent, until))

    def finish(self) -> Facts:
        """What has been gathered."""
        return Facts(
            posted=self._posted,
            unnamed=tuple(self._unnamed.values()),
            refused_posts=self._refused_posts,
            cancelled=frozenset(self._cancelled),
            unscheduled=self._unscheduled,
            handed={audit: tuple(agents.values()) for audit, agents in self._handed.items()},
            completions={audit: tuple(lines) for audit, lines in self._completions.items()},
            refused={audit: tuple(lines) for audit, lines in self._refused.items()},
            left=frozenset(self._left),
            never_started=frozenset(self._never_started),
            fleets=self._fleets,
            fleet_of=self._fleet_of,
            doors={agent: tuple(doors) for agent, doors in self._doors.items()},
            there_since=self._there_since,
            let_in=frozenset(self._let_in),
            runs={job: tuple(sorted(runs.values(), key=_in_time)) for job, runs in self._runs.items()},
            waiting=self._waiting,
            stories=self._stories,
            agents=tuple(self._agents),
            census=self._census,
            faults=self._faults,
            ended=self._ended,
            started_at=self._started_at,
        )


def _in_time(run: ServerRun) -> tuple[float, int]:
    return (run.start if run.start is not None else float("inf"), run.audit)


def instant_of(text: str) -> Instant | None:
    """The instant that a journal's ISO time names, or None if it names none."""
    try:
        return from_iso(text)
    except (ValueError, OverflowError):
        return None
