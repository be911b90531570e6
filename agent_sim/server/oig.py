"""The second target's core: Oracle Identity Governance's scheduler, one request in, one reply out.

A plain object beside the Command core, over the same store. It schedules by itself: `wake` does what is due, and
`next_wake` says when that is; a shell has the clock. Source: the seed "Create a new job", command-api 8; what neither
attests is listed in fidelity.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent_sim.errors import MalformedMessage
from agent_sim.instants import Instant
from agent_sim.protocol import oig
from agent_sim.protocol.oig import Failure, JobDetails, JobStatus, Parameter, Reply, Success, Trigger, TriggerType
from agent_sim.protocol.oig_triggers import checked
from agent_sim.server.callers import Caller
from agent_sim.server.oig_runs import STOPPED, Runs
from agent_sim.server.oig_search import compile_search
from agent_sim.server.oig_tasks import TaskRunner
from agent_sim.server.ports import Store
from agent_sim.server.tables.oig import JOB_ORDERS, RUN_ORDERS, Held, OigTables
from agent_sim.settings import ServerSettings

_Handler = Callable[[Any, Instant], Reply]  # each takes its own operation


class OigServer:
    """Handles one request at a time; everything lasting is in the store."""

    def __init__(self, store: Store, settings: ServerSettings, runner: TaskRunner) -> None:
        self._store, self._settings = store, settings
        self._tables = OigTables(store)
        self._runs = Runs(self._tables, settings, runner)
        self._is_begun = False
        self._handlers: Mapping[type, _Handler] = {
            oig.CreateJob: self._create,
            oig.ListJobs: self._list,
            oig.GetJob: self._of_job(lambda job, wanted, now: Reply(200, job.details)),
            oig.UpdateJob: self._of_job(self._update),
            oig.DeleteJob: self._of_job(self._delete),
            oig.RunJob: self._of_job(self._run),
            oig.StopJob: self._of_job(self._stop),
            oig.EnableJob: self._of_job(self._enable),
            oig.DisableJob: self._of_job(self._disable),
            oig.GetTrigger: self._of_job(_trigger_of),
            oig.SetTrigger: self._of_job(self._set_trigger),
            oig.DeleteTrigger: self._of_job(self._delete_trigger),
            oig.ListHistory: self._of_job(self._history),
            oig.LastHistory: self._of_job(self._last),
            oig.GetHistory: self._of_job(self._execution),
            oig.ListExecutions: self._executions,
        }

    def handle(self, request: oig.Operation, caller: Caller, now: Instant) -> Reply:
        """The reply to one request. Changes are in the store, not yet committed (the shell's business)."""
        if not caller.may(oig.MODIFY if oig.BY_OPERATION[type(request)].writes else oig.READ):
            return _no(403, f"User {caller.name} may not do that")
        self._begin(now)
        try:
            with self._store.change():
                return self._handlers[type(request)](request, now)
        except MalformedMessage as error:
            return _no(400, str(error))
        except UnicodeEncodeError:
            return _no(400, "a text holds half a character (a lone surrogate): write it whole")
        except OverflowError:
            return _no(400, "a time does not fit: it must lie between the years 1678 and 2262")

    def wake(self, now: Instant) -> None:
        """Do all that is due by now; the first time, also clear up after an earlier process."""
        self._begin(now)
        with self._store.change():
            self._runs.wake(now)

    def _begin(self, now: Instant) -> None:
        if not self._is_begun:
            self._is_begun = True
            with self._store.change():
                self._runs.recover(now)

    def next_wake(self) -> Instant:
        """When something is due next; NEVER if only a request can move it."""
        return self._runs.next_wake()

    # --- jobs ---------------------------------------------------------------------------------

    def _create(self, wanted: oig.CreateJob, now: Instant) -> Reply:
        """A job is STOPPED at first, whatever status it was sent with (our choice)."""
        job = wanted.job
        if self._tables.job(job.job_name) is not None:
            return _no(400, f"a job {job.job_name!r} exists already")
        self._tables.add(replace(job, status=JobStatus.STOPPED))
        return _done(wanted, job.job_name)

    def _list(self, wanted: oig.ListJobs, now: Instant) -> Reply:
        _check_order(wanted.page, JOB_ORDERS)
        condition, parameters = compile_search(wanted.query)
        jobs, total = self._tables.jobs(condition, parameters, wanted.page)
        return Reply(200, oig.JobPage(tuple(jobs), wanted.page, total))

    def _update(self, job: Held, wanted: oig.UpdateJob, now: Instant) -> Reply:
        """What runs goes on as it began; the change is for the next run (our choice)."""
        changes = wanted.changes
        if changes.job_name not in (None, job.name):
            return _no(400, f"a job cannot be renamed: jobName is {changes.job_name!r}, the path says {job.name!r}")
        changed = _merged(job.details, changes)
        if changed.is_enabled and not job.details.is_enabled:
            job = replace(job, failures=0)
        elif not changed.is_enabled:
            self._tables.drop_retries(job.name)
        self._tables.change(replace(job, details=changed))
        return _done(wanted, job.name)

    def _delete(self, job: Held, wanted: oig.DeleteJob, now: Instant) -> Reply:
        if self._tables.under_way(job.name):
            return _no(400, f"job {job.name!r} is running: stop it first")
        self._tables.delete(job.name)
        return _done(wanted, job.name)

    # --- actions ------------------------------------------------------------------------------

    def _run(self, job: Held, wanted: oig.RunJob, now: Instant) -> Reply:
        if not job.details.is_enabled and self._settings.oig_run_disabled == "refuse":
            return _no(400, f"job {job.name!r} is disabled: enable it first")
        if not self._runs.is_free(job):
            return _no(400, f"job {job.name!r} is running already, and it is not concurrent")
        self._runs.begin(job, now)
        return _done(wanted, job.name)

    def _stop(self, job: Held, wanted: oig.StopJob, now: Instant) -> Reply:
        if not self._runs.interrupt(job, STOPPED, now):
            return _no(400, f"job {job.name!r} is not running")
        return _done(wanted, job.name)

    def _enable(self, job: Held, wanted: oig.EnableJob, now: Instant) -> Reply:
        """Enabling counts failures from zero again."""
        self._tables.change(replace(job, details=replace(job.details, is_enabled=True), failures=0))
        return _done(wanted, job.name)

    def _disable(self, job: Held, wanted: oig.DisableJob, now: Instant) -> Reply:
        """What runs goes on; nothing more begins."""
        self._tables.drop_retries(job.name)
        self._tables.change(replace(job, details=replace(job.details, is_enabled=False)))
        return _done(wanted, job.name)

    # --- triggers -----------------------------------------------------------------------------

    def _set_trigger(self, job: Held, wanted: oig.SetTrigger, now: Instant) -> Reply:
        trigger = checked(wanted.trigger, now)
        named = replace(trigger, trigger_name=trigger.trigger_name or job.name)
        cron = trigger.interval_type if trigger.trigger_type is TriggerType.CRON else None
        shown = replace(job.details, job_schedule_type=trigger.trigger_type.value, cron_schedule_type=cron)
        self._tables.change(replace(job, details=shown))
        self._tables.set_trigger(job.name, named)
        return _done(wanted, job.name)

    def _delete_trigger(self, job: Held, wanted: oig.DeleteTrigger, now: Instant) -> Reply:
        if job.trigger is None:
            return self._unknown(f"job {job.name!r} has no trigger")
        self._tables.set_trigger(job.name, None)
        shown = replace(job.details, job_schedule_type=None, cron_schedule_type=None)
        self._tables.change(replace(job, details=shown))
        return _done(wanted, job.name)

    # --- history ------------------------------------------------------------------------------

    def _history(self, job: Held, wanted: oig.ListHistory, now: Instant) -> Reply:
        _check_order(wanted.page, RUN_ORDERS)
        runs, total = self._tables.runs("job_name = ?", (job.name,), wanted.page)
        return Reply(200, oig.HistoryPage(tuple(runs), wanted.page, total))

    def _last(self, job: Held, wanted: oig.LastHistory, now: Instant) -> Reply:
        found = self._tables.last_run(job.name)
        return self._unknown(f"job {job.name!r} has not run yet") if found is None else Reply(200, found)

    def _execution(self, job: Held, wanted: oig.GetHistory, now: Instant) -> Reply:
        found = self._tables.run(job.name, wanted.id)
        return self._unknown(f"job {job.name!r} has no run {wanted.id}") if found is None else Reply(200, found)

    def _executions(self, wanted: oig.ListExecutions, now: Instant) -> Reply:
        _check_order(wanted.page, RUN_ORDERS)
        terms = [
            ("started >= ?", wanted.start),
            ("started <= ?", wanted.end),
            ("status = ?", None if wanted.status is None else wanted.status.value),
        ]
        given = [(condition, value) for condition, value in terms if value is not None]
        where = " AND ".join(["1", *(condition for condition, _ in given)])
        runs, total = self._tables.runs(where, [value for _, value in given], wanted.page)
        return Reply(200, oig.HistoryPage(tuple(runs), wanted.page, total))

    # --- all of them --------------------------------------------------------------------------

    def _of_job(self, handler: Callable[[Held, Any, Instant], Reply]) -> _Handler:
        """A handler of operations that name a job."""

        def handle(wanted: Any, now: Instant) -> Reply:
            job = self._tables.job(wanted.name)
            return self._unknown(f"there is no job {wanted.name!r}") if job is None else handler(job, wanted, now)

        return handle

    def _unknown(self, message: str) -> Reply:
        return _no(self._settings.oig_unknown_job, message)


def _trigger_of(job: Held, wanted: oig.GetTrigger, now: Instant) -> Reply:
    """A job that was given none has one of type None (our choice)."""
    return Reply(200, oig.TriggerOf(job.name, job.trigger or Trigger(trigger_name=job.name)))


def _no(status: int, message: str) -> Reply:
    return Reply(status, Failure(message))


def _done(operation: oig.Operation, job: str) -> Reply:
    return Reply(200, Success(job, oig.BY_OPERATION[type(operation)].done))


def _check_order(page: oig.Page, known: Mapping[str, str]) -> None:
    if page.order is not None and page.order[0] not in known:
        raise MalformedMessage(f"orderBy must be one of {', '.join(known)}, is {page.order[0]!r}")


def _merged(job: JobDetails, changes: oig.JobChanges) -> JobDetails:
    """The job with what the update says; what it leaves out stays (the documents' example)."""
    said = {
        name: value
        for name in ("task_name", "retry_count", "concurrent", "is_enabled", "job_schedule_type",
                     "cron_schedule_type", "notification")
        if (value := getattr(changes, name)) is not None
    }  # fmt: skip
    return replace(job, **said, parameters=_merged_parameters(job.parameters, changes.parameters or ()))


def _merged_parameters(before: tuple[Parameter, ...], changes: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    by_name = {each.name: each for each in before}
    for each in changes:
        known = by_name.get(each.name, each)
        by_name[each.name] = Parameter(
            each.name,
            each.value,
            each.data_type or known.data_type,
            known.help_text if each.help_text is None else each.help_text,
            known.required if each.required is None else each.required,
        )
    return tuple(by_name.values())
