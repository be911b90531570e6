"""What a scenario comes to, told before it is run: jobs, how they end, requests and what storms will find.

Every agent is foreseen by itself (`foresight`); of large fleets some of each, counted for all. Faults and agents that
go offline are not in it: it says what happens when nothing goes wrong, and the difference is what went wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from agent_sim.agent.behaviour import Occasion, Surroundings, decide
from agent_sim.instants import HOUR, NEVER, SECOND, Instant, Span
from agent_sim.jobs.eligibility import why_not_acknowledge, why_not_reschedule
from agent_sim.protocol.enums import BUILT_IN, CUSTOM_PREFIX, FETCH_LOGS, JobType, Status, custom
from agent_sim.protocol.schedule import Immediate, recurs
from agent_sim.scenario.duties import FleetNeed, Posting, store_places
from agent_sim.scenario.foresight import UPLOADING, Life, Ran, Terms, Work, live
from agent_sim.scenario.members import Member
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan
from agent_sim.storms.arrivals import expected_arrivals
from agent_sim.storms.plan import StormPlan

HORIZON: Final[Span] = HOUR
"""How much of a scenario without an end is foreseen."""

MOST_RUNS: Final = 20_000
MOST_BEATS: Final = 200_000
"""How much is foreseen one by one; of more, a part stands for the whole."""

_NOTHING: Final = 1e-6
"""Less than this is nothing but rounding: every job of the type was taken off the schedule."""

_LOOKED: Final[Span] = SECOND
"""So long after it registers the operator knows an agent and its stores."""


@dataclass(frozen=True, slots=True)
class JobForecast:
    """Jobs of one type and how their runs end; retries and reschedules are runs of their own."""

    type: str
    jobs: float
    outcomes: Mapping[str, float]

    @property
    def runs(self) -> float:
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class StormForecast:
    """A storm's requests, and how many ids it will find to ask for."""

    name: str
    operation: str
    requests: float
    ids: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """All of it. `requests` are those of agents by operation; `busiest` is the share of time its agents work."""

    seconds: float
    agents: int
    jobs: tuple[JobForecast, ...]
    requests: Mapping[str, float]
    storms: tuple[StormForecast, ...]
    busiest: float

    @property
    def rate(self) -> float:
        """Requests of agents per second, on average."""
        return sum(self.requests.values()) / self.seconds


def forecast(scenario: Scenario) -> Forecast:
    """What a run of the scenario comes to."""
    return _Forecaster(scenario).whole()


@dataclass(slots=True)
class _End:
    """A run that is over and how it stands at the server; it counts for `weight` runs like it."""

    member: Member
    ran: Ran
    weight: float
    status: Status
    is_newest: bool = True  # of its job: rescheduling takes no other


