"""One request for every endpoint of the management API that must succeed, about things that are made for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.end_to_end import by_hand
from tests.end_to_end.by_hand import Agent
from tests.end_to_end.conftest import ServerProcess

CAPABILITIES = [
    "Custom.FetchLogs",
    "Custom.Rotate",
    *(f"CertStores.PEM.{kind}" for kind in ("Inventory", "Management", "Reenrollment", "Discovery")),
]
NOW = {"Immediate": True}
WEEKLY = {"Weekly": {"Days": [1], "Time": "2026-01-05T03:00:00Z"}}


@dataclass(frozen=True)
class Request:
    """What fills the path's braces, the query string and the body."""

    place: object = ""
    query: dict[str, object] = field(default_factory=dict)
    body: object = None


class World:
    """A server, an agent of its own, and what requests need, made when it is asked for."""

    def __init__(self, server: ServerProcess) -> None:
        self.server, self.operator = server, server.operator
        self.name = f"w-{uuid4().hex[:12]}"
        self.agent = Agent(server.wire, self.name)
        self.agent.register()

    def post(self, path: str, value: object) -> Any:
        answer = self.operator.post(path, value)
        assert answer.status in (200, 204), (path, answer)
        return answer.json if answer.body else None

    def fresh(self) -> str:
        return f"n-{uuid4().hex[:12]}"

    def store(self, **more: object) -> str:
        place = {"ClientMachine": self.name, "Storepath": f"/{uuid4().hex}.pem", "CertStoreType": 2}
        return self.post("/CertificateStores", place | {"AgentId": self.agent.id} | more)["Id"]

    def entry(self) -> dict[str, object]:
        return {"CertificateStoreId": self.store(), "Alias": "a"}

    def job_type(self) -> str:
        return self.post("/JobTypes/Custom", {"JobTypeName": self.fresh()})["Id"]

    def store_type(self) -> int:
        return self.post("/CertificateStoreTypes", {"Name": self.fresh(), "ShortName": self.fresh()})["StoreType"]

    def pool(self) -> str:
        return self.post("/AgentPools", {"Name": self.fresh()})["AgentPoolId"]

    def container(self) -> int:
        return self.post("/CertificateStoreContainers", {"Name": self.fresh()})["Id"]

    def blueprint(self) -> str:
        self.waiting_job()
        self.store()
        path = f"/AgentBluePrint/GenerateBluePrint?agentId={self.agent.id}&name={self.fresh()}"
        return self.post(path, None)["AgentBlueprintId"]

    def waiting_job(self) -> str:
        return self.post("/OrchestratorJobs/Custom", {"AgentId": self.agent.id, "JobTypeName": "FetchLogs"})["JobId"]

    def logged_run(self) -> int:
        self.waiting_job()
        return [self.agent.run(job, Log="the log") for job in self.agent.register()][-1]

    def failed_run(self) -> int:
        """The audit id of a management job that failed and is not tried again."""
        body = {"CertificateStores": [self.entry()], "Schedule": NOW}
        self.post("/CertificateStores/Certificates/Remove", body)
        return [self.agent.run(job, 4) for _ in range(6) for job in self.agent.register()][-1]

    def discovery(self) -> dict[str, object]:
        return {"ClientMachine": self.name, "AgentId": self.agent.id, "Type": 2, "Dirs": "/opt"}

    def found_store(self) -> str:
        """A store that a discovery found and nobody approved yet."""
        put(self.server, "/CertificateStores/DiscoveryJob", self.discovery())
        [job] = self.agent.register()
        told = self.agent.configure(job)
        body = {"SessionToken": self.agent.token, "JobId": job["JobId"], "Locations": [f"/{uuid4().hex}.pem"]}
        assert self.agent.wire.post(told["DiscoveryEndpoint"], body).json["Result"]["Status"] == 1
        self.agent.complete(job, told["AuditId"])
        query = f"ClientMachine%20-eq%20%22{self.name}%22%20AND%20Approved%20-eq%20false"
        [store] = self.operator.get(f"/CertificateStores?QueryString={query}").json
        return store["Id"]

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


