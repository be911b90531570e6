"""The evaluator by example: the semantics of command-api 5.3, one sentence each."""

import pytest

from agent_sim.instants import from_iso
from agent_sim.query.evaluate import matches
from agent_sim.query.fields import AGENTS, CERTIFICATE_STORES, JOB_HISTORY, SCHEDULED_JOBS, Collection
from agent_sim.query.grammar import parse
from agent_sim.query.values import Context
from tests.query.records import fill, selected, table

CONTEXT = Context(from_iso("2026-02-23T16:41:04Z"), me="CORP\\ada")

RUN: dict[str, object] = {
    "job_history_id": 17,
    "agent_id": "275b26d4-91f2-4c8a-8d3e-0f6f6d1f9a01",
    "agent_machine": "orch-1.corp",
    "job_id": "0b4b1f0e-3a3c-4f7a-9a43-5a2f4c1d2e03",
    "job_type": "WinCertInventory",
    "job_category": "Inventory",
    "result": 4,
    "status": 3,
    "message": "Connection Timeout ",
    "operation_start": from_iso("2026-02-23T09:30:00.250Z") + 123_456,
    "operation_end": None,
    "schedule": "I_60",
    "store_path": "100%_My",
    "client_machine": "web01",
}
AGENT: dict[str, object] = {
    "agent_id": "275b26d4-91f2-4c8a-8d3e-0f6f6d1f9a01",
    "client_machine": "orch-1.corp",
    "username": "corp\\Ada",
    "agent_platform": 1,
    "version": "25.4.1.0",
    "status": 2,
    "last_seen": None,
    "capabilities": '["K8STLSSecr", "SSL", "LOGS"]',
    "blueprint": None,
    "thumbprint": "",
}
JOB: dict[str, object] = {
    "job_id": "0b4b1f0e-3a3c-4f7a-9a43-5a2f4c1d2e03",
    "agent_id": "275b26d4-91f2-4c8a-8d3e-0f6f6d1f9a01",
    "agent_machine": "orch-1.corp",
    "target": "My",
    "requested": from_iso("2026-02-22T00:00:00Z"),
    "schedule": None,
    "job_type": "F5SslDiscovery",
    "job_category": "SslDiscovery",
}
STORE: dict[str, object] = {
    "id": "0b4b1f0e-3a3c-4f7a-9a43-5a2f4c1d2e03",
    "display_name": None,
    "client_machine": "web01",
    "store_path": "My",
    "cert_store_type": 6,
    "container_id": None,
    "container_name": None,
    "approved": True,
    "agent_id": None,
    "agent_assigned": False,
}

UNSCHEDULABLE = " AND ".join(
    f'JobType -notcontains "{part}"' for part in ("SslDiscovery", "Monitoring", "Sync", "SSHSync", "Inventory")
)

