"""Jobs and runs in process as they stand, in memory in front of their tables.

An agent's message about a job that is at hand needs no look into the database, and what it changes is written there
later (`Store.later`). Whatever else changes these tables makes all of this forgotten; what is not at hand is looked up.
"""

from typing import Final

from agent_sim.jobs.model import Job, Run
from agent_sim.server.ports import Store
from agent_sim.states import JobState

_MOST: Final = 200_000
"""Jobs kept; our choice (some hundred bytes each)."""


_GONE: Final = JobState.GONE


class AtHand:
    """What is remembered of the tables `job` and `run`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: dict[str, Job] = {}
        self._runs: dict[int, Run] = {}
        self._running: dict[str, int] = {}  # audit ids of runs in process by job
        self._given: int | None = None
        store.tell(("job", "run"), self.forget)

    def forget(self) -> None:
        """All of it."""
        self._jobs.clear()
        self._runs.clear()
        self._running.clear()
        self._given = None

    def job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def keep(self, job: Job) -> None:
        """It stands like this now."""
        if job.state is _GONE:
            self._jobs.pop(job.job_id, None)
            return
        if len(self._jobs) >= _MOST:
            self.forget()
        self._jobs[job.job_id] = job

    def next_audit_id(self) -> int:
        """One that was never given before."""
        if self._given is None:
            [(given,)] = self._store.rows("run_given", {})
            self._given = int(given)
        self._given += 1
        return self._given

    def begun(self, run: Run) -> None:
        self._runs[run.audit_id] = run
        self._running[run.job_id] = run.audit_id

    def ended(self, run: Run) -> None:
        self._runs.pop(run.audit_id, None)
        self._running.pop(run.job_id, None)

    def in_process(self, job_id: str) -> int | None:
        return self._running.get(job_id)

    def run(self, audit_id: int) -> Run | None:
        """The run in process of this number."""
        return self._runs.get(audit_id)
