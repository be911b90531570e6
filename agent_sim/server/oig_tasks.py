"""What the scheduler needs from outside: something that says how a run of a task goes.

The real product runs tasks in its own servers, so here the server stands in for them too: for each run it is told how
long it lasts and how it ends, before it begins. Who decides that is the starter's business: by itself, every task
succeeds after a second.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from agent_sim.instants import SECOND, Span


class Outcome(Enum):
    """How a run ends: well; with an error; with the server that it ran on gone; not at all."""

    SUCCESS = "success"
    FAILURE = "failure"
    CRASH = "crash"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One doing of a task: the n-th occurrence of a job, which attempt at it, and the job's how-manieth run in all."""

    task: str
    job: str
    occurrence: int
    attempt: int
    number: int


@dataclass(frozen=True, slots=True)
class Course:
    """How it goes; a hang has a duration that does not count."""

    outcome: Outcome = Outcome.SUCCESS
    duration: Span = SECOND
    message: str = ""


class TaskRunner(Protocol):
    """Decides how runs go."""

    def course(self, run: TaskRun) -> Course:
        """How this run goes; the same run always goes the same way."""


class Succeeding:
    """Every task succeeds after a second."""

    def course(self, run: TaskRun) -> Course:
        return Course()
