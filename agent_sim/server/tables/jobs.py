"""Jobs and their runs, in and out of the tables `job`, `run` and `transition`, one at a time.

Says how they are kept, not what may happen to them: `jobs.model` decides that, `server.work` puts the two together.
"""

from collections.abc import Sequence
from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs.model import STATE, STATUS, Job, Run
from agent_sim.protocol.command import Transition
from agent_sim.protocol.enums import Category, JobType, Result, Status, category_by_suffix
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.at_hand import AtHand
from agent_sim.server.tables.columns import array, document, job_type, named_texts, schedule, schedule_columns
from agent_sim.server.tables.positions import Positions
from agent_sim.states import JobState

ALL: Final = -1
"""For whoever does not say how many at most."""

_FORGOTTEN_AT_ONCE: Final = 1000
"""So that nobody waits long for a database that has much to forget."""

_STATES: Final = {state: state.value for state in JobState}

_UNTIL_IT_ENDS: Final = (int(Result.UNKNOWN), int(Status.IN_PROCESS), None, "", 0)
"""A run's result, status, end, message and whether it timed out."""


class Jobs:
    """The table `job`. By setting, a custom job counts as what its name ends in (command-api 4.6)."""

    def __init__(self, store: Store, at_hand: AtHand, custom_category: str = "suffix") -> None:
        self._store, self._at_hand = store, at_hand
        self._by_suffix = custom_category == "suffix"

    def add(self, job: Job) -> None:
        columns: Values = {
            "job_id": job.job_id,
            "agent_id": job.agent_id,
            "type_guid": job.type.guid,
            "job_type": job.type.history,
            "job_category": self._counts_as(job.type),
            "type_category": job.type.category,
            "requested": job.requested,
            "state": job.state,
            "at_once": job.at_once,
            "failures": job.failures,
            "store_id": job.store_id,
            "details": document(job.details),
        }
        self._store.run("job_add", {**columns, **schedule_columns(job.schedule)})
        self._at_hand.keep(job)

    def _counts_as(self, kind: JobType) -> Category:
        named = category_by_suffix(kind.history) if self._by_suffix and kind.category is Category.CUSTOM else None
        return named or kind.category

    def update(self, job: Job) -> None:
        """Store where the job stands."""
        # Plain values: for one of an enumeration SQLite's module looks for an adapter, each time.
        self._store.later("job_update", (job.job_id, _STATES[job.state], int(job.at_once), job.failures))
        self._at_hand.keep(job)

    def by_id(self, job_id: str) -> Job | None:
        known = self._at_hand.job(job_id)
        if known is not None:
            return known
        rows = self._store.rows("job_by_id", {"job_id": job_id})
        if not rows:
            return None
        job = _job(rows[0])
        self._at_hand.keep(job)
        return job

    def waiting(self, agent_id: str) -> list[Job]:
        """In the order in which they were accepted."""
        jobs = [_job(row) for row in self._store.rows("jobs_waiting", {"agent_id": agent_id})]
        for job in jobs:  # soon asked for one by one
            self._at_hand.keep(job)
        return jobs

    def of_stores(self, ids: Sequence[str]) -> list[str]:
        """The ids of all jobs of these stores that are not gone."""
        return [job_id for (job_id,) in self._store.rows("jobs_of_stores", {"ids": array(ids)})]

    def of_agents(self, agent_ids: Sequence[str]) -> list[str]:
        """The ids of all jobs of these agents that are not gone."""
        return [job_id for (job_id,) in self._store.rows("jobs_of_agents", {"agent_ids": array(agent_ids)})]

    def of_type(self, guid: str) -> int:
        """How many jobs of this type are not gone."""
        [(count,)] = self._store.rows("jobs_of_type", {"type_guid": guid})
        return int(count)

    def known(self, job_ids: list[str]) -> set[str]:
        """Those of these ids that are jobs, gone or not."""
        return {job_id for (job_id,) in self._store.rows("jobs_known", {"job_ids": array(job_ids)})}


