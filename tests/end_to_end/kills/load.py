"""The agents and operators that load a server until it is killed under them.

Each worker is a thread with two connections of its own, and loops until `Killed`. Agents remember over the server's
lives what they were running, as real ones do; operators take each id once, so that what came of a request that got
no answer can be told: all of it, or nothing.
"""

import random
from typing import Any
from urllib.parse import urlencode

from tests.end_to_end.kills.ledger import Bulk, Ledger
from tests.end_to_end.kills.line import Line

NO_TENANT = "00000000-0000-0000-0000-000000000000"
CAPABILITIES = ["Custom.FetchLogs", "Custom.Rotate", "CertStores.PEM.Management"]
WEEKLY = {"Weekly": {"Days": [0], "Time": "2026-01-01T03:00:00Z"}}
HISTORY, SCHEDULED = ("JobHistory", "JobHistoryId"), ("ScheduledJobs", "Id")
CANDIDATES = {
    "Reschedule": (*HISTORY, "JobAuditIds", 'JobType -ne "FetchLogs" AND Result -eq 4 AND Status -eq 3'),
    "Acknowledge": (*HISTORY, "JobAuditIds", "(Result -eq 4 OR Result -eq 3) AND (Status -eq 3 OR Status -eq 5)"),
    "Unschedule": (*SCHEDULED, "JobIds", 'JobType -eq "FetchLogs"'),
}
RACES = {"Unschedule"}  # an agent may take the job first: then nothing of the request is done, and it is 400


class Api:
    """The management API."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def get(self, path: str, base: str = "/KeyfactorAPI", **query: object) -> Any:
        answer = self._line.ask("GET", f"{base}{path}?{urlencode(query)}")
        assert answer.status == 200, answer
        return answer.json

    def post(self, path: str, value: object) -> Any:
        answer = self._line.ask("POST", f"/KeyfactorAPI{path}", value)
        assert answer.status == 200, answer
        return answer.json

    def status(self, path: str, value: object) -> int:
        return self._line.ask("POST", f"/KeyfactorAPI{path}", value).status


class Wire:
    """The agents' endpoints."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def post(self, path: str, value: object) -> dict[str, Any]:
        answer = self._line.ask("POST", "/KeyfactorAgents/" + path.replace("KeyfactorAgents/", ""), value)
        assert answer.status == 200, answer
        return answer.json

    def register(self, machine: str, agent_id: str) -> dict[str, Any] | None:
        fields = {"AgentPlatform": 7, "AgentVersion": 0, "TenantId": NO_TENANT, "ClientMachine": machine, "CSR": None}
        fields |= {"AgentId": agent_id, "Capabilities": CAPABILITIES, "ClientParameters": {}}
        return self.post("Session/Register", fields)["Session"]

    def heartbeat(self, machine: str, token: str) -> bool:
        fields = {"AgentPlatform": 7, "TenantId": NO_TENANT, "ClientMachine": machine, "SessionToken": token}
        return self.post("Session/Heartbeat", fields)["SessionValid"]


# --- agents -----------------------------------------------------------------------------------


def enrol(wire: Wire, api: Api, machine: str, agent_id: str, ledger: Ledger) -> dict[str, Any]:
    """The session of an agent that registers; an operator approves it first if nobody has."""
    session = wire.register(machine, agent_id)
    if session is None:
        [found] = api.get("/Agents", QueryString=f'ClientMachine -eq "{machine}"')
        assert found["AgentId"] not in ledger.approved, f"{machine} was approved and is not any more"
        assert api.status("/Agents/Approve", [found["AgentId"]]) == 204
        ledger.approved.add(found["AgentId"])
        session = wire.register(machine, agent_id)
    assert session is not None
    assert ledger.registered.setdefault(machine, session["AgentId"]) == session["AgentId"]
    return session