class _Forecaster:
    """Adds up what the agents' lives come to, then lets the storms loose on what failed."""

    def __init__(self, scenario: Scenario) -> None:
        self._plan = plan(scenario, 0)
        self._stop = HORIZON if self._plan.stop == NEVER else self._plan.stop
        self._drain = HORIZON if self._plan.drain_until == NEVER else self._plan.drain_until
        self._intervals = {fleet.name: fleet.heartbeat.every for fleet in scenario.fleets}
        self._rounds = [(posting, _rounds(posting, self._stop)) for posting in self._plan.operator.postings]
        self._index = [{name: n for n, name in enumerate(posting.machines)} for posting, _ in self._rounds]
        self._jobs: dict[str, float] = defaultdict(float)
        self._outcomes: dict[str, dict[str, float]] = {}
        self._requests: dict[str, float] = defaultdict(float)
        self._beats: list[tuple[Instant, float]] = []
        self._ends: list[_End] = []
        self._busiest = 0.0

    def whole(self) -> Forecast:
        for need in self._plan.operator.fleets:
            self._fleet(need, [one for one in self._plan.members if one.identity.fleet == need.name])
        storms = tuple(self._storm(storm) for storm in sorted(self._plan.storms, key=lambda storm: storm.start))
        end = self._end()
        self._requests["heartbeat"] = sum(weight for at, weight in self._beats if at <= end)
        jobs = (
            JobForecast(word, self._jobs[word], dict(sorted(ends.items(), key=_order)))
            for word, ends in sorted(self._outcomes.items())
            if sum(ends.values()) > _NOTHING
        )
        requests = dict(sorted(self._requests.items()))
        return Forecast(end / SECOND, len(self._plan.members), tuple(jobs), requests, storms, self._busiest)

    def _end(self) -> Instant:
        """The drain is over when the last job is that does not recur."""
        last = max((one.ran.end for one in self._ends if not recurs(one.ran.work.schedule)), default=0)
        return min(max(last, self._stop), self._drain)

    # --- fleets -------------------------------------------------------------------------------

    def _fleet(self, need: FleetNeed, members: list[Member]) -> None:
        interval = self._intervals[need.name]
        beats = (self._drain // interval + 1) * len(members)
        runs = sum(len(rounds) * len(posting.machines) for posting, rounds in self._rounds)
        some = range(0, len(members), max(1, beats // MOST_BEATS, runs // MOST_RUNS))
        server = self._plan.server
        terms = Terms(interval, server.retries, self._stop, self._drain, server.job_timeout, server.max_data_bytes)
        busy: Span = 0
        for number in some:
            member = self._let_in(members[number])
            life = live(member, self._works(need, member, need.stores[number]), terms)
            busy += life.busy
            self._add(member, life, len(members) / len(some))
        if some and self._stop:
            self._busiest = max(self._busiest, busy / (self._stop * len(some)))

    def _let_in(self, member: Member) -> Member:
        """Whom a storm approves works from then on."""
        storms = [storm for storm in self._plan.storms if storm.operation == "approve"]
        if not storms or self._plan.server.auto_approve:
            return member
        approved = min(storm.start + storm.span // 2 for storm in storms)
        return replace(member, online=max(member.online, approved))

    def _works(self, need: FleetNeed, member: Member, stores: int) -> Iterator[Work]:
        ready = member.online + _LOOKED
        for (posting, rounds), index in zip(self._rounds, self._index, strict=True):
            number = index.get(member.identity.machine)
            if number is None:
                continue
            places = list(_places(posting.type, need.capabilities, stores))
            for begin in rounds:
                at = max(begin + posting.spread * number // len(index), ready)
                for job, store in places:
                    yield Work(at, job, store, posting.handed_over or Immediate())

    def _add(self, member: Member, life: Life, weight: float) -> None:
        self._requests["register"] += life.registers * weight
        self._beats.extend((at, weight) for at in life.beats)
        for ran in life.runs:
            self._jobs[ran.work.type.word] += weight if ran.attempt == 1 else 0
            self._count(member, ran, weight)

    def _count(self, member: Member, ran: Ran, weight: float) -> None:
        outcomes = self._outcomes.setdefault(ran.work.type.word, defaultdict(float))
        outcomes[ran.result.name.lower()] += weight
        for operation in _operations(ran):
            self._requests[operation] += weight
        status = Status.COMPLETED_WILL_RETRY if ran.again else Status.COMPLETED
        self._ends.append(_End(member, ran, weight, status))

    # --- storms -------------------------------------------------------------------------------

    def _storm(self, storm: StormPlan) -> StormForecast:
        requests = expected_arrivals(storm)
        left = requests * storm.batch if storm.by == "ids" else float("inf")
        if storm.operation not in _TAKES:
            return StormForecast(storm.name, storm.operation, requests, self._others(storm, left))
        found = 0.0
        told: set[str] = set()
        for end in [one for one in self._ends if one.ran.end <= storm.start and _TAKES[storm.operation](one)]:
            taken = min(end.weight, left - found)
            if taken <= 0:
                break
            found += taken
            if storm.operation == "reschedule":
                self._again(end, storm, taken)
                self._requests["register"] += taken if end.member.identity.machine not in told else 0
                told.add(end.member.identity.machine)
            else:
                end.status = Status.ACKNOWLEDGED
        return StormForecast(storm.name, storm.operation, requests, found)

    def _others(self, storm: StormPlan, most: float) -> float:
        """How many ids a storm finds that is not about runs."""
        if storm.operation == "approve":
            return min(most, sum(member.online <= storm.start for member in self._plan.members))
        if storm.operation == "unschedule":
            return self._take_off(storm, most)
        return self._make(storm, most)

    def _take_off(self, storm: StormPlan, most: float) -> float:
        """Jobs that are on the schedule then: those that recur, and those that are to be run later, which never are."""
        found = float(
            sum(
                len(posting.machines)
                for posting, _ in self._rounds
                if posting.handed_over is not None and recurs(posting.handed_over) and posting.start <= storm.start
            )
        )
        soon = storm.start + storm.span
        for end in [one for one in self._ends if one.ran.work.at <= storm.start and one.ran.end > soon]:
            if found >= most:
                break
            if not recurs(end.ran.work.schedule):
                found += end.weight
                self._ends.remove(end)
                self._outcomes[end.ran.work.type.word][end.ran.result.name.lower()] -= end.weight
                for operation in _operations(end.ran):
                    self._requests[operation] -= end.weight
        return min(most, found)

    def _make(self, storm: StormPlan, most: float) -> float:
        """Jobs that a storm makes, of one orchestrator after the other."""
        word = FETCH_LOGS.word if storm.job_type in ("", FETCH_LOGS.history) else f"{CUSTOM_PREFIX}{storm.job_type}"
        fleets = self._plan.operator.fleets
        able = {need.name for need in fleets if word.casefold() in map(str.casefold, need.capabilities)}
        members = [one for one in self._plan.members if one.identity.fleet in able and one.online <= storm.start]
        if not members:
            return 0.0
        arrivals = expected_arrivals(storm)
        count = round(arrivals * min(storm.batch, len(members)))
        [(job, _)] = _places(word, (), 0)
        done = Counter(one.member.identity.machine for one in self._ends if one.ran.work.type == job)
        for number in range(0, count, max(1, count // MOST_RUNS)):
            member, turn = members[number % len(members)], number // len(members)
            at = storm.start + storm.span * number // max(count, 1)
            occurrence = done[member.identity.machine] + turn + 1
            self._made(member, Work(at, job), occurrence, max(1, count // MOST_RUNS))
        return min(most, float(count))

    def _made(self, member: Member, work: Work, occurrence: int, weight: float) -> None:
        heard = work.at + self._intervals[member.identity.fleet] // 2
        who = member.identity
        around = Surroundings(heard, who.machine, who.fleet, who.index, who.labels)
        decision = decide(member.behaviour, who.key, Occasion(work.type, "", occurrence, 1), around)
        end = min(heard + decision.duration, self._drain)
        self._jobs[work.type.word] += weight
        self._requests["register"] += weight
        self._count(member, Ran(work, occurrence, 1, end, decision.ending.result, again=False), weight)

    def _again(self, end: _End, storm: StormPlan, weight: float) -> None:
        """A rescheduled job runs once more, some time after the agent's next heartbeat."""
        end.is_newest = False
        ran = end.ran
        occasion = Occasion(ran.work.type, ran.work.store, ran.occurrence, ran.attempt + 1)
        heard = storm.start + storm.span // 2 + self._intervals[end.member.identity.fleet]
        who = end.member.identity
        around = Surroundings(heard, who.machine, who.fleet, who.index, who.labels)
        decision = decide(end.member.behaviour, who.key, occasion, around)
        at = min(heard + decision.duration, self._drain)
        again = Ran(ran.work, ran.occurrence, ran.attempt + 1, at, decision.ending.result, again=False)
        self._count(end.member, again, weight)


def _may_be_rescheduled(end: _End) -> bool:
    kind, schedule = end.ran.work.type.category, end.ran.work.schedule
    return end.is_newest and why_not_reschedule(kind, schedule, end.ran.result, end.status) is None


def _may_be_acknowledged(end: _End) -> bool:
    return why_not_acknowledge(end.ran.result, end.status) is None


_TAKES: Final = {"reschedule": _may_be_rescheduled, "acknowledge": _may_be_acknowledged}
"""Storms about runs: which runs each finds."""


# --- postings ---------------------------------------------------------------------------------


def _rounds(posting: Posting, stop: Instant) -> range:
    """When each round of a posting begins."""
    until = min(posting.until, stop)
    if posting.every is None or posting.handed_over is not None:
        return range(posting.start, max(until, posting.start + 1), max(until - posting.start, 1))
    return range(posting.start, until, posting.every)


def _places(word: str, capabilities: tuple[str, ...], stores: int) -> Iterator[tuple[JobType, str]]:
    """Each job that a posting of this word is to one agent: one, or one for each of its stores."""
    if word.startswith(CUSTOM_PREFIX):
        yield custom(word.removeprefix(CUSTOM_PREFIX)), ""
        return
    kinds = [job for job in BUILT_IN if job.word == word]
    for job in kinds:
        for capability, path in store_places(capabilities, stores):
            if capability == job.capability:
                yield job, path
    if not any(job.wire.startswith("CertStores.") for job in kinds):
        yield from ((job, "") for job in kinds)


_ENDS: Final = ("success", "warning", "failure")


def _order(outcome: tuple[str, float]) -> tuple[int, str]:
    name = outcome[0]
    return (_ENDS.index(name) if name in _ENDS else len(_ENDS), name)


def _operations(ran: Ran) -> tuple[str, ...]:
    uploads = ran.work.type.category in UPLOADING and ran.result.name != "FAILURE"
    return ("configure", "upload", "complete") if uploads else ("configure", "complete")
