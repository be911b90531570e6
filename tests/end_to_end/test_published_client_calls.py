"""Every call of the published Python client that maps to one of our endpoints, by name, against a running server.

What a call means is tested elsewhere; here it must get through in the client's own dialect and come back readable.
"""

import base64
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any
from uuid import uuid4

import keyfactor_v_1_client.api as published
import pytest
from keyfactor_v_1_client import AuthenticatedClient
from keyfactor_v_1_client import models as m

from agent_sim.protocol.endpoints import ENDPOINTS
from agent_sim.server.http.command import Routes
from agent_sim.server.http.refusals import Refused
from tests.end_to_end import by_hand
from tests.end_to_end.by_hand import Agent
from tests.end_to_end.conftest import ACCOUNTS, ServerProcess

pytestmark = pytest.mark.slow

CAPABILITIES = [
    "Custom.FetchLogs",
    *(f"CertStores.PEM.{kind}" for kind in ("Inventory", "Management", "Reenrollment", "Discovery")),
]
NOW = {"Immediate": True}
WEEKLY = {"Weekly": {"Days": [1], "Time": "2026-01-05T03:00:00Z"}}


class World:
    """A server, an agent of the test's own, and what the calls need, made when it is asked for."""

    def __init__(self, server: ServerProcess, name: str) -> None:
        pair = f"{ACCOUNTS['AGENT_SIM_USERNAME']}:{ACCOUNTS['AGENT_SIM_PASSWORD']}"
        token = base64.b64encode(pair.encode()).decode()
        self.client = AuthenticatedClient(f"{server.url}/KeyfactorAPI", token=token, prefix="Basic", timeout=60.0)
        self.operator, self.name = server.operator, f"{name}-{uuid4().hex[:8]}"
        self.agent = Agent(server.wire, self.name)
        self.agent.register()

    def call(self, module: str, *path: object, **given: object) -> Any:
        """One call of the client; its answer must be a success, and readable where it has a model."""
        answer = import_module(f"keyfactor_v_1_client.api.{module}").sync_detailed(*path, client=self.client, **given)
        assert answer.status_code in (200, 204), answer.content
        return answer.parsed if answer.status_code == 200 else None

    def post(self, path: str, value: object) -> Any:
        answer = self.operator.post(path, value)
        assert answer.status in (200, 204), answer
        return answer.json if answer.body else None

    def job_type(self) -> str:
        """The id of a custom job type that the agent registers for."""
        kind = self.post("/JobTypes/Custom", {"JobTypeName": f"Turn-{self.name}", "JobTypeFields": None})
        by_hand.CAPABILITIES.append(f"Custom.Turn-{self.name}")
        self.agent.register()
        return kind["Id"]

    def store(self) -> str:
        place = {"ClientMachine": self.name, "Storepath": f"/{uuid4().hex}.pem", "CertStoreType": 2}
        secret = {"SecretValue": "hush"}
        return self.post("/CertificateStores", place | {"AgentId": self.agent.id, "Password": secret})["Id"]

    def store_type(self) -> int:
        return self.post("/CertificateStoreTypes", {"Name": self.name, "ShortName": f"T{uuid4().hex}"})["StoreType"]

    def pool(self) -> str:
        return self.post("/AgentPools", {"Name": f"pool {uuid4()}"})["AgentPoolId"]

    def blueprint(self) -> str:
        self.store()
        path = f"/AgentBluePrint/GenerateBluePrint?agentId={self.agent.id}&name={uuid4()}"
        return self.post(path, None)["AgentBlueprintId"]

    def failed_run(self) -> int:
        """The audit id of a management job that failed and is not tried again."""
        entry = {"CertificateStoreId": self.store(), "Alias": "a"}
        self.post("/CertificateStores/Certificates/Remove", {"CertificateStores": [entry], "Schedule": NOW})
        runs = [self.agent.run(job, 4) for _ in range(6) for job in self.agent.register()]
        return runs[-1]

    def inventoried_store(self) -> str:
        store = self.store()
        self.post("/CertificateStores/Schedule", {"StoreIds": [store], "Schedule": NOW})
        [job] = self.agent.register()
        told = self.agent.configure(job)
        contents = self.operator.get("/Certificates/1").json["ContentBytes"]
        item = {"Alias": "a", "Certificates": [contents], "PrivateKeyEntry": False, "ItemStatus": 1}
        body = {"SessionToken": self.agent.token, "JobId": job["JobId"], "Inventory": [item | {"UseChainLevel": False}]}
        assert self.agent.wire.post(told["InventoryEndpoint"], body).json["Result"]["Status"] == 1
        self.agent.complete(job, told["AuditId"])
        return store

    def found_store(self) -> str:
        """A store that a discovery found and nobody approved yet."""
        self.call(
            "certificate_store.certificate_store_configure_discovery_job",
            form_data=discovery(self),
            json_body=discovery(self),
        )
        [job] = self.agent.register()
        told = self.agent.configure(job)
        body = {"SessionToken": self.agent.token, "JobId": job["JobId"], "Locations": [f"/{uuid4().hex}.pem"]}
        assert self.agent.wire.post(told["DiscoveryEndpoint"], body).json["Result"]["Status"] == 1
        self.agent.complete(job, told["AuditId"])
        query = f"ClientMachine%20-eq%20%22{self.name}%22%20AND%20Approved%20-eq%20false"
        [store] = self.operator.get(f"/CertificateStores?certificateStoreQuery.queryString={query}").json
        return store["Id"]


