"""TLS over real sockets: verified unless a file says whom else to trust; what is refused was never sent."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, UsageError
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, OK, AgentReply, AgentRequest, Heartbeat, HeartbeatReply
from agent_sim.protocol.codec import agent_body
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import trust
from tests.transports.certificates import SelfSigned, self_signed
from tests.transports.clients import agents_of, pool_of, session_of
from tests.transports.peers import QUICK, answering, listening, response

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("client")]

BEAT = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", "token-1"))
BEATEN = HeartbeatReply(1, True, OK)
ANSWERING = answering(response(agent_body(BEATEN)))
USUAL = Connections()
LOGIN = Credentials("agent", "s3cret")


@pytest.fixture
def local(tmp_path: Path) -> SelfSigned:
    return self_signed(tmp_path, "127.0.0.1")


async def send(target: Target, how: Connections = USUAL) -> AgentReply:
    async with session_of(target, LOGIN, how) as session:
        return await agents_of(session, target).send(BEAT)


async def refusal_of(target: Target) -> str:
    with pytest.raises(ConnectFailed) as refused:
        await send(target)
    return str(refused.value)


async def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_reason(local):
    async with listening(ANSWERING, local.context) as peer:
        reason = await refusal_of(peer.target)

    assert reason.startswith(f"no connection to {peer.url}/KeyfactorAgents/Session/Heartbeat: ")
    assert "certificate verify failed: self-signed certificate" in reason
    assert peer.received == []


async def test_a_certificate_in_the_ca_file_is_trusted(local):
    async with listening(ANSWERING, local.context) as peer:
        assert await send(replace(peer.target, ca=local.pem)) == AgentReply(200, BEATEN)

    assert peer.connections == 1


async def test_another_ca_file_does_not_help(local, tmp_path):
    (tmp_path / "other").mkdir()
    other = self_signed(tmp_path / "other", "127.0.0.1")

    async with listening(ANSWERING, local.context) as peer:
        assert "certificate verify failed" in await refusal_of(replace(peer.target, ca=other.pem))

    assert peer.received == []


async def test_a_certificate_of_another_host_is_refused_even_if_trusted(tmp_path):
    elsewhere = self_signed(tmp_path, "command.example")

    async with listening(ANSWERING, elsewhere.context) as peer:
        assert "IP address mismatch" in await refusal_of(replace(peer.target, ca=elsewhere.pem))

    assert peer.received == []


async def test_an_expired_certificate_is_refused_even_if_trusted(tmp_path):
    old = self_signed(tmp_path, "127.0.0.1", days=-1)

    async with listening(ANSWERING, old.context) as peer:
        assert "certificate has expired" in await refusal_of(replace(peer.target, ca=old.pem))

    assert peer.received == []


async def test_a_server_that_speaks_no_tls_is_refused():
    async def script(wire):
        await wire.reader.read(1)
        await wire.say(response(b""))

    async with listening(script) as peer:
        assert "no connection to https://" in await refusal_of(Target.at(peer.url.replace("http:", "https:")))


async def test_a_handshake_that_never_ends_is_given_up_within_the_connect_timeout():
    async def script(wire):
        await wire.reader.read()

    async with listening(script) as peer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(ConnectFailed, match="timed out"):
            await send(Target.at(peer.url.replace("http:", "https:")), replace(USUAL, connect_timeout=300_000_000))

        assert 0.25 < loop.time() - started < 15
        assert peer.connections == 1


async def test_a_server_that_resets_the_handshake_was_never_told_anything(local):
    async def script(wire):
        wire.reset()

    async with listening(script) as peer:
        await refusal_of(Target.at(peer.url.replace("http:", "https:"), ca=local.pem))


@pytest.mark.parametrize(("mode", "connections"), [("shared", 1), ("per_agent", 3), ("per_request", 6)])
async def test_every_mode_speaks_tls_and_closes_its_connections(local, mode, connections):
    async with listening(ANSWERING, local.context) as peer:
        async with pool_of(replace(peer.target, ca=local.pem), LOGIN, Connections(mode)) as pool:
            for _ in range(2):
                for number in range(3):
                    assert await pool.agent(number).send(BEAT) == AgentReply(200, BEATEN)
        await peer.all_closed()

    assert peer.connections == connections


@pytest.mark.parametrize(
    "content", [b"", b"not PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_file_without_certificates_is_a_usage_error(tmp_path, content):
    path = tmp_path / "ca.pem"
    path.write_bytes(content)

    with pytest.raises(UsageError, match="not a file of PEM certificates that can be read") as refused:
        trust(Target.at("https://h", ca=path))

    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("make", [session_of, pool_of])
@pytest.mark.parametrize("name", ["missing.pem", "."])
def test_a_ca_file_that_is_none_is_a_usage_error(tmp_path, make, name):
    with pytest.raises(UsageError, match="not a file of PEM certificates that can be read"):
        make(Target.at("https://h", ca=tmp_path / name), None, QUICK)


def test_a_ca_file_adds_to_what_the_system_trusts(local):
    system = ssl.create_default_context()
    context = trust(Target.at("https://h", ca=local.pem))

    assert isinstance(context, ssl.SSLContext)
    assert len(context.get_ca_certs()) == len(system.get_ca_certs()) + 1
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_one_ca_file_is_read_once_for_all_agents_of_a_pool(local):
    async with (
        listening(ANSWERING, local.context) as peer,
        pool_of(replace(peer.target, ca=local.pem), LOGIN, Connections("per_agent")) as pool,
    ):
        local.pem.unlink()  # who reads it again fails
        for number in range(3):
            assert await pool.agent(number).send(BEAT) == AgentReply(200, BEATEN)
