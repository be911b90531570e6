"""The management API's replies as bytes, in the dialect that the settings choose (command-api 0 and 1.4).

Pure: values in, JSON out; headers and statuses are `http.command`'s business.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, cast

from agent_sim.protocol.codec import to_json
from agent_sim.protocol.command import ApiError, CommandReply, JobHistoryRecord, ScheduledJob
from agent_sim.protocol.enums import Result, Status
from agent_sim.protocol.schedule import Immediate
from agent_sim.settings import ServerSettings

_Members = dict[str, object]


def body_of(reply: CommandReply, settings: ServerSettings) -> bytes | None:
    """The reply's JSON, or None if it has none."""
    if reply.body is None:
        return None
    if isinstance(reply.body, tuple):
        return _encode([_dialect(record, settings) for record in reply.body])
    return _encode(_dialect(reply.body, settings))


def error_body(code: str, message: str) -> bytes:
    """The object that every answer outside 2xx has as its body."""
    return _encode({"ErrorCode": code, "Message": message})


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _dialect(record: object, settings: ServerSettings) -> object:
    adapt = _ADAPTED.get(type(record))
    if adapt is not None:
        return adapt(record, settings)
    return to_json(record, omit_none=settings.null_style == "omit")


def _job_history(record: object, settings: ServerSettings) -> _Members:
    record = cast(JobHistoryRecord, record)
    if isinstance(record.schedule, Immediate):
        record = replace(record, schedule=None)  # documented to be null for Immediate jobs (command-api 4.1)
    members = _plain(record, settings)
    if settings.enum_style == "name":
        members |= {"Result": _name(record.result), "Status": _name(record.status)}
    return members


def _name(value: Result | Status) -> str:
    """`CompletedWillRetry` from COMPLETED_WILL_RETRY."""
    return value.name.title().replace("_", "")


_TIMESTAMPS: Final[Mapping[str, tuple[str, ...]]] = {
    "both": ("RequestTimestmap", "RequestTimestamp"),
    "sdk": ("RequestTimestamp",),
    "seed": ("RequestTimestmap",),
}


def _scheduled_job(record: object, settings: ServerSettings) -> _Members:
    members = _plain(record, settings)
    stamp = members.pop("RequestTimestamp")
    return members | dict.fromkeys(_TIMESTAMPS[settings.timestamp_key], stamp)


def _api_error(record: object, settings: ServerSettings) -> _Members:
    members = _plain(record, settings)
    if not members["FailedOperations"]:
        del members["FailedOperations"]  # go-client panics at a null, and an empty list says nothing
    return members


def _plain(record: object, settings: ServerSettings) -> _Members:
    return cast(_Members, to_json(record, omit_none=settings.null_style == "omit"))


_ADAPTED: Final[Mapping[type, Callable[[object, ServerSettings], _Members]]] = {
    JobHistoryRecord: _job_history,
    ScheduledJob: _scheduled_job,
    ApiError: _api_error,
}
