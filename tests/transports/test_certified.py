"""Agents that sign in by certificate: enrolled as they register, renewed when told, or given one from files."""

import asyncio
import base64
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent_sim.credentials import Credentials
from agent_sim.errors import ConnectFailed, TransportError, UsageError
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    OK,
    REGISTER,
    AgentReply,
    AgentRequest,
    Heartbeat,
    HeartbeatReply,
    Register,
    Session,
    SessionReply,
    refusal,
)
from agent_sim.protocol.codec import agent_body
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.certified import CertifiedAgent, from_files
from tests.transports.certificates import self_signed
from tests.transports.peers import answering, listening, response

TARGET = Target.at("https://127.0.0.1:9")
REGISTERING = AgentRequest(REGISTER, Register(5, 1, NO_TENANT, "agentsim-lab-00000", None, "", ("Custom.FetchLogs",)))
BEAT = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", "token-1"))
BEATEN = HeartbeatReply(1, True, OK)
LOGIN = Credentials("agent", "s3cret")
PENDING = AgentReply(200, SessionReply(None, refusal("A0100004", "not approved")))
RENEW = AgentReply(200, SessionReply(None, refusal("A0100008", "a new certificate, please")))


def issued(csr: str) -> str:
    """A certificate for a CSR, as the wire has it."""
    request = x509.load_der_x509_csr(base64.b64decode(csr))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(request.subject)
        .public_key(request.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return base64.encodebytes(made.public_bytes(serialization.Encoding.DER)).decode()


def session(certificate: str | None = None) -> AgentReply:
    return AgentReply(200, SessionReply(Session("token-1", "id-1", certificate=certificate), OK))


class Scripted(CertifiedAgent):
    """One whose requests are answered from a list; a function is given the request's CSR."""

    def __init__(self, *answers):
        super().__init__(TARGET, LOGIN, Connections(), "agentsim-lab-00000")
        self.answers, self.sent = list(answers), []

    async def _post(self, request):
        self.sent.append(request)
        answer = self.answers.pop(0)
        return answer(request.body.csr) if callable(answer) else answer


def with_certificate(csr: str) -> AgentReply:
    return session(issued(csr))


async def told(*answers, times=1):
    agent = Scripted(*answers)
    try:
        replies = [await agent.send(REGISTERING) for _ in range(times)]
    finally:
        await agent.close()
    return agent, replies


async def test_a_first_registration_brings_a_certificate_and_registers_again_with_it():
    agent, [reply] = await told(with_certificate, session())

    assert reply == session()
    first, second = (request.body for request in agent.sent)
    csr = x509.load_der_x509_csr(base64.b64decode(first.csr))
    assert csr.is_signature_valid
    assert csr.subject.rfc4514_string() == "CN=agentsim-lab-00000"
    assert (first.agent_id, second.csr, second.agent_id) == ("", None, "id-1")
    assert second.client_parameters == {"RegistrationRequest": "registration-enroll-stores"}


async def test_who_waits_for_approval_asks_again_with_a_request():
    agent, replies = await told(PENDING, with_certificate, session(), times=2)

    assert replies == [PENDING, session()]
    assert [request.body.csr is not None for request in agent.sent] == [True, True, False]


async def test_later_registrations_need_no_request():
    agent, _ = await told(with_certificate, session(), session(), times=2)

    assert [request.body.csr is not None for request in agent.sent] == [True, False, False]


async def test_a_renewal_is_asked_for_once():
    agent, replies = await told(with_certificate, session(), RENEW, with_certificate, RENEW, RENEW, times=3)

    assert [request.body.csr is not None for request in agent.sent] == [True, False, False, True, False, True]
    assert replies[1].body.session.token == "token-1"
    assert replies[2] == RENEW  # told twice: the agent backs off


async def test_a_certificate_that_is_none_is_an_error_of_the_transport():
    with pytest.raises(TransportError, match="a certificate that is none"):
        await told(session("bm8gY2VydGlmaWNhdGU="))


# --- from files, over real sockets ------------------------------------------------------------


@pytest.mark.slow
async def test_a_certificate_from_files_is_shown_to_a_server_that_wants_one(tmp_path: Path):
    local = self_signed(tmp_path, "127.0.0.1")
    local.context.load_verify_locations(local.pem)
    local.context.verify_mode = ssl.CERT_REQUIRED
    async with listening(answering(response(agent_body(BEATEN))), local.context) as peer:
        target = replace(peer.target, ca=local.pem)
        given = from_files(target, local.pem, tmp_path / "server.key")
        agent = CertifiedAgent(target, None, Connections("per_agent"), "agentsim-lab-00000", given)
        nobody = CertifiedAgent(target, None, Connections("per_agent"), "agentsim-lab-00001")
        try:
            assert await agent.send(BEAT) == AgentReply(200, BEATEN)
            with pytest.raises(TransportError):
                await asyncio.wait_for(nobody.send(BEAT), 20)
        finally:
            await agent.close()
            await nobody.close()

    assert len(peer.received) == 1
    assert "authorization" not in {name.lower() for name, _ in peer.received[0].headers}


@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"])
def test_files_that_hold_no_certificate_are_told(text: str | None, tmp_path: Path):
    path = tmp_path / "agent.pem"
    if text is not None:
        path.write_text(text)

    with pytest.raises(UsageError, match="no certificate with its key can be read"):
        from_files(TARGET, path, None)


async def test_nobody_there_is_a_failed_connection():
    agent = CertifiedAgent(TARGET, LOGIN, Connections(), "agentsim-lab-00000")
    try:
        with pytest.raises(ConnectFailed):
            await agent.send(REGISTERING)
    finally:
        await agent.close()
