import asyncio
import gzip
import json
from dataclasses import replace

import pytest

from agent_sim.protocol import agent
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.settings import DEFAULT_SETTINGS
from tests.server.http.desks import AGENT, NOW, OPERATOR, FakeCore, FakeStore, basic, serving

pytestmark = pytest.mark.slow

TOKEN = "aaaaaaaa-bbbb-4ccc-8ddd-000000000001"
HEARTBEAT = {
    "AgentPlatform": 5,
    "TenantId": agent.NO_TENANT,
    "ClientMachine": "agent-1",
    "SessionToken": TOKEN,
}
CONFIGURE = "/KeyfactorAgents/Custom/Configure"
TAKES = {"SessionToken": TOKEN, "JobId": "j"}
BODY = agent.Heartbeat(5, agent.NO_TENANT, "agent-1", TOKEN)
REPLY = AgentReply(200, agent.HeartbeatReply(1, True, agent.OK))


def taking_core() -> FakeCore:
    """One that changes something with every answer."""
    return FakeCore(FakeStore(), AgentReply(200, agent.Configuration(result=agent.OK)), changes=True)


def heartbeat_core(**fields) -> FakeCore:
    return FakeCore(FakeStore(), **{"reply": REPLY} | fields)


async def test_a_heartbeat_reaches_the_core_and_its_reply_the_agent():
    core = heartbeat_core()

    async with serving(core) as client:
        response = await client.post("/KeyfactorAgents/Session/Heartbeat", json=HEARTBEAT, headers=AGENT)
        body = await response.json()

    assert core.asked == [(AgentRequest(agent.HEARTBEAT, BODY), "DOMAIN\\agent", NOW)]
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    assert "Content-Encoding" not in response.headers
    assert body == {
        "HeartbeatInterval": 1.0,
        "SessionValid": True,
        "Result": {"Status": 1, "Error": {"Code": 0, "HResult": None, "CodeString": None, "Message": None}},
    }


@pytest.mark.parametrize(
    "path",
    [
        "/keyfactoragents/session/heartbeat",
        "/KEYFACTORAGENTS/SESSION/HEARTBEAT/",
        "/KeyfactorAgents//Session/Heartbeat",
    ],
)
async def test_paths_match_in_any_case_and_with_slashes_to_spare(path):
    core = heartbeat_core()

    async with serving(core) as client:
        response = await client.post(path, json=HEARTBEAT, headers=AGENT)

    assert response.status == 200
    assert [request.endpoint for request, _, _ in core.asked] == [agent.HEARTBEAT]


async def test_a_server_given_endpoint_reaches_the_core_as_it_was_given_below_the_base():
    core = heartbeat_core(reply=AgentReply(200, agent.Configuration(7, result=agent.OK)))

    async with serving(core) as client:
        await client.post("/KeyfactorAgents/PemMgmt/Configure", json={"SessionToken": "t", "JobId": "j"}, headers=AGENT)

    assert [request for request, _, _ in core.asked] == [
        AgentRequest("/PemMgmt/Configure", agent.Configure(session_token="t", job_id="j"))
    ]


async def test_another_base_can_be_served_beside():
    core = heartbeat_core()

    async with serving(
        core, replace(DEFAULT_SETTINGS, agents_bases=("/KeyfactorAgents", "/Keyfactor/Agents/"))
    ) as client:
        response = await client.post("/keyfactor/agents/Session/Heartbeat", json=HEARTBEAT, headers=AGENT)

    assert response.status == 200


async def test_the_operators_account_may_act_as_an_agent():
    async with serving(heartbeat_core()) as client:
        response = await client.post("/KeyfactorAgents/Session/Heartbeat", json=HEARTBEAT, headers=OPERATOR)

    assert response.status == 200


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", "Session/Heartbeat"),
        (b"null", "Session/Heartbeat"),
        (b"{", "Session/Heartbeat"),
        (b"[]", "Session/Register"),
        (b"\xff\xfe\x00", "Session/Register"),
        (b'{"SessionToken": 5, "JobId": []}', "X/Configure"),
        (b"[" * 100_000, "X/Complete"),
        (json.dumps(HEARTBEAT).encode(), "Session/Nonsense"),
    ],
)
async def test_what_cannot_be_read_is_answered_400_with_an_empty_body(data, path):
    core = heartbeat_core()

    async with serving(core) as client:
        response = await client.post(f"/KeyfactorAgents/{path}", data=data, headers=AGENT)
        body = await response.read()

    assert (response.status, body, core.asked) == (400, b"", [])


