"""The scheduler on a bench: in memory, with a clock that jumps from one due instant to the next, and scripted tasks."""

from collections.abc import Iterable
from dataclasses import replace

from agent_sim.instants import MILLISECOND, Instant, Span, from_iso
from agent_sim.protocol import oig
from agent_sim.protocol.oig import History, JobDetails, Parameter, Reply, RunStatus, Trigger
from agent_sim.server.callers import EVERYTHING, Caller
from agent_sim.server.oig import OigServer
from agent_sim.server.oig_tasks import Course, Outcome, TaskRun
from agent_sim.server.store import SqliteStore
from agent_sim.settings import DEFAULT_SETTINGS

OPERATOR = Caller("operator", EVERYTHING)
START = from_iso("2026-01-01T00:00:00Z")  # a Thursday

SEEDS_BODY = b"""{
"jobName": "Test Job",
"taskName": "OIM Certification Purge Task",
"retryCount": 1,
"parameters": {
"Cert Campaigns for Purge": {
"value": 11
},
"Purge Retention Period(in days)": {
"value": 5
},
"Purge Criteria": {
"value": 1
},
"Maximum Purge Run Duration(in Mins)": {
"value": 6
}
}
}"""


def seeds_job() -> JobDetails:
    """The job of the seed's example."""
    values = {
        "Cert Campaigns for Purge": "11",
        "Purge Retention Period(in days)": "5",
        "Purge Criteria": "1",
        "Maximum Purge Run Duration(in Mins)": "6",
    }
    parameters = tuple(Parameter(name, value) for name, value in values.items())
    return JobDetails("Test Job", "OIM Certification Purge Task", 1, parameters)


class Scripted:
    """Runs go as they are told, in order; when the script is used up, or there is none, they succeed at once."""

    def __init__(self, *courses: Course) -> None:
        self.courses = list(courses)
        self.asked: list[TaskRun] = []

    def course(self, run: TaskRun) -> Course:
        self.asked.append(run)
        return self.courses.pop(0) if self.courses else Course(duration=MILLISECOND)


def failing(times: int, duration: Span = MILLISECOND) -> list[Course]:
    return [Course(Outcome.FAILURE, duration, "purge failed")] * times


class OigBench:
    """The scheduler and what a test does to it."""

    def __init__(self, *courses: Course, store: SqliteStore | None = None, **settings: object) -> None:
        self.store = store or SqliteStore.open(":memory:")
        self.tasks = Scripted(*courses)
        self.server = OigServer(self.store, replace(DEFAULT_SETTINGS, **settings), self.tasks)
        self.now: Instant = START

    def ask(self, operation: oig.Operation, caller: Caller = OPERATOR) -> Reply:
        return self.server.handle(operation, caller, self.now)

    def done(self, operation: oig.Operation) -> str:
        """Ask for what must succeed; returns the status text."""
        reply = self.ask(operation)
        assert isinstance(reply.body, oig.Success), reply
        assert reply.status == 200
        return reply.body.status

    def refused(self, operation: oig.Operation) -> tuple[int, str]:
        """Ask for what must not succeed."""
        reply = self.ask(operation)
        assert isinstance(reply.body, oig.Failure), reply
        return reply.status, reply.body.message

    def create(self, name: str = "A", retry_count: int = 0, **more: object) -> None:
        self.done(oig.CreateJob(JobDetails(name, "Task", retry_count, **more)))

    def trigger(self, name: str, trigger: Trigger) -> None:
        self.done(oig.SetTrigger(name, trigger))

    def job(self, name: str = "A") -> JobDetails:
        reply = self.ask(oig.GetJob(name))
        assert isinstance(reply.body, JobDetails), reply
        return reply.body

    def history(self, name: str = "A") -> list[History]:
        reply = self.ask(oig.ListHistory(name, oig.Page(limit=100_000)))
        assert isinstance(reply.body, oig.HistoryPage), reply
        assert reply.body.total == len(reply.body.history)
        return list(reply.body.history)

    def statuses(self, name: str = "A") -> list[RunStatus]:
        return [run.status for run in self.history(name)]

    def names(self, query: str = "", **page: object) -> list[str]:
        reply = self.ask(oig.ListJobs(query, oig.Page(**page)))
        assert isinstance(reply.body, oig.JobPage), reply
        return [job.job_name for job in reply.body.jobs]

    def run_until(self, instant: Instant) -> None:
        """Let all happen that is due up to and including an instant, each at its own time."""
        while (at := self.server.next_wake()) <= instant:
            self.now = max(at, self.now)
            self.server.wake(self.now)
        self.now = instant

    def wait(self, span: Span) -> None:
        self.run_until(self.now + span)


def create_all(bench: OigBench, names: Iterable[str]) -> None:
    for name in names:
        bench.create(name)
