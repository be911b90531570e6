"""An agent and an operator driven by hand over HTTP, with nothing of agent-sim in between."""

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

TIMEOUT = 20.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    method: str, url: str, username: str | None, password: str = "", body: bytes | None = None, **headers: str
) -> Answer:
    """One HTTP request; any status is an answer. Underscores in header names stand for dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if username is not None:
        given["Authorization"] = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    request = urllib.request.Request(url, data=body, headers=given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@dataclass
class Operator:
    """The management API."""

    url: str
    username: str
    password: str = field(repr=False)

    def get(self, path: str, base: str = "/KeyfactorAPI") -> Answer:
        return call("GET", f"{self.url}{base}{path}", self.username, self.password)

    def post(self, path: str, value: object, **headers: str) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {"Content_Type": "application/json", "x_keyfactor_requested_with": "APIClient"} | headers
        return call("POST", f"{self.url}/KeyfactorAPI{path}", self.username, self.password, body, **headers)

    def history(self) -> list[dict[str, Any]]:
        answer = self.get("/OrchestratorJobs/JobHistory?pq.returnLimit=1000")
        assert answer.status == 200, answer
        return answer.json

    def agent_id(self, machine: str) -> str:
        [found] = self.get(f"/Agents?QueryString=ClientMachine%20-eq%20%22{machine}%22").json
        return found["AgentId"]


@dataclass
class Wire:
    """The agents' endpoints."""

    url: str
    username: str
    password: str = field(repr=False)

    def post(self, path: str, value: object) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        address = f"{self.url}/KeyfactorAgents/{path.replace('KeyfactorAgents/', '', 1).lstrip('/')}"
        return call("POST", address, self.username, self.password, body, Content_Type="application/json")


CAPABILITIES = ["Custom.FetchLogs", "CertStores.PEM.Inventory", "CertStores.PEM.Management"]


class Agent:
    """An agent as a person with curl would play it."""

    def __init__(self, wire: Wire, machine: str) -> None:
        self.wire, self.machine, self.id, self.token = wire, machine, "", ""

    def register(self) -> list[dict[str, Any]]:
        """Open a session; returns its jobs."""
        answer = self.wire.post(
            "/Session/Register",
            {
                "AgentPlatform": 7,
                "AgentVersion": 563031557799936,
                "TenantId": "00000000-0000-0000-0000-000000000000",
                "ClientMachine": self.machine,
                "CSR": None,
                "AgentId": self.id,
                "Capabilities": CAPABILITIES,
                "ClientParameters": {},
            },
        )
        assert answer.status == 200, answer
        assert answer.json["Result"]["Status"] == 1, answer
        session = answer.json["Session"]
        self.id, self.token = session["AgentId"], session["Token"]
        return session["Jobs"]

    def heartbeat(self) -> bool:
        """Whether the session is still valid."""
        answer = self.wire.post(
            "/Session/Heartbeat",
            {
                "AgentPlatform": 7,
                "TenantId": "00000000-0000-0000-0000-000000000000",
                "ClientMachine": self.machine,
                "SessionToken": self.token,
            },
        )
        assert answer.status == 200, answer
        return answer.json["SessionValid"]

    def configure(self, job: dict[str, Any]) -> dict[str, Any]:
        answer = self.wire.post(job["ConfigurationEndpoint"], {"SessionToken": self.token, "JobId": job["JobId"]})
        assert answer.status == 200, answer
        assert answer.json["Result"]["Status"] == 1, answer
        return answer.json

    def complete(self, job: dict[str, Any], audit_id: int, status: int = 2, **more: str) -> dict[str, Any]:
        """Status 2 success, 3 warning, 4 failure; returns the answer."""
        answer = self.wire.post(
            job["CompletionEndpoint"],
            {
                "Status": status,
                "AuditId": audit_id,
                "JobId": job["JobId"],
                "Message": "" if status == 2 else "disk full\n",
                "SessionToken": self.token,
            }
            | more,
        )
        assert answer.status == 200, answer
        return answer.json

    def run(self, job: dict[str, Any], status: int = 2, **more: str) -> int:
        """Configure and complete; returns the audit id."""
        audit_id = self.configure(job)["AuditId"]
        assert self.complete(job, audit_id, status, **more)["Result"]["Status"] == 1
        return audit_id
