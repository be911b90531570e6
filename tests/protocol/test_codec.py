import json

import pytest
from pydantic import TypeAdapter

from agent_sim.errors import MalformedMessage
from agent_sim.instants import HOUR, from_iso
from agent_sim.protocol import agent_commands, codec, command, store_commands, store_type_commands
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    OK,
    REGISTER,
    AgentRequest,
    Complete,
    Configuration,
    Configure,
    CustomJob,
    Heartbeat,
    InventoryJob,
    KnownItem,
    ManagementJob,
    Register,
    SessionReply,
    pack_version,
    refusal,
    unpack_version,
)
from agent_sim.protocol.endpoints import BY_OPERATION, ENDPOINTS
from agent_sim.protocol.enums import AgentStatus, Operation, Platform, Result, Status
from agent_sim.protocol.schedule import Daily, Immediate, Interval, Off
from tests.server.examples import MORE_EXAMPLES

# agent-protocol 2.1 and 3, observed on the wire (the CSR left out)
REGISTERED = (
    '{"AgentPlatform":5,"AgentVersion":563031557799936,"TenantId":"00000000-0000-0000-0000-000000000000",'
    '"ClientMachine":"cagent","CSR":null,"AgentId":"","Capabilities":["CertStores.PEM.Inventory","Custom.FetchLogs"],'
    '"ClientParameters":{}}'
)
BEAT = (
    '{"AgentPlatform":5,"TenantId":"00000000-0000-0000-0000-000000000000","ClientMachine":"cagent-HBx2",'
    '"SessionToken":"aaaaaaaa-bbbb-4ccc-8ddd-000000000001"}'
)
COMPLETED = (
    '{"Status":2,"AuditId":4242,"JobId":"11111111-0000-0000-0000-000000000001","Message":"",'
    '"SessionToken":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"}'
)
SESSION = (
    '{"Session":{"Token":"t","AgentId":"a","HeartbeatInterval":5,"ClientMachine":"name","Certificate":null,'
    '"Jobs":[{"JobId":"j","JobTypeId":"g","Priority":5,"Schedule":"I_60","Cron":null,'
    '"ConfigurationEndpoint":"KeyfactorAgents/X/Configure","CompletionEndpoint":"KeyfactorAgents/X/Complete"}],'
    '"ClientParameters":{"k":"v"}},"Result":{"Status":1,"Error":{"Code":0,"HResult":null,"CodeString":null,"Message":null}}}'
)


def test_a_registration_is_written_exactly_as_the_vendors_agent_writes_it():
    body = Register(
        5, pack_version(2, 19, 0, 0), NO_TENANT, "cagent", None, "", ("CertStores.PEM.Inventory", "Custom.FetchLogs")
    )

    assert codec.agent_body(body).decode() == REGISTERED


@pytest.mark.parametrize(("endpoint", "text"), [(REGISTER, REGISTERED), (HEARTBEAT, BEAT), ("/X/Complete", COMPLETED)])
def test_what_was_observed_on_the_wire_reads_and_writes_to_the_same_bytes(endpoint, text):
    request = codec.read_agent_request(endpoint, text.encode())

    assert codec.agent_body(request.body).decode() == text


@pytest.mark.parametrize("name", ["m", 'a"b\\c/', "\x00\x1f\x7f\n\t\b\f\r", "żółw \u2028 \U0001f600", ""])
def test_a_heartbeat_has_the_bytes_of_any_other_message_whatever_is_in_it(name):
    beat = Heartbeat(Platform.UNIVERSAL, NO_TENANT, name, name)

    assert codec.agent_body(beat) == TypeAdapter(Heartbeat).dump_json(beat, by_alias=True)


@pytest.mark.parametrize(
    "told",
    [
        Configuration(7, result=OK, max_characters_to_return=100_000),
        Configuration(7, result=OK, max_characters_to_return=0),
        Configuration(7, result=OK, max_characters_to_return=10**30),
        Configuration(7, result=OK),
        Configuration(0, True, OK),  # cancelled
        Configuration(),
        Configuration(7, result=refusal("A0100009", 'no "session"')),
        Configuration(7, result=OK, job=CustomJob({"name": "żółw"})),
        Configuration(7, result=OK, subject="", max_characters_to_return=1),
    ],
)
def test_a_configuration_has_the_bytes_of_any_other_message_whatever_it_tells(told):
    assert codec.agent_body(told) == TypeAdapter(Configuration).dump_json(told, by_alias=True)


