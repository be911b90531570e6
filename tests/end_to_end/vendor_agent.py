"""The vendor's C agent, as agent-protocol 1 to 5 describes it step by step, with nothing of agent-sim inside.

Single-shot: `run()` is one start of the program. Files are memory: PEM stores are lists of certificates, and what the
configuration file would keep (AgentId, EnrollOnStartup, certificate and key) are attributes.
"""

import base64
import hashlib
import http.client
import json
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

CAPABILITIES = [
    "CertStores.PEM.Inventory",
    "CertStores.PEM.Management",
    "CertStores.PEM.Reenrollment",
    "Custom.FetchLogs",
]
INVENTORY = "a809ce1f-1eea-4738-a38e-15708c89c981"
MANAGEMENT = "1d411b36-ae72-433f-9f3f-8593e836a1af"
REENROLLMENT = "aa015d10-cffc-41f7-a9a4-c9615f6f3bdf"
FETCH_LOGS = "0d8cf0c8-56ca-4b8a-b16a-c062018e170d"
RENEWAL = ("A0100007", "A0100008")
LARGE = 1024 * 1024


@dataclass
class Store:
    """A PEM file: certificates (DER) by the SHA-1 of each, and whose key is there too."""

    certificates: dict[str, bytes] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)


@dataclass
class VendorAgent:
    url: str
    name: str
    trust_store: str = ""  # the file that TrustStore names
    username: str | None = None
    password: str = field(default="", repr=False)
    enroll_on_startup: bool = True
    agent_id: str = ""
    certificate: str = ""  # PEM
    key: str = field(default="", repr=False)  # PEM
    stores: dict[str, Store] = field(default_factory=dict)
    log: str = "started\n"
    token: str = ""
    header_certificate: bool = False  # -a
    sent: list[str] = field(default_factory=list)  # the paths of all requests

    # --- one start ----------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Register and run every job once; returns the ids of the jobs that were run."""
        session = self.session()
        return [job["JobId"] for job in self._in_order(session["Jobs"] or []) if self._run_job(job)] if session else []

    def session(self) -> dict[str, Any] | None:
        """The session whose jobs are run; None if there is none."""
        enrolling = self.enroll_on_startup
        answer = self._register(self._csr() if enrolling else None)
        code = answer["Result"]["Error"]["CodeString"] or answer["Result"]["Error"]["HResult"]
        if answer["Result"]["Status"] in (2, 3) and code in RENEWAL:
            answer = self._register(self._csr())
            self._keep_certificate(answer["Session"]["Certificate"])
        session = answer["Session"]
        if session is None or not session["Token"] or answer["Result"]["Status"] in (2, 3):
            return None
        self.token = session["Token"]
        if not enrolling:
            return session
        self.agent_id, self.enroll_on_startup = session["AgentId"], False
        self._keep_certificate(session["Certificate"])
        second = self._register(None, {"RegistrationRequest": "registration-enroll-stores"})
        self.token = second["Session"]["Token"]
        return second["Session"]

    def _register(self, csr: str | None, parameters: dict[str, str] | None = None) -> dict[str, Any]:
        return self.post(
            "/Session/Register",
            {
                "AgentPlatform": 5,
                "AgentVersion": 563031557799936,
                "TenantId": "00000000-0000-0000-0000-000000000000",
                "ClientMachine": self.name,
                "CSR": csr,
                "AgentId": "" if self.enroll_on_startup else self.agent_id,
                "Capabilities": CAPABILITIES,
                "ClientParameters": parameters or {},
            },
        )

    # --- its own certificate ------------------------------------------------------------------

    def _csr(self) -> str:
        self._new_key = ec.generate_private_key(ec.SECP256R1())
        return make_csr(self._new_key, f"CN={self.name}")

    def _keep_certificate(self, naked: str) -> None:
        der = base64.b64decode(naked)
        assert "-" not in naked
        made = x509.load_der_x509_certificate(der)
        assert made.public_key() == self._new_key.public_key()
        self.certificate = made.public_bytes(serialization.Encoding.PEM).decode()
        self.key = self._new_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    # --- jobs ---------------------------------------------------------------------------------

    def _in_order(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Adding first, then re-enrolment, other management, inventory, logs; unknown types are dropped."""

        def place(job: dict[str, Any]) -> int:
            kind = job["JobTypeId"].lower()
            if kind == MANAGEMENT and job["Priority"] == 3:
                return 0
            return {REENROLLMENT: 1, MANAGEMENT: 2, INVENTORY: 3, FETCH_LOGS: 4}.get(kind, 9)

        return sorted((job for job in jobs if place(job) < 9), key=place)

    def _run_job(self, job: dict[str, Any]) -> bool:
        told = self.post(job["ConfigurationEndpoint"], {"SessionToken": self.token, "JobId": job["JobId"]})
        if told["JobCancelled"] or told["Result"]["Status"] in (2, 3):
            return False
        work = {
            INVENTORY: self._inventory,
            MANAGEMENT: self._manage,
            REENROLLMENT: self._reenroll,
            FETCH_LOGS: self._fetch_logs,
        }[job["JobTypeId"].lower()]
        statuses, message, more = work(job, told)
        completion = {
            "Status": max([told["Result"]["Status"], *statuses]) + 1,
            "AuditId": told["AuditId"],
            "JobId": job["JobId"],
            "Message": message,
            "SessionToken": self.token,
        }
        answer = self.post(job["CompletionEndpoint"], completion | more)
        assert answer["Result"]["Status"] == 1, answer
        return True

    def _inventory(self, job: dict[str, Any], told: dict[str, Any]) -> tuple[list[int], str, dict[str, Any]]:
        store = self.stores[told["Job"]["StorePath"]]
        believed = {item["Alias"].lower(): item for item in told["Job"].get("Inventory") or []}
        items = [
            _entry(alias, 4 if alias in believed else 1, [] if alias in believed else [der], alias in store.keys)
            for alias, der in store.certificates.items()
        ]
        items += [
            _entry(item["Alias"], 3, [], False) for alias, item in believed.items() if alias not in store.certificates
        ]
        answer = self.post(
            told["InventoryEndpoint"], {"SessionToken": self.token, "JobId": job["JobId"], "Inventory": items}
        )
        return [answer["Result"]["Status"]], "", {}

    def _manage(self, job: dict[str, Any], told: dict[str, Any]) -> tuple[list[int], str, dict[str, Any]]:
        work = told["Job"]
        store = self.stores[work["StorePath"]]
        if work["OperationType"] == 2:
            der = base64.b64decode(work["EntryContents"], validate=True)
            alias = hashlib.sha1(der).hexdigest()
            if alias in store.certificates:
                return [2], "already there\n", {}
            store.certificates[alias] = der
            return [], "", {}
        assert work["OperationType"] == 3
        found = store.certificates.pop(work["Alias"].lower(), None)
        return ([], "", {}) if found else ([3], "no such certificate\n", {})

    def _reenroll(self, job: dict[str, Any], told: dict[str, Any]) -> tuple[list[int], str, dict[str, Any]]:
        properties = told.get("Properties")
        if properties is not None:
            assert isinstance(json.loads(properties)["separatePrivateKey"], str)  # else: segmentation fault
        key = rsa.generate_private_key(65537, int(told["KeySize"])) if told["KeyType"] == "RSA" else None
        key = key or ec.generate_private_key({256: ec.SECP256R1(), 384: ec.SECP384R1()}[int(told["KeySize"])])
        body = {"SessionToken": self.token, "JobId": job["JobId"], "CSRText": make_csr(key, told["Subject"])}
        answer = self.post(told["EnrollEndpoint"], body)
        status = answer["Result"]["Status"]
        if status == 1 and answer["Certificate"]:
            der = base64.b64decode(answer["Certificate"], validate=True)
            alias = hashlib.sha1(der).hexdigest()
            self.stores[told["StorePath"]] = Store({alias: der}, {alias})
        error = answer["Result"]["Error"]
        return [status], "" if status == 1 else f"Error: {error['Message']} ({error['CodeString']})\n", {}

    def _fetch_logs(self, job: dict[str, Any], told: dict[str, Any]) -> tuple[list[int], str, dict[str, Any]]:
        most = told["MaxCharactersToReturn"]
        assert most > 0
        return [], "", {"Log": self.log[-most:]}

    # --- the wire -----------------------------------------------------------------------------

    def post(self, path: str, body: object) -> dict[str, Any]:
        """One request on a connection of its own; anything but a status below 300 and JSON is the end."""
        status, data = self.try_post(path, json.dumps(body).encode())
        assert status < 300, (status, data)
        answer: dict[str, Any] = json.loads(data)
        return answer

    def try_post(self, path: str, data: bytes) -> tuple[int, bytes]:
        """Status and body of one request."""
        stripped = path.replace("KeyfactorAgents/", "", 1).lstrip("/")
        self.sent.append(stripped)
        connection = self._connection()
        try:
            connection.putrequest("POST", f"/KeyfactorAgents/{stripped}", skip_accept_encoding=True)
            for name, value in self._headers(data):
                connection.putheader(name, value)
            connection.endheaders()
            if len(data) > LARGE:
                self._await_continue(connection)
            connection.send(data)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _await_continue(self, connection: http.client.HTTPConnection) -> None:
        line = b""
        while not line.endswith(b"\r\n\r\n"):
            line += connection.sock.recv(1)
        assert line.startswith(b"HTTP/1.1 100 ")

    def _headers(self, data: bytes) -> list[tuple[str, str]]:
        headers = []
        if self.username is not None:
            proof = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            headers.append(("Authorization", f"Basic {proof}"))
        headers += [("Content-Type", "application/json"), ("Accept", "application/json")]
        if self.header_certificate and self.certificate:
            headers.append(("X-ARR-ClientCert", self.certificate.replace("\n", "")))
        if len(data) > LARGE:
            headers.append(("Expect", "100-continue"))
        return [*headers, ("Content-Length", str(len(data)))]

    def _connection(self) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        if place.scheme == "http":
            return http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        return http.client.HTTPSConnection(place.hostname or "", place.port, timeout=60, context=self._context())

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.trust_store)
        if self.certificate and not self.enroll_on_startup:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "agent.pem"
                path.write_text(self.certificate + self.key)
                context.load_cert_chain(path)
        return context


def _entry(alias: str, status: int, certificates: list[bytes], has_key: bool) -> dict[str, Any]:
    return {
        "PrivateKeyEntry": has_key,
        "UseChainLevel": False,
        "ItemStatus": status,
        "Alias": alias,
        "Certificates": [base64.b64encode(der).decode() for der in certificates],
    }


def make_csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, subject: str) -> str:
    """Base64 DER, subject only, no extensions."""
    parts = dict(part.split("=", 1) for part in subject.split(","))
    oids = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}
    name = x509.Name([x509.NameAttribute(oids[kind.strip()], value) for kind, value in parts.items()])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()
