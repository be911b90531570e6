"""How an agent does its jobs, as data, and the keyed draw that settles one occurrence.

A behaviour says for each kind of job how long it takes and how it ends: by the first rule that holds, else by a
sequence, else by weights. What the n-th occurrence of a job on a store comes to is a function of a key, so it is the
same over every transport and in virtual time. A rule may look at the time: that is the scenario's time when the job is
configured, so a rule decides alike in every run in which the job is configured on the same side of the moment that it
names.

Whether a job is never started must be settled before it is configured, and so before its store is known: that draw
hangs on how many jobs of the type came before, and neither a sequence per store nor a rule about the store may ask
for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent_sim.agent.conditions import LABELS, Condition, Value, holds
from agent_sim.agent.paths import NeverStart, Path
from agent_sim.distributions import Constant, Distribution, choose, sample_span
from agent_sim.draws import Key, sub, unit
from agent_sim.instants import DAY, SECOND, Instant, Span
from agent_sim.protocol.enums import Category, JobType, Result
from agent_sim.values import value


@dataclass(frozen=True, slots=True)
class Ending:
    """One way for a job to end; `message` may name {store}, {agent}, {type}, {n}, {occurrence} and {attempt}.

    `path` is None for the straight one. Of an ending that never starts, nothing else counts.
    """

    result: Result
    message: str = ""
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """Endings one after another: of the agent's jobs of this type, of those on each store, or of a job's attempts.

    `then` says what comes after the last: the weights, the last one for good, or the first again.
    """

    per: Literal["agent", "store", "job"]
    endings: tuple[Ending, ...]
    then: Literal["weights", "last", "repeat"] = "weights"

    def ending(self, number: int) -> Ending | None:
        """The ending in that place, counted from 1; None if the weights decide."""
        if number <= len(self.endings):
            return self.endings[number - 1]
        return {"weights": None, "last": self.endings[-1], "repeat": self.endings[(number - 1) % len(self.endings)]}[
            self.then
        ]


@dataclass(frozen=True, slots=True)
class Rule:
    """An ending for every job of which the condition holds."""

    when: Condition
    ending: Ending


@dataclass(frozen=True, slots=True)
class JobBehaviour:
    """Duration in nanoseconds, endings with weights that total 1, and the log's size in characters.

    `never_starts` is the share of jobs that are not even begun; the endings are about the others.
    """

    duration: Distribution = Constant(SECOND)
    endings: tuple[tuple[Ending, float], ...] = ((Ending(Result.SUCCESS), 1.0),)
    size: Distribution = Constant(400)
    sequence: Sequence | None = None
    never_starts: float = 0.0

    @property
    def is_certain(self) -> bool:
        """True if all jobs that no rule is about are done alike."""
        return len(self.endings) == 1 and type(self.duration) is Constant and type(self.size) is Constant


@dataclass(frozen=True, slots=True)
class Clock:
    """What rules know of time: when the run began, and its phases by name, start and end.

    `day` is how much of the scenario a day holds: less than a day in the slow past that `scenario.past` makes.
    """

    start: Instant = 0
    phases: tuple[tuple[str, Instant, Instant], ...] = ()
    day: Span = DAY

    def time(self, now: Instant) -> Span:
        """How far the scenario has come."""
        return (now - self.start) * self.day // DAY

    def phase(self, now: Instant) -> str:
        """The phase under way, "" if there is none."""
        return next((name for name, start, end in self.phases if start <= now < end), "")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """By the scenario's word for the job type; a word that is missing takes `otherwise`."""

    name: str = "default"
    jobs: Mapping[str, JobBehaviour] = field(default_factory=dict)
    otherwise: JobBehaviour = JobBehaviour()
    rules: tuple[Rule, ...] = ()
    clock: Clock = Clock()

    def of(self, job: JobType) -> JobBehaviour:
        """How this job type is done; a custom type falls back on `custom`, then on the default."""
        found = self.jobs.get(job.word)
        if found is None and job.category is Category.CUSTOM:
            found = self.jobs.get(Category.CUSTOM.value)
        return self.otherwise if found is None else found


