"""Values that the tests of storms share: a plan, runs, tokens and a target that is only a list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from agent_sim.instants import SECOND, Instant
from agent_sim.protocol.command import AgentRecord, JobHistoryRecord, ScheduledJobRecord, Transition
from agent_sim.protocol.enums import Result, Status
from agent_sim.storms.plan import Stage, StormPlan
from agent_sim.storms.pool import Token

PLAN = StormPlan(
    name="mass",
    operation="reschedule",
    by="ids",
    batch=50,
    query="",
    stages=(Stage(20, 0), Stage(20, 3 * SECOND)),
    arrivals="uniform",
    max_in_flight=100,
    prefix="agentsim-",
    seed=1,
    start=0,
)

FAILED = JobHistoryRecord(
    job_history_id=1,
    agent_machine="agentsim-demo-1",
    job_id="job-1",
    job_type="PEMManagement",
    result=Result.FAILURE,
    status=Status.COMPLETED,
)


def plan(**changed: Any) -> StormPlan:
    """The plan with something changed."""
    return replace(PLAN, **changed)


def run(number: int, **changed: Any) -> JobHistoryRecord:
    """A failed run of its own job."""
    return replace(FAILED, **{"job_history_id": number, "job_id": f"job-{number}", **changed})


def tokens(count: int) -> tuple[Token, ...]:
    """Tokens 1, 2, ... of jobs of their own."""
    return tuple(Token(number, f"job-{number}") for number in range(1, count + 1))


def event(seq: int, kind: str, number: int, at: Instant | None = None, audit: int | None = 0) -> Transition:
    """A transition of job and run `number`; `audit` None for one that names no run."""
    return Transition(seq, seq * SECOND if at is None else at, kind, f"JOB-{number}", None if audit is None else number)


@dataclass
class FakeReader:
    """A target as lists; `events` None for one that shows no transitions."""

    events: list[Transition] | None = None
    runs: list[JobHistoryRecord] = field(default_factory=list)
    jobs: list[ScheduledJobRecord] = field(default_factory=list)
    orchestrators: list[AgentRecord] = field(default_factory=list)
    read_from: list[int] = field(default_factory=list)

    def last_transition(self) -> int | None:
        return None if self.events is None else max((event.seq for event in self.events), default=0)

    def transitions(self, after: int) -> Iterator[Transition]:
        self.read_from.append(after)
        yield from (event for event in self.events or () if event.seq > after)

    def history(self, query: str, *, newest_first: bool = False) -> Iterable[JobHistoryRecord]:
        return sorted(self.runs, key=lambda run: run.job_history_id, reverse=newest_first)

    def scheduled(self, query: str = "") -> Iterable[ScheduledJobRecord]:
        return self.jobs

    def agents(self, query: str = "") -> Iterable[AgentRecord]:
        return self.orchestrators
