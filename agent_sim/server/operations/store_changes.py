"""What happens to a store's jobs when the store changes: its one inventory job, and the end of all of them.

Whether somebody may ask for it is `store_rules`; here it is done.
"""

from collections.abc import Sequence

from agent_sim.instants import Instant
from agent_sim.jobs.model import Job, new_job
from agent_sim.protocol.command import StoreRecord
from agent_sim.protocol.enums import Category
from agent_sim.protocol.schedule import Off, Schedule
from agent_sim.server.ports import Mint, Store
from agent_sim.server.tables.containers import KnownContainer
from agent_sim.server.tables.store_types import StoreTypes
from agent_sim.server.tables.stores import Stores
from agent_sim.server.work import Work
from agent_sim.states import JobState


class StoreChanges:
    """Schedules inventories and removes stores."""

    def __init__(self, store: Store, mint: Mint, work: Work, stores: Stores) -> None:
        self._mint, self._work, self._stores = mint, work, stores
        self._types = StoreTypes(store)

    def inventory(self, store: StoreRecord, when: Schedule, now: Instant) -> None:
        """One inventory job, which the new schedule replaces; Off ends it.

        Our choice: a store that has such a job with the very same schedule already keeps it.
        """
        present = self._scheduled_inventory(store)
        if present is not None:
            if present.schedule == when:
                return
            self._work.unschedule([present.job_id], now)
        known = self._types.by_number(store.cert_store_type)
        kind = known.job(Category.INVENTORY) if known else None
        if kind is None or isinstance(when, Off):
            return
        job = new_job(self._mint.guid(), store.agent_id, kind, when, now, store.id)
        self._work.accept(job)
        self._stores.set_inventory_job(store.id, job.job_id)

    def _scheduled_inventory(self, store: StoreRecord) -> Job | None:
        """The store's inventory job if there is more to come of it than a run in process."""
        job = self._work.jobs.by_id(store.cert_store_inventory_job_id or "")
        if job is None or (job.state is JobState.RUNNING and job.is_one_shot):
            return None
        return job

    def end_jobs(self, ids: Sequence[str], now: Instant) -> None:
        """Take every job of these stores off the schedule."""
        jobs = self._work.jobs.of_stores(ids)
        if jobs:
            self._work.unschedule(jobs, now)

    def remove(self, ids: Sequence[str], now: Instant) -> None:
        """Delete stores with their jobs; the history of these stays."""
        self.end_jobs(ids, now)
        self._stores.delete(ids)


def wanted_schedule(container: KnownContainer | None, given: Schedule | None) -> Schedule | None:
    """A store's inventory schedule: its container's, where that one overwrites (command-api 9)."""
    if container is not None and container.overwrites and container.schedule is not None:
        return container.schedule
    return given
