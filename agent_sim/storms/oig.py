"""Storms on Oracle's scheduler: create, run and stop jobs, one job a request, and whether each happened exactly once.

A row says which jobs are tokens, how one is asked for, and what the history must show afterwards; pool, ledger, rates
and verdict are those of every storm. What is asked of the target are generators of operations (`protocol.oig_reading`),
so that Locust and replays read alike. There is no feed of transitions: T is read off the histories (load-testing 3.4).
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from agent_sim.instants import SECOND, Instant
from agent_sim.protocol import oig, oig_reading
from agent_sim.protocol.oig import History, JobDetails, JobStatus, RunStatus, TriggerType
from agent_sim.storms.observe import Mark, Observed
from agent_sim.storms.pool import Batch, Harvest, Token
from agent_sim.storms.taxonomy import Violation

if TYPE_CHECKING:
    from agent_sim.storms.plan import StormPlan

TASK: Final = "agent-sim storm"
"""The task of jobs that a storm creates."""

T = TypeVar("T")
Reading = Generator[oig.Operation, oig.Reply, T]


@dataclass(frozen=True, slots=True)
class OigStorm:
    """One row. `accepts` and `means` are for people, `effect` is what an accepted job shows exactly once.

    `count` gives T from a job's runs since the mark, newest of before included; None for storms that only look whether
    the job is there.
    """

    name: str
    title: str
    ask: Callable[[str], oig.Operation]
    is_eligible: Callable[[JobDetails], bool] | None
    count: Callable[[Sequence[History], Mark], int] | None
    effect: str
    accepts: str
    means: str
    not_checkable: Mapping[Violation, str]
    again: bool = False

    def request(self, tokens: Sequence[Token], batch: Batch) -> oig.Operation:
        """What is asked of the one job of a batch."""
        return self.ask(tokens[batch.first].job_id)

    def pool(self, plan: "StormPlan", now: Instant, most: int) -> "Reading[Harvest]":
        """The tokens of a storm that begins now and sends `most` requests at most."""
        if self.is_eligible is None:
            return Harvest(_numbered(_new_names(plan, now, most)), 0, 0)
        jobs = yield from oig_reading.jobs(plan.prefix)
        eligible = [job.job_name for job in jobs if self.is_eligible(job)]
        return Harvest(_numbered(eligible), 0, len(jobs) - len(eligible))

    def mark(self, plan: "StormPlan") -> "Reading[Mark]":
        """Where the histories of the jobs in scope stand."""
        if self.count is None:
            yield oig.ListJobs(page=oig.Page(0, 1))  # nothing to remember, but a target that is none says so here
            return Mark(None, 0)
        newest = 0
        for run in (yield from self._runs(plan.prefix)):
            newest = max(newest, run.id)
        return Mark(None, newest)

    def observe(self, plan: "StormPlan", tokens: Sequence[Token], before: Mark) -> "Reading[Observed]":
        """What happened to each token since the mark."""
        if self.count is None:
            there = {job.job_name for job in (yield from oig_reading.jobs(plan.prefix))}
            return Observed([int(token.job_id in there) for token in tokens], frozenset(), self.not_checkable)
        by_job: dict[str, list[History]] = {}
        for run in (yield from self._runs(plan.prefix)):
            by_job.setdefault(run.job_name, []).append(run)
        counts = [self.count(by_job.get(token.job_id, ()), before) for token in tokens]
        return Observed(counts, frozenset(), self.not_checkable)

    def _runs(self, prefix: str) -> "Reading[list[History]]":
        names = [job.job_name for job in (yield from oig_reading.jobs(prefix))]
        return (yield from oig_reading.runs(prefix, names, 0))


def _numbered(names: Iterable[str]) -> tuple[Token, ...]:
    return tuple(Token(number, name) for number, name in enumerate(names, 1))


def _new_names(plan: "StormPlan", now: Instant, count: int) -> list[str]:
    """Names that no earlier storm had: the second that it begins at is in them."""
    return [f"{plan.prefix}{plan.name} {now // SECOND} {number:06d}" for number in range(1, count + 1)]


def _is_at_rest(job: JobDetails) -> bool:
    """One that only a request sets off: what a trigger does beside the storm could not be told from it."""
    fires = job.job_schedule_type not in (None, TriggerType.NONE.value)
    return job.is_enabled and job.status is not JobStatus.RUNNING and not fires


def _is_running(job: JobDetails) -> bool:
    return job.status is JobStatus.RUNNING


def _begun(runs: Sequence[History], before: Mark) -> int:
    """Runs that began since, without those that were retries: each run that failed is tried again once at most."""
    new = [run for run in runs if run.id > before.newest_run]
    retried = sum(run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED) for run in new[:-1])
    return len(new) - retried


def _interrupted(runs: Sequence[History], before: Mark) -> int:
    """Whether the run that was under way then was interrupted."""
    old = [run for run in runs if run.id <= before.newest_run]
    return int(bool(old) and old[-1].status is RunStatus.INTERRUPTED)


_NAMES_ARE_UNIQUE: Final = "a name can be there only once"
_ONCE_AT_MOST: Final = "a run can be interrupted only once"

OIG_OPERATIONS: Final[Mapping[str, OigStorm]] = {
    row.name: row
    for row in (
        OigStorm(
            name="oig_create",
            title="Create a job",
            ask=lambda name: oig.CreateJob(JobDetails(name, TASK, 0)),
            is_eligible=None,
            count=None,
            effect="created",
            accepts="names that no job has",
            means="the job is there",
            not_checkable={Violation.DOUBLE_TRANSITION: _NAMES_ARE_UNIQUE},
        ),
        OigStorm(
            name="oig_run",
            title="Run a job",
            ask=oig.RunJob,
            is_eligible=_is_at_rest,
            count=_begun,
            effect="run",
            accepts="enabled jobs that are not running and have no trigger",
            means="the history has exactly one run more, retries of it aside",
            not_checkable={},
        ),
        OigStorm(
            name="oig_stop",
            title="Stop a job",
            ask=oig.StopJob,
            is_eligible=_is_running,
            count=_interrupted,
            effect="stopped",
            accepts="jobs that are running",
            means="the run that was under way is interrupted",
            not_checkable={Violation.DOUBLE_TRANSITION: _ONCE_AT_MOST},
        ),
    )
}
