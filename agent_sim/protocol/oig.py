"""The wire of Oracle Identity Governance's scheduler: values, operations, and the table of endpoints.

Jobs are known by their names, run inside the product's own servers, and leave a record in a history. Between these
values and JSON stands `oig_codec`; when triggers fire is `oig_triggers`. Source: the seed "Create a new job", which
wins; command-api 8 for the rest of the family. What neither attests is marked inferred, here or in fidelity.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent_sim.instants import Instant

BASE: Final = "/iam/governance/selfservice/api/v1/scheduler"
REQUESTED_BY: Final = "X-Requested-By"
"""The header that every write needs, whatever its value (seed)."""

READ: Final = "/scheduler/read/"
MODIFY: Final = "/scheduler/modify/"
"""What callers need (our names: the product asks for an administrator)."""

INT32_MAX: Final = 2**31 - 1
LONGEST_NAME: Final = 200
"""Characters of a job's or task's name: what Quartz's tables take (inferred)."""

DEFAULT_LIMIT: Final = 10  # attested by the self links of the documents' examples


class JobStatus(StrEnum):
    """What a job is doing (seed)."""

    STOPPED = "STOPPED"
    RUNNING = "RUNNING"
    INTERRUPTED = "INTERRUPTED"


class RunStatus(StrEnum):
    """What became of one run: STOPPED is a run that ended well."""

    STOPPED = "STOPPED"
    RUNNING = "RUNNING"
    INTERRUPTED = "INTERRUPTED"
    FAILED = "FAILED"


STATUS_NUMBERS: Final[Mapping[str, RunStatus]] = {
    "2": RunStatus.STOPPED,
    "5": RunStatus.RUNNING,
    "6": RunStatus.FAILED,
    "7": RunStatus.INTERRUPTED,
}
"""How searches may say a status: the documents' example has 5 and 2, what they stand for is inferred."""


class DataType(StrEnum):
    """What a parameter holds (seed)."""

    STRING = "String"
    NUMBER = "Number"
    BOOLEAN = "Boolean"
    IT_RESOURCE = "ITResource"


class TriggerType(StrEnum):
    """How a job is set off."""

    CRON = "Cron"
    PERIODIC = "Periodic"
    SINGLE = "Single"
    NONE = "None"


# --- values -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a job; its value is a text, whatever scalar was sent."""

    name: str
    value: str
    data_type: DataType | None = None
    help_text: str | None = None
    required: bool | None = None


@dataclass(frozen=True, slots=True)
class JobDetails:
    """A job. `notification` is somebody else's JSON object as a text, kept and shown (its schema is unattested)."""

    job_name: str
    task_name: str
    retry_count: int
    parameters: tuple[Parameter, ...] = ()
    concurrent: bool = False
    is_enabled: bool = True
    job_schedule_type: str | None = None
    cron_schedule_type: str | None = None
    notification: str | None = None
    status: JobStatus = JobStatus.STOPPED


@dataclass(frozen=True, slots=True)
class JobChanges:
    """What an update says; None leaves a member as it is. Parameters are merged by name (the documents' example)."""

    job_name: str | None = None
    task_name: str | None = None
    retry_count: int | None = None
    parameters: tuple[Parameter, ...] | None = None
    concurrent: bool | None = None
    is_enabled: bool | None = None
    job_schedule_type: str | None = None
    cron_schedule_type: str | None = None
    notification: str | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a job fires; `next_fire` is the server's to say. There are no cron expressions."""

    trigger_type: TriggerType = TriggerType.NONE
    interval_type: str | None = None
    interval_values: tuple[str, ...] = ()
    start_time: Instant | None = None
    end_time: Instant | None = None
    trigger_name: str | None = None
    next_fire: Instant | None = None


