"""The management API as a table: which operation has which method, path, success status and permission.

Server routes, HTTP clients, `Status/Endpoints` and documentation all read this one table. Source: command-api 2, 3, 9.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent_sim.protocol import command

READ_AGENTS: Final = "/agents/management/read/"
MODIFY_AGENTS: Final = "/agents/management/modify/"
READ_STORES: Final = "/certificate_stores/read/"
MODIFY_STORES: Final = "/certificate_stores/modify/"
SCHEDULE_STORES: Final = "/certificate_stores/schedule/"


class Carries(Enum):
    """Where an operation's fields travel."""

    NOTHING = "nothing"
    PAGE = "query string, as paging"
    PARAMETERS = "query string, by name"
    PATH = "the path"
    OBJECT = "the body, as an object"
    ARRAY = "the body, as a bare array"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row. `path` is under the API's base and may hold one `{field}` of the operation."""

    method: str
    path: str
    operation: type[command.Operation]
    carries: Carries
    success: int
    permissions: tuple[str, ...]
    reply: type | None = None
    many: bool = False

    @property
    def name(self) -> str:
        """`GET /Agents`, as Status/Endpoints lists it."""
        return f"{self.method} {self.path}"


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/OrchestratorJobs/JobHistory", command.ListJobHistory, Carries.PAGE, 200,
             (READ_AGENTS,), command.JobHistoryRecord, many=True),
    Endpoint("GET", "/OrchestratorJobs/ScheduledJobs", command.ListScheduledJobs, Carries.PAGE, 200,
             (READ_AGENTS,), command.ScheduledJobRecord, many=True),
    Endpoint("GET", "/OrchestratorJobs/JobStatus/Data", command.GetJobData, Carries.PARAMETERS, 200,
             (READ_AGENTS,), command.JobData),
    Endpoint("POST", "/OrchestratorJobs/Custom", command.ScheduleJob, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), command.ScheduledJob),
    Endpoint("POST", "/OrchestratorJobs/Reschedule", command.Reschedule, Carries.OBJECT, 204, (MODIFY_AGENTS,)),
    Endpoint("POST", "/OrchestratorJobs/Unschedule", command.Unschedule, Carries.OBJECT, 204, (MODIFY_AGENTS,)),
    Endpoint("POST", "/OrchestratorJobs/Acknowledge", command.Acknowledge, Carries.OBJECT, 204, (MODIFY_AGENTS,)),
    Endpoint("GET", "/Agents", command.ListAgents, Carries.PAGE, 200,
             (READ_AGENTS,), command.AgentRecord, many=True),
    Endpoint("GET", "/Agents/{agent_id}", command.GetAgent, Carries.PATH, 200, (READ_AGENTS,), command.AgentRecord),
    Endpoint("POST", "/Agents/Approve", command.ApproveAgents, Carries.ARRAY, 204, (READ_AGENTS, MODIFY_AGENTS)),
    Endpoint("POST", "/Agents/Disapprove", command.DisapproveAgents, Carries.ARRAY, 204,
             (READ_AGENTS, MODIFY_AGENTS)),
    Endpoint("GET", "/JobTypes/Custom", command.ListJobTypes, Carries.PAGE, 200,
             (READ_AGENTS,), command.JobTypeRecord, many=True),
    Endpoint("POST", "/JobTypes/Custom", command.CreateJobType, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), command.JobTypeRecord),
    Endpoint("GET", "/CertificateStores", command.ListStores, Carries.PAGE, 200,
             (READ_STORES,), command.StoreRecord, many=True),
    Endpoint("POST", "/CertificateStores", command.CreateStore, Carries.OBJECT, 200,
             (MODIFY_STORES,), command.StoreRecord),
    Endpoint("POST", "/CertificateStores/Schedule", command.ScheduleInventory, Carries.OBJECT, 204,
             (SCHEDULE_STORES,)),
    Endpoint("POST", "/CertificateStores/Certificates/Add", command.AddCertificate, Carries.OBJECT, 200,
             (SCHEDULE_STORES,), str, many=True),
    Endpoint("POST", "/CertificateStores/Certificates/Remove", command.RemoveCertificate, Carries.OBJECT, 200,
             (SCHEDULE_STORES,), str, many=True),
    Endpoint("GET", "/Status/Endpoints", command.GetEndpoints, Carries.NOTHING, 200, (), str, many=True),
)  # fmt: skip  # a table reads best as a table

SIM_TRANSITIONS: Final = Endpoint(
    "GET",
    "/sim/transitions",
    command.ListTransitions,
    Carries.PARAMETERS,
    200,
    (READ_AGENTS,),
    command.Transitions,
)
"""Ours, beside the API's base and not under it; served only when asked for."""

BY_OPERATION: Final = {row.operation: row for row in (*ENDPOINTS, SIM_TRANSITIONS)}
