"""The scheduler's side of a scenario in plain words: its jobs, how their tasks go, and when they are set off."""

from collections.abc import Iterator

from agent_sim.scenario.explain_values import all_of, spread
from agent_sim.scenario.fields import time_point_text
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.oig import OigJob, OigTask, OigTrigger
from agent_sim.scenario.units import share_text


def jobs(scenario: Scenario) -> Iterator[str]:
    """A sentence for each kind of job, then one for each task."""
    if scenario.oig is None:
        return
    yield from map(_job, scenario.oig.jobs)
    yield from map(_task, scenario.oig.tasks)


def _job(job: OigJob) -> str:
    what = job.name if job.count == 1 else f"{job.name}, {job.count:,} jobs alike"
    retries = {0: "no retry", 1: "1 retry"}.get(job.retry_count, f"{job.retry_count:,} retries")
    how = [f"runs {job.task}", retries]
    how += ["several at once" if job.concurrent else "one at a time"]
    how += [] if job.enabled else ["disabled at first"]
    how += [_trigger(job.trigger)] if job.trigger is not None else []
    how += [all_of(f"{action.do} at {time_point_text(action.at)}" for action in job.do)] if job.do else []
    return f"{what}: {'; '.join(how)}"


def _trigger(trigger: OigTrigger) -> str:
    if trigger.type == "Single":
        return f"fires once, at {time_point_text(trigger.start)}"
    values = f" {', '.join(trigger.values)}" if trigger.values else ""
    until = f" until {time_point_text(trigger.end)}" if trigger.end is not None else ""
    return f"fires by {trigger.type} {trigger.interval}{values}, from {time_point_text(trigger.start)}{until}"


def _task(task: OigTask) -> str:
    ends = all_of(f"{share_text(outcome.weight)} {outcome.result}" for outcome in task.outcomes)
    first = f", the first runs of a job {all_of(task.first)}" if task.first else ""
    return f"{task.task} takes {spread(task.duration)} and ends in {ends}{first}"
