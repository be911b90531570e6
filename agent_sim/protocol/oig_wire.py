"""What the scheduler's JSON may look like, and the values that it makes.

Pydantic at the edge: unknown members are ignored, wrong ones refused with a sentence for the sender
(MalformedMessage). Shared by both sides; requests and replies as a whole are `oig_codec` and `oig_calls`.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from agent_sim.errors import MalformedMessage
from agent_sim.instants import Instant, from_iso
from agent_sim.protocol import oig
from agent_sim.protocol.oig import DataType, JobStatus, Parameter, RunStatus, TriggerType

M = TypeVar("M", bound="Wire")


# --- what JSON may look like ------------------------------------------------------------------


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, strict=True, defer_build=True)


_Scalar = str | int | float | bool
_Int32 = Annotated[int, Field(ge=0, le=oig.INT32_MAX)]
_Name = Annotated[str, Field(min_length=1, max_length=oig.LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]*$")]


class WireParameter(Wire):
    value: _Scalar
    data_type: DataType | None = None
    help_text: str | None = None
    required: bool | None = None


class NamedParameter(WireParameter):
    name: str


# Every example has an object, the schema an array: both are taken (command-api 8).
_Parameters = dict[str, WireParameter] | list[NamedParameter]


class WireChanges(Wire):
    job_name: _Name | None = None
    task_name: _Name | None = None
    retry_count: _Int32 | None = None
    parameters: _Parameters | None = None
    concurrent: bool | None = None
    is_enabled: bool | None = None
    job_schedule_type: str | None = None
    cron_schedule_type: str | None = None
    notification: dict[str, Any] | None = None
    status: JobStatus | None = None


class WireJob(WireChanges):
    job_name: _Name
    task_name: _Name
    retry_count: _Int32


class WireTrigger(Wire):
    trigger_type: TriggerType
    trigger_name: str | None = None
    interval_type: str | None = None
    interval_values: list[str | int] | None = None
    start_time: str | None = None
    end_time: str | None = None
    next_fire_time: str | None = None


class WireTriggerOf(WireTrigger):
    job_name: str


class WireHistory(Wire):
    id: Annotated[int, Field(ge=0, le=oig.INT32_MAX)]
    job_name: str
    job_start_time: str
    job_end_time: str | None = None
    status: RunStatus
    custom_status: str | None = None
    error_message: str | None = None
    exception_object: str | None = None
    params: dict[str, str] = {}


class WireSuccess(Wire):
    job_name: str = ""
    status: str = ""


class Listed(Wire):
    count: int | None = None


class WireJobs(Listed):
    jobs: list[WireJob] = []


class WireHistories(Listed):
    history: list[WireHistory] = []


_ADAPTERS: Final[dict[type[BaseModel], TypeAdapter[Any]]] = {}


def read(kind: type[M], body: bytes) -> M:
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    try:
        found = adapter.validate_json(body)
    except ValidationError as error:
        raise MalformedMessage(_sentence(error)) from None
    except RecursionError:
        raise MalformedMessage("the body is nested too deeply") from None
    assert isinstance(found, kind)
    return found


_UNION_STEPS: Final = re.compile(r"^(dict\[|list\[|str$|int$|float$|bool$)")


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}"
    steps = [str(step) for step in first["loc"] if not _UNION_STEPS.match(str(step))]
    place = ".".join(steps) or "the body"
    if first["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}"


# --- to values -------------------------------------------------------------------------------


def job_of(wire: WireJob) -> oig.JobDetails:
    return oig.JobDetails(
        job_name=_not_blank("jobName", wire.job_name),
        task_name=_not_blank("taskName", wire.task_name),
        retry_count=wire.retry_count,
        parameters=_parameters(wire.parameters) or (),
        concurrent=bool(wire.concurrent),
        is_enabled=wire.is_enabled is not False,
        job_schedule_type=wire.job_schedule_type,
        cron_schedule_type=wire.cron_schedule_type,
        notification=_kept(wire.notification),
        status=wire.status or JobStatus.STOPPED,
    )


def changes_of(wire: WireChanges) -> oig.JobChanges:
    return oig.JobChanges(
        wire.job_name,
        None if wire.task_name is None else _not_blank("taskName", wire.task_name),
        wire.retry_count,
        _parameters(wire.parameters),
        wire.concurrent,
        wire.is_enabled,
        wire.job_schedule_type,
        wire.cron_schedule_type,
        _kept(wire.notification),
    )


def _not_blank(name: str, text: str) -> str:
    if not text.strip():
        raise MalformedMessage(f"{name} must not be blank")
    return text


def _kept(notification: Mapping[str, Any] | None) -> str | None:
    return None if notification is None else json.dumps(notification, ensure_ascii=False)


def _parameters(wire: _Parameters | None) -> tuple[Parameter, ...] | None:
    if wire is None:
        return None
    named = wire.items() if isinstance(wire, dict) else [(each.name, each) for each in wire]
    found = tuple(
        Parameter(name, _text(each.value), each.data_type, each.help_text, each.required) for name, each in named
    )
    if len({each.name for each in found}) < len(found):
        raise MalformedMessage("parameters has a name twice")
    return found


def _text(value: _Scalar) -> str:
    """Scalars are stored as texts: 11 is "11" (command-api 8)."""
    return value if isinstance(value, str) else json.dumps(value)


def trigger_of(wire: WireTrigger) -> oig.Trigger:
    return oig.Trigger(
        wire.trigger_type,
        wire.interval_type,
        tuple(map(str, wire.interval_values or ())),
        time_of(wire.start_time, "startTime"),
        time_of(wire.end_time, "endTime"),
        wire.trigger_name,
        time_of(wire.next_fire_time, "nextFireTime"),
    )


def time_of(text: str | None, name: str) -> Instant | None:
    if not text:
        return None
    try:
        return from_iso(text)
    except (ValueError, OverflowError):
        raise MalformedMessage(f"{name} must be a time such as 2021-11-24T17:44:00Z, is {text!r}") from None


def history_of(wire: WireHistory) -> oig.History:
    start = time_of(wire.job_start_time, "jobStartTime")
    if start is None:
        raise MalformedMessage("jobStartTime is empty")
    return oig.History(
        wire.id,
        wire.job_name,
        start,
        time_of(wire.job_end_time, "jobEndTime"),
        wire.status,
        wire.custom_status,
        wire.error_message,
        wire.exception_object,
        tuple(wire.params.items()),
    )
