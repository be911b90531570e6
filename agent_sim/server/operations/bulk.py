"""Reschedule, Acknowledge and Unschedule: one request, many jobs (seeds; command-api 2.5 to 2.10).

All three go the same way: ids or a query, candidates, who may and which are eligible, then all or nothing, or by
setting what can be. A query skips what is not eligible or not permitted; an id that is not is a refusal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from agent_sim.instants import Instant
from agent_sim.jobs import eligibility
from agent_sim.jobs.eligibility import why_not_acknowledge, why_not_reschedule, why_not_unschedule
from agent_sim.jobs.model import advance_job
from agent_sim.protocol import command
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.enums import Category, Result, Status
from agent_sim.protocol.schedule import Schedule
from agent_sim.query import fields
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.listing import condition
from agent_sim.server.permissions import Deed, may_do
from agent_sim.server.ports import Row, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.columns import array, schedule
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings
from agent_sim.states import JobEvent, JobState

_DONE: Final = CommandReply(204)
_OF_STORES: Final = frozenset({Category.MANAGEMENT, Category.REENROLLMENT, Category.INVENTORY})


class _Item(Protocol):
    """What a request is about: a run or a job."""

    @property
    def label(self) -> str: ...
    @property
    def category(self) -> Category: ...
    @property
    def store_id(self) -> str | None: ...
    @property
    def container_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that is to be rescheduled or acknowledged, and where its job stands."""

    audit_id: int
    job_id: str
    category: Category
    schedule: Schedule
    result: Result
    status: Status
    type_category: Category
    job_state: JobState
    at_once: bool
    store_id: str | None
    container_id: int | None
    in_process: bool

    @property
    def label(self) -> str:
        return f"Job audit {self.audit_id}:"

    @property
    def why_lost(self) -> str | None:
        """Why its job cannot run again at all: a store that was deleted takes its jobs with it."""
        lost = self.store_id is None and self.type_category in _OF_STORES
        return "its certificate store does not exist any more" if lost else None

    @property
    def is_queued(self) -> bool:
        """True if its job runs, or is about to without being asked (command-api 2.7)."""
        return self.in_process or (self.job_state is JobState.WAITING and self.at_once)


@dataclass(frozen=True, slots=True)
class _Job:
    """A scheduled job that is to be unscheduled."""

    job_id: str
    category: Category
    state: JobState
    store_id: str | None
    container_id: int | None

    @property
    def label(self) -> str:
        return f"Job {self.job_id}:"


_T = TypeVar("_T", bound=_Item)


@dataclass(frozen=True, slots=True)
class _Chosen(Generic[_T]):
    """The candidates; `missing` says which ids have none, and only ids can be refused one by one."""

    items: list[_T]
    missing: Sequence[str] = ()
    by_id: bool = False


@dataclass(frozen=True, slots=True)
class _Rules(Generic[_T]):
    """One operation: its name, who may do it to an item, why an item cannot have it, and the deed."""

    verb: str
    may: Callable[[_T], bool]
    why_not: Callable[[_T], str | None]
    apply: Callable[[list[_T]], None]