class Agent:
    """Runs whatever it is told to, and says again what it has had no answer to."""

    def __init__(self, machine: str, ledger: Ledger, seed: str) -> None:
        self._machine, self._ledger, self._chance = machine, ledger, random.Random(seed)
        self._agent_id, self._token = "", ""
        self._unsaid: dict[int, tuple[str, str]] = {}  # audit id -> its job, and where the completion goes

    def work(self, wire: Wire, api: Api) -> None:
        jobs = self._register(wire, api)
        for audit_id in list(self._unsaid):  # the server may have heard it before it died, or not
            self._complete(wire, audit_id)
        while True:
            for job in jobs:
                self._run(wire, job)
            holds = wire.heartbeat(self._machine, self._token)
            jobs = [] if holds else self._register(wire, api)

    def _register(self, wire: Wire, api: Api) -> list[dict[str, Any]]:
        session = enrol(wire, api, self._machine, self._agent_id, self._ledger)
        self._agent_id, self._token = session["AgentId"], session["Token"]
        return session["Jobs"]

    def _run(self, wire: Wire, job: dict[str, Any]) -> None:
        told = wire.post(job["ConfigurationEndpoint"], {"SessionToken": self._token, "JobId": job["JobId"]})
        assert told["Result"]["Status"] == 1, told
        if told["JobCancelled"]:
            return
        audit_id = told["AuditId"]
        assert self._ledger.taken.setdefault(audit_id, job["JobId"]) == job["JobId"]
        if audit_id not in self._ledger.to_complete:
            result = self._chance.choice([2, 3, 4, 4])
            self._ledger.to_complete[audit_id] = (result, "" if result == 2 else "disk full")
        self._unsaid[audit_id] = (job["JobId"], job["CompletionEndpoint"])
        self._complete(wire, audit_id)

    def _complete(self, wire: Wire, audit_id: int) -> None:
        job_id, endpoint = self._unsaid[audit_id]
        status, message = self._ledger.to_complete[audit_id]
        fields = {"Status": status, "AuditId": audit_id, "JobId": job_id, "Message": message}
        answer = wire.post(endpoint, fields | {"SessionToken": self._token})
        assert answer["Result"]["Status"] == 1, (answer, audit_id)
        self._ledger.completed[audit_id] = (status, message)
        del self._unsaid[audit_id]


class Newcomers:
    """Ever new agents that register, are approved and are not heard of again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._number = ledger, 0

    def work(self, wire: Wire, api: Api) -> None:
        while True:
            self._number += 1
            enrol(wire, api, f"new-{self._number}", "", self._ledger)


# --- operators --------------------------------------------------------------------------------


class Poster:
    """Posts jobs for the agents that are known, faster than they can run them."""

    def __init__(self, stores: dict[str, str], ledger: Ledger, seed: str) -> None:
        self._stores, self._ledger, self._chance = stores, ledger, random.Random(seed)
        self._weekly_left = 8

    def work(self, wire: Wire, api: Api) -> None:
        while True:
            post = self._chance.choice([self._logs, self._management, self._management, self._weekly])
            post(api, self._chance.choice(list(self._stores)))

    def _logs(self, api: Api, agent_id: str) -> None:
        self._custom(api, {"AgentId": agent_id, "JobTypeName": "FetchLogs"})

    def _weekly(self, api: Api, agent_id: str) -> None:
        if self._weekly_left:  # each recurs for ever: a few are enough
            self._weekly_left -= 1
            self._custom(api, {"AgentId": agent_id, "JobTypeName": "Rotate", "Schedule": WEEKLY})

    def _custom(self, api: Api, value: dict[str, Any]) -> None:
        self._ledger.posted.add(api.post("/OrchestratorJobs/Custom", value)["JobId"])

    def _management(self, api: Api, agent_id: str) -> None:
        places = [{"CertificateStoreId": self._stores[agent_id], "Alias": "a"}] * self._chance.randint(1, 2)
        value = {"CertificateId": 1, "CertificateStores": places, "Schedule": {"Immediate": True}}
        self._ledger.posted.update(api.post("/CertificateStores/Certificates/Add", value))


class Stormer:
    """Reschedules, acknowledges or unschedules what a search finds, a few ids at a time and each id once."""

    def __init__(self, verb: str, ledger: Ledger, seed: str) -> None:
        self._verb, self._ledger, self._chance = verb, ledger, random.Random(seed)

    def work(self, wire: Wire, api: Api) -> None:
        listing, key, member, query = CANDIDATES[self._verb]
        while True:
            rows = api.get(f"/OrchestratorJobs/{listing}", QueryString=query, SortField=key, SortAscending=1)
            free = [row[key] for row in rows if row[key] not in self._ledger.claimed[self._verb]]
            if free:
                self._storm(api, member, tuple(free[: self._chance.randint(1, 5)]))

    def _storm(self, api: Api, member: str, ids: tuple[int | str, ...]) -> None:
        self._ledger.claimed[self._verb].update(ids)
        bulk = Bulk(self._verb, ids)
        self._ledger.bulks.append(bulk)
        bulk.status = api.status(f"/OrchestratorJobs/{self._verb}", {member: list(ids)})
        assert bulk.status == 204 or (bulk.status == 400 and self._verb in RACES), bulk