def put(server: ServerProcess, path: str, value: object) -> None:
    operator = server.operator
    headers = {"Content_Type": "application/json", "x_keyfactor_requested_with": "APIClient"}
    address = f"{server.url}/KeyfactorAPI{path}"
    body = json.dumps(value).encode()
    answer = by_hand.call("PUT", address, operator.username, operator.password, body, **headers)
    assert answer.status in (200, 204), answer


def _given(*made: object, request: Request) -> Request:
    """`request`, once `made` is there."""
    return request


def _placed(make: Callable[[World], object]) -> Callable[[World], Request]:
    return lambda w: Request(make(w))


def _body(make: Callable[[World], object]) -> Callable[[World], Request]:
    return lambda w: Request(body=make(w))


def _nothing(w: World) -> Request:
    return Request()


VALID: dict[str, Callable[[World], Request]] = {
    "GET /OrchestratorJobs/JobHistory": lambda w: _given(w.logged_run(), request=Request()),
    "GET /OrchestratorJobs/ScheduledJobs": lambda w: _given(w.waiting_job(), request=Request()),
    "GET /OrchestratorJobs/JobStatus/Data": lambda w: Request(query={"jobHistoryId": w.logged_run()}),
    "POST /OrchestratorJobs/Custom": _body(
        lambda w: {"AgentId": w.agent.id, "JobTypeName": "FetchLogs", "Schedule": WEEKLY}
    ),
    "POST /OrchestratorJobs/Custom/Bulk": _body(
        lambda w: {"OrchestratorIds": [w.agent.id], "JobTypeName": "FetchLogs"}
    ),
    "POST /OrchestratorJobs/Reschedule": _body(lambda w: {"JobAuditIds": [w.failed_run()]}),
    "POST /OrchestratorJobs/Unschedule": _body(lambda w: {"JobIds": [w.waiting_job()]}),
    "POST /OrchestratorJobs/Acknowledge": _body(lambda w: {"JobAuditIds": [w.failed_run()]}),
    "GET /Agents": _nothing,
    "GET /Agents/{agent_id}": _placed(lambda w: w.agent.id),
    "POST /Agents/Approve": _body(lambda w: [w.agent.id]),
    "POST /Agents/Disapprove": _body(lambda w: [w.agent.id]),
    "POST /Agents/Reset": _body(lambda w: [w.agent.id]),
    "POST /Agents/{agent_id}/Reset": _placed(lambda w: w.agent.id),
    "POST /Agents/{agent_id}/FetchLogs": _placed(lambda w: w.agent.id),
    "POST /Agents/SetAuthCertificateReenrollment": _body(lambda w: {"OrchestratorIds": [w.agent.id], "Status": 1}),
    "GET /AgentPools": lambda w: _given(w.pool(), request=Request()),
    "GET /AgentPools/Agents": _nothing,
    "GET /AgentPools/{agent_pool_id}": _placed(World.pool),
    "POST /AgentPools": _body(lambda w: {"Name": w.fresh(), "Agents": [{"AgentId": w.agent.id}]}),
    "PUT /AgentPools": _body(lambda w: {"AgentPoolId": w.pool(), "Name": w.fresh()}),
    "DELETE /AgentPools/{agent_pool_id}": _placed(World.pool),
    "GET /AgentBluePrint": lambda w: _given(w.blueprint(), request=Request()),
    "GET /AgentBluePrint/{id}": _placed(World.blueprint),
    "DELETE /AgentBluePrint/{id}": _placed(World.blueprint),
    "GET /AgentBluePrint/{id}/Jobs": _placed(World.blueprint),
    "GET /AgentBluePrint/{id}/Stores": _placed(World.blueprint),
    "POST /AgentBluePrint/GenerateBluePrint": lambda w: Request(query={"agentId": w.agent.id, "name": w.fresh()}),
    "POST /AgentBluePrint/ApplyBlueprint": lambda w: Request(query={"templateId": w.blueprint()}, body=[w.agent.id]),
    "GET /JobTypes/Custom": lambda w: _given(w.job_type(), request=Request()),
    "POST /JobTypes/Custom": _body(
        lambda w: {"JobTypeName": w.fresh(), "JobTypeFields": [{"Name": "Depth", "Type": "Int", "DefaultValue": "3"}]}
    ),
    "GET /JobTypes/Custom/{id}": _placed(World.job_type),
    "PUT /JobTypes/Custom": _body(lambda w: {"Id": w.job_type(), "JobTypeName": w.fresh()}),
    "DELETE /JobTypes/Custom/{id}": _placed(World.job_type),
    "GET /CertificateStores": lambda w: _given(w.store(), request=Request()),
    "POST /CertificateStores": _body(
        lambda w: {
            "ClientMachine": w.name,
            "Storepath": f"/{w.fresh()}",
            "CertStoreType": 2,
            "AgentId": w.agent.id,
            "Password": {"SecretValue": "hush"},
            "InventorySchedule": {"Interval": {"Minutes": 60}},
        }
    ),
    "PUT /CertificateStores": _body(lambda w: {"Id": w.store(), "Properties": "{}"}),
    "DELETE /CertificateStores": _body(lambda w: [w.store()]),
    "GET /CertificateStores/{id}": _placed(World.store),
    "DELETE /CertificateStores/{id}": _placed(World.store),
    "GET /CertificateStores/{id}/Inventory": _placed(World.inventoried_store),
    "POST /CertificateStores/Reenrollment": _body(
        lambda w: {"KeystoreId": w.store(), "SubjectName": "CN=a", "AgentGuid": w.agent.id, "Alias": "a"}
    ),
    "PUT /CertificateStores/DiscoveryJob": _body(World.discovery),
    "POST /CertificateStores/Approve": _body(lambda w: [{"Id": w.found_store()}]),
    "POST /CertificateStores/Schedule": _body(lambda w: {"StoreIds": [w.store()], "Schedule": WEEKLY}),
    "POST /CertificateStores/Certificates/Add": _body(
        lambda w: {"CertificateId": 1, "CertificateStores": [w.entry()], "Schedule": NOW}
    ),
    "POST /CertificateStores/Certificates/Remove": _body(lambda w: {"CertificateStores": [w.entry()], "Schedule": NOW}),
    "GET /CertificateStoreContainers": lambda w: _given(w.container(), request=Request()),
    "GET /CertificateStoreContainers/{id}": _placed(World.container),
    "POST /CertificateStoreContainers": _body(lambda w: {"Name": w.fresh(), "Schedule": WEEKLY}),
    "PUT /CertificateStoreContainers": _body(lambda w: {"Id": w.container(), "Name": w.fresh()}),
    "DELETE /CertificateStoreContainers/{id}": _placed(World.container),
    "GET /CertificateStoreTypes": _nothing,
    "GET /CertificateStoreTypes/{id}": _placed(lambda w: 2),
    "GET /CertificateStoreTypes/Name/{name}": _placed(lambda w: "pem"),
    "POST /CertificateStoreTypes": _body(lambda w: {"Name": w.fresh(), "ShortName": w.fresh()}),
    "PUT /CertificateStoreTypes": _body(
        lambda w: {"StoreType": w.store_type(), "Name": w.fresh(), "ShortName": w.fresh()}
    ),
    "DELETE /CertificateStoreTypes/{id}": _placed(World.store_type),
    "DELETE /CertificateStoreTypes": _body(lambda w: [w.store_type()]),
    "GET /Certificates": _nothing,
    "GET /Certificates/{id}": _placed(lambda w: 1),
    "GET /Status/Endpoints": _nothing,
}
