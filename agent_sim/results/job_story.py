"""What became of one job, moment by moment, as the operator, its agents and the server told it.

For the few runs that a report lists; the whole of a job that recurs for days is cut to what is near the listed run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.results.facts import Facts
from agent_sim.results.journal import JobCompleted

BEFORE: Final = 12
AFTER: Final = 6
"""How many moments before and after the listed completion are told."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, `t` seconds after the run started; `audit` is the run concerned, if it is one."""

    t: float
    who: Literal["operator", "agent", "server"]
    what: str
    audit: int | None = None


@dataclass(frozen=True, slots=True)
class JobStory:
    """A run that was completed, and its job's moments in time.

    `waited` is from when the job was last free to be handed out, None if nobody told; `left_out` counts moments.
    """

    job: JobCompleted
    waited: float | None
    worked: float
    moments: tuple[Moment, ...]
    left_out: int


def story_of(facts: Facts, job: JobCompleted) -> JobStory:
    """The story of the job that a listed run belongs to."""
    told = sorted(_moments(facts, job), key=lambda moment: moment.t)
    here = next((place for place, each in enumerate(told) if _is_the_end(each, job)), 0)
    shown = told[max(here - BEFORE, 0) : here + 1 + AFTER]
    handed = min((each.t for each in facts.handed.get(job.audit, ())), default=None)
    return JobStory(
        job=job,
        waited=None if handed is None else _waited(told, handed),
        worked=job.t - handed if handed is not None else job.seconds,
        moments=tuple(shown),
        left_out=len(told) - len(shown),
    )


_FREES: Final = ("posted", "queued", "rescheduled", "completed", "timed out")


def _waited(told: list[Moment], handed: float) -> float | None:
    free = [each.t for each in told if each.t <= handed and each.what.startswith(_FREES)]
    return handed - free[-1] if free else None


def _is_the_end(moment: Moment, job: JobCompleted) -> bool:
    return moment.who == "agent" and moment.audit == job.audit and moment.what.startswith("completed")


def _moments(facts: Facts, job: JobCompleted) -> Iterator[Moment]:
    name = job.job.lower()
    if (posted := facts.posted.get(name)) is not None:
        yield Moment(posted.t, "operator", f"posted by {posted.posting}")
    for kind, at, audit in facts.stories.get(name, ()):
        yield Moment(at, "server", kind.replace("_", " "), audit)
    for audit in sorted({job.audit, *(run.audit for run in facts.runs.get(name, ()))}):
        yield from _of_run(facts, audit)


def _of_run(facts: Facts, audit: int) -> Iterator[Moment]:
    for handed in facts.handed.get(audit, ()):
        yield Moment(handed.t, "agent", f"handed to {handed.agent}, attempt {handed.attempt}", audit)
    for done in facts.completions.get(audit, ()):
        yield Moment(done.t, "agent", f"completed: {done.outcome.name.lower()}", audit)
    for refused in facts.refused.get(audit, ()):
        yield Moment(refused.t, "agent", "completion turned away", audit)