class BulkOperations:
    """Handles the three operations of storms."""

    def __init__(self, store: Store, settings: ServerSettings, work: Work) -> None:
        self._store, self._settings, self._work = store, settings, work

    def reschedule(self, wanted: command.Reschedule, caller: Caller, now: Instant) -> CommandReply:
        """Queue failed jobs again, each once; one that is queued or running already is left alone (command-api 2.7)."""
        chosen = self._choose_runs(wanted.job_audit_ids, wanted.query, _RESCHEDULABLE, caller, now)
        rules: _Rules[_Run] = _Rules(
            "rescheduled",
            _judge(caller, Deed.RESCHEDULE),
            lambda run: run.why_lost or why_not_reschedule(run.category, run.schedule, run.result, run.status),
            lambda runs: self._requeue(runs, now),
        )
        return chosen if isinstance(chosen, CommandReply) else self._settle(chosen, rules)

    def acknowledge(self, wanted: command.Acknowledge, caller: Caller, now: Instant) -> CommandReply:
        """Mark failed and warned runs as dealt with (command-api 2.9)."""
        chosen = self._choose_runs(wanted.job_audit_ids, wanted.query, _ACKNOWLEDGEABLE, caller, now)
        rules: _Rules[_Run] = _Rules(
            "acknowledged",
            _judge(caller, Deed.ACKNOWLEDGE),
            lambda run: None if self._is_done(run) else why_not_acknowledge(run.result, run.status),
            lambda runs: self._acknowledge([run.audit_id for run in runs if not self._is_done(run)], now),
        )
        return chosen if isinstance(chosen, CommandReply) else self._settle(chosen, rules)

    def unschedule(self, wanted: command.Unschedule, caller: Caller, now: Instant) -> CommandReply:
        """Take jobs off the schedule; a run in process goes on (command-api 2.8)."""
        chosen = self._choose_jobs(wanted, caller, now)
        rules: _Rules[_Job] = _Rules(
            "unscheduled",
            _judge(caller, Deed.UNSCHEDULE),
            lambda job: why_not_unschedule(job.category),
            lambda jobs: self._unschedule(jobs, now),
        )
        return chosen if isinstance(chosen, CommandReply) else self._settle(chosen, rules)

    # --- which ones ---------------------------------------------------------------------------

    def _choose_runs(
        self, ids: Sequence[int] | None, query: str | None, narrowed: str, caller: Caller, now: Instant
    ) -> _Chosen[_Run] | CommandReply:
        if refused := self._one_or_the_other(ids, query, "JobAuditIds"):
            return refused
        if not ids:
            where = condition(query or "", fields.JOB_HISTORY, caller, now)
            filling = {"where": f"{where.where} AND {narrowed}"}
            return _Chosen(list(map(_run, self._store.select("storm_by_query", filling, where.params))))
        found = list(map(_run, self._store.rows("storm_by_ids", {"audit_ids": array(list(dict.fromkeys(ids)))})))
        missing = sorted(set(ids) - {run.audit_id for run in found})
        return _Chosen(found, [f"Job audit {audit_id}: does not exist" for audit_id in missing], by_id=True)

    def _choose_jobs(self, wanted: command.Unschedule, caller: Caller, now: Instant) -> _Chosen[_Job] | CommandReply:
        if refused := self._one_or_the_other(wanted.job_ids, wanted.query, "JobIds"):
            return refused
        if not wanted.job_ids:
            where = condition(wanted.query or "", fields.SCHEDULED_JOBS, caller, now)
            rows = self._store.select("unschedule_by_query", {"where": where.where}, where.params)
            return _Chosen(list(map(_job, rows)))
        ids = list(dict.fromkeys(read_guid(text) or text for text in wanted.job_ids))
        found = list(map(_job, self._store.rows("unschedule_by_ids", {"job_ids": array(ids)})))
        return _Chosen(found, self._not_scheduled(ids, found), by_id=True)

    def _not_scheduled(self, ids: list[str], found: list[_Job]) -> list[str]:
        scheduled = {job.job_id for job in found}
        absent = [job_id for job_id in ids if job_id not in scheduled]
        known = self._work.jobs.known(absent) if absent else set()
        return [
            f"Job {job_id}: {'is not scheduled any more' if job_id in known else 'does not exist'}" for job_id in absent
        ]

    def _one_or_the_other(self, ids: Sequence[object] | None, query: str | None, name: str) -> CommandReply | None:
        """Refuses neither and both, and too many; null, [] and "" count as not given (command-api 2.5)."""
        if bool(ids) == bool((query or "").strip()):
            given = "both are" if ids else "neither is"
            return refuse(Problem.ONE_OR_THE_OTHER, f"Either {name} or Query is required, but not both: {given} given")
        most = self._settings.max_ids
        if ids and len(ids) > most:
            return refuse(Problem.TOO_MANY_IDS, f"{name} holds {len(ids)} ids, at most {most} are allowed at once")
        return None

    # --- all or nothing -----------------------------------------------------------------------

    def _settle(self, chosen: _Chosen[_T], rules: _Rules[_T]) -> CommandReply:
        permitted = [item for item in chosen.items if rules.may(item)]
        if chosen.by_id and len(permitted) < len(chosen.items):
            sentence = "The caller doesn't have the required permission for every job that was named"
            return refuse(Problem.FORBIDDEN, sentence)
        good, reasons = _sorted_out(permitted, rules.why_not)
        reasons = [*chosen.missing, *reasons] if chosen.by_id else []
        if reasons and self._settings.partial_policy == "atomic":
            good = []
        if good:
            rules.apply(good)
        if not reasons:
            return _DONE
        problem = Problem.UNKNOWN_ID if chosen.missing else Problem.NOT_ELIGIBLE
        outcome = f"the other {len(good)} done" if good else "nothing was changed"
        return refuse(problem, f"{len(reasons)} cannot be {rules.verb}, {outcome}: {reasons[0]}", reasons)

    # --- the deeds ----------------------------------------------------------------------------

    def _requeue(self, runs: list[_Run], now: Instant) -> None:
        # The newest failed run stands for its job; candidates come oldest first.
        wanted = {run.job_id: run for run in runs if not run.is_queued}
        for run in wanted.values():
            advance_job(run.job_state, JobEvent.RESCHEDULED)
        if wanted:
            self._work.reschedule([run.audit_id for run in wanted.values()], list(wanted), now)
        if self._settings.reschedule_marks_acknowledged:
            self._acknowledge([run.audit_id for run in runs if run.status is not Status.ACKNOWLEDGED], now)

    def _is_done(self, run: _Run) -> bool:
        """True if acknowledging again is to count as done, by setting (command-api 2.9)."""
        return self._settings.acknowledge_again == "no_op" and run.status is Status.ACKNOWLEDGED

    def _acknowledge(self, audit_ids: list[int], now: Instant) -> None:
        if audit_ids:
            self._work.acknowledge(audit_ids, now)

    def _unschedule(self, jobs: list[_Job], now: Instant) -> None:
        for job in jobs:
            advance_job(job.state, JobEvent.UNSCHEDULED)
        self._work.unschedule([job.job_id for job in jobs], now)


