"""Certificates and requests: real ones, the same bytes every time."""

import hashlib
import subprocess
import sys
from base64 import b64decode

from cryptography import x509

from agent_sim.agent.certificates import request, shared
from agent_sim.draws import key
from agent_sim.server.ca import read_request


def test_a_shared_certificate_is_a_real_one_and_goes_by_its_sha1():
    contents = b64decode(shared(3).contents)

    certificate = x509.load_der_x509_certificate(contents)
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.rfc4514_string() == "CN=agent-sim shared certificate 3"
    assert shared(3).thumbprint == hashlib.sha1(contents, usedforsecurity=False).hexdigest()


def test_certificates_are_made_once_and_differ():
    assert shared(3) is shared(3)
    assert len({shared(n).thumbprint for n in range(20)}) == 20


def test_another_process_makes_the_same_bytes():
    program = "from agent_sim.agent.certificates import shared; print(shared(7).thumbprint)"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert other.stdout.strip() == shared(7).thumbprint


def test_a_request_is_what_a_server_takes_and_the_same_every_time():
    asked = request(key("a"), "CN=web01, O=Test, X=unknown")

    read = read_request(asked)
    assert read.subject.rfc4514_string() == "O=Test,CN=web01"
    assert request(key("a"), "CN=web01, O=Test, X=unknown") == asked
    assert read_request(request(key("b"), "CN=web01")).key != read.key
