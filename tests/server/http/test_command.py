import gzip
import json
import re
from dataclasses import replace

import pytest

from agent_sim.protocol import agent_commands, command
from agent_sim.protocol.command import ApiError, CommandReply, FailedOperation, Page
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings
from tests.server.http.desks import AGENT, NOW, OPERATOR, WRITES, FakeCore, FakeStore, basic, error_of, serving

pytestmark = pytest.mark.slow

GUID = "11111111-2222-4333-8444-555555555555"
DONE = CommandReply(204)
RESCHEDULE = "/KeyfactorAPI/OrchestratorJobs/Reschedule"


def core_that(reply=DONE, **fields) -> FakeCore:
    return FakeCore(FakeStore(), reply, **fields)


def asked(core: FakeCore) -> list[command.Operation]:
    return [request for request, _, _ in core.asked]


# --- reads ------------------------------------------------------------------------------------


async def test_a_list_with_its_total_and_the_headers_of_a_real_server():
    core = core_that(CommandReply(200, ("GET /Agents",), total=17))

    async with serving(core) as client:
        response = await client.get("/KeyfactorAPI/Agents", headers=OPERATOR)
        body = await response.json()

    assert (response.status, body) == (200, ["GET /Agents"])
    assert core.asked == [(command.ListAgents(), "operator", NOW)]
    headers = response.headers
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-Keyfactor-Product-Version"] == "25.4.1+agent-sim"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["X-Keyfactor-Correlation-Id"])
    assert (headers["Api-Supported-Versions"], headers["X-Total-Count"]) == ("1.0", "17")


async def test_a_single_object_has_no_total():
    core = core_that(CommandReply(200, command.JobData(7, "log")))

    async with serving(core) as client:
        response = await client.get("/KeyfactorAPI/OrchestratorJobs/JobStatus/Data?JobHistoryId=7", headers=OPERATOR)

    assert asked(core) == [command.GetJobData(7)]
    assert "X-Total-Count" not in response.headers


@pytest.mark.parametrize(
    "query",
    [
        'pq.queryString=Status+-eq+2+AND+Capabilities+-contains+"LOGS"&pq.pageReturned=2&pq.returnLimit=1000',
        "QueryString=Status%20-eq%202%20AND%20Capabilities%20-contains%20%22LOGS%22&PageReturned=2&ReturnLimit=1000",
        'PQ.QUERYSTRING=Status+-eq+2+AND+Capabilities+-contains+"LOGS"&pagereturned=2&returnlimit=1000&pq.start=9',
    ],
)
async def test_both_spellings_of_paging_in_any_case(query):
    core = core_that(CommandReply(200, (), total=0))

    async with serving(core) as client:
        await client.get(f"/keyfactorapi/agents/?{query}", headers=OPERATOR)

    assert asked(core) == [command.ListAgents(Page('Status -eq 2 AND Capabilities -contains "LOGS"', 2, 1000))]


async def test_the_body_null_that_a_published_client_sends_with_reads_is_ignored():
    core = core_that(CommandReply(200, (), total=0))

    async with serving(core) as client:
        headers = OPERATOR | {"Content-Type": "application/json"}
        response = await client.request("GET", "/KeyfactorAPI/Status/Endpoints", data=b"null", headers=headers)

    assert (response.status, asked(core)) == (200, [command.GetEndpoints()])


async def test_the_id_in_a_path_reaches_the_operation():
    core = core_that(CommandReply(404, ApiError("0xA0110002", "No such agent.")))

    async with serving(core) as client:
        response = await client.get(f"/KeyfactorAPI/Agents/{GUID}", headers=OPERATOR)

        assert await error_of(response) == (404, "0xA0110002")
    assert asked(core) == [command.GetAgent(GUID)]


async def test_an_extra_prefix_can_be_served_beside():
    core = core_that(CommandReply(200, (), total=0))

    async with serving(core, replace(DEFAULT_SETTINGS, api_bases=("/KeyfactorAPI", "Keyfactor/API"))) as client:
        statuses = [
            (await client.get(f"{base}/Agents", headers=OPERATOR)).status
            for base in ("/Keyfactor/API", "/keyfactorapi", "/Keyfactor/APIs")
        ]

    assert statuses == [200, 200, 404]


