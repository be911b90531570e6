"""The scheduler's jobs and their runs, in and out of the tables `oig_job` and `oig_run`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agent_sim.instants import NEVER, Instant
from agent_sim.protocol.oig import (
    DataType,
    History,
    JobDetails,
    JobStatus,
    Page,
    Parameter,
    RunStatus,
    Trigger,
    TriggerType,
)
from agent_sim.server.oig_tasks import Course, Outcome, TaskRun
from agent_sim.server.ports import Parameters, Row, Store, Values


@dataclass(frozen=True, slots=True)
class Held:
    """A job as the server holds it: what is shown of it, and what it counts by."""

    details: JobDetails
    failures: int = 0
    occurrences: int = 0
    runs: int = 0
    trigger: Trigger | None = None

    @property
    def name(self) -> str:
        return self.details.job_name


@dataclass(frozen=True, slots=True)
class Ending:
    """A run that is due to end."""

    at: Instant
    id: int
    job: str
    occurrence: int
    attempt: int
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A run that is due to be tried again."""

    at: Instant
    id: int
    job: str
    occurrence: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Fire:
    """A trigger that is due."""

    at: Instant
    job: str


JOB_ORDERS: Final[Mapping[str, str]] = {"jobName": "job_name", "taskName": "task_name", "status": "status"}
RUN_ORDERS: Final[Mapping[str, str]] = {"startTime": "started", "endTime": "ended", "status": "status"}


