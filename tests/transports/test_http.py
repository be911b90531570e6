"""The wire of HTTP itself: what goes out to the byte, and every answer that is one."""

import asyncio
import base64

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import TransportError
from agent_sim.protocol import command
from agent_sim.protocol.agent import AgentReply, AgentRequest, Configure
from agent_sim.protocol.codec import agent_body
from agent_sim.protocol.command import ApiError, CommandReply
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import authorization
from tests.transports.calls import ANSWER, BEAT, BEATEN, HEAD, JSON, LOGIN, MODES, USUAL, call, send
from tests.transports.clients import pool_of
from tests.transports.peers import Received, Wire, answering, listening, response

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("client")]


# --- what goes out ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
async def test_an_agents_request_has_the_vendors_headers_and_no_others(mode):
    async with listening(answering(ANSWER)) as peer:
        await send(peer.target, Connections(mode))

    body = agent_body(BEAT.body)
    assert peer.received == [
        Received(
            "POST /KeyfactorAgents/Session/Heartbeat HTTP/1.1",
            (
                ("Host", f"127.0.0.1:{peer.port}"),
                ("Authorization", "Basic " + base64.b64encode("DOMAIN\\agent:grüße: 日本".encode()).decode()),
                ("Content-Type", "application/json"),
                ("Accept", "application/json"),
                ("Content-Length", str(len(body))),
            ),
            body,
        )
    ]


async def test_without_a_login_there_is_no_authorization():
    async with listening(answering(ANSWER)) as peer:
        await send(peer.target, login=None)

    [received] = peer.received
    assert [name for name, _ in received.headers] == ["Host", "Content-Type", "Accept", "Content-Length"]