# --- writes -----------------------------------------------------------------------------------


async def test_a_write_that_answers_nothing():
    core = core_that()

    async with serving(core) as client:
        response = await client.post(RESCHEDULE, data=b'{"jobAuditIds": [1, 2]}', headers=WRITES)
        body = await response.read()

    assert (response.status, body) == (204, b"")
    assert "Content-Type" not in response.headers
    assert "X-Keyfactor-Correlation-Id" in response.headers
    assert asked(core) == [command.Reschedule((1, 2))]


async def test_a_refusal_by_the_core_with_its_reasons():
    error = ApiError("0xA0110005", "Not eligible.", (FailedOperation("Job audit 17: in process"),))
    core = core_that(CommandReply(400, error))

    async with serving(core) as client:
        response = await client.post(RESCHEDULE, data=b'{"JobAuditIds": [17]}', headers=WRITES)
        body = await response.json()

    assert response.status == 400
    assert body == {
        "ErrorCode": "0xA0110005",
        "Message": "Not eligible.",
        "FailedOperations": [{"Reason": "Job audit 17: in process"}],
    }


async def test_a_schedule_that_is_none_has_a_code_of_its_own():
    body = {"AgentId": GUID, "JobTypeName": "FetchLogs", "Schedule": {"Interval": {"Minutes": 0}}}

    async with serving(core_that()) as client:
        response = await client.post("/KeyfactorAPI/OrchestratorJobs/Custom", json=body, headers=WRITES)

        assert await error_of(response) == (400, "0xA0110008")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{",
        b"[1, 2]",
        b'{"JobAuditIds": "17"}',
        b'{"JobAuditIds": ["17"]}',
        b'{"JobAuditIds": [1.5]}',
        b'{"JobAuditIds": [true]}',
        b'{"JobAuditIds": {"a": 1}}',
        b'{"Query": 5}',
        b'{"JobAuditIds": [' + b"1" * 5000 + b"]}",
        b"[" * 100_000,
        b"\xff\xff\xff",
    ],
)
async def test_what_cannot_be_read_is_400_with_a_sentence(data):
    core = core_that()

    async with serving(core) as client:
        response = await client.post(RESCHEDULE, data=data, headers=WRITES)

        assert (await error_of(response))[0] == 400
    assert core.asked == []


@pytest.mark.parametrize("query", ["pq.pageReturned=0", "ReturnLimit=x", "PageReturned=-1", "SortAscending=5"])
async def test_paging_that_makes_no_sense_is_400(query):
    async with serving(core_that()) as client:
        response = await client.get(f"/KeyfactorAPI/Agents?{query}", headers=OPERATOR)

        assert (await error_of(response))[0] == 400


async def test_writes_need_the_header_that_says_who_requests():
    core = core_that()
    headers = OPERATOR | {"Content-Type": "application/json"}

    async with serving(core) as client:
        response = await client.post(RESCHEDULE, data=b'{"JobAuditIds": [1]}', headers=headers)

        assert await error_of(response) == (400, "0xA0110007")
    assert core.asked == []


async def test_without_strict_headers_writes_go_without_it():
    headers = OPERATOR | {"Content-Type": "application/json"}

    async with serving(core_that(), ServerSettings(strict_headers=False)) as client:
        response = await client.post(RESCHEDULE, data=b'{"JobAuditIds": [1]}', headers=headers)

    assert response.status == 204


@pytest.mark.parametrize(("version", "status"), [("1", 200), ("1.0", 200), ("2", 200), ("2.0", 200), ("3", 400)])
async def test_the_versions_of_the_api(version, status):
    core = core_that(CommandReply(200, (), total=0))

    async with serving(core) as client:
        headers = OPERATOR | {"x-keyfactor-api-version": version}
        response = await client.get("/KeyfactorAPI/Agents", headers=headers)

    assert response.status == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 204),
        ("application/json; charset=utf-8", 204),
        ("application/json-patch+json", 204),
        ("text/json", 204),
        ("application/vnd.keyfactor+json", 204),
        ("APPLICATION/JSON", 204),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/xml", 415),
    ],
)
async def test_bodies_must_say_that_they_are_json(kind, status):
    async with serving(core_that()) as client:
        response = await client.post(RESCHEDULE, data=b'{"JobAuditIds": [1]}', headers=WRITES | {"Content-Type": kind})

    assert response.status == status


