"""HTTPS, client certificates, and what is refused of both."""

import json
import os
import re
import ssl
import stat
import time
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent_sim.instants import SECOND
from tests.end_to_end.conftest import ACCOUNTS
from tests.end_to_end.secured import Secured
from tests.end_to_end.vendor_agent import VendorAgent
from tests.server.csrs import ec_key

pytestmark = pytest.mark.slow

NO_CONNECTION = r"(?i)alert|ssl|reset|eof|broken|closed"  # TLS 1.3 tells a client only when it reads


def self_signed(name, folder, days=1):
    """A certificate and its key in files."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=2)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret


def using(agent, pair):
    """The agent with another certificate and key."""
    certificate, secret = pair
    agent.certificate, agent.key = certificate.read_text(), secret.read_text()
    agent.enroll_on_startup = False
    return agent


REGISTER = {
    "AgentPlatform": 7,
    "AgentVersion": 0,
    "TenantId": "00000000-0000-0000-0000-000000000000",
    "ClientMachine": "cagent-1",
    "CSR": None,
    "AgentId": "",
    "Capabilities": [],
    "ClientParameters": {},
}


def registers(agent, name="cagent-1"):
    """Status and Result.Status of a registration."""
    status, body = agent.try_post("/Session/Register", json.dumps(REGISTER | {"ClientMachine": name}).encode())
    return status, json.loads(body)["Result"]["Status"] if body else None


# --- the server's own certificate -------------------------------------------------------------


def test_a_self_made_certificate_is_good_for_every_name_of_this_machine(start_server, tmp_path):
    server = Secured(start_server, tmp_path)

    assert re.fullmatch(r"agent-sim server ready at https://127\.0\.0\.1:\d+\n", server.process.ready_line)
    for name in ("localhost", "127.0.0.1"):
        server.url = re.sub(r"//[^:]+:", f"//{name}:", server.url)
        assert server.call("GET", "/healthz").json == {"status": "ok"}
    code, _, err = server.process.stop()
    assert (code, err) == (0, f"CA certificate: {server.ca_file}\n")


def test_who_does_not_know_the_authority_does_not_trust_the_server(start_server, tmp_path):
    server = Secured(start_server, tmp_path)
    other, _ = self_signed("other", tmp_path)

    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        server.call("GET", "/healthz", context=ssl.create_default_context(cafile=str(other)))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(start_server, tmp_path):
    server = Secured(start_server, tmp_path)
    context = ssl.create_default_context(cafile=str(server.ca_file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(OSError, match=r"(?i)protocol|alert|version"):
        server.call("GET", "/healthz", context=context)


def test_the_authority_survives_a_restart_and_lies_beside_the_database(start_server, tmp_path):
    db, ca = str(tmp_path / "a.db"), tmp_path / "a.db.ca.pem"
    first = start_server("--tls", "self", "--client-ca", "own", "--db", db)
    agent = VendorAgent(first.url.replace("127.0.0.1", "localhost"), "cagent-1", str(ca), *_agents())
    assert agent.session()
    pem = ca.read_text()
    first.stop()

    second = start_server("--tls", "self", "--client-ca", "own", "--db", db)
    agent.url, agent.username = second.url.replace("127.0.0.1", "localhost"), None

    assert agent.session()
    assert ca.read_text() == pem
    assert "PRIVATE" not in pem


def _agents():
    return ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"]


def test_without_a_database_file_the_authority_is_gone_with_the_server(start_server):
    process = start_server("--tls", "self")
    _, _, err = process.stop()

    [path] = re.findall("CA certificate: (.*)\n", err)
    assert not os.path.exists(path)


def test_a_certificate_and_a_key_that_are_given(start_server, tmp_path):
    certificate, key = self_signed("given", tmp_path)
    process = start_server("--tls-cert", str(certificate), "--tls-key", str(key))
    agent = VendorAgent(process.url.replace("127.0.0.1", "localhost"), "cagent-1", str(certificate), *_agents())

    assert process.url.startswith("https://")
    assert agent.session()


# --- client certificates ----------------------------------------------------------------------


def test_a_certificate_of_an_unknown_authority_gets_no_connection(start_server, tmp_path):
    server = Secured(start_server, tmp_path, "--client-ca", "own")
    stranger = using(server.agent(), self_signed("stranger", tmp_path))

    with pytest.raises(OSError, match=NO_CONNECTION):
        registers(stranger)
    assert registers(server.agent()) == (200, 1)  # optional: without one the password does
    assert server.process.stop()[2] == f"CA certificate: {server.ca_file}\n"  # no news of strangers


def test_an_expired_certificate_gets_no_connection(start_server, tmp_path):
    lifetime = {"certificate_lifetime": 6 * SECOND, "certificate_warning": 0, "certificate_error": 0}
    server = Secured(start_server, tmp_path, "--client-ca", "own", **lifetime)
    agent = server.agent()
    assert agent.session()
    time.sleep(7)

    with pytest.raises(OSError, match=NO_CONNECTION):
        registers(agent)


def test_required_means_every_caller(start_server, tmp_path):
    certificate, key = self_signed("factory", tmp_path)
    server = Secured(start_server, tmp_path, "--client-ca", str(certificate), "--client-auth", "required")

    with pytest.raises(OSError, match=NO_CONNECTION):
        server.call("GET", "/healthz")
    context = ssl.create_default_context(cafile=str(server.ca_file))
    context.load_cert_chain(certificate, key)
    assert server.call("GET", "/KeyfactorAPI/Agents", context=context).json == []
    assert registers(using(server.agent(), (certificate, key))) == (200, 1)  # password and certificate


def test_a_given_authoritys_certificate_alone_is_nobody_unless_bootstrap_certificates_are_accepted(
    start_server, tmp_path
):
    pair = self_signed("factory", tmp_path)
    for accepted, expected in ((False, (401, None)), (True, (200, 1))):
        server = Secured(start_server, tmp_path, "--client-ca", str(pair[0]), accept_bootstrap_certificates=accepted)
        assert registers(using(server.agent(username=None), pair)) == expected


def test_a_client_certificate_is_no_proof_on_the_management_api(start_server, tmp_path):
    server = Secured(start_server, tmp_path, "--client-ca", "own")
    agent = server.agent()
    agent.session()
    request = VendorAgent._connection(agent)
    request.request("GET", "/KeyfactorAPI/Agents")

    assert request.getresponse().status == 401
    request.close()


# --- a certificate in a header ----------------------------------------------------------------


def plain_agent(server, **more):
    username, password = _agents()
    return VendorAgent(server.url, "cagent-1", "", **{"username": username, "password": password, **more})


def with_header(agent, value):
    """The agent, sending this in the header whatever its own certificate is."""
    agent._headers = lambda data: [
        ("Content-Type", "application/json"),
        ("X-ARR-ClientCert", value),
        ("Content-Length", str(len(data))),
    ]
    return agent


@pytest.fixture
def behind_proxy(start_server, tmp_path):
    """A server that believes a proxy's header, and an agent's certificate (PEM)."""
    path = tmp_path / "settings.json"
    path.write_text('{"trust_certificate_header": true}')
    server = start_server("--settings", str(path))
    agent = plain_agent(server)
    assert agent.session()
    return server, agent.certificate


@pytest.mark.parametrize(
    "spell",
    [
        lambda pem: pem.replace("\n", ""),  # -a of the vendor's agent
        lambda pem: quote(pem),  # its third version, and proxies
        lambda pem: quote(pem.replace("\n", "")),
        lambda pem: "".join(pem.splitlines()[1:-1]),  # IIS
        lambda pem: quote(pem + pem),  # a chain: the first counts
    ],
    ids=["line breaks removed", "URL-encoded", "both", "bare", "chain"],
)
def test_a_header_that_is_trusted_proves_the_agent(behind_proxy, spell):
    server, pem = behind_proxy

    assert registers(with_header(plain_agent(server), spell(pem))) == (200, 1)


@pytest.mark.parametrize(
    "value", ["garbage!", "%2D%2Dx", "QUJD", "-----BEGIN CERTIFICATE----------END CERTIFICATE-----"]
)
def test_a_header_that_holds_no_certificate_of_ours_is_an_empty_401(behind_proxy, value):
    server, _ = behind_proxy

    assert with_header(plain_agent(server), value).try_post("/Session/Register", json.dumps(REGISTER).encode()) == (
        401,
        b"",
    )


def test_two_headers_prove_nothing(behind_proxy):
    server, pem = behind_proxy
    agent = with_header(plain_agent(server), pem.replace("\n", ""))
    once = agent._headers
    agent._headers = lambda data: [*once(data), ("X-ARR-ClientCert", pem.replace("\n", ""))]

    assert registers(agent) == (401, None)


def test_a_header_beside_a_password_is_the_account_and_the_certificate(behind_proxy):
    server, pem = behind_proxy
    agent = plain_agent(server, header_certificate=True, certificate=pem, enroll_on_startup=False)

    assert registers(agent) == (200, 1)
    assert registers(agent, "another") == (200, 1)  # renamed: the certificate tells who it is
    [record] = server.operator.get("/Agents").json
    assert record["ClientMachine"] == "another"
    assert record["LastThumbprintUsed"] == record["Thumbprint"]


def test_a_header_that_nobody_trusts_counts_for_nothing(start_server):
    server = start_server()
    agent = plain_agent(server)
    agent.session()
    pem = agent.certificate.replace("\n", "")

    assert registers(with_header(plain_agent(server), pem)) == (401, None)
    assert registers(plain_agent(server, header_certificate=True, certificate=pem)) == (200, 1)


# --- options that do not work -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tls-cert", "{cert}"), "--tls-cert and --tls-key belong together"),
        (("--tls-key", "{key}"), "--tls-cert and --tls-key belong together"),
        (("--tls", "self", "--tls-cert", "{cert}", "--tls-key", "{key}"), "--tls self makes a certificate"),
        (("--client-ca", "own"), "--client-ca needs TLS"),
        (("--tls", "self", "--client-auth", "required"), "--client-auth required needs --client-ca"),
        (("--tls-cert", "/nowhere", "--tls-key", "{key}"), "cannot read /nowhere: No such file"),
        (("--tls-cert", "{cert}", "--tls-key", "{other}"), "do not belong together"),
        (("--tls-cert", "{text}", "--tls-key", "{key}"), "are not PEM that can be used"),
        (("--tls-cert", "{cert}", "--tls-key", "{encrypted}"), "is encrypted: give one without a passphrase"),
        (("--tls", "self", "--client-ca", "/nowhere"), "cannot read /nowhere: No such file"),
        (("--tls", "self", "--client-ca", "{text}"), "holds no certificates in PEM"),
        (("--tls", "self", "--ca-file", "/nowhere/ca.pem"), "cannot write the CA certificate /nowhere/ca.pem"),
    ],
)
def test_options_that_cannot_work_are_one_line_that_names_the_mend(refused, tmp_path, options, words):
    certificate, key = self_signed("one", tmp_path)
    _, other = self_signed("two", tmp_path)
    text, encrypted = tmp_path / "text.pem", tmp_path / "encrypted.key"
    text.write_text("hello")
    encrypted.write_bytes(
        ec_key().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    places = {"cert": certificate, "key": key, "other": other, "text": text, "encrypted": encrypted}

    line = refused(*(option.format(**places) for option in options), **ACCOUNTS)

    assert line.startswith("error: ")
    assert words in line


def test_the_files_of_a_self_made_certificate_do_not_stay(start_server, tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    start_server("--tls", "self", "--ca-file", str(tmp_path / "ca.pem"), TMPDIR=str(folder))

    assert list(folder.iterdir()) == []
    assert b64decode("".join((tmp_path / "ca.pem").read_text().splitlines()[1:-1]))
    assert stat.S_ISREG(os.stat(tmp_path / "ca.pem").st_mode)
