"""The jobs on a session's list, and when each is due here.

The whole list is replaced with each session; a recurring job keeps its next time, and a job that the agent will never
start stays so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from sys import intern

from agent_sim.agent.clock import RIGHT, Clock
from agent_sim.instants import NEVER, Instant
from agent_sim.protocol import schedule
from agent_sim.protocol.agent import SessionJob
from agent_sim.protocol.enums import JobType


@dataclass(slots=True)
class Listed:
    """A listed job; `ignored` if the agent will never start it."""

    job: SessionJob
    type: JobType
    due: Instant
    ignored: bool = False

    def leave(self, now: Instant, clock: Clock = RIGHT) -> None:
        """It is not done this time: a recurring job waits for its next, any other for ever."""
        when = schedule.from_wire(self.job.schedule)
        self.due = clock.next_run(when, now) if schedule.recurs(when) else NEVER
        self.ignored = self.due == NEVER


class JobList:
    """Jobs by id, in the server's order."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: dict[str, Listed] = {}

    def replace(
        self, jobs: tuple[SessionJob, ...], catalogue: Mapping[str, JobType], now: Instant, clock: Clock = RIGHT
    ) -> None:
        """The list of a new session; `catalogue` maps GUIDs to job types, `clock` shows when schedules are due."""
        before, self.items = self.items, {}
        for job in jobs:
            kind = catalogue.get(job.job_type_id.lower())
            if kind is None:
                continue  # unknown job types are skipped silently (agent-protocol 2.2)
            known = before.get(job.job_id)
            if known is not None and known.ignored:
                self.items[job.job_id] = known
                continue
            when = schedule.from_wire(job.schedule)
            keep = known is not None and known.job.schedule == job.schedule and schedule.recurs(when)
            due = known.due if known is not None and keep else clock.next_run(when, now)
            self.items[job.job_id] = Listed(_thrifty(job), kind, due)

    def reset_clock(self, old: Clock, new: Clock, now: Instant) -> None:
        """What waits for its time waits for when the new clock will show it; what is due already stays so."""
        for item in self.items.values():
            if now < item.due < NEVER:
                item.due = max(new.when(old.shows(item.due)), now)

    def next_due(self) -> Instant:
        """When the first is due."""
        if not self.items:  # as with most agents, most of the time
            return NEVER
        return min((item.due for item in self.items.values()), default=NEVER)

    def due(self, now: Instant) -> Iterator[Listed]:
        """Those that are due."""
        return (item for item in self.items.values() if item.due <= now)

    def done(self, job: SessionJob, now: Instant = NEVER, clock: Clock = RIGHT) -> None:
        """A recurring job waits for its next time after `now`; any other, or with no `now`, leaves the list."""
        item = self.items.get(job.job_id)
        if item is None or item.job is not job:
            return  # the list was replaced meanwhile: what it says now counts
        when = schedule.from_wire(job.schedule)
        if schedule.recurs(when) and now != NEVER:
            item.due = clock.next_run(when, now)
        else:
            del self.items[job.job_id]


def _thrifty(job: SessionJob) -> SessionJob:
    """The same; what all agents are told in the same words of a job of this type is kept once."""
    return SessionJob(
        job.job_id,
        intern(job.job_type_id),
        None if job.schedule is None else intern(job.schedule),
        intern(job.configuration_endpoint),
        intern(job.completion_endpoint),
        job.priority,
        None if job.cron is None else intern(job.cron),
    )
