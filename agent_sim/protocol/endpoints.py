"""The management API as a table: which operation has which method, path, success status and permission.

Server routes, HTTP clients, `Status/Endpoints` and documentation all read this one table. Source: command-api 2, 3, 9.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent_sim.protocol import agent_commands, command, job_commands, mqtt_commands, store_commands, store_type_commands

READ_AGENTS: Final = "/agents/management/read/"
MODIFY_AGENTS: Final = "/agents/management/modify/"
READ_STORES: Final = "/certificate_stores/read/"
MODIFY_STORES: Final = "/certificate_stores/modify/"
SCHEDULE_STORES: Final = "/certificate_stores/schedule/"
READ_CERTIFICATES: Final = "/certificates/collections/read/"
READ_TYPES: Final = "/certificate_stores/types/read/"
MODIFY_TYPES: Final = "/certificate_stores/types/modify/"


class Carries(Enum):
    """Where an operation's fields travel."""

    NOTHING = "nothing"
    PAGE = "query string, as paging"
    PARAMETERS = "query string, by name"
    PATH = "the path"
    PATH_AND_PAGE = "the path, and the query string as paging"
    OBJECT = "the body, as an object"
    ARRAY = "the body, as a bare array"
    PARAMETERS_AND_ARRAY = "query string, by name, and the body as a bare array"