@pytest.mark.parametrize("headers", [{}, basic("DOMAIN\\agent", "wrong"), {"Authorization": "Bearer x"}])
async def test_without_the_right_password_401_and_an_empty_body(headers):
    core = heartbeat_core()

    async with serving(core) as client:
        response = await client.post("/KeyfactorAgents/Session/Heartbeat", json=HEARTBEAT, headers=headers)
        body = await response.read()

    assert (response.status, body, core.asked) == (401, b"", [])


async def test_other_methods_are_refused_with_an_empty_body():
    async with serving(heartbeat_core()) as client:
        response = await client.get("/KeyfactorAgents/Session/Heartbeat", headers=AGENT)
        body = await response.read()

    assert (response.status, body, response.headers["Allow"]) == (405, b"", "POST")


async def test_a_reply_that_is_not_a_success_goes_without_its_body():
    core = heartbeat_core(reply=AgentReply(500, REPLY.body))

    async with serving(core) as client:
        response = await client.post("/KeyfactorAgents/Session/Heartbeat", json=HEARTBEAT, headers=AGENT)
        body = await response.read()

    assert (response.status, body) == (500, b"")


async def test_a_bug_is_an_empty_500_and_a_logged_traceback_and_the_server_goes_on(caplog):
    core = heartbeat_core(reply=ZeroDivisionError("internals"))

    async with serving(core) as client:
        response = await client.post("/KeyfactorAgents/Session/Heartbeat", json=HEARTBEAT, headers=AGENT)
        body = await response.read()
        core.reply = REPLY
        next_response = await client.post("/KeyfactorAgents/Session/Heartbeat", json=HEARTBEAT, headers=AGENT)

    assert (response.status, body, next_response.status) == (500, b"", 200)
    assert "ZeroDivisionError: internals" in caplog.text


async def test_a_body_of_12_mib_is_taken_even_if_it_waits_for_100_continue():
    core = heartbeat_core(reply=AgentReply(200, agent.Acknowledged(agent.OK)))
    item = {"Alias": "a" * 40, "Certificates": ["A" * (12 * 1024 * 1024)]}
    update = {"SessionToken": "t", "JobId": "j", "Inventory": [item]}

    async with serving(core) as client:
        response = await client.post("/KeyfactorAgents/PemInv/Update", json=update, headers=AGENT, expect100=True)

    assert response.status == 200
    [(request, _, _)] = core.asked
    assert len(request.body.inventory[0].certificates[0]) == 12 * 1024 * 1024


async def test_a_body_over_the_limit_is_413_whether_announced_or_not():
    core = heartbeat_core()
    too_much = 17 * 1024 * 1024

    async def chunks():
        for _ in range(17):
            yield b"x" * (1024 * 1024)

    async with serving(core) as client:
        url = "/KeyfactorAgents/PemInv/Update"
        announced = await client.post(url, data=b"x" * too_much, headers=AGENT)
        chunked = await client.post(url, data=chunks(), headers=AGENT)
        packed = await client.post(
            url, data=gzip.compress(b" " * too_much), headers=AGENT | {"Content-Encoding": "gzip"}
        )
        bodies = [await response.read() for response in (announced, chunked, packed)]

    assert [response.status for response in (announced, chunked, packed)] == [413, 413, 413]
    assert (bodies, core.asked) == ([b"", b"", b""], [])


async def test_an_answer_about_a_change_waits_for_the_commit_and_many_share_one():
    core = taking_core()

    async with serving(core) as client:
        # The first one makes the password known, so that the others come together.
        await client.post(CONFIGURE, json=TAKES, headers=AGENT)
        before = core.store.commits
        responses = await asyncio.gather(*(client.post(CONFIGURE, json=TAKES, headers=AGENT) for _ in range(40)))
        commits, dirty = core.store.commits - before, core.store.dirty

    assert {response.status for response in responses} == {200}
    assert 1 <= commits < 40
    assert not dirty


async def test_a_commit_that_fails_is_an_empty_503():
    core = taking_core()
    core.store.failure = OSError("disk full")

    async with serving(core) as client:
        response = await client.post(CONFIGURE, json=TAKES, headers=AGENT)
        body = await response.read()

    assert (response.status, body) == (503, b"")