def schedule(given: dict[str, object]) -> Any:
    return m.KeyfactorCommonSchedulingKeyfactorSchedule.from_dict(given)


def discovery(w: World) -> Any:
    given = {"Type": 2, "AgentId": w.agent.id, "ClientMachine": w.name, "Dirs": "/opt", "SymLinks": True}
    return m.ModelsDiscoveryJobRequest.from_dict({**given, "JobExecutionTimestamp": "2026-01-01T00:00:00Z"})


def entry(w: World) -> dict[str, object]:
    return {"CertificateStoreId": w.store(), "Alias": "a", "Overwrite": True, "IncludePrivateKey": False}


def type_request(w: World, kind: Any, **more: object) -> Any:
    supported = {"Add": True, "Create": False, "Discovery": True, "Enrollment": True, "Remove": True}
    given = {"Name": f"type {uuid4()}", "ShortName": f"S{uuid4().hex}", "PrivateKeyAllowed": 1, "CustomAliasAllowed": 2}
    objects = {"SupportedOperations": supported, "Properties": []} if "StoreType" not in more else {}
    return kind.from_dict({**given, **objects, **more})


def job_type_request(kind: Any, **more: object) -> Any:
    field = {"Name": "Depth", "Type": 2, "DefaultValue": "3", "Required": True}
    fields = {"JobTypeFields": [field]} if "Id" not in more else {}  # the client cannot put them into a form
    return kind.from_dict({"JobTypeName": f"T{uuid4().hex}", "Description": "d", **fields, **more})


def scheduled_custom(w: World) -> Any:
    w.job_type()
    given = {"AgentId": w.agent.id, "JobTypeName": f"Turn-{w.name}", "Schedule": WEEKLY}
    return m.ModelsOrchestratorJobsScheduleJobRequest.from_dict(given)


def scheduled_bulk(w: World) -> Any:
    given = {"OrchestratorIds": [w.agent.id, str(uuid4())], "JobTypeName": "FetchLogs", "Schedule": NOW}
    return m.ModelsOrchestratorJobsScheduleBulkJobRequest.from_dict(given)


def logged_run(w: World) -> int:
    w.post(f"/Agents/{w.agent.id}/FetchLogs", None)
    [job] = w.agent.register()
    return w.agent.run(job, Log="the log")


def waiting_job(w: World) -> str:
    wanted = {"AgentId": w.agent.id, "JobTypeName": "FetchLogs"}
    return w.post("/OrchestratorJobs/Custom", wanted)["JobId"]


def reenrollment(w: World) -> Any:
    given = {"KeystoreId": w.store(), "SubjectName": "CN=a", "AgentGuid": w.agent.id, "Alias": "a"}
    return m.KeyfactorApiModelsCertificateStoresReenrollmentRequest.from_dict(given)


def container(w: World) -> int:
    return w.post("/CertificateStoreContainers", {"Name": f"container {uuid4()}", "Schedule": WEEKLY})["Id"]


_CREATE_TYPE = m.KeyfactorApiModelsCertificateStoresTypesCertificateStoreTypeCreationRequest
_UPDATE_TYPE = m.KeyfactorApiModelsCertificateStoresTypesCertificateStoreTypeUpdateRequest
_REENROLLMENT_OF_AGENTS = m.KeyfactorApiModelsOrchestratorsUpdateOrchestratorAuthCertificateReenrollmentRequest

Given = tuple[tuple[object, ...], dict[str, object]]


def form(value: Any) -> Given:
    """What the client sends of a PUT is the form; it wants the JSON as well and leaves it lying."""
    return (), {"form_data": value, "json_body": value}


def path(value: object) -> Given:
    return (value,), {}


def body(value: object) -> Given:
    return (), {"json_body": value}


NOTHING: Given = ((), {})

