"""Real certificates for simulated stores: made once, when first needed, and shared by all agents of a process.

EC P-256 with keys derived from draws and deterministic signatures (RFC 6979), so every process and every replay has
the same bytes. Also the keys and requests of re-enrolments: an agent that asks for RSA keys would need 40 ms for each
and other bytes every time, so it makes a key on P-256 whatever kind it is asked for (our choice). The keys guard
nothing: whoever has the scenario can make them again.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent_sim.draws import Key, key, sub

POOL: Final = 256
"""How many different ones there are; a larger store holds some more than once, under different aliases."""

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of that curve's group
_FROM, _UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)
_ROOT: Final = key("agent-sim", "shared certificates")
_SUBJECT: Final = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
}


@dataclass(frozen=True, slots=True)
class Shared:
    """DER in base64 without armour, as the wire wants it (agent-protocol 8.1.4), and SHA-1 as vendors name it."""

    contents: str
    thumbprint: str


def of_contents(contents: bytes) -> Shared:
    """A certificate by its DER."""
    thumbprint = hashlib.sha1(contents, usedforsecurity=False).hexdigest()
    return Shared(b64encode(contents).decode("ascii"), thumbprint)


@cache
def shared(number: int) -> Shared:
    """One of POOL self-signed certificates."""
    secret = _key(sub(_ROOT, number))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"agent-sim shared certificate {number}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(number + 1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .sign(secret, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return of_contents(made.public_bytes(serialization.Encoding.DER))


def request(parent: Key, subject: str) -> str:
    """A PKCS#10 request for a key of its own, DER in base64: `subject` as in `CN=web01,O=Test`."""
    made = x509.CertificateSigningRequestBuilder().subject_name(_name(subject))
    signed = made.sign(_key(parent), hashes.SHA256(), ecdsa_deterministic=True)
    return b64encode(signed.public_bytes(serialization.Encoding.DER)).decode("ascii")


def _key(parent: Key) -> ec.EllipticCurvePrivateKey:
    wide = sub(parent, "high") + sub(parent, "low")
    return ec.derive_private_key(int.from_bytes(wide, "big") % (_ORDER - 1) + 1, _CURVE)


def _name(subject: str) -> x509.Name:
    """What of a subject can be read; the server has the last word on it anyway."""
    attributes = []
    for part in subject.split(","):
        word, equals, value = part.strip().partition("=")
        identifier = _SUBJECT.get(word.strip().upper())
        if equals and identifier is not None and value.strip():
            attributes.append(x509.NameAttribute(identifier, value.strip()[:64]))
    return x509.Name(attributes)
