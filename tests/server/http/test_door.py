"""The door answers plain messages of agents itself, hands all others over whole, and nobody can tell the difference."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from agent_sim.credentials import Credentials
from agent_sim.protocol import agent
from agent_sim.protocol.agent import AgentReply
from agent_sim.server.auth import Accounts
from agent_sim.server.http import door as doors
from agent_sim.server.http.app import DESK, make_app
from agent_sim.settings import DEFAULT_SETTINGS
from tests.server.http.desks import ACCOUNTS, AGENT, NOW, OPERATOR, FakeCore, FakeStore, basic

pytestmark = pytest.mark.slow

BEAT = json.dumps({"AgentPlatform": 5, "TenantId": agent.NO_TENANT, "ClientMachine": "m", "SessionToken": "t"}).encode()
TAKE = json.dumps({"SessionToken": "t", "JobId": "j"}).encode()
HEARTBEAT, CONFIGURE = "/KeyfactorAgents/Session/Heartbeat", "/KeyfactorAgents/Custom/Configure"
REPLY = AgentReply(200, agent.HeartbeatReply(1, True, agent.OK))


class Opened:
    """A server with a door, connections to it, and how many of them went on to aiohttp."""

    def __init__(self, core: FakeCore, port: int, handed_over: list[object]) -> None:
        self.core, self.port, self.handed_over = core, port, handed_over
        self.next_handing_over = asyncio.Event()

    async def talk(self, *parts: bytes, answers: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
        """Send on one connection, and read so many answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.005)
        found = [await asyncio.wait_for(_answer(reader), 30) for _ in range(answers)]
        writer.close()
        return found


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split(" ")[1]), headers, body


@asynccontextmanager
async def door(core: FakeCore | None = None, accounts: Accounts = ACCOUNTS) -> AsyncIterator[Opened]:
    core = core or FakeCore(FakeStore(), REPLY)
    runner = web.AppRunner(make_app(core, core.store, accounts, DEFAULT_SETTINGS, lambda: NOW))
    await runner.setup()
    handed_over: list[object] = []
    made = runner.server

    def hand_over() -> object:
        handed_over.append(1)
        opened.next_handing_over.set()
        return made()

    class Counting:
        server = staticmethod(hand_over)

    if accounts is ACCOUNTS:  # whom everybody knows
        for headers in (AGENT, OPERATOR):
            accounts.verify(headers["Authorization"])
    async with doors.listening(Counting(), runner.app[DESK], 3.0, host="127.0.0.1", port=0) as server:
        opened = Opened(core, server.sockets[0].getsockname()[1], handed_over)
        yield opened
    await runner.cleanup()


def message(path: str = HEARTBEAT, body: bytes = BEAT, *more: str, method: str = "POST", who: dict = AGENT) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: {who['Authorization']}"] if who else []
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def test_plain_messages_never_reach_aiohttp():
    async with door() as opened:
        parts = [message(), message(who=OPERATOR), message(HEARTBEAT.lower()), message(CONFIGURE, TAKE)]
        answers = await opened.talk(*parts, answers=4)

    assert [status for status, _, _ in answers] == [200] * 4
    assert json.loads(answers[0][2])["SessionValid"] is True
    assert len(opened.core.asked) == 4
    assert opened.handed_over == []


async def test_a_body_that_cannot_be_read_goes_on_to_aiohttp_also_behind_a_head_that_is_known():
    broken = BEAT[:-1] + b"!"
    async with door() as opened:
        answers = await opened.talk(message(), message(), message(HEARTBEAT, broken), answers=3)

    assert [status for status, _, _ in answers] == [200, 200, 400]
    assert (len(opened.core.asked), len(opened.handed_over)) == (2, 1)


async def test_an_account_that_nobody_came_with_yet_is_verified_at_the_door():
    accounts = Accounts(Credentials("operator", "secret-1"), Credentials("DOMAIN\\agent", "secret-2"))
    async with door(accounts=accounts) as opened:
        answers = await asyncio.gather(*(opened.talk(message(), message(), answers=2) for _ in range(5)))

    assert [status for each in answers for status, _, _ in each] == [200] * 10
    assert opened.handed_over == []


async def test_a_message_may_come_byte_by_byte():
    async with door() as opened:
        whole = message()
        [(status, _, _)] = await opened.talk(*(whole[start : start + 40] for start in range(0, len(whole), 40)))

    assert (status, len(opened.core.asked), opened.handed_over) == (200, 1, [])


