"""Keys and certificate requests as agents make them: base64 DER without armour."""

from base64 import b64decode, b64encode
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

# Observed from the vendor's agent (agent-protocol 2.1); its signature is a real one.
OBSERVED = (
    "MIHXMH4CAQAwHDEaMBgGA1UEAwwRY2FnZW50LVFfcGVuZF9lcnIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASgVBmjyhOQIQVOU++7g+WrZJ3C"
    "P6jf3EQeHIxegIrveD829Sfa0cAa3YCk8pQYu62zYCDU3DQqF4ILv6i96lfmoAAwCgYIKoZIzj0EAwIDSQAwRgIhAIp+CQp8qgFpMtb4QcTM0zm5"
    "UOoz0tEnNMvHp6jEs1dtAiEApYoTj/BQDBALmE3fytmzT392pt0cZCwSXlsupCLd8pU="
)


@cache
def rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(curve=ec.SECP256R1):
    return ec.generate_private_key(curve())


@cache
def ed25519_key():
    return ed25519.Ed25519PrivateKey.generate()


def csr(key=None, name="m1"):
    """A request for `key`; an empty name for one without a subject."""
    key = key or ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    signed_by = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder(subject).sign(key, signed_by)
    return b64encode(request.public_bytes(Encoding.DER)).decode()


def tampered(text):
    """The request with its last byte changed, which is one of the signature."""
    data = bytearray(b64decode(text))
    data[-1] ^= 1
    return b64encode(bytes(data)).decode()


def certificate(text):
    """What an answer holds."""
    return x509.load_der_x509_certificate(b64decode(text))
