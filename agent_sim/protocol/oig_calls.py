"""The scheduler's API from a client's side: requests written, replies read.

Pure; for every shell that speaks to a scheduler, ours or a real one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from agent_sim.protocol import oig
from agent_sim.protocol.oig import Page
from agent_sim.protocol.oig_codec import job_members, parameter_members, some, stamp, trigger_members
from agent_sim.protocol.oig_wire import (
    Listed,
    WireHistories,
    WireHistory,
    WireJob,
    WireJobs,
    WireSuccess,
    WireTriggerOf,
    history_of,
    job_of,
    read,
    trigger_of,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `path` is below the base and percent-encoded, `query` ready to be sent."""

    method: str
    path: str
    query: str
    body: bytes | None


def call_of(operation: oig.Operation) -> Call:
    """The request that asks for an operation."""
    row = oig.BY_OPERATION[type(operation)]
    path = row.path
    for name in ("name", "id"):
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(str(getattr(operation, name)), safe=""))
    body = _request_body(operation)
    return Call(row.method, path, urlencode(_request_query(operation)), None if body is None else _dumped(body))


def _dumped(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _request_body(operation: oig.Operation) -> object:
    match operation:
        case oig.CreateJob(job):
            members = job_members(job)
            del members["status"], members["concurrent"], members["isEnabled"]  # what is as usual goes unsaid
            said = {"concurrent": job.concurrent or None, "isEnabled": None if job.is_enabled else False}
            return members | some(said)
        case oig.UpdateJob(_, changes):
            parameters = None if changes.parameters is None else parameter_members(changes.parameters)
            return some(
                {
                    "jobName": changes.job_name,
                    "taskName": changes.task_name,
                    "retryCount": changes.retry_count,
                    "parameters": parameters,
                    "concurrent": changes.concurrent,
                    "isEnabled": changes.is_enabled,
                    "jobScheduleType": changes.job_schedule_type,
                    "cronScheduleType": changes.cron_schedule_type,
                    "notification": None if changes.notification is None else json.loads(changes.notification),
                }
            )
        case oig.SetTrigger(_, trigger):
            return trigger_members(trigger)
    return None


def _request_query(operation: oig.Operation) -> dict[str, str]:
    match operation:
        case oig.ListJobs(query, page):
            return ({"q": query} if query else {}) | _page_query(page)
        case oig.ListHistory(_, page):
            return _page_query(page)
        case oig.ListExecutions(start, end, status, page):
            given = {"startTime": stamp(start), "endTime": stamp(end), "status": status}
            return {name: str(value) for name, value in given.items() if value is not None} | _page_query(page)
    return {}


def _page_query(page: Page) -> dict[str, str]:
    order = {} if page.order is None else {"orderBy": f"{page.order[0]}:{'desc' if page.order[1] else 'asc'}"}
    return {**order, "offset": str(page.offset), "limit": str(page.limit)}


def quoted(text: str) -> str:
    """A text as the value of a search: blanks are written `::`."""
    return text.replace(" ", "::")


def read_reply(operation: oig.Operation, status: int, body: bytes) -> oig.Reply:
    """What a server answered. Raises MalformedMessage for a success that cannot be read."""
    if status >= 300:
        return oig.Reply(status, oig.Failure(_message(body)))
    return oig.Reply(status, _REPLIES.get(type(operation), _read_success)(operation, body))


def _message(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")[:200]
    return str(found.get("message", ""))[:200] if isinstance(found, dict) else ""


def _read_success(operation: oig.Operation, body: bytes) -> oig.Body:
    wire = read(WireSuccess, body)
    return oig.Success(wire.job_name, wire.status)


def _read_job(operation: oig.Operation, body: bytes) -> oig.Body:
    return job_of(read(WireJob, body))


def _read_jobs(operation: oig.Operation, body: bytes) -> oig.Body:
    assert isinstance(operation, oig.ListJobs)
    wire = read(WireJobs, body)
    return oig.JobPage(tuple(map(job_of, wire.jobs)), operation.page, _total(wire, len(wire.jobs)))


def _read_trigger(operation: oig.Operation, body: bytes) -> oig.Body:
    wire = read(WireTriggerOf, body)
    return oig.TriggerOf(wire.job_name, trigger_of(wire))


def _read_run(operation: oig.Operation, body: bytes) -> oig.Body:
    return history_of(read(WireHistory, body))


def _read_runs(operation: oig.Operation, body: bytes) -> oig.Body:
    assert isinstance(operation, oig.ListHistory | oig.ListExecutions)
    wire = read(WireHistories, body)
    return oig.HistoryPage(tuple(map(history_of, wire.history)), operation.page, _total(wire, len(wire.history)))


def _total(wire: Listed, here: int) -> int:
    return here if wire.count is None else wire.count


_REPLIES: Final[Mapping[type[oig.Operation], Callable[[oig.Operation, bytes], oig.Body]]] = {
    oig.GetJob: _read_job,
    oig.ListJobs: _read_jobs,
    oig.GetTrigger: _read_trigger,
    oig.LastHistory: _read_run,
    oig.GetHistory: _read_run,
    oig.ListHistory: _read_runs,
    oig.ListExecutions: _read_runs,
}