CASES: list[tuple[Collection, dict[str, object], str, bool]] = [
    # texts: no case, no trailing spaces, no wildcards
    (JOB_HISTORY, RUN, 'Agent -eq "ORCH-1.Corp"', True),
    (JOB_HISTORY, RUN, 'Agent -eq "orch-1.corp  "', True),
    (JOB_HISTORY, RUN, 'Agent -eq "orch-1"', False),
    (JOB_HISTORY, RUN, 'Agent -startswith "orch-"', True),
    (JOB_HISTORY, RUN, 'AgentMachine -startswith "rch-"', False),
    (JOB_HISTORY, RUN, 'ClientMachine -eq "web01"', True),
    (JOB_HISTORY, RUN, 'Message -eq "connection timeout"', True),
    (JOB_HISTORY, RUN, 'Message -contains "TIMEOUT"', True),
    (JOB_HISTORY, RUN, 'Message -notcontains "timeout"', False),
    (JOB_HISTORY, RUN, 'Message -endswith "timeout"', True),
    (JOB_HISTORY, RUN, 'Message -contains "Connection  "', False),  # within a text a space is a character
    (JOB_HISTORY, RUN, 'StorePath -contains "%_"', True),
    (JOB_HISTORY, RUN, 'StorePath -contains "0%M"', False),
    (JOB_HISTORY, RUN, 'TargetPath -eq "100__My"', False),
    # nulls
    (JOB_HISTORY, RUN, "OperationEnd -eq NULL", True),
    (JOB_HISTORY, RUN, "OperationEnd -ne NULL", False),
    (JOB_HISTORY, RUN, "OperationEnd -ne 2026-02-23", True),
    (JOB_HISTORY, RUN, "OperationEnd -eq 2026-02-23", False),
    (JOB_HISTORY, RUN, "OperationEnd -lt 2026-02-23 OR OperationEnd -ge 2026-02-23", False),
    (AGENTS, AGENT, 'Blueprint -ne "x" AND Blueprint -notcontains "x"', True),
    (AGENTS, AGENT, 'Blueprint -eq "" OR Blueprint -contains "" OR Blueprint -startswith ""', False),
    (AGENTS, AGENT, 'Thumbprint -ne NULL AND Thumbprint -eq ""', True),
    (AGENTS, AGENT, 'Thumbprint -eq "NULL"', False),
    # enums and numbers
    (JOB_HISTORY, RUN, 'Result -eq "4" AND Result -eq 4 AND Result -eq Failure AND Result -eq "failed"', True),
    (JOB_HISTORY, RUN, "Result -ne 4", False),
    (JOB_HISTORY, RUN, "Result -gt Warning AND Status -le Completed", True),
    (JOB_HISTORY, RUN, "JobHistoryId -ge 17 AND JobHistoryId -lt 18", True),
    (AGENTS, AGENT, "Status -eq Approved AND Platform -eq .NET", True),
    # job types: the full name or the category
    (JOB_HISTORY, RUN, 'JobType -eq "inventory"', True),
    (JOB_HISTORY, RUN, 'JobType -eq "WinCertInventory"', True),
    (JOB_HISTORY, RUN, 'JobType -ne "Inventory"', False),
    (JOB_HISTORY, RUN, 'JobType -ne "Management"', True),
    (JOB_HISTORY, RUN, 'JobType -startswith "WinCert"', True),
    (JOB_HISTORY, RUN, 'JobType -startswith "Inventory"', False),
    (SCHEDULED_JOBS, JOB, 'JobType -eq "Discovery"', False),
    (SCHEDULED_JOBS, JOB, 'JobType -eq "SslDiscovery"', True),
    # dates
    (JOB_HISTORY, RUN, "OperationStart -eq 2026-02-23", True),
    (JOB_HISTORY, RUN, "OperationStart -eq 02/23/2026", True),
    (JOB_HISTORY, RUN, "OperationStart -ne %TODAY%", False),
    (JOB_HISTORY, RUN, "OperationStart -gt 2026-02-23", True),  # later than its midnight
    (JOB_HISTORY, RUN, "OperationStart -le 2026-02-23", False),
    (JOB_HISTORY, RUN, 'OperationStart -eq "2026-02-23T09:30:00.25Z"', True),  # as the wire shows it
    (JOB_HISTORY, RUN, 'OperationStart -gt "2026-02-23T09:30:00.25Z"', False),
    (JOB_HISTORY, RUN, 'OperationStart -le "2026-02-23T09:30:00.25Z"', True),
    (JOB_HISTORY, RUN, 'OperationStart -ge "%TODAY-1%" AND (Result -eq 4 OR Result -eq 3)', True),
    (SCHEDULED_JOBS, JOB, 'Requested -eq "%TODAY-1%" AND Requested -le "%TODAY-1%"', True),
    (SCHEDULED_JOBS, JOB, 'Requested -lt "%TODAY-1%"', False),
    # GUIDs
    (JOB_HISTORY, RUN, 'JobID -eq "{0B4B1F0E-3A3C-4F7A-9A43-5A2F4C1D2E03}"', True),
    (JOB_HISTORY, RUN, 'JobId -ne "0b4b1f0e3a3c4f7a9a435a2f4c1d2e03"', False),
    (SCHEDULED_JOBS, JOB, 'Id -startswith "0B4B"', True),
    # collections
    (AGENTS, AGENT, 'Status -eq 2 AND Capabilities -contains "LOGS"', True),
    (AGENTS, AGENT, "Status -eq 2 and Capabilities -contains “LOGS”", True),
    (AGENTS, AGENT, 'Capabilities -contains "log"', True),
    (AGENTS, AGENT, 'Capabilities -eq "log"', False),
    (AGENTS, AGENT, 'Capabilities -eq "logs"', True),
    (AGENTS, AGENT, 'Capabilities -ne "logs"', False),
    (AGENTS, AGENT, 'Capabilities -notcontains "PEM"', True),
    (AGENTS, AGENT, r'Capabilities -contains "\", \""', False),  # elements, not the JSON text
    (AGENTS, AGENT, "Capabilities -startswith K8S AND Capabilities -endswith secr", True),
    # schedules
    (JOB_HISTORY, RUN, "ScheduleType -eq I_60 AND ScheduleType -startswith I_", True),
    (JOB_HISTORY, RUN, 'ScheduleType -eq "I_" AND ScheduleType -eq Interval', True),
    (JOB_HISTORY, RUN, "ScheduleType -eq Daily OR ScheduleType -eq Immediate", False),
    (SCHEDULED_JOBS, JOB, "ScheduleType -eq NULL AND ScheduleType -eq Immediate", True),
    (SCHEDULED_JOBS, JOB, "ScheduleType -ne Immediate", False),
    (SCHEDULED_JOBS, JOB, "ScheduleType -ne I_", True),
    # users and booleans
    (AGENTS, AGENT, "Identity -eq %ME% AND Username -contains %ME-AN%", True),
    (AGENTS, AGENT, "Identity -ne %ME%", False),
    (CERTIFICATE_STORES, STORE, "Approved -eq true AND AgentAssigned -eq false AND Storepath -eq my", True),
    (CERTIFICATE_STORES, STORE, "Approved -ne true OR AgentAssigned -eq 1", False),
    (CERTIFICATE_STORES, STORE, "CertStoreType -eq 6 AND ContainerId -ne 6", True),
    # everything, and the seeds
    (JOB_HISTORY, RUN, "", True),
    (JOB_HISTORY, RUN, '(Result -eq "4" OR Result -eq "3") AND (Status -eq "3" OR Status -eq "5")', True),
    (
        JOB_HISTORY,
        RUN,
        'JobType -ne "Inventory" AND Result -eq "4" AND (Status -eq "4" OR Status -eq "3")',
        False,
    ),
    (SCHEDULED_JOBS, JOB, UNSCHEDULABLE, False),
]


@pytest.mark.parametrize(("collection", "row", "query", "expected"), CASES)
def test_a_record_matches_as_the_reference_says(
    collection: Collection, row: dict[str, object], query: str, expected: bool
):
    assert matches(parse(query), collection, CONTEXT, row) is expected


@pytest.mark.parametrize(("collection", "row", "query", "expected"), CASES)
def test_sql_says_the_same_of_every_example(collection: Collection, row: dict[str, object], query: str, expected: bool):
    connection = table(collection)
    fill(connection, collection, [row])

    assert selected(connection, parse(query), collection, CONTEXT) == ([0] if expected else [])


def test_a_collection_may_be_a_sequence_instead_of_json():
    row = {**AGENT, "capabilities": ("LOGS",)}

    assert matches(parse("Capabilities -eq logs"), AGENTS, CONTEXT, row)