def _judge(caller: Caller, deed: Deed) -> Callable[[_Item], bool]:
    """Who may do `deed` to an item; ten thousand items are of few kinds, in few containers."""
    known: dict[tuple[Category, int | None], bool] = {}

    def may(item: _Item) -> bool:
        kind = item.category, item.container_id
        if kind not in known:
            known[kind] = may_do(caller, deed, *kind)
        return known[kind]

    return may


def _sorted_out(items: Iterable[_T], why_not: Callable[[_T], str | None]) -> tuple[list[_T], list[str]]:
    good: list[_T] = []
    reasons: list[str] = []
    for item in items:
        reason = why_not(item)
        if reason is None:
            good.append(item)
        else:
            reasons.append(f"{item.label} {reason}")
    return good, reasons


def _narrowed(results: Iterable[Result], statuses: Iterable[Status]) -> str:
    """What a query need not look at, so that a long history does not make it slow."""
    return f"result IN ({_numbers(results)}) AND status IN ({_numbers(statuses)})"


def _numbers(members: Iterable[int]) -> str:
    return ", ".join(str(int(member)) for member in sorted(members))


_RESCHEDULABLE: Final = _narrowed(eligibility.RESCHEDULABLE_RESULTS, eligibility.RESCHEDULABLE_STATUSES)
_ACKNOWLEDGEABLE: Final = _narrowed(eligibility.ACKNOWLEDGEABLE_RESULTS, eligibility.ACKNOWLEDGEABLE_STATUSES)


def _run(row: Row) -> _Run:
    audit_id, job_id, category, text, time, result, status, *rest = row
    type_category, state, at_once, store_id, container, in_process = rest
    return _Run(
        audit_id,
        job_id,
        Category(category),
        schedule(text, time),
        Result(result),
        Status(status),
        Category(type_category),
        JobState(state),
        bool(at_once),
        store_id,
        container,
        bool(in_process),
    )


def _job(row: Row) -> _Job:
    job_id, category, state, store_id, container = row
    return _Job(job_id, Category(category), JobState(state), store_id, container)