WITH_BODY: Final = frozenset({Carries.OBJECT, Carries.ARRAY, Carries.PARAMETERS_AND_ARRAY})
WITH_PAGE: Final = frozenset({Carries.PAGE, Carries.PATH_AND_PAGE})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row. `path` is under the API's base and may hold one `{field}` of the operation.

    `permissions` are all needed to be let in; what kinds of jobs and containers need, the server adds.
    """

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
    Endpoint("POST", "/OrchestratorJobs/Custom/Bulk", job_commands.ScheduleBulkJob, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), job_commands.BulkJobs),
    Endpoint("POST", "/OrchestratorJobs/Reschedule", command.Reschedule, Carries.OBJECT, 204, (MODIFY_AGENTS,)),
    Endpoint("POST", "/OrchestratorJobs/Unschedule", command.Unschedule, Carries.OBJECT, 204, (MODIFY_AGENTS,)),
    Endpoint("POST", "/OrchestratorJobs/Acknowledge", command.Acknowledge, Carries.OBJECT, 204, (MODIFY_AGENTS,)),
    Endpoint("GET", "/Agents", command.ListAgents, Carries.PAGE, 200,
             (READ_AGENTS,), command.AgentRecord, many=True),
    Endpoint("GET", "/Agents/{agent_id}", command.GetAgent, Carries.PATH, 200, (READ_AGENTS,), command.AgentRecord),
    Endpoint("POST", "/Agents/Approve", command.ApproveAgents, Carries.ARRAY, 204, (READ_AGENTS, MODIFY_AGENTS)),
    Endpoint("POST", "/Agents/Disapprove", command.DisapproveAgents, Carries.ARRAY, 204,
             (READ_AGENTS, MODIFY_AGENTS)),
    Endpoint("POST", "/Agents/Reset", agent_commands.ResetAgents, Carries.ARRAY, 204, (READ_AGENTS, MODIFY_AGENTS)),
    Endpoint("POST", "/Agents/{agent_id}/Reset", agent_commands.ResetAgent, Carries.PATH, 204,
             (READ_AGENTS, MODIFY_AGENTS)),
    Endpoint("POST", "/Agents/{agent_id}/FetchLogs", agent_commands.FetchLogs, Carries.PATH, 204, (MODIFY_AGENTS,)),
    Endpoint("POST", "/Agents/SetAuthCertificateReenrollment", agent_commands.SetReenrollment, Carries.OBJECT, 200,
             (READ_AGENTS, MODIFY_AGENTS), agent_commands.Reenrollment),
    Endpoint("GET", "/AgentPools", agent_commands.ListAgentPools, Carries.PAGE, 200,
             (READ_AGENTS,), agent_commands.AgentPool, many=True),
    Endpoint("GET", "/AgentPools/Agents", agent_commands.ListPoolAgents, Carries.PAGE, 200,
             (READ_AGENTS,), agent_commands.PoolAgent, many=True),
    Endpoint("GET", "/AgentPools/{agent_pool_id}", agent_commands.GetAgentPool, Carries.PATH, 200,
             (READ_AGENTS,), agent_commands.AgentPool),
    Endpoint("POST", "/AgentPools", agent_commands.CreateAgentPool, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), agent_commands.AgentPool),
    Endpoint("PUT", "/AgentPools", agent_commands.UpdateAgentPool, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), agent_commands.AgentPool),
    Endpoint("DELETE", "/AgentPools/{agent_pool_id}", agent_commands.DeleteAgentPool, Carries.PATH, 204,
             (MODIFY_AGENTS,)),
    Endpoint("GET", "/AgentBluePrint", agent_commands.ListBlueprints, Carries.PAGE, 200,
             (READ_AGENTS,), agent_commands.Blueprint, many=True),
    Endpoint("GET", "/AgentBluePrint/{id}", agent_commands.GetBlueprint, Carries.PATH, 200,
             (READ_AGENTS,), agent_commands.Blueprint),
    Endpoint("DELETE", "/AgentBluePrint/{id}", agent_commands.DeleteBlueprint, Carries.PATH, 204, (MODIFY_AGENTS,)),
    Endpoint("GET", "/AgentBluePrint/{id}/Jobs", agent_commands.ListBlueprintJobs, Carries.PATH_AND_PAGE, 200,
             (READ_AGENTS,), agent_commands.BlueprintJob, many=True),
    Endpoint("GET", "/AgentBluePrint/{id}/Stores", agent_commands.ListBlueprintStores, Carries.PATH_AND_PAGE, 200,
             (READ_AGENTS,), agent_commands.BlueprintStore, many=True),
    Endpoint("POST", "/AgentBluePrint/GenerateBluePrint", agent_commands.GenerateBlueprint, Carries.PARAMETERS, 200,
             (MODIFY_AGENTS,), agent_commands.Blueprint),
    Endpoint("POST", "/AgentBluePrint/ApplyBlueprint", agent_commands.ApplyBlueprint, Carries.PARAMETERS_AND_ARRAY,
             204, (MODIFY_AGENTS,)),
    Endpoint("GET", "/JobTypes/Custom", command.ListJobTypes, Carries.PAGE, 200,
             (READ_AGENTS,), command.JobTypeRecord, many=True),
    Endpoint("POST", "/JobTypes/Custom", command.CreateJobType, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), command.JobTypeRecord),
    Endpoint("GET", "/JobTypes/Custom/{id}", job_commands.GetJobType, Carries.PATH, 200,
             (READ_AGENTS,), command.JobTypeRecord),
    Endpoint("PUT", "/JobTypes/Custom", job_commands.UpdateJobType, Carries.OBJECT, 200,
             (MODIFY_AGENTS,), command.JobTypeRecord),
    Endpoint("DELETE", "/JobTypes/Custom/{id}", job_commands.DeleteJobType, Carries.PATH, 204, (MODIFY_AGENTS,)),
    Endpoint("GET", "/CertificateStores", command.ListStores, Carries.PAGE, 200,
             (READ_STORES,), command.StoreRecord, many=True),
    Endpoint("POST", "/CertificateStores", command.CreateStore, Carries.OBJECT, 200,
             (MODIFY_STORES,), command.StoreRecord),
    Endpoint("PUT", "/CertificateStores", store_commands.UpdateStore, Carries.OBJECT, 200,
             (MODIFY_STORES,), command.StoreRecord),
    Endpoint("DELETE", "/CertificateStores", store_commands.DeleteStores, Carries.ARRAY, 204, (MODIFY_STORES,)),
    Endpoint("GET", "/CertificateStores/{id}", store_commands.GetStore, Carries.PATH, 200,
             (READ_STORES,), command.StoreRecord),
    Endpoint("DELETE", "/CertificateStores/{id}", store_commands.DeleteStore, Carries.PATH, 204, (MODIFY_STORES,)),
    Endpoint("GET", "/CertificateStores/{id}/Inventory", store_commands.ListInventory, Carries.PATH_AND_PAGE, 200,
             (READ_STORES,), store_commands.InventoryEntry, many=True),
    Endpoint("POST", "/CertificateStores/Reenrollment", store_commands.ReenrollStore, Carries.OBJECT, 204,
             (SCHEDULE_STORES,)),
    Endpoint("PUT", "/CertificateStores/DiscoveryJob", store_commands.ScheduleDiscovery, Carries.OBJECT, 204,
             (SCHEDULE_STORES,)),
    Endpoint("POST", "/CertificateStores/Approve", store_commands.ApproveStores, Carries.ARRAY, 204,
             (MODIFY_STORES,)),
    Endpoint("POST", "/CertificateStores/Schedule", command.ScheduleInventory, Carries.OBJECT, 204,
             (SCHEDULE_STORES,)),
    Endpoint("POST", "/CertificateStores/Certificates/Add", command.AddCertificate, Carries.OBJECT, 200,
             (SCHEDULE_STORES,), str, many=True),
    Endpoint("POST", "/CertificateStores/Certificates/Remove", command.RemoveCertificate, Carries.OBJECT, 200,
             (SCHEDULE_STORES,), str, many=True),
    Endpoint("GET", "/CertificateStoreContainers", store_commands.ListContainers, Carries.PAGE, 200,
             (READ_STORES,), store_commands.Container, many=True),
    Endpoint("GET", "/CertificateStoreContainers/{id}", store_commands.GetContainer, Carries.PATH, 200,
             (READ_STORES,), store_commands.Container),
    Endpoint("POST", "/CertificateStoreContainers", store_commands.CreateContainer, Carries.OBJECT, 200,
             (MODIFY_STORES,), store_commands.Container),
    Endpoint("PUT", "/CertificateStoreContainers", store_commands.UpdateContainer, Carries.OBJECT, 200,
             (MODIFY_STORES,), store_commands.Container),
    Endpoint("DELETE", "/CertificateStoreContainers/{id}", store_commands.DeleteContainer, Carries.PATH, 204,
             (MODIFY_STORES,)),
    Endpoint("GET", "/CertificateStoreTypes", store_type_commands.ListStoreTypes, Carries.PAGE, 200,
             (READ_TYPES,), store_type_commands.StoreType, many=True),
    Endpoint("GET", "/CertificateStoreTypes/{id}", store_type_commands.GetStoreType, Carries.PATH, 200,
             (READ_TYPES,), store_type_commands.StoreType),
    Endpoint("GET", "/CertificateStoreTypes/Name/{name}", store_type_commands.FindStoreType, Carries.PATH, 200,
             (READ_TYPES,), store_type_commands.StoreType, many=True),
    Endpoint("POST", "/CertificateStoreTypes", store_type_commands.CreateStoreType, Carries.OBJECT, 200,
             (MODIFY_TYPES,), store_type_commands.StoreType),
    Endpoint("PUT", "/CertificateStoreTypes", store_type_commands.UpdateStoreType, Carries.OBJECT, 200,
             (MODIFY_TYPES,), store_type_commands.StoreType),
    Endpoint("DELETE", "/CertificateStoreTypes/{id}", store_type_commands.DeleteStoreType, Carries.PATH, 204,
             (MODIFY_TYPES,)),
    Endpoint("DELETE", "/CertificateStoreTypes", store_type_commands.DeleteStoreTypes, Carries.ARRAY, 204,
             (MODIFY_TYPES,)),
    Endpoint("GET", "/Certificates", store_commands.ListCertificates, Carries.PAGE, 200,
             (READ_CERTIFICATES,), store_commands.CertificateRecord, many=True),
    Endpoint("GET", "/Certificates/{id}", store_commands.GetCertificate, Carries.PATH, 200,
             (READ_CERTIFICATES,), store_commands.CertificateRecord),
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

SIM_COUNTS: Final = Endpoint(
    "GET", "/sim/counts", job_commands.GetCounts, Carries.NOTHING, 200, (READ_AGENTS,), job_commands.Counts
)

SIM_MQTT: Final = Endpoint(
    "GET", "/sim/mqtt", mqtt_commands.GetMqtt, Carries.NOTHING, 200, (READ_AGENTS,), mqtt_commands.MqttState
)

SIM_ENDPOINTS: Final = (SIM_TRANSITIONS, SIM_COUNTS, SIM_MQTT)
"""Ours, beside the API's base and not under it; served only when asked for."""

BY_OPERATION: Final = {row.operation: row for row in (*ENDPOINTS, *SIM_ENDPOINTS)}
