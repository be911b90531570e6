"""The published Python client of the management API, unchanged, against a running server.

The agent is driven by hand, so that each job ends as the test wants it to.
"""

import base64
import json
from pathlib import Path

import pytest
from keyfactor_v_1_client import AuthenticatedClient
from keyfactor_v_1_client.api.agent import agent_approve, agent_get_agent_detail, agent_get_agents
from keyfactor_v_1_client.api.certificate_store import certificate_store_remove_certificate
from keyfactor_v_1_client.api.orchestrator_job import (
    orchestrator_job_acknowledge_jobs,
    orchestrator_job_get_custom_job_result_data,
    orchestrator_job_get_job_history,
    orchestrator_job_get_scheduled_jobs,
    orchestrator_job_reschedule_jobs,
    orchestrator_job_schedule_job,
    orchestrator_job_unschedule_jobs,
)
from keyfactor_v_1_client.api.status import status_get_endpoints
from keyfactor_v_1_client.models.keyfactor_api_models_certificate_stores_remove_certificate_request import (
    KeyfactorApiModelsCertificateStoresRemoveCertificateRequest as RemoveCertificate,
)
from keyfactor_v_1_client.models.keyfactor_api_models_orchestrator_jobs_acknowledge_job_request import (
    KeyfactorApiModelsOrchestratorJobsAcknowledgeJobRequest as Acknowledge,
)
from keyfactor_v_1_client.models.keyfactor_api_models_orchestrator_jobs_reschedule_job_request import (
    KeyfactorApiModelsOrchestratorJobsRescheduleJobRequest as Reschedule,
)
from keyfactor_v_1_client.models.keyfactor_api_models_orchestrator_jobs_unschedule_job_request import (
    KeyfactorApiModelsOrchestratorJobsUnscheduleJobRequest as Unschedule,
)
from keyfactor_v_1_client.models.keyfactor_common_scheduling_keyfactor_schedule import (
    KeyfactorCommonSchedulingKeyfactorSchedule as Schedule,
)
from keyfactor_v_1_client.models.models_certificate_location_specifier import (
    ModelsCertificateLocationSpecifier as StoreEntry,
)
from keyfactor_v_1_client.models.models_orchestrator_jobs_schedule_job_request import (
    ModelsOrchestratorJobsScheduleJobRequest as ScheduleJob,
)

from agent_sim.protocol.command import ACKNOWLEDGEABLE_QUERY, APPROVED_LOGS_QUERY, RESCHEDULABLE_QUERY
from tests.end_to_end.by_hand import Agent
from tests.end_to_end.conftest import ACCOUNTS, ServerProcess, Start

pytestmark = pytest.mark.slow

FAILURE, WARNING, SUCCESS = 4, 3, 2


@pytest.fixture
def server(start_server: Start, tmp_path: Path) -> ServerProcess:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"retries": 0}))
    return start_server("--settings", str(settings))


@pytest.fixture
def client(server: ServerProcess) -> AuthenticatedClient:
    pair = f"{ACCOUNTS['AGENT_SIM_USERNAME']}:{ACCOUNTS['AGENT_SIM_PASSWORD']}"
    return AuthenticatedClient(
        f"{server.url}/KeyfactorAPI", token=base64.b64encode(pair.encode()).decode(), prefix="Basic", timeout=60.0
    )


@pytest.fixture
def agent(server: ServerProcess) -> Agent:
    registered = Agent(server.wire, "web-1")
    registered.register()
    return registered


def management_jobs(server: ServerProcess, client: AuthenticatedClient, agent: Agent, count: int) -> list[str]:
    """Management jobs on a PEM store each; returns their GUIDs. This client cannot create stores."""
    stores = []
    for number in range(count):
        store = {
            "ClientMachine": "web-1",
            "Storepath": f"/store-{number}.pem",
            "CertStoreType": 2,
            "AgentId": agent.id,
            "Properties": "{}",
        }
        stores.append(server.operator.post("/CertificateStores", store).json["Id"])
    entries = [StoreEntry(certificate_store_id=store, alias="web") for store in stores]
    request = RemoveCertificate(certificate_stores=entries, schedule=Schedule(immediate=True))
    answer = certificate_store_remove_certificate.sync_detailed(client=client, json_body=request)
    assert answer.status_code == 200, answer.content
    return answer.parsed


def fail_all(agent: Agent, status: int = FAILURE) -> list[int]:
    """Run every job that the agent is given; returns the audit ids."""
    return [agent.run(job, status) for job in agent.register()]


def history(client: AuthenticatedClient, query: str = "") -> list:
    return orchestrator_job_get_job_history.sync(client=client, pq_query_string=query, pq_return_limit=1000)


