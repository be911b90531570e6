"""TLS for the server: the context it listens with, and the client certificate that a request came with.

Whose certificate it is, the core decides (`server.identities`); here it was only proven: by the handshake, or by a
proxy whose header is believed (agent-protocol 1).
"""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from agent_sim.errors import UsageError
from agent_sim.server.ca import naked
from agent_sim.server.http.refusals import Reason, Refused
from agent_sim.server.problems import Problem

CERTIFICATE_HEADER: Final = "X-ARR-ClientCert"
"""PEM with its line breaks removed, or URL-encoded, or bare base64: agents and proxies differ (agent-protocol 1)."""

BAD_CERTIFICATE: Final = Reason(
    Problem.UNAUTHENTICATED, f"The header {CERTIFICATE_HEADER} must hold one certificate, as PEM or base64."
)
UNKNOWN_CERTIFICATE: Final = Reason(
    Problem.UNAUTHENTICATED, "The client certificate is none that an orchestrator goes by, or its time is over."
)
_END: Final = "-----END CERTIFICATE-----"


def client_certificate(request: web.Request, *, believe_header: bool) -> bytes | None:
    """The DER of the certificate that came along; a believed header before the handshake's. Raises Refused."""
    headers = request.headers.getall(CERTIFICATE_HEADER, []) if believe_header else []
    if len(headers) > 1:
        raise Refused(BAD_CERTIFICATE)  # one of them may be the client's own invention
    if headers and headers[0].strip():
        return read_header(headers[0])
    connection = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLObject) else None


def read_header(text: str) -> bytes:
    """The DER in a header; of a chain, the first. Raises Refused."""
    plain = unquote(text) if "%" in text else text
    first = plain.split(_END, 1)[0].strip()
    try:
        return naked(first.removeprefix('"'))
    except ValueError:
        raise Refused(BAD_CERTIFICATE) from None


def server_context(
    certificate: Path, key: Path, client_authorities: str | None = None, *, is_required: bool = False
) -> ssl.SSLContext:
    """What to listen with. `client_authorities` (PEM) is whose client certificates are asked for. Raises UsageError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(context, certificate, key)
    if client_authorities is not None:
        _load_clients(context, client_authorities)
        context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    return context


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        read_pem(path)

    def never() -> str:
        raise UsageError(f"the key {key} is encrypted: give one without a passphrase, readable by its owner only")

    try:
        context.load_cert_chain(certificate, key, never)
    except ssl.SSLError as error:
        why = "do not belong together" if "MISMATCH" in (error.reason or "") else "are not PEM that can be used"
        raise UsageError(f"the certificate {certificate} and the key {key} {why}: {error.reason}") from error


def _load_clients(context: ssl.SSLContext, pem: str) -> None:
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError("the file that --client-ca names holds no certificates in PEM") from error
    if not context.get_ca_certs():
        raise UsageError("the file that --client-ca names holds no certificate of an authority")


def read_pem(path: Path) -> str:
    """The text of a file. Raises UsageError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not PEM: it is not text") from error
