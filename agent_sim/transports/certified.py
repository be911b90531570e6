"""Agents that sign in with a certificate of their own: enrolled as they register, or given from files.

    Register + CSR ── certificate ── from now on with it: Register ("registration-enroll-stores") ── session

The first Register carries a request for a certificate and the account's password, if there is one; every request after
it only the certificate. When the server asks for a new one (A0100007, A0100008), Register is sent once more with a
request. The agent itself notices none of it: it sees the last answer (agent-protocol 2.4, 2.5).
"""

import base64
import ssl
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent_sim.errors import TransportError, UsageError
from agent_sim.protocol.agent import AgentReply, AgentRequest, Register, SessionReply
from agent_sim.transports.aiohttp_pool import HttpSession
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import HttpAgents, SignIn, trust

RENEWAL: Final = frozenset({"A0100007", "A0100008"})
"""Codes that ask for a new certificate; which means what is unknown (agent-protocol 2.4)."""

_STORES_TOO: Final = {"RegistrationRequest": "registration-enroll-stores"}


class CertifiedAgent:
    """One agent's way to the server (AgentTransport); close it at the end.

    `account` is what it signs in with until it has a certificate. With `given`, a context that holds a certificate
    from files, there is nothing to enrol.
    """

    def __init__(
        self,
        target: Target,
        account: SignIn,
        connections: Connections,
        machine: str,
        given: ssl.SSLContext | None = None,
    ) -> None:
        self._target, self._account, self._connections, self._machine = target, account, connections, machine
        self._is_given = given is not None
        self._key = None if self._is_given else ec.generate_private_key(ec.SECP256R1())
        self._session = HttpSession(target, None if self._is_given else account, connections, given)
        self._session.open()
        self._is_certified = self._is_given

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    async def send(self, request: AgentRequest) -> AgentReply:
        """POST one request; a Register may need a second one. Raises TransportError."""
        if not isinstance(request.body, Register) or self._is_given:
            return await self._post(request)
        if not self._is_certified:
            return await self._enrol(request, request.body)
        reply = await self._post(request)
        body = reply.body
        if isinstance(body, SessionReply) and body.result.is_refusal and body.result.code in RENEWAL:
            reply = await self._post(replace(request, body=replace(request.body, csr=self._csr())))
            await self._take_certificate(reply)
        return reply

    async def _enrol(self, request: AgentRequest, body: Register) -> AgentReply:
        reply = await self._post(replace(request, body=replace(body, csr=self._csr())))
        if not await self._take_certificate(reply):
            return reply  # it waits for approval, or is refused: the agent asks again
        assert isinstance(reply.body, SessionReply)
        assert reply.body.session is not None
        agent_id = reply.body.session.agent_id or body.agent_id
        return await self._post(replace(request, body=replace(body, agent_id=agent_id, client_parameters=_STORES_TOO)))

    async def _take_certificate(self, reply: AgentReply) -> bool:
        """Sign in with the certificate in an answer from now on; false if there is none."""
        session = reply.body.session if isinstance(reply.body, SessionReply) else None
        if session is None or not session.certificate:
            return False
        assert self._key is not None
        context = _context(self._target, _pem(session.certificate), self._key)
        old, self._session = self._session, HttpSession(self._target, None, self._connections, context)
        self._session.open()
        self._is_certified = True
        await old.close()
        return True

    async def _post(self, request: AgentRequest) -> AgentReply:
        return await HttpAgents(self._session, self._target).send(request)

    def _csr(self) -> str:
        """Base64 DER without armour, the subject alone (agent-protocol 2.1). The key stays the same (our choice)."""
        assert self._key is not None
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._machine[:64])])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._key, hashes.SHA256())
        return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode("ascii")


def from_files(target: Target, certificate: Path, key: Path | None) -> ssl.SSLContext:
    """What TLS presents and trusts, with a certificate (PEM, its key in it or beside it). Raises UsageError."""
    context = _trusting(target)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--client-cert {certificate}: no certificate with its key can be read ({error})") from error
    return context


def _context(target: Target, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = _trusting(target)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # OpenSSL reads files only: this one is there for as long as that takes, for its owner alone.
    with tempfile.NamedTemporaryFile(prefix="agent-sim-", suffix=".pem") as file:
        file.write(certificate + secret)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _trusting(target: Target) -> ssl.SSLContext:
    found = trust(target)
    return found if isinstance(found, ssl.SSLContext) else ssl.create_default_context()


def _pem(naked: str) -> bytes:
    """A certificate as the wire has it, base64 DER without armour, as PEM. Raises TransportError."""
    try:
        der = base64.b64decode("".join(naked.split()), validate=True)
        return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
    except ValueError as error:
        raise TransportError(f"the target answered with a certificate that is none ({error})") from error
