"""A run in figures: one pass over its journal, folded into frozen values.

Counters, histograms and short lists, whose size does not grow with the number of requests; only the outcomes (for
the digest) and the facts of jobs (for the invariants) keep something for each job. What holds and what does not is
`results.judge`; how it looks is `results.render`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND, Instant
from agent_sim.protocol.enums import Result
from agent_sim.results import journal
from agent_sim.results.facts import Facts, FactsFold, instant_of
from agent_sim.results.faults import FaultsFold
from agent_sim.results.figures import Agents, Fault, FleetJobs, JobCounts, Message, Storm, Window
from agent_sim.results.herd import HerdFold
from agent_sim.results.oig_facts import OigFacts, OigFold
from agent_sim.results.storm import read_storm
from agent_sim.results.timeline import Timeline, TimelineFold
from agent_sim.results.windows import WindowsFold, middle_of

LISTED: Final = 20
"""How many of the slowest and of the failed jobs a summary names."""

_MESSAGES: Final = 1_000
_MESSAGE_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Summary:
    """All that reports show and checks judge. `failed` are the first failures in time, `slowest` by work."""

    run: journal.RunStarted | None
    ended: journal.RunEnded | None
    whole: Window
    phases: tuple[Window, ...]
    agents: Agents
    jobs: tuple[JobCounts, ...]
    faults: tuple[Fault, ...]
    storms: tuple[Storm, ...]
    messages: tuple[Message, ...]
    slowest: tuple[journal.JobCompleted, ...]
    failed: tuple[journal.JobCompleted, ...]
    timeline: Timeline
    outcome_digest: str
    facts: Facts
    oig: OigFacts = OigFacts()  # frozen
    mix: tuple[FleetJobs, ...] = ()


def summarise(lines: Iterable[journal.Line]) -> Summary:
    """Fold a journal. The order of different jobs' lines does not matter; phases must begin before what is in them."""
    fold = _Fold()
    for line in lines:
        fold.add(line)
    return fold.finish()