class OigTables:
    """Both tables."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- jobs ---------------------------------------------------------------------------------

    def job(self, name: str) -> Held | None:
        rows = self._store.rows("oig_job_by_name", {"job_name": name})
        return _held(rows[0]) if rows else None

    def add(self, job: JobDetails) -> None:
        self._store.run("oig_job_add", _job_columns(Held(job)))

    def change(self, job: Held) -> None:
        """Write all of a job but its trigger."""
        self._store.run("oig_job_change", _job_columns(job))

    def delete(self, name: str) -> None:
        """Delete a job and its history."""
        self._store.run("oig_job_delete", {"job_name": name})

    def set_trigger(self, name: str, trigger: Trigger | None) -> None:
        kept = None if trigger is None else json.dumps(_trigger_columns(trigger), ensure_ascii=False)
        at = None if trigger is None else trigger.next_fire
        self._store.run("oig_trigger_set", {"job_name": name, "trigger": kept, "next_fire": at})

    def set_next_fire(self, name: str, at: Instant | None) -> None:
        self._store.run("oig_next_fire", {"job_name": name, "next_fire": at})

    def jobs(self, where: str, parameters: Parameters, page: Page) -> tuple[list[JobDetails], int]:
        """A page of the jobs for which a condition holds, and how many there are in all."""
        rows, total = self._page("oig_job", where, parameters, page, JOB_ORDERS, "job_name")
        return [_held(row).details for row in rows], total

    # --- runs ---------------------------------------------------------------------------------

    def begin(self, run: TaskRun, course: Course, params: tuple[Parameter, ...], now: Instant) -> None:
        """A run begins, and what it will come to is known."""
        due = None if course.outcome is Outcome.HANG else min(now + course.duration, NEVER)
        self._store.rows(
            "oig_run_add",
            {
                "job_name": run.job,
                "occurrence": run.occurrence,
                "attempt": run.attempt,
                "started": now,
                "due": due,
                "status": RunStatus.RUNNING.value,
                "outcome": course.outcome.value,
                "message": course.message,
                "params": json.dumps({each.name: each.value for each in params}, ensure_ascii=False),
            },
        )

    def end(
        self,
        run_id: int,
        status: RunStatus,
        now: Instant,
        error: str | None = None,
        exception: str | None = None,
        retry_at: Instant | None = None,
    ) -> None:
        self._store.run(
            "oig_run_end",
            {
                "id": run_id,
                "ended": now,
                "status": status.value,
                "error_message": error,
                "exception_object": exception,
                "retry_at": retry_at,
            },
        )

    def interrupt(self, name: str, why: str, now: Instant) -> int:
        """End all runs of a job that are under way; returns how many were."""
        return self._store.run("oig_run_interrupt", {"job_name": name, "error_message": why, "ended": now})

    def under_way(self, name: str) -> int:
        """How many runs of a job are under way."""
        [[count]] = self._store.rows("oig_run_open", {"job_name": name})
        return int(count)

    def left_running(self) -> list[str]:
        """The jobs that have runs under way."""
        return [name for (name,) in self._store.rows("oig_run_left", {})]

    def run(self, name: str, run_id: int) -> History | None:
        rows = self._store.rows("oig_run_by_id", {"job_name": name, "id": run_id})
        return _history(rows[0]) if rows else None

    def last_run(self, name: str) -> History | None:
        rows = self._store.rows("oig_run_last", {"job_name": name})
        return _history(rows[0]) if rows else None

    def runs(self, where: str, parameters: Parameters, page: Page) -> tuple[list[History], int]:
        """A page of the runs for which a condition holds, and how many there are in all."""
        rows, total = self._page("oig_run", where, parameters, page, RUN_ORDERS, "id")
        return list(map(_history, rows)), total

    # --- what is due --------------------------------------------------------------------------

    def drop_retries(self, name: str) -> int:
        """Nothing of this job is tried again; returns how many retries that were."""
        return self._store.run("oig_retries_drop", {"job_name": name})

    def clear_retry(self, run_id: int) -> None:
        """This run is not tried again."""
        self._store.run("oig_retry_clear", {"id": run_id})

    def retries(self, name: str) -> int:
        """How many failed runs of a job wait to be tried again."""
        [[count]] = self._store.rows("oig_retries_count", {"job_name": name})
        return int(count)

    def next_due(self, now: Instant) -> Ending | Retry | Fire | None:
        """What is due first by now: of one instant, endings before retries before triggers."""
        found: list[Ending | Retry | Fire] = []
        for at, run_id, job, occurrence, attempt, outcome, message in self._store.rows("oig_next_due", {"now": now}):
            found.append(Ending(at, run_id, job, occurrence, attempt, Outcome(outcome), message))
        for at, run_id, job, occurrence, attempt in self._store.rows("oig_next_retry", {"now": now}):
            found.append(Retry(at, run_id, job, occurrence, attempt))
        for at, job in self._store.rows("oig_next_trigger", {"now": now}):
            found.append(Fire(at, job))
        return min(found, key=lambda each: each.at, default=None)  # min keeps the first of equals

    def wake(self) -> Instant:
        """When something is due next; NEVER if nothing is."""
        [row] = self._store.rows("oig_wake", {})
        return min((at for at in row if at is not None), default=NEVER)

    def _page(
        self, table: str, where: str, parameters: Parameters, page: Page, orders: Mapping[str, str], usual: str
    ) -> tuple[Sequence[Row], int]:
        column, falls = usual, False
        if page.order is not None:
            column, falls = orders[page.order[0]], page.order[1]
        order = f"{column} {'DESC' if falls else 'ASC'}, {usual}"
        [[total]] = self._store.select(f"{table}_count", {"where": where}, parameters)
        chosen = {"where": where, "order": order}
        return self._store.select(f"{table}_page", chosen, [*parameters, page.limit, page.offset]), total


# --- columns ----------------------------------------------------------------------------------


def _held(row: Row) -> Held:
    name, task, retries, parameters, concurrent, enabled, kind, cron, notification, status, *rest = row
    failures, occurrences, runs, trigger, next_fire = rest
    details = JobDetails(
        job_name=name,
        task_name=task,
        retry_count=retries,
        parameters=tuple(map(_parameter, json.loads(parameters))),
        concurrent=bool(concurrent),
        is_enabled=bool(enabled),
        job_schedule_type=kind,
        cron_schedule_type=cron,
        notification=notification,
        status=JobStatus(status),
    )
    kept = None if trigger is None else replace(_trigger(json.loads(trigger)), next_fire=next_fire)
    return Held(details, failures, occurrences, runs, kept)


def _job_columns(job: Held) -> Values:
    details = job.details
    parameters = [[each.name, each.value, each.data_type, each.help_text, each.required] for each in details.parameters]
    return {
        "job_name": details.job_name,
        "task_name": details.task_name,
        "retry_count": details.retry_count,
        "parameters": json.dumps(parameters, ensure_ascii=False),
        "concurrent": int(details.concurrent),
        "is_enabled": int(details.is_enabled),
        "job_schedule_type": details.job_schedule_type,
        "cron_schedule_type": details.cron_schedule_type,
        "notification": details.notification,
        "status": details.status.value,
        "failures": job.failures,
        "occurrences": job.occurrences,
        "runs": job.runs,
    }


def _parameter(columns: list[Any]) -> Parameter:
    name, value, data_type, help_text, required = columns
    return Parameter(name, value, None if data_type is None else DataType(data_type), help_text, required)


def _trigger_columns(trigger: Trigger) -> list[object]:
    return [
        trigger.trigger_type,
        trigger.interval_type,
        list(trigger.interval_values),
        trigger.start_time,
        trigger.end_time,
        trigger.trigger_name,
    ]


def _trigger(columns: list[Any]) -> Trigger:
    kind, interval, values, start, end, name = columns
    return Trigger(TriggerType(kind), interval, tuple(values), start, end, name)


def _history(row: Row) -> History:
    run_id, job, started, ended, status, error, exception, params = row
    return History(
        run_id,
        job,
        started,
        ended,
        RunStatus(status),
        error_message=error,
        exception_object=exception,
        params=tuple(json.loads(params).items()),
    )