@dataclass(frozen=True, slots=True)
class History:
    """One run of a job."""

    id: int
    job_name: str
    start: Instant
    end: Instant | None
    status: RunStatus
    custom_status: str | None = None
    error_message: str | None = None
    exception_object: str | None = None
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: `offset` items are skipped. `order` is a field and whether it falls; None is the usual."""

    offset: int = 0
    limit: int = DEFAULT_LIMIT
    order: tuple[str, bool] | None = None


# --- operations -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateJob:
    job: JobDetails


@dataclass(frozen=True, slots=True)
class ListJobs:
    """`query` as in `Job::Status eq 5 and Job::Name eq A*`."""

    query: str = ""
    page: Page = Page()  # frozen


@dataclass(frozen=True, slots=True)
class GetJob:
    name: str


@dataclass(frozen=True, slots=True)
class UpdateJob:
    name: str
    changes: JobChanges


@dataclass(frozen=True, slots=True)
class DeleteJob:
    name: str


@dataclass(frozen=True, slots=True)
class RunJob:
    name: str


@dataclass(frozen=True, slots=True)
class StopJob:
    name: str


@dataclass(frozen=True, slots=True)
class EnableJob:
    name: str


@dataclass(frozen=True, slots=True)
class DisableJob:
    name: str


@dataclass(frozen=True, slots=True)
class GetTrigger:
    name: str


@dataclass(frozen=True, slots=True)
class SetTrigger:
    name: str
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class DeleteTrigger:
    name: str


@dataclass(frozen=True, slots=True)
class ListHistory:
    name: str
    page: Page = Page()  # frozen


@dataclass(frozen=True, slots=True)
class LastHistory:
    name: str


@dataclass(frozen=True, slots=True)
class GetHistory:
    name: str
    id: int


@dataclass(frozen=True, slots=True)
class ListExecutions:
    """Runs of all jobs that began in a time range."""

    start: Instant | None = None
    end: Instant | None = None
    status: RunStatus | None = None
    page: Page = Page()  # frozen


Operation = (
    CreateJob
    | ListJobs
    | GetJob
    | UpdateJob
    | DeleteJob
    | RunJob
    | StopJob
    | EnableJob
    | DisableJob
    | GetTrigger
    | SetTrigger
    | DeleteTrigger
    | ListHistory
    | LastHistory
    | GetHistory
    | ListExecutions
)


# --- replies ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Success:
    """What every write is answered with."""

    job_name: str
    status: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why not (its shape is unattested; ours is `{"status": 400, "message": "..."}`)."""

    message: str


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of the jobs that matched; `total` is how many did."""

    jobs: tuple[JobDetails, ...]
    page: Page
    total: int


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A part of a history."""

    history: tuple[History, ...]
    page: Page
    total: int


@dataclass(frozen=True, slots=True)
class TriggerOf:
    """A job's trigger, with the job's name."""

    job_name: str
    trigger: Trigger


Body = Success | Failure | JobDetails | JobPage | TriggerOf | History | HistoryPage


@dataclass(frozen=True, slots=True)
class Reply:
    """A status of HTTP and what comes with it."""

    status: int
    body: Body

    @property
    def is_success(self) -> bool:
        return self.status < 300


# --- endpoints --------------------------------------------------------------------------------


class Carries(StrEnum):
    """What a request holds besides its path."""

    NOTHING = "nothing"
    BODY = "body"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: `path` is below BASE; `done` is the reply's status text, with the documents' own spelling."""

    method: str
    path: str
    operation: type[Operation]
    carries: Carries = Carries.NOTHING
    done: str = ""

    @property
    def writes(self) -> bool:
        return self.method != "GET"


ENDPOINTS: Final = (
    Endpoint("POST", "/jobs", CreateJob, Carries.BODY, "Job Create successfull"),  # seed
    Endpoint("GET", "/jobs", ListJobs, Carries.PAGE),
    Endpoint("GET", "/jobs/{name}", GetJob),
    Endpoint("PUT", "/jobs/{name}", UpdateJob, Carries.BODY, "Job Update successfull"),  # by analogy: inferred
    Endpoint("DELETE", "/jobs/{name}", DeleteJob, done="Job Deleted"),
    Endpoint("POST", "/jobs/{name}/run", RunJob, done="run successfull"),
    Endpoint("POST", "/jobs/{name}/stop", StopJob, done="stop successfull"),
    Endpoint("POST", "/jobs/{name}/enable", EnableJob, done="enable successfull"),
    Endpoint("POST", "/jobs/{name}/disable", DisableJob, done="disable successfull"),  # by analogy: inferred
    Endpoint("GET", "/jobs/{name}/trigger", GetTrigger),
    Endpoint("PUT", "/jobs/{name}/trigger", SetTrigger, Carries.BODY, "Trigger add successfull"),
    Endpoint("DELETE", "/jobs/{name}/trigger", DeleteTrigger, done="Trigger Deleted"),  # by analogy: inferred
    Endpoint("GET", "/jobs/{name}/history", ListHistory, Carries.PAGE),
    Endpoint("GET", "/jobs/{name}/history/last", LastHistory),
    Endpoint("GET", "/jobs/{name}/history/{id}", GetHistory),
    Endpoint("GET", "/history", ListExecutions, Carries.PAGE),
)

BY_OPERATION: Final[Mapping[type[Operation], Endpoint]] = {row.operation: row for row in ENDPOINTS}