CALLS: dict[str, Callable[[World], Given]] = {
    "agent.agent_approve": lambda w: body([w.agent.id]),
    "agent.agent_disapprove": lambda w: body([w.agent.id]),
    "agent.agent_fetch_logs": lambda w: path(w.agent.id),
    "agent.agent_get_agent_detail": lambda w: path(w.agent.id),
    "agent.agent_get_agents": lambda w: ((), {"pq_query_string": f'ClientMachine -eq "{w.name}"'}),
    "agent.agent_reset_0": lambda w: body([w.agent.id]),
    "agent.agent_reset_1": lambda w: path(w.agent.id),
    "agent.agent_set_auth_certificate_reenrollment": lambda w: body(
        _REENROLLMENT_OF_AGENTS.from_dict({"Status": "Requested", "OrchestratorIds": [w.agent.id]})
    ),
    "agent_blueprint.agent_blueprint_apply_blueprint": lambda w: (
        (),
        {"json_body": [w.agent.id], "template_id": w.blueprint()},
    ),
    "agent_blueprint.agent_blueprint_delete_blueprint": lambda w: path(w.blueprint()),
    "agent_blueprint.agent_blueprint_generate_blueprint": lambda w: (
        (),
        {"agent_id": w.agent.id, "name": f"blueprint {uuid4()}"},
    ),
    "agent_blueprint.agent_blueprint_get_agent_blueprint": lambda w: path(w.blueprint()),
    "agent_blueprint.agent_blueprint_get_agent_blueprints": lambda w: (w.blueprint(), NOTHING)[1],
    "agent_blueprint.agent_blueprint_get_blueprint_jobs": lambda w: (waiting_job(w), path(w.blueprint()))[1],
    "agent_blueprint.agent_blueprint_get_blueprint_stores": lambda w: path(w.blueprint()),
    "agent_pool.agent_pool_create_agent_pool": lambda w: body(
        m.ModelsAgentsAgentPool.from_dict(
            {"Name": f"pool {uuid4()}", "Agents": [{"AgentId": w.agent.id, "EnableDiscover": True}]}
        )
    ),
    "agent_pool.agent_pool_delete_agent_pool": lambda w: path(w.pool()),
    "agent_pool.agent_pool_get_agent_pool_by_id": lambda w: path(w.pool()),
    "agent_pool.agent_pool_get_agent_pools": lambda w: (w.pool(), NOTHING)[1],
    "agent_pool.agent_pool_get_default_agent_pool_agents": lambda w: NOTHING,
    "agent_pool.agent_pool_update_agent_pool": lambda w: form(
        m.ModelsAgentsAgentPool.from_dict({"AgentPoolId": w.pool(), "Name": f"pool {uuid4()}"})
    ),
    "certificate.certificate_get_certificate": lambda w: ((1,), {"include_locations": True}),
    "certificate.certificate_query_certificates": lambda w: ((), {"pq_query_string": 'IssuedCN -contains "sample"'}),
    "certificate_store.certificate_store_add_certificate": lambda w: body(
        m.KeyfactorApiModelsCertificateStoresAddCertificateRequest.from_dict(
            {"CertificateId": 1, "CertificateStores": [entry(w)], "Schedule": NOW}
        )
    ),
    "certificate_store.certificate_store_approve_pending": lambda w: body(
        [m.KeyfactorApiModelsCertificateStoresCertificateStoreApproveRequest.from_dict({"Id": w.found_store()})]
    ),
    "certificate_store.certificate_store_configure_discovery_job": lambda w: form(discovery(w)),
    "certificate_store.certificate_store_delete_certificate_store": lambda w: path(w.store()),
    "certificate_store.certificate_store_get_certificate_store_inventory": lambda w: path(w.inventoried_store()),
    "certificate_store.certificate_store_remove_certificate": lambda w: body(
        m.KeyfactorApiModelsCertificateStoresRemoveCertificateRequest.from_dict(
            {"CertificateStores": [entry(w)], "Schedule": NOW}
        )
    ),
    "certificate_store.certificate_store_schedule": lambda w: body(
        m.ModelsCertStoresSchedule.from_dict({"StoreIds": [w.store()], "Schedule": WEEKLY})
    ),
    "certificate_store.certificate_store_schedule_for_reenrollment": lambda w: body(reenrollment(w)),
    "certificate_store_container.certificate_store_container_delete_certificate_store_containers": lambda w: path(
        container(w)
    ),
    "certificate_store_container.certificate_store_container_get_all_certificate_store_containers": lambda w: (
        container(w),
        NOTHING,
    )[1],
    "certificate_store_type.certificate_store_type_create_certificate_store_type": lambda w: body(
        type_request(w, _CREATE_TYPE)
    ),
    "certificate_store_type.certificate_store_type_delete_certificate_store_type": lambda w: path(w.store_type()),
    "certificate_store_type.certificate_store_type_get_certificate_store_type_0": lambda w: path(2),
    "certificate_store_type.certificate_store_type_get_certificate_store_type_1": lambda w: path("pem"),
    "certificate_store_type.certificate_store_type_get_types": lambda w: (
        (),
        {"cstquery_query_string": 'ShortName -eq "PEM"', "cstquery_return_limit": 5},
    ),
    "certificate_store_type.certificate_store_type_update_certificate_store_type": lambda w: form(
        type_request(w, _UPDATE_TYPE, StoreType=w.store_type())
    ),
    "custom_job_type.custom_job_type_create_job_type": lambda w: body(
        job_type_request(m.ModelsOrchestratorJobsJobTypeCreateRequest)
    ),
    "custom_job_type.custom_job_type_delete_job_type": lambda w: path(w.job_type()),
    "custom_job_type.custom_job_type_get_job_type_by_id": lambda w: path(w.job_type()),
    "custom_job_type.custom_job_type_get_job_types": lambda w: (w.job_type(), NOTHING)[1],
    "custom_job_type.custom_job_type_update_job_type": lambda w: form(
        job_type_request(m.ModelsOrchestratorJobsJobTypeUpdateRequest, Id=w.job_type())
    ),
    "orchestrator_job.orchestrator_job_acknowledge_jobs": lambda w: body(
        m.KeyfactorApiModelsOrchestratorJobsAcknowledgeJobRequest(job_audit_ids=[w.failed_run()])
    ),
    "orchestrator_job.orchestrator_job_get_custom_job_result_data": lambda w: ((), {"job_history_id": logged_run(w)}),
    "orchestrator_job.orchestrator_job_get_job_history": lambda w: (w.failed_run(), NOTHING)[1],
    "orchestrator_job.orchestrator_job_get_scheduled_jobs": lambda w: (waiting_job(w), NOTHING)[1],
    "orchestrator_job.orchestrator_job_reschedule_jobs": lambda w: body(
        m.KeyfactorApiModelsOrchestratorJobsRescheduleJobRequest(job_audit_ids=[w.failed_run()])
    ),
    "orchestrator_job.orchestrator_job_schedule_bulk_job": lambda w: body(scheduled_bulk(w)),
    "orchestrator_job.orchestrator_job_schedule_job": lambda w: body(scheduled_custom(w)),
    "orchestrator_job.orchestrator_job_unschedule_jobs": lambda w: body(
        m.KeyfactorApiModelsOrchestratorJobsUnscheduleJobRequest(job_ids=[waiting_job(w)])
    ),
    "status.status_get_endpoints": lambda w: NOTHING,
}