class _Fold:
    def __init__(self) -> None:
        self._facts = FactsFold()
        self._oig = OigFold()
        self._faults = FaultsFold()
        self._timeline = TimelineFold()
        self._windows = WindowsFold()
        self._jobs: dict[str, _JobFold] = {}
        self._mix: dict[tuple[str, str], Counter[Result]] = {}
        self._agents: Counter[str] = Counter()
        self._messages: Counter[tuple[str, str, str]] = Counter()
        self._storms: dict[str, Storm] = {}
        self._herd = HerdFold()
        self._slowest = _Top(lambda job: (-job.seconds, job.t, job.agent, job.audit))
        self._failed = _Top(lambda job: (job.t, 0.0, job.agent, job.audit))
        self._outcomes: set[str] = set()
        self._run: journal.RunStarted | None = None
        self._ended: journal.RunEnded | None = None
        self._last = 0.0

    def add(self, line: journal.Line) -> None:
        self._facts.add(line)
        self._oig.add(line)
        self._faults.add(line)
        self._last = max(self._last, line.t)
        match line:
            case journal.Traffic():
                self._traffic(line)
            case journal.JobCompleted():
                self._completed(line)
            case journal.JobConfigured():
                self._job(line.type).started += 1
            case journal.JobPosted():
                self._job(line.type).posted += 1
            case journal.PostFailed():
                self._not_posted(line)
            case journal.AgentRegistered():
                self._agents["registered" if line.first else "again"] += 1
            case journal.AgentApproved():
                self._agents["approved"] += 1
            case journal.AgentRefused():
                self._agents["refused"] += 1
                self._message("register", line.code, line.message)
            case journal.JobRefused():
                self._message("configure", "refused", line.message)
            case journal.JobLeft():
                self._message(f"run {line.type}", line.why, "left open by its agent, as the scenario has it")
            case journal.SessionLost():
                self._agents["sessions_lost"] += 1
            case journal.SendFailed():
                self._message(line.operation, line.error, "")
            case journal.RunStarted():
                self._run = line
            case journal.RunEnded():
                self._ended = line
            case journal.PhaseStarted():
                self._windows.begin(line)
            case journal.StormStarted():
                self._herd.begin(line.storm, line.t)
                self._storms[line.storm] = Storm(line.storm, line.operation, line.t, None)
            case journal.StormEnded():
                self._storm(line)
            case _:
                pass  # of facts alone

    def _traffic(self, line: journal.Traffic) -> None:
        latency = Histogram.from_json(line.latency)
        self._timeline.traffic(middle_of(line), line.operation, line.ok, line.failed, latency)
        self._windows.traffic(line, latency)
        self._herd.traffic(line, latency)

    def _not_posted(self, line: journal.PostFailed) -> None:
        if line.machine:
            self._job(line.type).not_posted += 1
        what = f"post {line.type}" if line.machine else f"prepare {line.type}"
        self._message(what, str(line.status or "no answer"), line.message)

    def _completed(self, line: journal.JobCompleted) -> None:
        counts = self._job(line.type)
        if not line.accepted:
            counts.turned_away += 1
            return
        counts.outcomes[line.outcome] += 1
        self._mix.setdefault((line.fleet, line.type), Counter())[line.outcome] += 1
        counts.worked.record(round(line.seconds * 1e6))
        self._windows.completed(line)
        self._timeline.outcome(line.t, line.outcome)
        self._outcomes.add(_canonical(line))
        self._slowest.add(line)
        if line.outcome is Result.FAILURE:
            self._failed.add(line)

    def _job(self, kind: str) -> "_JobFold":
        return self._jobs.setdefault(kind, _JobFold(kind))

    def _message(self, what: str, kind: str, text: str) -> None:
        key = (what, kind, text[:_MESSAGE_LENGTH])
        if key in self._messages or len(self._messages) < _MESSAGES:
            self._messages[key] += 1

    def _storm(self, line: journal.StormEnded) -> None:
        begun = self._storms.get(line.storm, Storm(line.storm, "", line.t, None))
        try:
            result = read_storm(line.result)
        except ValueError as error:
            self._storms[line.storm] = Storm(begun.name, begun.operation, begun.at, None, str(error))
            return
        at = self._since_start(instant_of(result.started_at))
        began = begun.at if at is None else at
        polls = self._herd.end(line.storm, began, began + result.warm_up + result.seconds)
        herd = polls if result.kind == "herd" else None
        self._storms[line.storm] = Storm(begun.name, result.operation, began, result, herd=herd)

    def _since_start(self, at: Instant | None) -> float | None:
        began = None if self._run is None else instant_of(self._run.started_at)
        return None if at is None or began is None else max((at - began) / SECOND, 0.0)

    def finish(self) -> Summary:
        seconds = self._last if self._ended is None else self._ended.t
        whole, phases = self._windows.finish(seconds)
        return Summary(
            run=self._run,
            ended=self._ended,
            whole=whole,
            phases=phases,
            agents=Agents(**self._agents),
            jobs=tuple(job.finish() for _, job in sorted(self._jobs.items())),
            faults=self._faults.finish(seconds, self._storms.values()),
            storms=tuple(sorted(self._storms.values(), key=lambda storm: (storm.at, storm.name))),
            messages=tuple(Message(*key, count) for key, count in sorted(self._messages.items(), key=_often_first)),
            slowest=self._slowest.finish(),
            failed=self._failed.finish(),
            timeline=self._timeline.finish(seconds),
            outcome_digest=_digest(self._outcomes),
            facts=self._facts.finish(),
            oig=self._oig.finish(),
            mix=tuple(FleetJobs(*of, dict(sorted(ended.items()))) for of, ended in sorted(self._mix.items())),
        )


def _often_first(counted: tuple[tuple[str, str, str], int]) -> tuple[int, tuple[str, str, str]]:
    return (-counted[1], counted[0])


# --- the outcome digest (architecture, "Determinism, exactly") --------------------------------


def _canonical(line: journal.JobCompleted) -> str:
    outcome = line.outcome.name.lower()
    return json.dumps(
        [line.fleet, line.agent, line.type, line.store, line.occurrence, line.attempt, outcome], separators=(",", ":")
    )


def _digest(outcomes: Iterable[str]) -> str:
    """SHA-256 over the sorted outcomes, a JSON array a line: no ids, no times."""
    return hashlib.sha256("".join(f"{outcome}\n" for outcome in sorted(outcomes)).encode("ascii")).hexdigest()


# --- what is still being counted --------------------------------------------------------------


class _JobFold:
    def __init__(self, kind: str) -> None:
        self.type = kind
        self.posted = self.not_posted = self.started = self.turned_away = 0
        self.outcomes: Counter[Result] = Counter()
        self.worked = Histogram()

    def finish(self) -> JobCounts:
        return JobCounts(
            type=self.type,
            posted=self.posted,
            not_posted=self.not_posted,
            started=self.started,
            outcomes=dict(sorted(self.outcomes.items())),
            turned_away=self.turned_away,
            worked=self.worked,
        )


_Rank = tuple[float, float, str, int]


class _Top:
    """The first few in an order, without keeping the rest."""

    def __init__(self, rank: Callable[[journal.JobCompleted], _Rank]) -> None:
        self._rank = rank
        self._held: list[journal.JobCompleted] = []

    def add(self, job: journal.JobCompleted) -> None:
        self._held.append(job)
        if len(self._held) >= 10 * LISTED:
            self._held = list(self.finish())

    def finish(self) -> tuple[journal.JobCompleted, ...]:
        return tuple(sorted(self._held, key=self._rank)[:LISTED])
