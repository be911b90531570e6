"""The one place where jobs and runs change: what `jobs.model` says, stored, written down as a transition, and told.

Whose work changed is noted: that agent's session turns stale, so that its next heartbeat sends it to register
again, and transports that can push are told. Who may ask for a change is checked before anybody calls here.
"""

from collections.abc import Sequence
from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs import model
from agent_sim.jobs.model import Job, Run
from agent_sim.protocol.enums import Result, Status
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.sessions import Sessions
from agent_sim.server.tables.at_hand import AtHand
from agent_sim.server.tables.columns import array
from agent_sim.server.tables.jobs import ALL, Jobs, Runs, Transitions
from agent_sim.states import JobState, RunState

_STEPS: Final = 5
"""More changes of state than most runs have."""


class Work:
    """Jobs and runs, and the sessions that are told of them."""

    def __init__(self, store: Store, sessions: Sessions, retries: int, custom_category: str = "suffix") -> None:
        self._store = store
        self._sessions = sessions
        self._retries = retries
        self._changed: dict[str, None] = {}  # AgentIds in order, for pushing transports
        at_hand = AtHand(store)
        self.jobs = Jobs(store, at_hand, custom_category)
        self.runs = Runs(store, at_hand)
        self.transitions = Transitions(store)

    # --- whose work changed -------------------------------------------------------------------

    def changed(self, agent_id: str) -> None:
        """This agent's list of jobs is not what it should be any more."""
        session = self._sessions.of_agent(agent_id)
        if session is not None:
            session.is_stale = True
        self._changed[agent_id] = None

    def take_changed(self) -> tuple[str, ...]:
        """The agents whose work changed since this was last asked."""
        changed, self._changed = tuple(self._changed), {}
        return changed

    # --- one job ------------------------------------------------------------------------------

    def accept(self, job: Job) -> None:
        """A new job waits for its agent."""
        self.jobs.add(job)
        self.transitions.add(job.requested, "queued", job.job_id)
        self.changed(job.agent_id)

    def take(self, job: Job, now: Instant) -> int:
        """Its agent takes a waiting job: a run begins. Returns the audit id."""
        self.jobs.update(model.take(job))
        audit_id = self.runs.begin(job, now)
        self.transitions.add(now, "configured", job.job_id, audit_id)
        return audit_id

    def end(self, run: Run, job: Job, result: Result, message: str, now: Instant) -> None:
        """An agent's completion ends a run."""
        ended, after = model.end(run, job, result, message, now, self._retries)
        self._store_end(ended, after, "completed", now)

    def time_out(self, run: Run, job: Job, now: Instant) -> None:
        """The server waited too long for a completion."""
        ended, after = model.time_out(run, job, now, self._retries)
        self._store_end(ended, after, "timed_out", now)

    def forget(self, most_runs: int, at_once: int) -> bool:
        """Keep no more runs than these, and what was written down of about as many; True if more may be left."""
        limit = () if at_once == ALL else (at_once,)
        is_more = self.runs.keep(most_runs, *limit)
        return self.transitions.keep(_STEPS * most_runs, *limit) or is_more

    def _store_end(self, run: Run, job: Job, kind: str, now: Instant) -> None:
        self.runs.ended(run)
        self.jobs.update(job)
        self.transitions.add(now, kind, job.job_id, run.audit_id)
        if run.state is RunState.WILL_RETRY:
            self.transitions.add(now, "queued", job.job_id, None)  # whoever reads the feed must see that it waits
        if job.state is JobState.WAITING and not self._is_listed(job):
            self.changed(job.agent_id)

    def _is_listed(self, job: Job) -> bool:
        """True if its agent will run it in time without being told: a recurring job on its list as it stands."""
        session = self._sessions.of_agent(job.agent_id)
        return session is not None and session.listed.get(job.job_id, "") == job.wire_schedule

    # --- many at once -------------------------------------------------------------------------

    def reschedule(self, audit_ids: Sequence[int], job_ids: Sequence[str], now: Instant) -> None:
        """Queue these jobs, each because of the failed run in the same place of `audit_ids`."""
        self._tell(self._store.rows("jobs_reschedule", {"job_ids": array(job_ids)}))
        self._note_runs("rescheduled", audit_ids, now)

    def unschedule(self, job_ids: Sequence[str], now: Instant) -> None:
        """Take these jobs off the schedule; runs in process go on."""
        self._tell(self._store.rows("jobs_unschedule", {"job_ids": array(job_ids)}))
        columns: Values = {"at": now, "kind": "unscheduled", "job_ids": array(job_ids)}
        self._store.run("transitions_of_jobs", columns)

    def acknowledge(self, audit_ids: Sequence[int], now: Instant) -> None:
        """Mark these runs as dealt with."""
        self._store.run("runs_acknowledge", {"audit_ids": array(audit_ids), "status": Status.ACKNOWLEDGED})
        self._note_runs("acknowledged", audit_ids, now)

    def _tell(self, rows: Sequence[Row]) -> None:
        for agent_id in dict.fromkeys(agent_id for (agent_id,) in rows):
            self.changed(agent_id)

    def _note_runs(self, kind: str, audit_ids: Sequence[int], now: Instant) -> None:
        columns: Values = {"at": now, "kind": kind, "audit_ids": array(audit_ids)}
        self._store.run("transitions_of_runs", columns)
