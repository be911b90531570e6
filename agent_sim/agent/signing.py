"""The making of certificates, requests and their keys: all that `certificates` needs the library of cryptography for.

A module of its own because that library takes a process 8 MB: an agent whose jobs are about no certificates has none.
"""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent_sim.draws import Key, sub

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of that curve's group
_FROM, _UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)
_SUBJECT: Final = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
}


def self_signed(parent: Key, number: int) -> bytes:
    """A certificate of its own, DER."""
    secret = _key(parent)
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
    return made.public_bytes(serialization.Encoding.DER)


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
