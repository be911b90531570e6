"""The `oig` block: jobs of Oracle Identity Governance's scheduler, and how the tasks that they run go.

The operator creates the jobs and asks for what `do` says; the scheduler runs them. How a run goes is told to the
embedded server only: a real one runs the product's own tasks.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from agent_sim.protocol.oig import INT32_MAX
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import Count, Flag, Moment, Share, Text, Whole
from agent_sim.scenario.spreads import DurationSpread, check_total
from agent_sim.scenario.units import found

Word = Annotated[Text, Field(min_length=1, max_length=120)]


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"{found(value)}, expected a text, a number, true or false")
    return value


Scalar = Annotated[str | bool | int | float, BeforeValidator(_scalar)]


class OigOutcome(Block):
    """One way for a run to end."""

    result: Literal["success", "failure", "crash", "hang"] = needed(
        "How it ends: well, with an error, with the server that ran it gone, or not at all.", "failure"
    )
    weight: Share = key("100%", "How often; all outcomes of a task total 100%.", "5%")
    message: Text = key("", "What its history says.", "purge failed: ORA-01555")


class OigTask(Block):
    """How one kind of task goes; one that is not here succeeds in 1s."""

    task: Word = needed("The task's name.", "OIM Certification Purge Task")
    duration: DurationSpread = key("1s", "How long a run takes.", {"dist": "lognormal", "median": "3s", "p95": "20s"})
    outcomes: tuple[OigOutcome, ...] = key(
        ({"result": "success"},),
        "How runs end, by weights that total 100%.",
        [{"result": "success", "weight": "95%"}, {"result": "failure", "weight": "5%"}],
        min_length=1,
    )
    first: tuple[Literal["success", "failure", "crash", "hang"], ...] = key(
        (), "How the first runs of each job end, before chance does.", ["failure", "failure", "success"]
    )

    @field_validator("outcomes")
    @classmethod
    def _check(cls, outcomes: tuple[OigOutcome, ...]) -> tuple[OigOutcome, ...]:
        check_total(tuple(outcome.weight for outcome in outcomes), "weights")
        return outcomes


class OigTrigger(Block):
    """When a job fires by itself: an interval type with its values, as the product's console has them."""

    type: Literal["Cron", "Periodic", "Single"] = needed("What kind of trigger.", "Cron")
    interval: Text | None = key(None, "Its intervalType.", "MONTHLYWEEKDAYS")
    values: tuple[Annotated[str, BeforeValidator(str)], ...] = key((), "Its intervalValues.", ["Fourth Monday"])
    start: Moment = key("0s", "When it begins; its time of day is that of its firing.", "17h44m")
    end: Moment | None = key(None, "When it ends.", "20d")


class OigAction(Block):
    """What the operator asks of a job, and when."""

    at: Moment = needed("When.", "steady+1m")
    do: Literal["run", "stop", "enable", "disable", "delete"] = needed("What.", "run")


class OigJob(Block):
    """A job, or so many alike."""

    name: Word = needed("Its name; the scenario's prefix goes before it.", "Test Job")
    task: Word = needed("The task that it runs.", "OIM Certification Purge Task")
    count: Annotated[Count, Field(le=100_000)] = key(1, "So many alike, numbered.", 200)
    retry_count: Annotated[Whole, Field(ge=0, le=INT32_MAX)] = key(
        0, "How often in a row a failed run is tried again.", 1
    )
    parameters: dict[str, Scalar] = key({}, "Its parameters.", {"Purge Criteria": 1})
    concurrent: Flag = key(False, "Whether it may run several times at once.", True)
    enabled: Flag = key(True, "Whether it is enabled from the start.", False)
    notification: dict[str, object] | None = key(None, "Who is told of failures.", {"sendTo": "XELSYSADM"})
    trigger: OigTrigger | None = key(None, "When it fires by itself.", {"type": "Periodic", "interval": "HOURS"})
    do: tuple[OigAction, ...] = key((), "What the operator asks of it.", [{"at": "10s", "do": "run"}])


class Oig(Block):
    """The scheduler's side of a scenario."""

    tasks: tuple[OigTask, ...] = key((), "How tasks go.", [])
    jobs: tuple[OigJob, ...] = key((), "Jobs that the operator creates.", [])

    @model_validator(mode="after")
    def _check(self) -> Self:
        for noun, names in (("job", [job.name for job in self.jobs]), ("task", [task.task for task in self.tasks])):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f'found the {noun} "{twice[0]}" twice, expected each once')
        return self
