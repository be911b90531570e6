"""How an agent does its jobs, as data, and the keyed draw that settles one occurrence.

A behaviour says for each kind of job how long it takes and how it ends, by weights. What the n-th occurrence of
a job on a store comes to is a function of a key, so it is the same over every transport and in virtual time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.distributions import Constant, Distribution, choose, sample_span
from agent_sim.draws import Key, sub, unit
from agent_sim.instants import SECOND, Span
from agent_sim.protocol.enums import Category, JobType, Result


@dataclass(frozen=True, slots=True)
class Ending:
    """One way for a job to end; `message` may name {store}, {agent}, {type}, {n} and {attempt}."""

    result: Result
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobBehaviour:
    """Duration in nanoseconds, endings with weights that total 1, and the log's size in characters."""

    duration: Distribution = Constant(SECOND)
    endings: tuple[tuple[Ending, float], ...] = ((Ending(Result.SUCCESS), 1.0),)
    size: Distribution = Constant(400)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """By the scenario's word for the job type; a word that is missing takes `otherwise`."""

    name: str = "default"
    jobs: Mapping[str, JobBehaviour] = field(default_factory=dict)
    otherwise: JobBehaviour = JobBehaviour()

    def of(self, job: JobType) -> JobBehaviour:
        """How this job type is done; a custom type falls back on `custom`, then on the default."""
        found = self.jobs.get(job.word)
        if found is None and job.category is Category.CUSTOM:
            found = self.jobs.get(Category.CUSTOM.value)
        return self.otherwise if found is None else found


@dataclass(frozen=True, slots=True)
class Occasion:
    """Which doing of which job: what the outcome depends on besides the agent."""

    job: JobType
    store: str
    occurrence: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What one occasion comes to."""

    ending: Ending
    duration: Span
    size: int


def decide(behaviour: Behaviour, agent: Key, occasion: Occasion) -> Decision:
    """Settle an occasion before it starts: the same key and occasion always give the same decision."""
    how = behaviour.of(occasion.job)
    key = sub(agent, occasion.job.word, occasion.store, occasion.occurrence, occasion.attempt)
    return Decision(
        ending=choose(how.endings, unit(key, "ending")),
        duration=sample_span(how.duration, unit(key, "duration")),
        size=max(round(how.size.sample(unit(key, "size"))), 0),
    )
