"""The certificate authority: what it reads, what it refuses and what it signs."""

from base64 import b64decode, b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent_sim.instants import DAY, HOUR, MINUTE, SECOND, from_iso, to_datetime
from agent_sim.server.ca import (
    AUTHORITY_LIFETIME,
    CLIENT,
    SERVER,
    Authority,
    BadRequest,
    Wanted,
    certificate_pem,
    holds,
    key_pem,
    naked,
    named,
    private_key,
    read_certificate,
    read_request,
    read_subject,
)
from tests.server.csrs import OBSERVED, certificate, csr, ec_key, ed25519_key, rsa_key, tampered

NOW = from_iso("2026-03-04T05:06:07Z")
AUTHORITY = Authority.make(b"secret", 7, NOW)


def wanted(**changes):
    return Wanted(
        **{
            "subject": named("m1"),
            "serial": 11,
            "not_before": NOW,
            "not_after": NOW + DAY,
            "usages": CLIENT,
            **changes,
        }
    )


# --- requests ---------------------------------------------------------------------------------


def test_the_request_that_was_observed_from_the_vendors_agent_is_read():
    request = read_request(OBSERVED)

    assert request.subject.rfc4514_string() == "CN=cagent-Q_pend_err"
    assert request.key.curve.name == "secp256r1"


@pytest.mark.parametrize("key", [rsa_key(2048), rsa_key(3072), ec_key(), ec_key(ec.SECP384R1), ec_key(ec.SECP521R1)])
def test_rsa_from_2048_bits_and_the_three_curves_are_taken(key):
    assert read_request(csr(key)).key == key.public_key()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (csr(rsa_key(1024)), "2048 to 8192 bits, this has 1024"),
        (csr(ec_key(ec.SECP256K1)), "is secp256k1"),
        (csr(ed25519_key()), "must be RSA or EC"),
        (tampered(csr()), "not signed with the key it names"),
        (tampered(csr(rsa_key())), "not signed with the key it names"),
        ("", "not a PKCS#10 request"),
        ("garbage", "not a PKCS#10 request"),
        ("ü" * 8, "not a PKCS#10 request"),
        (b64encode(b"\x30\x03\x02\x01\x00").decode(), "not a PKCS#10 request"),
        (csr()[:-8], "not a PKCS#10 request"),
        (AUTHORITY.described.contents, "not a PKCS#10 request"),  # a certificate
        ("A" * 10_000_000, "10000000 characters long, at most 65536"),
    ],
)
def test_a_request_that_no_certificate_can_be_made_from(text, words):
    with pytest.raises(BadRequest) as caught:
        read_request(text)

    assert words in str(caught.value)


def test_line_breaks_and_armour_are_forgiven():
    bare = csr()
    armoured = f"-----BEGIN CERTIFICATE REQUEST-----\r\n{bare[:64]}\r\n{bare[64:]}\n-----END CERTIFICATE REQUEST-----\n"

    assert naked(armoured) == b64decode(bare)
    assert read_request(armoured).key == ec_key().public_key()


# --- the authority ----------------------------------------------------------------------------


def test_the_same_secret_makes_the_same_authority_and_the_same_certificates():
    again = Authority.make(b"secret", 7, NOW)

    assert again.pem == AUTHORITY.pem
    key = read_request(OBSERVED).key
    assert again.sign(key, wanted()) == AUTHORITY.sign(key, wanted())
    assert Authority.make(b"another", 7, NOW).pem != AUTHORITY.pem
    assert private_key(b"x").private_numbers() == private_key(b"x").private_numbers()


def test_an_authority_that_was_written_down_is_the_same():
    loaded = Authority.load(AUTHORITY.key_text, AUTHORITY.described.contents)

    assert loaded.pem == AUTHORITY.pem
    assert loaded.sign(ec_key().public_key(), wanted()) == AUTHORITY.sign(ec_key().public_key(), wanted())


def test_the_authority_signs_itself_and_may_sign_others():
    own = AUTHORITY.certificate

    own.verify_directly_issued_by(own)
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert own.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_the_secret_key_is_not_shown():
    number = AUTHORITY.key.private_numbers().private_value

    assert repr(AUTHORITY) == f"Authority(certificate={AUTHORITY.certificate!r})"
    assert str(number) not in repr(AUTHORITY)


@pytest.mark.parametrize("key", [rsa_key(), ec_key()])
def test_what_it_signs_says_what_was_wanted(key):
    issued = AUTHORITY.sign(key.public_key(), wanted())
    made = certificate(issued.contents)

    made.verify_directly_issued_by(AUTHORITY.certificate)
    assert made.public_key() == key.public_key()
    assert holds(issued, key.public_key())
    assert (made.subject.rfc4514_string(), made.serial_number) == ("CN=m1", 11)
    assert (issued.subject, issued.serial_number, issued.not_before, issued.not_after) == (
        "CN=m1",
        "0B",
        NOW,
        NOW + DAY,
    )
    usages = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert len(issued.thumbprint) == 40
    assert issued.contents.isascii()
    assert "\n" not in issued.contents


def test_a_server_gets_its_names_and_addresses():
    issued = AUTHORITY.sign(ec_key().public_key(), wanted(usages=SERVER, hosts=("localhost", "127.0.0.1", "::1")))

    names = certificate(issued.contents).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["127.0.0.1", "::1"]


def test_nothing_is_valid_for_longer_than_the_authority_itself():
    issued = AUTHORITY.sign(ec_key().public_key(), wanted(not_after=NOW + 2 * AUTHORITY_LIFETIME))

    assert issued.not_after == NOW + AUTHORITY_LIFETIME


def test_times_are_cut_to_whole_seconds_and_to_the_year_9999():
    late = AUTHORITY.sign(ec_key().public_key(), wanted(not_before=NOW + SECOND // 2, not_after=2**63 - 1))

    assert late.not_before == NOW
    assert late.not_after == NOW + AUTHORITY_LIFETIME
    assert to_datetime(late.not_before).microsecond == 0


def test_clocks_that_are_five_minutes_slow_find_the_authority_valid():
    assert AUTHORITY.described.not_before == NOW - 5 * MINUTE
    assert AUTHORITY.described.not_after == NOW + AUTHORITY_LIFETIME
    assert AUTHORITY_LIFETIME > 24 * HOUR


def test_files_for_others_are_pem():
    issued = AUTHORITY.sign(ec_key().public_key(), wanted())

    assert naked(certificate_pem(issued)) == issued.der
    assert key_pem(ec_key()).startswith("-----BEGIN PRIVATE KEY-----")
    assert AUTHORITY.pem.startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize("der", [b"", b"garbage", b"\x30\x80", b64decode(csr())])
def test_what_is_no_certificate_is_told(der):
    with pytest.raises(ValueError, match="not a certificate"):
        read_certificate(der)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("CN=x,O=Test", "CN=x,O=Test"),
        ("just a name", "CN=just a name"),
        ("x" * 100, "CN=" + "x" * 64),
        ("", "CN=agent-sim"),
    ],
)
def test_a_subject_is_a_distinguished_name_or_becomes_a_common_name(text, subject):
    assert read_subject(text).rfc4514_string() == subject