def test_the_observed_session_answer_is_read():
    request = AgentRequest(REGISTER, codec.read_agent_request(REGISTER, REGISTERED.encode()).body)
    reply = codec.read_agent_reply(request, SESSION.encode())

    assert isinstance(reply, SessionReply)
    assert reply.session is not None
    assert reply.session.jobs is not None
    assert reply.session.jobs[0].schedule == "I_60"
    assert reply.result.status == 1


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration(7, result=OK, max_characters_to_return=4000),
        Configuration(7, result=OK, job=InventoryJob("m", "/s.pem", (KnownItem("a", False, ("a",)),))),
        Configuration(7, result=OK, job=ManagementJob(Operation.REMOVE, "m", "/s.pem", alias="a")),
        Configuration(7, result=OK, job=CustomJob({"a": "1"})),
        Configuration(7, True, refusal("A0100014", "denied")),
    ],
)
def test_every_kind_of_configuration_is_read_back(configuration):
    request = AgentRequest("/X/Configure", Configure("s", "j"))

    assert codec.read_agent_reply(request, codec.agent_body(configuration)) == configuration


def test_a_code_is_read_from_its_code_string_or_else_from_hresult():
    answer = b'{"Session":null,"Result":{"Status":3,"Error":{"Code":1,"HResult":"A0100004","Message":"no"}}}'
    reply = codec.read_agent_reply(AgentRequest(REGISTER, Heartbeat(5, "", "", "")), b"{}")
    read = codec.read_agent_reply(codec.read_agent_request(REGISTER, REGISTERED.encode()), answer)

    assert reply is not None
    assert isinstance(read, SessionReply)
    assert read.result.code == "A0100004"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"Session": 5}', b"\xff\xfe"])
def test_an_unreadable_answer_counts_as_none(body):
    assert codec.read_agent_reply(codec.read_agent_request(REGISTER, REGISTERED.encode()), body) is None


@pytest.mark.parametrize("body", [b"", b"nope", b"{}", b"null", b'{"SessionToken": 1, "JobId": "x"}'])
def test_a_malformed_request_is_refused_with_a_sentence(body):
    with pytest.raises(MalformedMessage, match=r"\w"):
        codec.read_agent_request("/X/Configure", body)


def test_an_endpoint_that_ends_in_no_known_action_is_refused():
    with pytest.raises(MalformedMessage, match="no agent endpoint"):
        codec.read_agent_request("/Session/Dance", b"{}")


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("/Session/Register", "/base/Session/Register"),
        ("KeyfactorAgents/X/Configure", "/base/X/Configure"),
        ("/PemInventory/Update", "/base/PemInventory/Update"),
        ("KeyfactorAgents/KeyfactorAgents/X", "/base/KeyfactorAgents/X"),  # only one is taken off
    ],
)
def test_server_given_paths_lose_one_directory_and_gain_the_base(endpoint, path):
    assert codec.agent_path(endpoint, "/base") == path


def test_versions_are_packed_in_four_fields():
    assert pack_version(2, 19, 0, 0) == 563031557799936
    assert unpack_version(563031557799936) == "2.19.0.0"


# --- the management API -----------------------------------------------------------------------

OPERATIONS = [
    command.ListJobHistory(command.Page('Result -eq "4" AND Agent -startswith "ä b"', 3, 200, "JobHistoryId", True, 5)),
    command.ListScheduledJobs(),
    command.GetJobData(17),
    command.ScheduleJob("a", "FetchLogs", Daily(23 * HOUR), {"x": "1", "n": 2}),
    command.Reschedule(job_audit_ids=(1, 2)),
    command.Acknowledge(query='Result -eq "4"'),
    command.Unschedule(job_ids=("j",)),
    command.ListAgents(command.Page("Status -eq 2")),
    command.GetAgent("11111111-0000-0000-0000-000000000001"),
    command.ApproveAgents(("a", "b")),
    command.DisapproveAgents(()),
    command.ListJobTypes(),
    command.CreateJobType("Custom", "text", (command.JobTypeField("f", 2, "5", True),)),
    command.ListStores(command.Page(limit=1000)),
    command.CreateStore("m", "/opt/s.pem", 2, "a", Interval(60)),
    command.ScheduleInventory(("s",), Off()),
    command.AddCertificate(1, (command.StoreEntry("s", "alias", True),), Immediate()),
    command.RemoveCertificate((command.StoreEntry("s"),)),
    command.GetEndpoints(),
    command.ListTransitions(5, 10),
    *MORE_EXAMPLES,
]


def over_http(operation):
    """The operation as a server reads it from what a client sends."""
    from urllib.parse import parse_qsl, unquote

    call, row = codec.api_call(operation), BY_OPERATION[type(operation)]
    path = {
        part.strip("{}"): unquote(given)
        for part, given in zip(row.path.split("/"), call.path.split("/"), strict=True)
        if part.startswith("{")
    }
    return codec.read_operation(row, path, parse_qsl(call.query), call.body or b"null")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: type(operation).__name__)
