"""One agent's life as it can be foreseen: when it hears of its work, does it, and what each run comes to.

    posted ── next heartbeat ── Register ── one job after another, settled by `decide` ── tried again, or over

The agent by itself, without a server: nothing is lost, refused or slow, and an answer takes no time. Outcomes are the
very ones that the run will draw, so what differs from a run is only when things happen.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from agent_sim.agent.behaviour import Decision, Occasion, Surroundings, decide, is_started
from agent_sim.agent.paths import Crash, Hang, Late, Malformed, Oversize, Reject
from agent_sim.draws import unit
from agent_sim.instants import HOUR, Instant, Span
from agent_sim.jobs.retries import will_retry
from agent_sim.protocol.enums import Category, JobType, Result
from agent_sim.protocol.schedule import Immediate, Schedule, next_run, recurs
from agent_sim.scenario.members import Member
from agent_sim.states import JobState

UPLOADING: Final = frozenset({Category.INVENTORY, Category.DISCOVERY, Category.REENROLLMENT})
"""Kinds of jobs that send something between Configure and Complete."""


@dataclass(frozen=True, slots=True)
class Work:
    """One job of one agent: when it is posted, and by which schedule it recurs."""

    at: Instant
    type: JobType
    store: str = ""
    schedule: Schedule = Immediate()


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended; `again` if the server hands the job out once more by itself."""

    work: Work
    occurrence: int
    attempt: int
    end: Instant
    result: Result
    again: bool


@dataclass(slots=True)
class Life:
    """What an agent did: its registrations, heartbeats by time, runs, and how long it worked."""

    registers: int = 0
    beats: list[Instant] = field(default_factory=list)
    runs: list[Ran] = field(default_factory=list)
    jobs: int = 0
    busy: Span = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for everybody of a fleet: the heartbeat's interval, the end and the drain's, and the server's retries,
    timeout and largest log."""

    interval: Span
    retries: int
    stop: Instant
    until: Instant
    timeout: Span = HOUR
    max_data: int = 2_000_000


def live(member: Member, works: Iterable[Work], terms: Terms) -> Life:
    """Foresee one agent until the end."""
    return _Foreseen(member, terms, sorted(works, key=lambda work: work.at)).live()


@dataclass(frozen=True, slots=True, order=True)
class _Queued:
    """A run to come: due at `due`, `number` keeps the order of equal ones."""

    due: Instant
    number: int
    work: Work = field(compare=False)
    occurrence: int = field(compare=False)
    attempt: int = field(compare=False)


class _Foreseen:
    """The simulation of one agent: two queues, what is posted and what is listed."""

    def __init__(self, member: Member, terms: Terms, works: list[Work]) -> None:
        self._member, self._terms = member, terms
        self._life = Life()
        self._posted = [_Queued(work.at, n, work, 0, 1) for n, work in enumerate(works)]  # sorted, and so a heap
        self._listed: list[_Queued] = []
        self._count = len(works)
        self._free = member.online
        self._occurrences: dict[tuple[str, str], int] = {}
        self._doings: dict[str, int] = {}

    def live(self) -> Life:
        first = round(self._terms.interval * unit(self._member.identity.key, "first heartbeat"))
        between = round(self._terms.interval * (1 + self._member.identity.jitter / 2))
        now = self._member.online
        self._register(now)
        beat = now + first
        while beat < self._terms.until:
            self._work(beat)
            self._life.beats.append(beat)
            if self._posted and self._posted[0].due <= beat:
                self._register(beat)
                beat += max(first, 1)
            else:
                beat += between
        self._work(self._terms.until)
        self._life.busy += self._left_over()
        return self._life

    def _left_over(self) -> Span:
        """How long it would go on with what was due before the end, at the mean of what it did."""
        life = self._life
        due = sum(one.due <= self._terms.stop for one in (*self._listed, *self._posted))
        return due * life.busy // len(life.runs) if life.runs else 0

    def _register(self, now: Instant) -> None:
        """A new session lists all that was posted; the same inventory posted twice meanwhile is one job."""
        self._life.registers += 1
        waiting = {(one.work.type.word, one.work.store) for one in self._listed if one.work.type.category in _MERGED}
        while self._posted and self._posted[0].due <= now:
            job = heapq.heappop(self._posted)
            place = (job.work.type.word, job.work.store)
            if job.work.type.category in _MERGED and job.attempt == 1:
                if place in waiting:
                    continue
                waiting.add(place)
            self._life.jobs += job.attempt == 1
            due = now if job.attempt > 1 else next_run(job.work.schedule, now)
            self._list(due, job.work, job.occurrence, job.attempt)

    def _list(self, due: Instant, work: Work, occurrence: int, attempt: int) -> None:
        self._count += 1
        heapq.heappush(self._listed, _Queued(due, self._count, work, occurrence, attempt))

    def _work(self, until: Instant) -> None:
        """Do what is listed, one after another, as far as it begins before that."""
        while self._listed and max(self._listed[0].due, self._free) <= until:
            self._run(heapq.heappop(self._listed))

    def _run(self, job: _Queued) -> None:
        work, begin = job.work, max(job.due, self._free)
        if recurs(work.schedule) and begin >= self._terms.stop:
            return  # the drain does not wait for what never ends
        occurrence = job.occurrence or self._next_occurrence(work)
        occasion = Occasion(work.type, work.store, occurrence, job.attempt)
        around = self._around(work, begin)
        if not is_started(self._member.behaviour, self._member.identity.key, occasion, around):
            return  # it stays on the list
        decision = decide(self._member.behaviour, self._member.identity.key, occasion, around)
        self._free = begin + decision.duration
        self._life.busy += decision.duration
        end, result = self._settled(decision, begin)
        if end > self._terms.until:
            return
        again = will_retry(work.type.category, JobState.RUNNING, job.attempt - 1, result, self._terms.retries)
        self._life.runs.append(Ran(work, occurrence, job.attempt, end, result, again))
        if again:
            self._count += 1
            heapq.heappush(self._posted, _Queued(end, self._count, work, occurrence, job.attempt + 1))
        elif recurs(work.schedule):
            self._list(next_run(work.schedule, end), work, 0, 1)

    def _around(self, work: Work, now: Instant) -> Surroundings:
        who = self._member.identity
        doing, at_store = self._count_doing(work.type.word), self._count_doing(f"{work.type.word} {work.store}")
        return Surroundings(now, who.machine, who.fleet, who.index, who.labels, doing, at_store)

    def _count_doing(self, of: str) -> int:
        self._doings[of] = self._doings.get(of, 0) + 1
        return self._doings[of]

    def _settled(self, decision: Decision, begin: Instant) -> tuple[Instant, Result]:
        """When the server has the run's end, and what it is: a run that is left open ends with the server's timeout."""
        end, given_up = begin + decision.duration, begin + self._terms.timeout
        match decision.ending.path:
            case Reject():
                return begin, decision.ending.result
            case Late(by) if end + by < given_up:
                return end + by, decision.ending.result
            case Crash(after_completing=True):
                return end, decision.ending.result
            case Hang() | Late() | Crash() | Malformed():
                return given_up, Result.FAILURE
            case Oversize(size) if size > self._terms.max_data:
                return given_up, Result.FAILURE
            case _:
                return end, decision.ending.result

    def _next_occurrence(self, work: Work) -> int:
        place = (work.type.word, work.store)
        self._occurrences[place] = self._occurrences.get(place, 0) + 1
        return self._occurrences[place]


_MERGED: Final = frozenset({Category.INVENTORY})
"""A store has one inventory job: posting it while it waits changes nothing."""
