"""Answers that do not come, break off, are no HTTP or far too large; and what the errors do not say."""

import asyncio
import tracemalloc

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, ReplyTimeout, TransportError, UsageError
from agent_sim.instants import SECOND
from agent_sim.protocol.agent import AgentReply
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import HttpCommand, authorization
from tests.transports.calls import ANSWER, BEAT, BEATEN, HEAD, JSON, LOGIN, MODES, USUAL, call, send
from tests.transports.clients import agents_of, pool_of, session_of
from tests.transports.peers import HASTY, Wire, answering, free_port, listening, response

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("client")]

# --- answers that do not come -----------------------------------------------------------------


async def test_nobody_listening_is_a_failed_connection_with_the_reason():
    target = Target.at(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(
        ConnectFailed, match=r"no connection to http://127.0.0.1:\d+/KeyfactorAgents/.*Connect call failed"
    ):
        await send(target)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
async def test_a_host_that_is_no_name_is_a_failed_connection(host):
    with pytest.raises(ConnectFailed):
        await send(Target.at(f"http://{host}:1"))


async def hang(wire: Wire) -> None:
    await wire.request()
    await wire.reader.read()


async def hang_in_the_head(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER[:20])
    await wire.reader.read()


async def hang_in_the_body(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER[:-1])
    await wire.reader.read()


async def drip_for_ever(wire: Wire) -> None:
    await wire.request()
    await wire.say(HEAD, b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        await wire.say(b"1\r\n \r\n")
        await asyncio.sleep(0.02)


async def continue_for_ever(wire: Wire) -> None:
    await wire.request()
    while True:
        await wire.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("script", [hang, hang_in_the_head, hang_in_the_body, drip_for_ever, continue_for_ever])
async def test_a_server_that_keeps_us_waiting_is_given_up_at_the_request_timeout(script):
    loop = asyncio.get_running_loop()
    async with listening(script) as peer:
        started = loop.time()
        with pytest.raises(ReplyTimeout, match=r"no answer from http://.*: timed out"):
            await send(peer.target, HASTY)
        took = loop.time() - started

    assert 0.9 * HASTY.request_timeout / SECOND < took < 15  # a busy machine may take its time
    assert len(peer.received) == 1


async def close_unanswered(wire: Wire) -> None:
    await wire.request()


async def reset_unanswered(wire: Wire) -> None:
    await wire.request()
    wire.reset()


async def close_in_the_head(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER[:20])


async def close_in_the_body(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER[:-1])


async def reset_in_the_body(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER[:-1])
    await asyncio.sleep(0.05)
    wire.reset()


async def close_in_a_chunk(wire: Wire) -> None:
    await wire.request()
    await wire.say(HEAD, b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "script",
    [close_unanswered, reset_unanswered, close_in_the_head, close_in_the_body, reset_in_the_body, close_in_a_chunk],
)
async def test_an_answer_that_breaks_off_leaves_the_outcome_unknown_and_the_request_sent_once(script, mode):
    async with listening(script) as peer:
        with pytest.raises(ReplyTimeout):
            await send(peer.target, Connections(mode))
        with pytest.raises(ReplyTimeout):
            await call(peer.target, how=Connections(mode))

    assert [received.line.split()[0] for received in peer.received] == ["POST", "GET"]


async def half_close_unanswered(wire: Wire) -> None:
    await wire.request()
    wire.writer.write_eof()
    assert await wire.reader.read() == b""  # nothing more is said, and the other half is closed too


async def half_close_in_the_body(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER[:-1])
    wire.writer.write_eof()
    assert await wire.reader.read() == b""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("script", [half_close_unanswered, half_close_in_the_body])
async def test_a_server_that_will_say_no_more_is_not_waited_for_although_it_still_listens(script, mode):
    how = Connections(mode, request_timeout=600 * SECOND)
    async with listening(script) as peer, session_of(peer.target, LOGIN, how) as session, asyncio.timeout(60):
        with pytest.raises(ReplyTimeout):
            await agents_of(session, peer.target).send(BEAT)
        await peer.all_closed()

    assert len(peer.received) == 1


async def half_close_after_the_answer(wire: Wire) -> None:
    await wire.request()
    await wire.say(ANSWER)
    wire.writer.write_eof()
    assert await wire.reader.read() == b""


async def half_close_as_the_end_of_the_answer(wire: Wire) -> None:
    await wire.request()
    await wire.say(HEAD, b"\r\n", JSON)
    wire.writer.write_eof()
    assert await wire.reader.read() == b""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("script", [half_close_after_the_answer, half_close_as_the_end_of_the_answer])
async def test_a_connection_that_the_server_has_half_closed_after_its_answer_is_not_used_again(script, mode):
    async with listening(script) as peer, session_of(peer.target, LOGIN, Connections(mode)) as session:
        for sent in (1, 2):
            assert await agents_of(session, peer.target).send(BEAT) == AgentReply(200, BEATEN)
            await peer.all_closed()  # without another request, and while the session is open
            assert (peer.connections, len(peer.received)) == (sent, sent)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9 200 OK\r\n\r\n",
        b"\x00" * 64,
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 50_000 + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_leaves_the_outcome_unknown(answer):
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.say(answer)

    async with listening(script) as peer:
        with pytest.raises(ReplyTimeout) as unknown:
            await send(peer.target, HASTY)

    assert len(peer.received) == 1
    assert "\n" not in str(unknown.value)
    assert len(str(unknown.value)) < 400


# --- answers that are too large ---------------------------------------------------------------

MIB = 1024 * 1024


async def test_an_endless_answer_is_cut_off_at_32_mib_without_being_kept():
    said = 0

    async def script(wire: Wire) -> None:
        nonlocal said
        await wire.request()
        await wire.say(HEAD, b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            await wire.say(b"100000\r\n", b" " * MIB, b"\r\n")
            said += 1

    async with listening(script) as peer:
        tracemalloc.start()
        try:
            with pytest.raises(ReplyTimeout, match="larger than 32 MiB"):
                await send(peer.target)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await peer.all_closed()

    assert 32 <= said < 64  # the rest is what sockets hold
    assert most < 96 * MIB  # both sides together
    assert len(peer.received) == 1


async def test_an_answer_that_announces_too_much_is_not_read_at_all():
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.say(HEAD, b"Content-Length: %d\r\n\r\n" % (32 * MIB + 1))
        assert await wire.reader.read() == b""  # nothing sent again, and closed

    async with listening(script) as peer:
        with pytest.raises(ReplyTimeout, match="larger than 32 MiB"):
            await send(peer.target)
        await peer.all_closed()


async def test_an_answer_of_exactly_32_mib_is_read():
    body = b" " * (32 * MIB - len(JSON)) + JSON

    async with listening(answering(response(body))) as peer:
        assert await send(peer.target) == AgentReply(200, BEATEN)


# --- secrets ----------------------------------------------------------------------------------

SECRETS = [LOGIN.password, authorization(LOGIN), authorization(LOGIN).split()[1]]


def texts_of(error: BaseException | None) -> list[str]:
    """Everything an exception could show, its causes and contexts included."""
    if error is None:
        return []
    return [str(error), repr(error), repr(error.args), *texts_of(error.__cause__), *texts_of(error.__context__)]


async def echo_as_garbage(wire: Wire) -> None:
    received = await wire.request()
    assert received is not None
    await wire.say(b"HTTP/1.1 200 OK\r\nno colon ", str(received.header("Authorization")).encode(), b"\r\n\r\n")


@pytest.mark.parametrize(
    "script", [hang, close_unanswered, reset_unanswered, close_in_the_body, close_in_a_chunk, echo_as_garbage]
)
async def test_no_failure_shows_the_password(script):
    async with listening(script) as peer:
        for failing in (send(peer.target, HASTY), call(peer.target, how=HASTY)):
            with pytest.raises(TransportError) as failed:
                await failing
            shown = "\n".join(texts_of(failed.value))
            assert not [secret for secret in SECRETS if secret in shown]


async def test_no_refused_connection_shows_the_password():
    with pytest.raises(ConnectFailed) as failed:
        await send(Target.at(f"http://127.0.0.1:{free_port()}"))

    shown = "\n".join(texts_of(failed.value))
    assert not [secret for secret in SECRETS if secret in shown]


async def test_no_transport_shows_the_password():
    target = Target.at("http://127.0.0.1:1")
    async with pool_of(target, LOGIN, USUAL) as pool, session_of(target, LOGIN, USUAL) as session:
        shown = repr([pool, pool.agent(0), session, agents_of(session, target), HttpCommand(session, target)])

    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        (Credentials("a:b", "s3cret"), "the user name 'a:b' holds a colon, which Basic authentication cannot carry"),
        (Credentials("a", "s3cret\udcff"), "the user name 'a' or its password is not text that UTF-8 can carry"),
    ],
)
def test_a_login_that_cannot_be_sent_is_a_usage_error_that_does_not_show_the_password(login, problem):
    with pytest.raises(UsageError) as refused:
        session_of(Target.at("http://127.0.0.1:1"), login, USUAL)

    assert str(refused.value) == problem
    assert "s3cret" not in "\n".join(texts_of(refused.value))