ODD = [
    message("/KeyfactorAPI/Status/Endpoints", b"", method="GET"),  # the other API
    message(who=basic("DOMAIN\\agent", "wrong")),  # a password that was not verified
    message(HEARTBEAT, b'{"a":'),  # what cannot be read is refused over there
    message(HEARTBEAT, BEAT, "X-ARR-ClientCert: x"),
    message(HEARTBEAT, BEAT, "Connection: close"),
    message(HEARTBEAT + "/"),
    message(HEARTBEAT + "?a=1"),
    message("/KeyfactorAgents//Session/Heartbeat"),
    message("/KeyfactorAgents/Nothing/Here"),
    message(method="PUT"),
    message(HEARTBEAT, BEAT + b" " * 70_000),
    b"GARBAGE\r\n\r\n",
    message(HEARTBEAT, BEAT, "Expect: 100-continue"),
    message(HEARTBEAT, b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BEAT), BEAT),
    message().replace(b"HTTP/1.1", b"HTTP/1.0"),
    message(HEARTBEAT, BEAT, f"Authorization: {OPERATOR['Authorization']}"),
]


@pytest.mark.parametrize("sent", ODD, ids=lambda sent: sent[:40].decode() + str(len(sent)))
async def test_what_is_not_plain_is_handed_over_and_answered_as_aiohttp_answers_it(sent, monkeypatch):
    async with door() as opened:
        [first, *_] = await opened.talk(sent)
    asked, handed_over = list(opened.core.asked), list(opened.handed_over)
    monkeypatch.setattr(doors.Door, "connection_made", _straight_on)
    async with door() as opened:
        [second, *_] = await opened.talk(sent)

    assert handed_over == [1]
    assert (first[0], first[2]) == (second[0], second[2])
    assert asked == opened.core.asked


def _straight_on(self: doors.Door, transport: asyncio.Transport) -> None:
    self._transport = transport
    self._hand_over()


async def test_a_connection_that_was_handed_over_stays_so_and_loses_nothing():
    async with door() as opened:
        parts = [message(), message(HEARTBEAT + "/") + message(), message(CONFIGURE, TAKE)]
        answers = await opened.talk(*parts, answers=4)

    assert [status for status, _, _ in answers] == [200] * 4
    assert (len(opened.core.asked), opened.handed_over) == (4, [1])


async def test_what_comes_while_an_answer_waits_for_its_commit_is_answered_next():
    core = FakeCore(FakeStore(), AgentReply(200, agent.Configuration(result=agent.OK)), changes=True)
    async with door(core) as opened:
        answers = await opened.talk(message(CONFIGURE, TAKE), message(CONFIGURE, TAKE), answers=2)

    assert [status for status, _, _ in answers] == [200, 200]
    assert len(core.asked) == 2
    assert not core.store.dirty


async def test_a_commit_that_fails_is_an_empty_503_and_a_bug_an_empty_500(caplog):
    core = FakeCore(FakeStore(failure=OSError("disk full")), REPLY, changes=True)
    async with door(core) as opened:
        [(unsaved, _, unsaid)] = await opened.talk(message(CONFIGURE, TAKE))
        core.reply, core.store.failure = RuntimeError("boom"), None
        [(status, _, body), (again, _, _)] = await opened.talk(message(), message(CONFIGURE, TAKE), answers=2)

    assert (unsaved, unsaid, status, body, again) == (503, b"", 500, b"", 500)
    assert "boom" in caplog.text


async def test_a_message_that_does_not_come_whole_is_left_to_aiohttp(monkeypatch):
    monkeypatch.setattr(doors, "WHOLE_SECONDS", 0.02)
    async with door() as opened:
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(message()[:100])
        await opened.next_handing_over.wait()
        writer.write(message()[100:])
        status, _, _ = await asyncio.wait_for(_answer(reader), 30)
        writer.close()

    assert (status, opened.handed_over) == (200, [1])


async def test_an_answer_is_what_aiohttp_would_have_sent(monkeypatch):
    async with door() as opened:
        [(status, headers, body)] = await opened.talk(message())
    monkeypatch.setattr(doors.Door, "connection_made", _straight_on)
    async with door() as opened:
        [(other_status, other_headers, other_body)] = await opened.talk(message())

    assert (status, body) == (other_status, other_body)
    assert other_headers.keys() - headers.keys() <= {"server"}
    assert headers["content-type"] == other_headers["content-type"]