def test_every_operation_crosses_http_unchanged(operation):
    assert over_http(operation) == operation


def test_every_operation_has_a_row_and_a_case_here():
    assert {type(operation) for operation in OPERATIONS} == set(BY_OPERATION)
    assert len({row.name for row in ENDPOINTS}) == len(ENDPOINTS)


def test_names_are_bound_in_any_case_and_unknown_ones_ignored():
    row = BY_OPERATION[command.Reschedule]

    read = codec.read_operation(row, {}, [], b'{"jobAuditIds": [1], "QUERY": null, "extra": {}}')

    assert read == command.Reschedule(job_audit_ids=(1,))


@pytest.mark.parametrize(
    ("operation", "body", "problem"),
    [
        (command.Reschedule, b"[1]", "JSON object"),
        (command.Reschedule, b"{", "not valid JSON"),
        (command.Reschedule, b"", "not valid JSON"),
        (command.Reschedule, b'{"JobAuditIds": 5}', "JobAuditIds"),
        (command.Reschedule, b'{"JobAuditIds": ["5"]}', "JobAuditIds.0"),
        (command.Reschedule, b'{"JobAuditIds": [true]}', "JobAuditIds.0"),
        (command.Reschedule, b'{"JobAuditIds": [1, "5"]}', "JobAuditIds.1"),
        (command.Reschedule, b'{"JobAuditIds": [1, 2.5]}', "JobAuditIds.1"),
        (command.Reschedule, b'{"JobAuditIds": [1, null]}', "JobAuditIds.1"),
        (command.Reschedule, b'{"Query": 5}', "Query"),
        (command.ScheduleJob, b'{"AgentId": "a"}', "JobTypeName"),
        (command.ScheduleJob, b'{"AgentId":"a","JobTypeName":"x","Schedule":{"Hourly":1}}', "no member"),
        (command.ApproveAgents, b'{"a": 1}', "array of GUIDs"),
        (command.ApproveAgents, b"[1]", "array of GUIDs"),
        (command.ScheduleInventory, b'{"StoreIds": ["s"]}', "Schedule"),
        (command.Reschedule, b"[" * 100_000, "not valid JSON"),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(operation, body, problem):
    with pytest.raises(MalformedMessage, match=problem):
        codec.read_operation(BY_OPERATION[operation], {}, [], body)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ([], command.Page()),
        ([("pq.pageReturned", "2"), ("PQ.RETURNLIMIT", "10")], command.Page(number=2, limit=10)),
        ([("QueryString", "a"), ("query.queryString", "b")], command.Page(query="b")),  # the last one wins
        (
            [("certificateStoreQuery.sortField", "Id"), ("SortAscending", "1")],
            command.Page(sort_field="Id", descending=True),
        ),
        ([("pq.start", "x"), ("pq.count", "y")], command.Page()),  # unknown ones are ignored
        ([("ReturnLimit", "")], command.Page()),
    ],
)
def test_paging_is_read_in_every_spelling(query, page):
    assert codec.read_page(query) == page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ReturnLimit", "0"),
        ("ReturnLimit", "-1"),
        ("PageReturned", "x"),
        ("PageReturned", "9" * 30),
        ("SortAscending", "2"),
    ],
)
def test_a_page_that_cannot_be_is_refused(name, value):
    with pytest.raises(MalformedMessage, match=name.lower() if name != "SortAscending" else "sortAscending"):
        codec.read_page([(name, value)])


RECORD = command.JobHistoryRecord(
    job_history_id=7,
    agent_machine="m",
    job_id="j",
    job_type="PEMManagement",
    result=Result.FAILURE,
    status=Status.COMPLETED,
    operation_start=from_iso("2026-02-23T16:41:04.603Z"),
    schedule=Interval(1),
    store_path="My",
)


def test_a_record_has_integers_for_enums_and_omits_what_is_unknown():
    assert codec.to_json(RECORD, omit_none=True) == {
        "JobHistoryId": 7,
        "AgentMachine": "m",
        "JobId": "j",
        "JobType": "PEMManagement",
        "Result": 4,
        "Status": 3,
        "OperationStart": "2026-02-23T16:41:04.603Z",
        "Schedule": {"Interval": {"Minutes": 1}},
        "Message": "",
        "StorePath": "My",
    }


def test_nulls_can_be_shown_as_well():
    shown = codec.to_json(RECORD, omit_none=False)

    assert isinstance(shown, dict)
    assert shown["OperationEnd"] is None


def test_a_list_reply_is_read_with_its_total():
    body = json.dumps([codec.to_json(RECORD, omit_none=True)]).encode()

    reply = codec.read_reply(command.ListJobHistory(), 200, body, 41)

    assert reply == command.CommandReply(200, (RECORD,), 41)