async def test_the_password_goes_along_unasked_and_a_challenge_changes_nothing():
    async with listening(answering(response(b"", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'))) as peer:
        assert await send(peer.target) == AgentReply(401, None)

    assert [received.header("Authorization") for received in peer.received] == [authorization(LOGIN)]


async def test_the_managements_requests_carry_its_headers_and_parameters():
    operation = command.ListAgents(command.Page('Status -eq 2 AND Capabilities -contains "LOGS"', limit=7))

    async with listening(answering(response(b"[]"))) as peer:
        assert await call(peer.target, operation) == CommandReply(200, ())

    [received] = peer.received
    assert received.line == (
        "GET /KeyfactorAPI/Agents?pq.pageReturned=1&pq.returnLimit=7"
        "&pq.queryString=Status+-eq+2+AND+Capabilities+-contains+%22LOGS%22 HTTP/1.1"
    )
    assert dict(received.headers) == {
        "Host": f"127.0.0.1:{peer.port}",
        "Authorization": authorization(LOGIN),
        "Content-Type": "application/json",
        "Accept": "application/json",
        "x-keyfactor-requested-with": "APIClient",
        "x-keyfactor-api-version": "1",
    }


async def test_transitions_are_asked_for_beside_the_apis_base():
    async with listening(answering(response(b'{"LastSeq": 3, "Transitions": []}'))) as peer:
        assert await call(peer.target, command.ListTransitions(2)) == CommandReply(200, command.Transitions(3, ()))

    assert [received.path for received in peer.received] == ["/sim/transitions?after=2&limit=5000"]


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("KeyfactorAgents/X/Configure", "/KeyfactorAgents/X/Configure"),
        ("/X/Configure", "/KeyfactorAgents/X/Configure"),
        ("http://h/KeyfactorAgents/X", "/KeyfactorAgents/http://h/X"),  # as the vendor's agent (agent-protocol 1)
        ("/X/7?part=1", "/KeyfactorAgents/X/7?part=1"),
        ("/X Y/ü", "/KeyfactorAgents/X%20Y/%C3%BC"),
        ("/X%2FY", "/KeyfactorAgents/X%2FY"),
    ],
)
async def test_an_endpoint_that_the_server_gave_is_asked_for_under_the_base(endpoint, path):
    async with listening(answering(response(b"{}"))) as peer:
        await send(peer.target, request=AgentRequest(endpoint, Configure("token-1", "job-1")))

    assert [received.path for received in peer.received] == [path]


@pytest.mark.parametrize(
    "endpoint",
    ["", "/", "//", "/../..", "#", "?", "/%zz", "/\r\nX-Evil: 1\r\n\r\n", "/\x00", "/\ud800", "//evil@h/", "@"],
)
async def test_an_endpoint_out_of_order_ends_in_an_answer_or_a_transport_error_and_adds_no_header(endpoint):
    async with listening(answering(response(b"{}"))) as peer:
        try:
            await send(peer.target, request=AgentRequest(endpoint, Configure("token-1", "job-1")), login=None)
        except TransportError:
            assert peer.received == []
        else:
            [received] = peer.received
            assert [name for name, _ in received.headers] == ["Host", "Content-Type", "Accept", "Content-Length"]
            assert received.header("Host") == f"127.0.0.1:{peer.port}"


async def test_what_a_server_sets_as_a_cookie_is_not_sent_back():
    async with listening(answering(response(b"", "200 OK", "Set-Cookie: a=b"))) as peer:
        named = Target.at(f"http://localhost:{peer.port}")  # no cookie jar takes one from a bare address
        async with pool_of(named, LOGIN, USUAL) as pool:
            for _ in range(2):
                await pool.agent(0).send(BEAT)

    assert [received.header("Cookie") for received in peer.received] == [None, None]


# --- answers that can be read -----------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HEAD + b"Content-Length: %d\r\n\r\n" % len(JSON) + JSON, id="Content-Length"),
        pytest.param(
            HEAD
            + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"
            + JSON[:5]
            + b"\r\n%x;note=1\r\n" % len(JSON[5:])
            + JSON[5:]
            + b"\r\n0\r\nTrailer: x\r\n\r\n",
            id="chunked, with an extension and a trailer",
        ),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER, id="100 Continue"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ANSWER, id="103 Early Hints"),
        pytest.param(response(JSON, "200 OK", "Connection: close"), id="Connection: close"),
        pytest.param(response(JSON, "201 Created"), id="another 2xx"),
        pytest.param(response(JSON).replace(b"application/json", b"text/html"), id="another type"),
        pytest.param(response(JSON).replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200"), id="no reason phrase"),
        pytest.param(response(JSON).replace(b"Content-Length", b"content-LENGTH"), id="another case"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
async def test_every_decent_answer_is_read(answer, mode):
    async with listening(answering(answer)) as peer:
        assert (await send(peer.target, Connections(mode))).body == BEATEN


async def test_an_answer_without_a_length_ends_with_its_connection():
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.say(HEAD, b"\r\n", JSON)

    async with listening(script) as peer:
        assert await send(peer.target) == AgentReply(200, BEATEN)


async def test_an_answer_in_single_bytes_is_read():
    async def script(wire: Wire) -> None:
        await wire.request()
        for byte in ANSWER:
            await wire.say(bytes([byte]))
            await asyncio.sleep(0)

    async with listening(script) as peer:
        assert await send(peer.target) == AgentReply(200, BEATEN)


@pytest.mark.parametrize("body", [b"", b"null", b"{", b"[]", b'"x"', b"\xff\xfe", b"<html>", b"{}" * 2, b"[" * 100_000])
async def test_an_unreadable_body_counts_as_none(body):
    async with listening(answering(response(body))) as peer:
        assert await send(peer.target) == AgentReply(200, None)


async def test_an_answer_compressed_unasked_counts_as_unreadable():
    async with listening(answering(response(b"\x1f\x8b" + b"x" * 50, "200 OK", "Content-Encoding: gzip"))) as peer:
        assert await send(peer.target) == AgentReply(200, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(status):
    async with listening(answering(response(b"", f"{status} Elsewhere", "Location: /elsewhere"))) as peer:
        assert await send(peer.target) == AgentReply(status, None)
        assert await call(peer.target) == CommandReply(status)

    assert [received.path for received in peer.received] == [
        "/KeyfactorAgents/Session/Heartbeat",
        "/KeyfactorAPI/Status/Endpoints",
    ]


async def test_an_answer_of_the_management_api_that_cannot_be_read_counts_as_a_bad_gateway():
    async with listening(answering(response(b"<html>"))) as peer:
        reply = await call(peer.target)

    assert reply.status == 502
    assert isinstance(reply.body, ApiError)
    assert reply.body.message.startswith("the answer cannot be read: ")


@pytest.mark.parametrize(
    ("told", "total"), [("7", 7), (" 7 ", 7), ("", None), ("-1", None), ("many", None), ("9" * 5000, None)]
)
async def test_a_total_is_read_if_it_is_one(told, total):
    async with listening(answering(response(b"[]", "200 OK", f"X-Total-Count: {told}"))) as peer:
        assert await call(peer.target) == CommandReply(200, (), total)


# --- logins -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "header"),
    [
        (Credentials("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 2
        (Credentials("test", "123£"), "Basic dGVzdDoxMjPCow=="),  # RFC 7617 2.1: UTF-8
        (Credentials("DOMAIN\\user", ""), "Basic RE9NQUlOXHVzZXI6"),
        (Credentials("a", "b:c"), "Basic YTpiOmM="),
    ],
)
def test_basic_authentication_is_utf_8(login, header):
    assert authorization(login) == header
