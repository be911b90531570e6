"""A small certificate authority: reads requests (PKCS#10), signs certificates, and tells what a certificate is.

Pure but for the library: secrets, serial numbers and instants are passed in and signatures are deterministic
(RFC 6979), so that a replay makes the same bytes. Where the authority and what it issued are kept, and who may have
what, is `server.issuing`'s business. Certificates travel as base64 of DER without armour (agent-protocol 8.1.4).
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from agent_sim.instants import DAY, MINUTE, SECOND, Instant, Span, from_datetime, to_datetime

LARGEST_REQUEST: Final = 64 * 1024
"""Characters of base64; an RSA key of 16384 bits needs 6000."""

RSA_BITS: Final = range(2048, 8192 + 1)
CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
AUTHORITY_LIFETIME: Final[Span] = 7300 * DAY
SLACK: Final[Span] = 5 * MINUTE
"""How long before its making a certificate is valid, for clocks that are slow (our choice, as all above)."""

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of that curve's group
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_ARMOUR: Final = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")

CLIENT: Final = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER: Final = (ExtendedKeyUsageOID.SERVER_AUTH,)
BOTH: Final = (*SERVER, *CLIENT)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class BadRequest(Exception):
    """A request that no certificate can be made from; the sentence is for its sender."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose signature proves that its sender has the key."""

    subject: x509.Name
    key: PublicKey


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, and what of it the server's tables and rules need. `contents` is base64 DER, one line."""

    contents: str
    thumbprint: str
    serial_number: str
    subject: str
    not_before: Instant
    not_after: Instant

    @property
    def der(self) -> bytes:
        return b64decode(self.contents)


# --- reading ----------------------------------------------------------------------------------