def test_it_finds_the_server_and_its_agents(client, agent):
    assert "GET /Agents" in status_get_endpoints.sync(client=client)

    [found] = agent_get_agents.sync(client=client, pq_query_string=APPROVED_LOGS_QUERY)

    assert (found.agent_id, found.client_machine, found.status, "LOGS" in found.capabilities) == (
        agent.id,
        "web-1",
        2,
        True,
    )
    assert found.last_seen is not None
    assert agent_get_agent_detail.sync(agent.id, client=client).client_machine == "web-1"
    assert agent_approve.sync_detailed(client=client, json_body=[agent.id]).status_code == 204


def test_it_schedules_a_logs_job_and_sees_it_run(client, agent):
    request = ScheduleJob(agent_id=agent.id, job_type_name="FetchLogs", schedule=Schedule(immediate=True))

    scheduled = orchestrator_job_schedule_job.sync(client=client, json_body=request)
    [waiting] = orchestrator_job_get_scheduled_jobs.sync(client=client)
    [job] = agent.register()
    configuration = agent.configure(job)
    [running] = history(client)
    agent.complete(job, configuration["AuditId"], SUCCESS, Log="the log")
    [run] = history(client, f'JobId -eq "{scheduled.job_id}"')
    data = orchestrator_job_get_custom_job_result_data.sync(client=client, job_history_id=run.job_history_id)

    assert (scheduled.orchestrator_id, scheduled.schedule.immediate, waiting.id) == (agent.id, True, scheduled.job_id)
    assert (running.status, running.result) == (2, 0)
    assert (run.job_id, run.agent_machine, run.result, run.status) == (scheduled.job_id, "web-1", SUCCESS, 3)
    assert run.operation_start <= run.operation_end
    assert data.data == "the log"
    assert orchestrator_job_get_scheduled_jobs.sync(client=client) == []


def test_it_reschedules_failed_jobs_by_id_and_by_query(server, client, agent):
    jobs = management_jobs(server, client, agent, 4)
    failed = fail_all(agent)
    assert [run.job_history_id for run in history(client, RESCHEDULABLE_QUERY)] == failed

    by_id = orchestrator_job_reschedule_jobs.sync_detailed(
        client=client, json_body=Reschedule(job_audit_ids=failed[:2])
    )
    first = {job.id for job in orchestrator_job_get_scheduled_jobs.sync(client=client)}
    by_query = orchestrator_job_reschedule_jobs.sync_detailed(
        client=client, json_body=Reschedule(query=RESCHEDULABLE_QUERY)
    )
    second = {job.id for job in orchestrator_job_get_scheduled_jobs.sync(client=client)}
    again = fail_all(agent, SUCCESS)

    assert (by_id.status_code, by_query.status_code) == (204, 204)
    assert (len(first), second) == (2, set(jobs))
    assert min(again) > max(failed)
    assert sorted(run.job_id for run in history(client, "Result -eq 2")) == sorted(jobs)


def test_it_acknowledges_failures_and_warnings_by_id_and_by_query(server, client, agent):
    management_jobs(server, client, agent, 3)
    runs = [agent.run(job, status) for job, status in zip(agent.register(), (FAILURE, WARNING, SUCCESS), strict=True)]
    assert [run.job_history_id for run in history(client, ACKNOWLEDGEABLE_QUERY)] == runs[:2]

    by_id = orchestrator_job_acknowledge_jobs.sync_detailed(client=client, json_body=Acknowledge([runs[0]]))
    by_query = orchestrator_job_acknowledge_jobs.sync_detailed(
        client=client, json_body=Acknowledge(query=ACKNOWLEDGEABLE_QUERY)
    )

    assert (by_id.status_code, by_query.status_code) == (204, 204)
    assert [(run.job_history_id, run.result, run.status) for run in history(client)] == [
        (runs[0], FAILURE, 4),
        (runs[1], WARNING, 4),
        (runs[2], SUCCESS, 3),
    ]


def test_it_is_told_why_a_job_cannot_be_rescheduled(server, client, agent):
    management_jobs(server, client, agent, 1)
    [succeeded] = fail_all(agent, SUCCESS)

    refused = orchestrator_job_reschedule_jobs.sync_detailed(
        client=client, json_body=Reschedule(job_audit_ids=[succeeded])
    )

    body = json.loads(refused.content)
    assert (refused.status_code, body["ErrorCode"]) == (400, "0xA0110005")
    assert str(succeeded) in body["FailedOperations"][0]["Reason"]


def test_it_unschedules_jobs(server, client, agent):
    [job] = management_jobs(server, client, agent, 1)

    done = orchestrator_job_unschedule_jobs.sync_detailed(client=client, json_body=Unschedule(job_ids=[job]))

    assert done.status_code == 204
    assert orchestrator_job_get_scheduled_jobs.sync(client=client) == []
    assert agent.register() == []
