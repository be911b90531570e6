"""From a scenario's `oig` block to plain values: what the operator asks for and when, and how tasks go.

`TaskBehaviours.decide` is to the scheduler's runs what `agent.behaviour` is to agents' jobs: one keyed draw per
purpose, so that the n-th run of a job always goes the same way.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.distributions import Constant, Distribution, choose, sample_span
from agent_sim.draws import Key, key, sub, unit
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.protocol import oig
from agent_sim.protocol.oig import JobDetails, Parameter, Trigger, TriggerType
from agent_sim.scenario.fields import TimePoint
from agent_sim.scenario.oig import OigJob, OigTask, OigTrigger
from agent_sim.scenario.spreads import distribution

Result = Literal["success", "failure", "crash", "hang"]

_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class TaskEnding:
    """One way for a run to end."""

    result: Result
    message: str = ""


@dataclass(frozen=True, slots=True)
class TaskBehaviour:
    """How one task goes: duration in nanoseconds, endings with weights that total 1; `first` endings come as told."""

    duration: Distribution = Constant(SECOND)
    endings: tuple[tuple[TaskEnding, float], ...] = ((TaskEnding("success"), 1.0),)
    first: tuple[TaskEnding, ...] = ()


_USUAL: Final = TaskBehaviour()


@dataclass(frozen=True, slots=True)
class TaskBehaviours:
    """How every task goes; one that has no row succeeds in a second."""

    key: Key
    by_task: Mapping[str, TaskBehaviour]

    def decide(self, task: str, job: str, occurrence: int, attempt: int, number: int) -> tuple[TaskEnding, Span]:
        """How this run ends, and after how long; `number` counts all runs of the job."""
        how = self.by_task.get(task, _USUAL)
        run = sub(self.key, task, job, occurrence, attempt)
        told = number <= len(how.first)
        ending = how.first[number - 1] if told else choose(how.endings, unit(run, "ending"))
        return ending, sample_span(how.duration, unit(run, "duration"))


@dataclass(frozen=True, slots=True)
class Duty:
    """An operation that is to be asked for at an instant."""

    at: Instant
    operation: oig.Operation


@dataclass(frozen=True, slots=True)
class OigPlan:
    """What the operator asks of the scheduler, job by job in order of time, and how the tasks go."""

    prefix: str
    jobs: tuple[tuple[Duty, ...], ...]
    tasks: TaskBehaviours


_ACTIONS: Final[Mapping[str, Callable[[str], oig.Operation]]] = {
    "run": oig.RunJob,
    "stop": oig.StopJob,
    "enable": oig.EnableJob,
    "disable": oig.DisableJob,
    "delete": oig.DeleteJob,
}


def job_duties(
    job: OigJob, prefix: str, start: Instant, offset: Callable[[TimePoint], Span]
) -> tuple[tuple[Duty, ...], ...]:
    """What is asked for each of the jobs that one entry stands for."""
    names = [job.name] if job.count == 1 else [f"{job.name} {number:0{_DIGITS}d}" for number in range(job.count)]
    return tuple(_duties(job, prefix + name, start, offset) for name in names)


def _duties(job: OigJob, name: str, start: Instant, offset: Callable[[TimePoint], Span]) -> tuple[Duty, ...]:
    duties = [Duty(start, oig.CreateJob(_details(job, name)))]
    if job.trigger is not None:
        duties.append(Duty(start, oig.SetTrigger(name, trigger(job.trigger, start, offset))))
    actions = [Duty(start + offset(action.at), _ACTIONS[action.do](name)) for action in job.do]
    return (*duties, *sorted(actions, key=lambda duty: duty.at))


def _details(job: OigJob, name: str) -> JobDetails:
    return JobDetails(
        job_name=name,
        task_name=job.task,
        retry_count=job.retry_count,
        parameters=tuple(Parameter(label, _text(value)) for label, value in job.parameters.items()),
        concurrent=job.concurrent,
        is_enabled=job.enabled,
        notification=None if job.notification is None else json.dumps(job.notification, ensure_ascii=False),
    )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def trigger(said: OigTrigger, start: Instant, offset: Callable[[TimePoint], Span]) -> Trigger:
    """The trigger in the wire's words; its times are whole seconds, rounded up."""

    def at(point: TimePoint) -> Instant:
        return -(-(start + offset(point)) // SECOND) * SECOND

    end = None if said.end is None else at(said.end)
    return Trigger(TriggerType(said.type), said.interval, said.values, at(said.start), end)


def task_behaviours(tasks: tuple[OigTask, ...], seed: int) -> TaskBehaviours:
    """How the tasks of a scenario go."""
    return TaskBehaviours(key(seed, "oig"), {task.task: _behaviour(task) for task in tasks})


def _behaviour(task: OigTask) -> TaskBehaviour:
    messages = {outcome.result: outcome.message for outcome in task.outcomes}
    return TaskBehaviour(
        distribution(task.duration),
        tuple((TaskEnding(outcome.result, outcome.message), outcome.weight) for outcome in task.outcomes),
        tuple(TaskEnding(result, messages.get(result, "")) for result in task.first),
    )