def thumbprint(der: bytes) -> str:
    """SHA-1 in lower-case hex, as the vendor's agents name certificates."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def naked(text: str) -> bytes:
    """The DER in base64, with line breaks and armour or without. Raises ValueError."""
    bare = re.sub(r"\s+", "", _ARMOUR.sub("", text))
    if not bare or not _BASE64.fullmatch(bare):
        raise ValueError("not base64")
    return b64decode(bare, validate=True)


def read_certificate(der: bytes) -> Certificate:
    """Raises ValueError for what is no X.509 certificate."""
    try:
        return _described(x509.load_der_x509_certificate(der))
    except (ValueError, UnsupportedAlgorithm, TypeError, OverflowError) as error:
        raise ValueError("not a certificate that can be read") from error


def _described(certificate: x509.Certificate) -> Certificate:
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Certificate(
        b64encode(der).decode(),
        thumbprint(der),
        _hexadecimal(certificate.serial_number),
        certificate.subject.rfc4514_string(),
        from_datetime(certificate.not_valid_before_utc),
        from_datetime(certificate.not_valid_after_utc),
    )


def _hexadecimal(number: int) -> str:
    digits = f"{number:X}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def read_request(text: str) -> Request:
    """The request in base64 DER, line breaks and armour forgiven. Raises BadRequest."""
    if len(text) > LARGEST_REQUEST:
        raise BadRequest(f"the CSR is {len(text)} characters long, at most {LARGEST_REQUEST} are read")
    try:
        request = x509.load_der_x509_csr(naked(text))
        key, subject, proven = request.public_key(), request.subject, request.is_signature_valid
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm) as error:
        raise BadRequest("the CSR is not a PKCS#10 request in base64 that can be read") from error
    checked = _checked(key)
    if not proven:
        raise BadRequest("the CSR is not signed with the key it names")
    return Request(subject, checked)


def _checked(key: object) -> PublicKey:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in RSA_BITS:
            raise BadRequest(f"an RSA key must have {RSA_BITS[0]} to {RSA_BITS[-1]} bits, this has {key.key_size}")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in CURVES:
            raise BadRequest(f"the curve of an EC key must be one of {', '.join(CURVES)}, is {key.curve.name}")
        return key
    raise BadRequest("the key of the CSR must be RSA or EC")


# --- signing ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a certificate is to say besides its key. `hosts` are names and addresses of a server."""

    subject: x509.Name
    serial: int
    not_before: Instant
    not_after: Instant
    usages: Sequence[ObjectIdentifier]
    hosts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Authority:
    """A key and its self-signed certificate."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def make(cls, secret: bytes, serial: int, now: Instant, name: str = "agent-sim CA") -> "Authority":
        """A new authority; the same arguments make the same one. Whoever knows `secret` is the authority."""
        key = private_key(secret)
        subject = named(name)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        usage = _usage(digital_signature=True, key_cert_sign=True, crl_sign=True)
        builder = (
            x509.CertificateBuilder(subject, subject, key.public_key(), serial)
            .not_valid_before(_moment(now - SLACK))
            .not_valid_after(_moment(now + AUTHORITY_LIFETIME))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
        )
        return cls(key, builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True))

    @classmethod
    def load(cls, key: str, certificate: str) -> "Authority":
        """The authority that `key_text` and `described` told of."""
        loaded = serialization.load_der_private_key(b64decode(key), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not an EC key")
        return cls(loaded, x509.load_der_x509_certificate(b64decode(certificate)))

    @property
    def key_text(self) -> str:
        """The secret key, base64 of PKCS#8."""
        return b64encode(_pkcs8(self.key, serialization.Encoding.DER)).decode()

    @property
    def described(self) -> Certificate:
        return _described(self.certificate)

    @property
    def pem(self) -> str:
        """The certificate as a file that clients trust by."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, key: PublicKey, wanted: Wanted) -> Certificate:
        """A certificate for `key`, never valid for longer than the authority's own."""
        end = min(_moment(wanted.not_after), self.certificate.not_valid_after_utc)
        is_rsa = isinstance(key, rsa.RSAPublicKey)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        identifier = x509.SubjectKeyIdentifier.from_public_key(key)
        builder = (
            x509.CertificateBuilder(self.certificate.subject, wanted.subject, key, wanted.serial)
            .not_valid_before(_moment(wanted.not_before))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True, key_encipherment=is_rsa), critical=True)
            .add_extension(x509.ExtendedKeyUsage(wanted.usages), critical=False)
            .add_extension(identifier, critical=False)
            .add_extension(issuer, critical=False)
        )
        if wanted.hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_host, wanted.hosts))), critical=False)
        return _described(builder.sign(self.key, hashes.SHA256(), ecdsa_deterministic=True))


def private_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The P-256 key that a secret of 32 bytes or more stands for."""
    digest = hashlib.sha512(secret).digest()  # twice the order's length: no number is likelier than another
    return ec.derive_private_key(int.from_bytes(digest, "big") % (_ORDER - 1) + 1, _CURVE)


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The secret key as a file that servers load."""
    return _pkcs8(key, serialization.Encoding.PEM).decode()


def named(common_name: str) -> x509.Name:
    """The subject that is only a common name, cut to the 64 characters that X.520 allows."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64] or "agent-sim")])


def read_subject(text: str) -> x509.Name:
    """A name such as `CN=x,O=Test`; what is none becomes a common name."""
    try:
        return x509.Name.from_rfc4514_string(text) or named(text)
    except ValueError:
        return named(text)


def holds(certificate: Certificate, key: PublicKey) -> bool:
    """True if the certificate is for this key."""
    return x509.load_der_x509_certificate(certificate.der).public_key() == key


def certificate_pem(certificate: Certificate) -> str:
    """The certificate with its armour."""
    return x509.load_der_x509_certificate(certificate.der).public_bytes(serialization.Encoding.PEM).decode()


def _pkcs8(key: ec.EllipticCurvePrivateKey, encoding: serialization.Encoding) -> bytes:
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _moment(at: Instant) -> datetime:
    """Whole seconds, which is all that certificates know, up to the last one they can say."""
    last = from_datetime(_LATEST)
    return to_datetime(min(at, last) // SECOND * SECOND)


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
