"""The scenario's task behaviours as the scheduler's task runner: the two do not know each other."""

from agent_sim.scenario.oig_plan import TaskBehaviours
from agent_sim.server.oig_tasks import Course, Outcome, TaskRun


class ScenarioTasks:
    """Runs go as the scenario says (TaskRunner)."""

    def __init__(self, tasks: TaskBehaviours) -> None:
        self._tasks = tasks

    def course(self, run: TaskRun) -> Course:
        """How this run goes."""
        ending, duration = self._tasks.decide(run.task, run.job, run.occurrence, run.attempt, run.number)
        return Course(Outcome(ending.result), duration, ending.message)