def test_an_error_reply_is_read_whatever_its_body():
    refused = codec.read_reply(command.Reschedule(), 400, b'{"ErrorCode":"0xA0110005","Message":"no"}', None)
    html = codec.read_reply(command.Reschedule(), 502, b"<html>", None)

    assert refused.body == command.ApiError("0xA0110005", "no")
    assert html == command.CommandReply(502, None)


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'[{"JobHistoryId": "x"}]', b"[5]"])
def test_a_reply_that_is_not_what_it_should_be_is_malformed(body):
    with pytest.raises(MalformedMessage):
        codec.read_reply(command.ListJobHistory(), 200, body, None)


def test_an_agent_record_keeps_its_status():
    shown = codec.to_json(command.AgentRecord("a", "m", "u", 7, "25.4.1.0", AgentStatus.NEW), omit_none=True)

    assert codec.from_json(command.AgentRecord, shown).status is AgentStatus.NEW


@pytest.mark.parametrize("result", ["Failure", "failure", 4])
def test_a_record_may_come_with_names_for_its_enums(result):
    shown = {**codec.to_json(RECORD, omit_none=True), "Result": result, "Status": "CompletedWillRetry"}

    read = codec.from_json(command.JobHistoryRecord, shown)

    assert (read.result, read.status) == (Result.FAILURE, Status.COMPLETED_WILL_RETRY)


def test_a_completion_carries_a_log_only_if_there_is_one():
    plain = Complete(Result.SUCCESS, 1, "j", "", "s")

    assert b"Log" not in codec.agent_body(plain)
    assert b'"Log":""' in codec.agent_body(Complete(Result.SUCCESS, 1, "j", "", "s", log=""))


# --- the rest of the management API -----------------------------------------------------------


def read(operation, path=None, query=(), body=b""):
    return codec.read_operation(BY_OPERATION[operation], path or {}, query, body)


def test_a_null_counts_as_left_out_where_something_is_assumed_then():
    body = b'{"JobTypeName":"X","JobTypeFields":null,"Description":null}'

    assert read(command.CreateJobType, body=body) == command.CreateJobType("X")


def test_numbers_in_a_path_and_texts_in_a_query_string_are_read_as_such():
    assert read(store_commands.GetContainer, {"id": "7"}) == store_commands.GetContainer(7)
    query = [("AGENTID", "a"), ("name", "n")]
    assert read(agent_commands.GenerateBlueprint, query=query) == agent_commands.GenerateBlueprint("a", "n")


@pytest.mark.parametrize(
    ("operation", "path", "query", "body", "problem"),
    [
        (store_commands.GetContainer, {"id": "seven"}, [], b"", "id must be a whole number"),
        (agent_commands.GenerateBlueprint, {}, [("name", "n")], b"", "agentid is missing"),
        (agent_commands.ApplyBlueprint, {}, [], b"[]", "templateid is missing"),
        (agent_commands.ApplyBlueprint, {}, [("templateId", "t")], b"{}", "array of GUIDs"),
        (store_type_commands.DeleteStoreTypes, {}, [], b'["1"]', "array of whole numbers"),
        (store_type_commands.DeleteStoreTypes, {}, [], b"[true]", "array of whole numbers"),
        (store_commands.ApproveStores, {}, [], b"{}", "array of objects"),
        (store_commands.ApproveStores, {}, [], b"[1]", "dict|object|instance"),
        (store_commands.ApproveStores, {}, [], b'[{"ContainerId": 1}]', "Id"),
        (store_commands.ListInventory, {"id": "a"}, [("ReturnLimit", "0")], b"", "returnlimit"),
        (store_commands.UpdateStore, {}, [], b'{"Id": "a", "Password": "plain"}', "Password"),
        (store_commands.ScheduleDiscovery, {}, [], b'{"AgentId":"a","Type":2,"JobExecutionTimestamp":"x"}', "time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(operation, path, query, body, problem):
    with pytest.raises(MalformedMessage, match=problem):
        read(operation, path, query, body)


def test_a_secret_is_read_and_not_shown():
    wanted = read(store_commands.UpdateStore, body=b'{"Id":"a","Password":{"SecretValue":"hush"}}')

    assert wanted.password == command.Secret("hush")
    assert "hush" not in repr(wanted)


@pytest.mark.parametrize("kind", [command.Reschedule, command.Acknowledge])
@pytest.mark.parametrize("ids", [None, (), (1,), (3, -1, 2**40)])
def test_the_short_way_to_write_ids_gives_the_same_bytes(kind, ids):
    asked = kind(job_audit_ids=ids)

    assert codec.api_call(asked).body == json.dumps(codec.to_json(asked, omit_none=True)).encode()
