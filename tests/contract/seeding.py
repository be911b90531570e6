"""A server with something of everything in it, so that requests can be about things that exist."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from agent_sim.protocol.command import ACKNOWLEDGEABLE_QUERY, RESCHEDULABLE_QUERY, UNSCHEDULABLE_QUERY
from tests.end_to_end.by_hand import Agent
from tests.end_to_end.conftest import ServerProcess

WEEKLY = {"Weekly": {"Days": [1, 3], "Time": "2026-01-05T10:00:00Z"}}
QUERIES = [
    ACKNOWLEDGEABLE_QUERY,
    RESCHEDULABLE_QUERY,
    UNSCHEDULABLE_QUERY,
    "Status -eq 2",
    'JobType -contains "Fetch"',
    "JobId -ne NULL",
]


@dataclass
class Known:
    """What there is, by kind."""

    agents: list[str]
    stores: list[str] = field(default_factory=list)
    job_types: list[str] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    blueprints: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    audits: list[int] = field(default_factory=list)
    containers: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: ["FetchLogs"])


def seed(server: ServerProcess, count: int = 4) -> Known:
    """Make it and say what it is called."""
    agents = [Agent(server.wire, f"seeded-{number}") for number in range(count)]
    for agent in agents:
        agent.register()
    known = Known([agent.id for agent in agents])
    _things(server, known)
    _jobs(server, known)
    _runs(agents, known)
    return known


def _made(server: ServerProcess, path: str, value: object) -> Any:
    answer = server.operator.post(path, value)
    assert answer.status == 200, (path, answer)
    return answer.json


def _things(server: ServerProcess, known: Known) -> None:
    for number, agent in enumerate(known.agents):
        container = _made(server, "/CertificateStoreContainers", {"Name": f"container {number}"})
        known.containers.append(container["Id"])
        store = {"ClientMachine": "host", "Storepath": f"/{number}.pem", "CertStoreType": 2, "AgentId": agent}
        known.stores.append(_made(server, "/CertificateStores", store)["Id"])
        kind = {"JobTypeName": f"Seeded{number}", "JobTypeFields": [{"Name": "Colour", "Type": 1}]}
        known.job_types.append(_made(server, "/JobTypes/Custom", kind)["Id"])
        known.names.append(f"Seeded{number}")
        pool = {"Name": f"pool {number}", "Agents": [{"AgentId": agent}]}
        known.pools.append(_made(server, "/AgentPools", pool)["AgentPoolId"])
        print_of = f"/AgentBluePrint/GenerateBluePrint?agentId={agent}&name={quote(f'blueprint {number}')}"
        known.blueprints.append(_made(server, print_of, None)["AgentBlueprintId"])


def _jobs(server: ServerProcess, known: Known) -> None:
    for agent, store in zip(known.agents, known.stores, strict=True):
        for when in ({"Immediate": True}, WEEKLY):
            wanted = {"AgentId": agent, "JobTypeName": "FetchLogs", "Schedule": when}
            known.jobs.append(_made(server, "/OrchestratorJobs/Custom", wanted)["JobId"])
        entry = {"CertificateStoreId": store, "Alias": "a"}
        added = _made(server, "/CertificateStores/Certificates/Add", {"CertificateId": 1, "CertificateStores": [entry]})
        known.jobs += added


def _runs(agents: list[Agent], known: Known) -> None:
    for agent in agents:
        for job in agent.register():
            known.audits.append(agent.run(job, 4))
