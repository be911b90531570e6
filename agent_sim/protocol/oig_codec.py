"""The scheduler's requests as its server reads them, and its replies as it writes them.

Pure: bytes and texts in, values out, and back. Members without a value are left out.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

from agent_sim.errors import MalformedMessage
from agent_sim.instants import Instant, to_datetime
from agent_sim.protocol import oig
from agent_sim.protocol.oig import Page, Parameter, RunStatus
from agent_sim.protocol.oig_wire import WireChanges, WireJob, WireTrigger, changes_of, job_of, read, time_of, trigger_of

_LONGEST_PAGE: Final = 1000
"""Items in one page at most (our choice)."""

# --- requests, as the server reads them -------------------------------------------------------


def read_operation(
    row: oig.Endpoint, fields: Mapping[str, str], query: Mapping[str, str], body: bytes
) -> oig.Operation:
    """The operation that a request asks for; `fields` are those of its path. Raises MalformedMessage."""
    return _READERS[row.operation](fields, query, body)


def _named(operation: Callable[[str], oig.Operation]) -> "_Reader":
    return lambda fields, query, body: operation(fields["name"])


def _create(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    return oig.CreateJob(job_of(read(WireJob, body)))


def _update(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    return oig.UpdateJob(fields["name"], changes_of(read(WireChanges, body)))


def _set_trigger(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    return oig.SetTrigger(fields["name"], trigger_of(read(WireTrigger, body)))


def _list_jobs(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    return oig.ListJobs(query.get("q", ""), _page(query))


def _list_history(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    return oig.ListHistory(fields["name"], _page(query))


def _get_history(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    return oig.GetHistory(fields["name"], _whole("historyID", fields["id"], oig.INT32_MAX))


def _list_executions(fields: Mapping[str, str], query: Mapping[str, str], body: bytes) -> oig.Operation:
    status = query.get("status")
    return oig.ListExecutions(
        time_of(query.get("startTime"), "startTime"),
        time_of(query.get("endTime"), "endTime"),
        None if status is None else _status(status),
        _page(query),
    )


_Reader = Callable[[Mapping[str, str], Mapping[str, str], bytes], oig.Operation]

_READERS: Final[Mapping[type[oig.Operation], _Reader]] = {
    oig.CreateJob: _create,
    oig.ListJobs: _list_jobs,
    oig.GetJob: _named(oig.GetJob),
    oig.UpdateJob: _update,
    oig.DeleteJob: _named(oig.DeleteJob),
    oig.RunJob: _named(oig.RunJob),
    oig.StopJob: _named(oig.StopJob),
    oig.EnableJob: _named(oig.EnableJob),
    oig.DisableJob: _named(oig.DisableJob),
    oig.GetTrigger: _named(oig.GetTrigger),
    oig.SetTrigger: _set_trigger,
    oig.DeleteTrigger: _named(oig.DeleteTrigger),
    oig.ListHistory: _list_history,
    oig.LastHistory: _named(oig.LastHistory),
    oig.GetHistory: _get_history,
    oig.ListExecutions: _list_executions,
}


def _page(query: Mapping[str, str]) -> Page:
    order = query.get("orderBy")
    return Page(
        _whole("offset", query.get("offset", "0"), oig.INT32_MAX),
        min(_whole("limit", query.get("limit", str(oig.DEFAULT_LIMIT)), oig.INT32_MAX), _LONGEST_PAGE),
        None if not order else _order(order),
    )


def _order(text: str) -> tuple[str, bool]:
    field, _, way = text.partition(":")
    if way not in ("", "asc", "desc"):
        raise MalformedMessage(f"orderBy must be field:asc or field:desc, is {text!r}")
    return field, way == "desc"


def _whole(name: str, text: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > most:
        raise MalformedMessage(f"{name} must be a whole number from 0 to {most}, is {text!r}")
    return int(text)


def _status(text: str) -> RunStatus:
    found = oig.STATUS_NUMBERS.get(text) or next((each for each in RunStatus if each == text.upper()), None)
    if found is None:
        raise MalformedMessage(f"status must be one of {', '.join(RunStatus)}, is {text!r}")
    return found


# --- replies, as the server writes them -------------------------------------------------------


def body_of(reply: oig.Reply, url: str = "") -> bytes:
    """The reply's JSON; `url` is what was asked for, without its query, for the links of a page."""
    return json.dumps(_shown(reply, url), ensure_ascii=False, separators=(",", ":")).encode()


def _shown(reply: oig.Reply, url: str) -> object:
    match reply.body:
        case oig.Success(name, status):
            return {"jobName": name, "status": status}
        case oig.Failure(message):
            return {"status": reply.status, "message": message}
        case oig.JobDetails():
            return job_members(reply.body)
        case oig.TriggerOf(name, trigger):
            return {"jobName": name, **trigger_members(trigger)}
        case oig.History():
            return _history_members(reply.body)
        case oig.JobPage(jobs, page, total):
            return {"links": _links(url, page, total), "count": total, "jobs": [job_members(job) for job in jobs]}
        case oig.HistoryPage(runs, page, total):
            shown = [_history_members(run) for run in runs]
            return {"links": _links(url, page, total), "count": total, "history": shown}


def some(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


def job_members(job: oig.JobDetails) -> dict[str, object]:
    return some(
        {
            "jobName": job.job_name,
            "taskName": job.task_name,
            "jobScheduleType": job.job_schedule_type,
            "cronScheduleType": job.cron_schedule_type,
            "retryCount": job.retry_count,
            "concurrent": job.concurrent,
            "isEnabled": job.is_enabled,
            "status": job.status,
            "parameters": parameter_members(job.parameters),
            "notification": None if job.notification is None else json.loads(job.notification),
        }
    )


def parameter_members(parameters: Iterable[Parameter]) -> dict[str, object]:
    return {
        each.name: some(
            {
                "value": each.value,
                "helpText": each.help_text,
                "required": each.required,
                "dataType": each.data_type,
            }
        )
        for each in parameters
    }


def trigger_members(trigger: oig.Trigger) -> dict[str, object]:
    return some(
        {
            "triggerName": trigger.trigger_name,
            "triggerType": trigger.trigger_type,
            "intervalType": trigger.interval_type,
            "intervalValues": list(trigger.interval_values) or None,
            "startTime": stamp(trigger.start_time),
            "endTime": stamp(trigger.end_time),
            "nextFireTime": stamp(trigger.next_fire),
        }
    )


def _history_members(run: oig.History) -> dict[str, object]:
    return some(
        {
            "id": run.id,
            "jobName": run.job_name,
            "jobStartTime": stamp(run.start),
            "jobEndTime": stamp(run.end),
            "status": run.status,
            "customStatus": run.custom_status,
            "errorMessage": run.error_message,
            "exceptionObject": run.exception_object,
            "params": dict(run.params),
        }
    )


def stamp(at: Instant | None) -> str | None:
    """yyyy-MM-dd'T'HH:mm:ss'Z' (command-api 8)."""
    return None if at is None else to_datetime(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _links(url: str, page: Page, total: int) -> list[dict[str, str]]:
    """Where the parts of a list are, as the documents' examples have it; ours has the next one too (inferred)."""
    order = {} if page.order is None else {"orderBy": f"{page.order[0]}:{'desc' if page.order[1] else 'asc'}"}

    def link(rel: str, offset: int) -> dict[str, str]:
        return {"rel": rel, "href": f"{url}?{urlencode({**order, 'offset': offset, 'limit': page.limit})}"}

    links = [link("self", page.offset), link("first", 0)]
    if page.limit and page.offset + page.limit < total:
        links.append(link("next", page.offset + page.limit))
    return links