async def test_a_put_may_be_a_form_as_the_published_python_client_sends_it():
    core = core_that()
    form = WRITES | {"Content-Type": "application/x-www-form-urlencoded"}

    async with serving(core) as client:
        response = await client.put("/KeyfactorAPI/AgentPools", data=b"AgentPoolId=a&Name=East+1", headers=form)

    assert response.status == 204
    assert asked(core) == [agent_commands.UpdateAgentPool("a", "East 1")]


async def test_a_body_over_2_mib_is_413_and_one_below_is_read():
    core = core_that()
    ids = json.dumps({"JobIds": [GUID] * 48_000}).encode()
    url = "/KeyfactorAPI/OrchestratorJobs/Unschedule"
    packed = gzip.compress(b" " * (3 * 1024 * 1024))

    async with serving(core) as client:
        small = await client.post(url, data=ids, headers=WRITES)
        large = await client.post(url, data=ids + b" " * (2 * 1024 * 1024), headers=WRITES)
        hidden = await client.post(url, data=packed, headers=WRITES | {"Content-Encoding": "gzip"})

        assert small.status == 204
        assert (await error_of(large))[0] == 413
        assert (await error_of(hidden))[0] == 413
    assert len(core.asked) == 1


# --- who asks, and what goes wrong ------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, basic("operator", "wrong"), basic("nobody", "secret-1")])
@pytest.mark.parametrize("path", ["/KeyfactorAPI/Agents", "/KeyfactorAPI/Nothing"])
async def test_without_the_right_password_401_before_anything_else(headers, path):
    async with serving(core_that()) as client:
        response = await client.get(path, headers=headers)

        assert (await error_of(response))[0] == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


async def test_the_caller_reaches_the_core_which_knows_what_it_may():
    core = core_that(CommandReply(403, ApiError("0xA0140002", "Not permitted.")))

    async with serving(core) as client:
        response = await client.get("/KeyfactorAPI/Agents", headers=AGENT)

        assert await error_of(response) == (403, "0xA0140002")
    assert [name for _, name, _ in core.asked] == ["DOMAIN\\agent"]


async def test_unknown_paths_and_wrong_methods():
    async with serving(core_that()) as client:
        unknown = await client.get("/KeyfactorAPI/Nothing", headers=OPERATOR)
        outside = await client.get("/somewhere/else")
        method = await client.delete("/KeyfactorAPI/Agents", headers=WRITES)

        assert (await error_of(unknown))[0] == 404
        assert (await error_of(outside))[0] == 404
        assert (await error_of(method))[0] == 405
    assert method.headers["Allow"] == "GET"


async def test_a_bug_is_a_500_that_tells_nothing_and_a_logged_traceback(caplog):
    core = core_that(ZeroDivisionError("internals"))

    async with serving(core) as client:
        response = await client.get("/KeyfactorAPI/Agents", headers=OPERATOR)
        text = await response.text()

        assert (await error_of(response))[0] == 500
    assert "internals" not in text
    assert "ZeroDivisionError: internals" in caplog.text


async def test_a_commit_that_fails_is_a_503():
    core = core_that(changes=True)
    core.store.failure = OSError("disk full")

    async with serving(core) as client:
        response = await client.post(RESCHEDULE, data=b'{"JobAuditIds": [1]}', headers=WRITES)

        assert (await error_of(response))[0] == 503


async def test_no_password_is_ever_logged(caplog):
    caplog.set_level("DEBUG")

    async with serving(core_that(ZeroDivisionError())) as client:
        await client.get("/KeyfactorAPI/Agents", headers=OPERATOR)
        await client.get("/KeyfactorAPI/Agents", headers=basic("operator", "hunter2"))

    assert "secret" not in caplog.text
    assert "hunter2" not in caplog.text
    assert OPERATOR["Authorization"].removeprefix("Basic ") not in caplog.text
