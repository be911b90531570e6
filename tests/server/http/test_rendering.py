import json

import pytest

from agent_sim.instants import from_iso
from agent_sim.protocol import command
from agent_sim.protocol.command import ApiError, CommandReply, FailedOperation, JobHistoryRecord
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Immediate, Interval, Weekly
from agent_sim.server.http.rendering import body_of, error_body
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings

AT = from_iso("2026-02-23T16:41:04.603Z")
GUID = "11111111-2222-4333-8444-555555555555"

RUNNING = JobHistoryRecord(
    job_history_id=7,
    agent_machine="agent-1",
    job_id=GUID,
    job_type="PEMManagement",
    result=Result.UNKNOWN,
    status=Status.IN_PROCESS,
    operation_start=AT,
    schedule=Immediate(),
)
FAILED = JobHistoryRecord(
    job_history_id=8,
    agent_machine="agent-1",
    job_id=GUID,
    job_type="PEMInventory",
    result=Result.FAILURE,
    status=Status.COMPLETED_WILL_RETRY,
    operation_start=AT,
    operation_end=AT,
    schedule=Interval(60),
    message="disk full",
    store_path="/store.pem",
    client_machine="web-1",
)


def rendered(body, settings=DEFAULT_SETTINGS):
    found = body_of(CommandReply(200, body), settings)
    assert found is not None
    return json.loads(found)


def test_a_finished_run_as_clients_expect_it():
    assert rendered((FAILED,)) == [
        {
            "JobHistoryId": 8,
            "AgentMachine": "agent-1",
            "JobId": GUID,
            "JobType": "PEMInventory",
            "Result": 4,
            "Status": 5,
            "OperationStart": "2026-02-23T16:41:04.603Z",
            "OperationEnd": "2026-02-23T16:41:04.603Z",
            "Schedule": {"Interval": {"Minutes": 60}},
            "Message": "disk full",
            "StorePath": "/store.pem",
            "ClientMachine": "web-1",
        }
    ]


def test_a_run_in_process_has_no_end_and_an_immediate_one_no_schedule():
    assert {"OperationEnd", "Schedule"}.isdisjoint(rendered((RUNNING,))[0])


def test_nulls_instead_of_absence_when_asked_for():
    record = rendered((RUNNING,), ServerSettings(null_style="null"))[0]

    assert (record["OperationEnd"], record["Schedule"]) == (None, None)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (Status.IN_PROCESS, "InProcess"),
        (Status.COMPLETED_WILL_RETRY, "CompletedWillRetry"),
        (Status.ACKNOWLEDGED, "Acknowledged"),
    ],
)
def test_names_instead_of_numbers_when_asked_for(status, name):
    record = JobHistoryRecord(1, "agent-1", GUID, "LOGS", Result.FAILURE, status)

    shown = rendered((record,), ServerSettings(enum_style="name"))[0]

    assert (shown["Result"], shown["Status"]) == ("Failure", name)


def test_an_agent_that_was_never_seen_has_no_last_seen_and_a_numeric_status():
    agent = command.AgentRecord(GUID, "agent-1", "user", 7, "25.4.1.0", AgentStatus.NEW)

    shown = rendered(agent)

    assert shown["Status"] == 1
    assert "LastSeen" not in shown


SCHEDULED = command.ScheduledJob(
    GUID, GUID, "FetchLogs", Weekly((1, 3), AT), (command.JobField("Name", "value"),), request_timestamp=AT
)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("both", {"RequestTimestmap", "RequestTimestamp"}),
        ("seed", {"RequestTimestmap"}),  # the seed's own spelling
        ("sdk", {"RequestTimestamp"}),
    ],
)
def test_a_scheduled_job_has_its_time_under_the_names_asked_for(key, names):
    shown = rendered(SCHEDULED, ServerSettings(timestamp_key=key))

    assert {name: value for name, value in shown.items() if name.startswith("Request")} == dict.fromkeys(
        names, "2026-02-23T16:41:04.603Z"
    )
    assert shown["JobFields"] == [{"JobTypeField": "Name", "Value": "value"}]
    assert shown["Schedule"] == {"Weekly": {"Days": [1, 3], "Time": "2026-02-23T16:41:04.603Z"}}


def test_an_error_names_its_failed_operations_or_leaves_them_out():
    one = ApiError("0xA0110005", "Not eligible.", (FailedOperation("Job audit 17: in process"),))
    none = ApiError("0xA0110004", "Give either.")

    assert rendered(one)["FailedOperations"] == [{"Reason": "Job audit 17: in process"}]
    for settings in (ServerSettings(), ServerSettings(null_style="null")):
        assert rendered(none, settings) == {"ErrorCode": "0xA0110004", "Message": "Give either."}


def test_a_list_of_strings_and_an_empty_list():
    assert rendered(("GET /Agents", "GET /Status/Endpoints")) == ["GET /Agents", "GET /Status/Endpoints"]
    assert rendered(()) == []


def test_no_body():
    assert body_of(CommandReply(204), ServerSettings()) is None


def test_the_shells_own_errors():
    assert json.loads(error_body("0xA0110002", 'No "such" path')) == {
        "ErrorCode": "0xA0110002",
        "Message": 'No "such" path',
    }