CANNOT_BE_SENT = {
    "certificate_store.certificate_store_delete_certificate_stores",
    "certificate_store_type.certificate_store_type_delete_certificate_store_types",
}
"""Calls that fail in the client before it sends anything: it asks a list for its `to_dict`."""

SILENT = {row.name for row in ENDPOINTS if row.success == 204}
"""Endpoints that answer nothing."""


@pytest.fixture
def world(lasting_server: ServerProcess, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(by_hand, "CAPABILITIES", list(CAPABILITIES))
    return World(lasting_server, "client")


@pytest.mark.parametrize("name", CALLS)
def test_the_call_gets_through_and_its_answer_is_read(name, world):
    path, given = CALLS[name](world)

    answer = world.call(name, *path, **given)

    assert (answer is None) == (_endpoint(import_module(f"keyfactor_v_1_client.api.{name}")) in SILENT)
    assert answer != []


def test_every_call_of_the_client_that_maps_to_an_endpoint_is_here():
    mapped = {name for name, module in _modules() if _endpoint(module) is not None}

    assert mapped == set(CALLS) | CANNOT_BE_SENT


@pytest.mark.parametrize("name", sorted(CANNOT_BE_SENT))
def test_the_clients_own_fault_is_still_there(name, world):
    with pytest.raises(AttributeError, match="to_dict"):
        world.call(name, form_data=["1"], json_body=["1"])


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for found in pkgutil.walk_packages(published.__path__, f"{published.__name__}."):
        if not found.ispkg:
            yield found.name.removeprefix(f"{published.__name__}."), import_module(found.name)


def _endpoint(module: ModuleType) -> str | None:
    """`GET /Agents` of ours for the call that a module makes; None if there is none."""
    source = inspect.getsource(module._get_kwargs)
    url, method = re.search(r'url = "\{\}(.*?)"', source), re.search(r'"method": "(\w+)"', source)
    if url is None or method is None:
        return None
    spelled = re.sub(r"\{\w+\}", "1", url[1])
    try:
        return Routes(ENDPOINTS).find(method[1].upper(), spelled)[0].name
    except Refused:
        return None