class Runs:
    """The table `run` and what belongs to its rows."""

    def __init__(self, store: Store, at_hand: AtHand) -> None:
        self._store, self._at_hand = store, at_hand
        self._positions = Positions()
        self._counted: tuple[int, int] | None = None  # how many there were, and the last audit id given

    # --- how many, and where ------------------------------------------------------------------

    def total(self) -> int:
        """How many there are. Counted once: since then each new one took the next audit id, or somebody expired."""
        [(given,)] = self._store.rows("run_given", {})
        if self._counted is None:
            [(count,)] = self._store.select("history_count", {"where": "TRUE"}, ())
            self._counted = int(count), int(given)
        count, then = self._counted
        return count + int(given) - then

    def _newest(self) -> int:
        [(newest,)] = self._store.rows("run_newest", {})
        return int(newest)

    def at(self, place: int) -> int:
        """The audit id of the run at this place, counted from 0, in the order of audit ids; there must be one."""
        if self._positions.is_empty:
            self._positions.know(0, self._after(0, 0))
        begin, skip = self._positions.find(place, self.total() - 1, self._newest())
        if not skip:
            return begin
        audit_id = self._after(begin, skip)
        self._positions.know(place, audit_id)
        return audit_id

    def _after(self, begin: int, skip: int) -> int:
        [(audit_id,)] = self._store.rows("run_after", {"begin": begin, "skip": skip})
        return int(audit_id)

    def last_start(self, job_id: str) -> Instant | None:
        """When this job's newest run began."""
        [(at,)] = self._store.rows("run_last_start", {"job_id": job_id})
        return None if at is None else int(at)

    def begin(self, job: Job, at: Instant) -> int:
        """A new run in process of this job; returns its audit id."""
        audit_id = self._at_hand.next_audit_id()
        self._store.later("run_add", (audit_id, job.job_id, at, *_UNTIL_IT_ENDS))
        self._at_hand.begun(Run(audit_id, job.job_id, job.agent_id, at))
        return audit_id

    def in_process(self, job_id: str) -> int | None:
        """The audit id of this job's run in process."""
        known = self._at_hand.in_process(job_id)
        if known is not None:
            return known
        rows = self._store.rows("run_in_process", {"job_id": job_id})
        return int(rows[0][0]) if rows else None

    def with_job(self, audit_id: int) -> tuple[Run, Job] | None:
        run = self._at_hand.run(audit_id)
        job = self._at_hand.job(run.job_id) if run is not None else None
        if run is not None and job is not None:
            return run, job
        rows = self._store.rows("run_with_job", {"job_history_id": audit_id})
        return _run_with_job(rows[0]) if rows else None

    def overdue(self, started: Instant, most: int = ALL) -> list[tuple[Run, Job]]:
        """Runs in process that began at or before `started`, those that began first."""
        return [_run_with_job(row) for row in self._store.rows("runs_overdue", {"started": started, "most": most})]

    def earliest(self) -> Instant | None:
        """When the oldest run in process began."""
        [(started,)] = self._store.rows("run_earliest", {})
        return None if started is None else int(started)

    def ended(self, run: Run) -> None:
        """Store how a run ended."""
        columns = run.audit_id, int(run.result), int(STATUS[run.state]), run.ended, run.message, int(run.timed_out)
        self._store.later("run_end", columns)
        self._at_hand.ended(run)

    def counted(self, since: Instant) -> tuple[int, int]:
        """Failures and warnings that ended at or after `since` and are not acknowledged (command-api 7)."""
        [(failures, warnings)] = self._store.rows("runs_counted", {"since": since})
        return int(failures), int(warnings)

    def expire(self, before: Instant, most: int = ALL) -> int:
        """Forget runs that ended before this, the oldest first, with what they returned; returns how many."""
        values: Values = {"before": before, "most": most}
        self._store.run("run_data_expire", values)
        self._store.run("run_locations_expire", values)
        forgotten = self._store.run("runs_expire", values)
        self._forgotten(forgotten)
        return forgotten

    def keep(self, most: int, at_once: int = _FORGOTTEN_AT_ONCE) -> bool:
        """Forget the oldest runs beyond so many, some at a time, with jobs that are done for; True if more are left."""
        first = self._store.rows("run_first", {})
        wanted = self._newest() - most
        if not first or wanted < int(first[0][0]):
            return False
        last = min(wanted, int(first[0][0]) + at_once)
        self._store.run("run_data_forget", {"last": last})
        self._store.run("run_locations_forget", {"last": last})
        jobs = [str(job_id) for (job_id,) in self._store.rows("runs_forget", {"last": last})]
        if jobs:
            self._store.run("jobs_forget", {"job_ids": array(jobs)})
            self._forgotten(len(jobs))
        return last < wanted

    def _forgotten(self, runs: int) -> None:
        if runs:
            self._positions, self._counted = Positions(), None

    def exists(self, audit_id: int) -> bool:
        return bool(self._store.rows("run_known", {"job_history_id": audit_id}))

    def data(self, audit_id: int) -> str | None:
        """What a log-fetching or custom run returned."""
        rows = self._store.rows("run_data", {"job_history_id": audit_id})
        return str(rows[0][0]) if rows else None

    def add_data(self, audit_id: int, data: str) -> None:
        self._store.later("run_data_add", (audit_id, data))

    def add_locations(self, audit_id: int, paths: tuple[str, ...]) -> None:
        self._store.run_many("run_location_add", [{"job_history_id": audit_id, "path": path} for path in paths])


class Transitions:
    """The table `transition`: what happened, in order (load-testing 3.4)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, at: Instant, kind: str, job_id: str, audit_id: int | None = None) -> None:
        self._store.later("transition_add", (at, kind, job_id, audit_id))

    def keep(self, most: int, at_once: int = _FORGOTTEN_AT_ONCE) -> bool:
        """Forget the oldest beyond so many, a few at a time; True if more may be left."""
        return self._store.run("transitions_forget", {"last": self.last() - most, "at_once": at_once}) >= at_once

    def page(self, after: int, limit: int) -> tuple[Transition, ...]:
        rows = self._store.rows("transition_page", {"after": after, "limit": limit})
        return tuple(Transition(*row) for row in rows)

    def last(self) -> int:
        [(seq,)] = self._store.rows("transition_last", {})
        return int(seq)


def _job(row: Row) -> Job:
    (job_id, agent_id, guid, name, category, text, time, requested, state, at_once, failures, store_id, details) = row
    return Job(
        job_id,
        agent_id,
        job_type(guid, name, Category(category)),
        schedule(text, time),
        requested,
        JobState(state),
        bool(at_once),
        failures,
        store_id,
        named_texts(details),
    )


def _run_with_job(row: Row) -> tuple[Run, Job]:
    audit_id, started, status, result, ended, message, timed_out, *rest = row
    job = _job(tuple(rest))
    state = STATE[Status(status)]
    run = Run(audit_id, job.job_id, job.agent_id, started, state, Result(result), ended, message, bool(timed_out))
    return run, job