@value
class Occasion:
    """Which doing of which job: what the outcome depends on besides the agent."""

    job: JobType
    store: str
    occurrence: int
    attempt: int


@value
class Surroundings:
    """What rules and sequences look at besides the occasion.

    `doing` and `doing_at_store` count the agent's jobs of the type, and those on the store, with this one.
    """

    now: Instant = 0
    machine: str = ""
    fleet: str = ""
    index: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    doing: int = 1
    doing_at_store: int = 1


NOWHERE = Surroundings()


@value
class Decision:
    """What one occasion comes to."""

    ending: Ending
    duration: Span
    size: int


def decide(behaviour: Behaviour, agent: Key, occasion: Occasion, around: Surroundings = NOWHERE) -> Decision:
    """Settle an occasion before it starts: the same key and occasion always give the same decision."""
    how = behaviour.of(occasion.job)
    declared = _declared(behaviour, how, occasion, around)
    if how.is_certain:  # nothing would come of a draw
        return Decision(
            ending=how.endings[0][0] if declared is None else declared,
            duration=sample_span(how.duration, 0.0),
            size=max(round(how.size.sample(0.0)), 0),
        )
    key = sub(agent, occasion.job.word, occasion.store, occasion.occurrence, occasion.attempt)
    return Decision(
        ending=choose(how.endings, unit(key, "ending")) if declared is None else declared,
        duration=sample_span(how.duration, unit(key, "duration")),
        size=max(round(how.size.sample(unit(key, "size"))), 0),
    )


def is_started(behaviour: Behaviour, agent: Key, occasion: Occasion, around: Surroundings) -> bool:
    """False for a job that the agent leaves on its list; the occasion's store is not known yet."""
    how = behaviour.of(occasion.job)
    declared = _declared(behaviour, how, occasion, around)
    if declared is not None:
        return not isinstance(declared.path, NeverStart)
    return unit(sub(agent, occasion.job.word), "never start", around.doing) >= how.never_starts


def looks_around(behaviour: Behaviour, job: JobType) -> bool:
    """True if a decision about a job of this type asks what surrounds it."""
    return bool(behaviour.rules) or behaviour.of(job).sequence is not None


def may_never_start(behaviour: Behaviour, job: JobType) -> bool:
    """True if there is anything to settle before a job of this type is configured."""
    how = behaviour.of(job)
    declared = (*(rule.ending for rule in behaviour.rules), *(how.sequence.endings if how.sequence else ()))
    return how.never_starts > 0 or any(isinstance(ending.path, NeverStart) for ending in declared)


def _declared(behaviour: Behaviour, how: JobBehaviour, occasion: Occasion, around: Surroundings) -> Ending | None:
    """What a rule or the sequence says."""
    if behaviour.rules:
        ruled = _ruled(behaviour.rules, _facts(behaviour.clock, occasion, around))
        if ruled is not None:
            return ruled
    if how.sequence is None:
        return None
    numbers = {"agent": around.doing, "store": around.doing_at_store, "job": occasion.attempt}
    return how.sequence.ending(numbers[how.sequence.per])


def _ruled(rules: Iterable[Rule], values: Mapping[str, Value]) -> Ending | None:
    return next((rule.ending for rule in rules if holds(rule.when, values)), None)


def _facts(clock: Clock, occasion: Occasion, around: Surroundings) -> Mapping[str, Value]:
    return {
        "time": clock.time(around.now),
        "phase": clock.phase(around.now),
        "job.type": occasion.job.word,
        "job.capability": occasion.job.capability,
        "job.occurrence": occasion.occurrence,
        "job.attempt": occasion.attempt,
        "store": occasion.store,
        "agent.index": around.index,
        "agent.name": around.machine,
        "agent.fleet": around.fleet,
        **{f"{LABELS}{name}": word for name, word in around.labels.items()},
    }
