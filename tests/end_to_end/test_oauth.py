"""Bearer tokens from end to end: the server's own, another issuer's, and all that is sent to be mistaken for one."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from agent_sim.credentials import Credentials
from agent_sim.server.auth import basic
from tests.end_to_end.by_hand import CAPABILITIES, Answer, call
from tests.end_to_end.conftest import ACCOUNTS, ServerProcess, Start, starting

pytestmark = pytest.mark.slow

OPERATOR = Credentials(ACCOUNTS["AGENT_SIM_USERNAME"], ACCOUNTS["AGENT_SIM_PASSWORD"])
AGENT = Credentials(ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])
FORM = "application/x-www-form-urlencoded"
REGISTER = {
    "AgentPlatform": 5,
    "AgentVersion": 563031557799936,
    "TenantId": "00000000-0000-0000-0000-000000000000",
    "ClientMachine": "web-1",
    "CSR": None,
    "AgentId": "",
    "Capabilities": CAPABILITIES,
    "ClientParameters": {},
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One that gives tokens."""
    with starting() as start:
        yield start("--oauth")


def asked(server: ServerProcess, header: str | None = None, **fields: str) -> Answer:
    """The answer of the token endpoint."""
    form = urlencode({"grant_type": "client_credentials"} | fields).encode()
    headers = {"Content_Type": FORM} | ({"Authorization": header} if header else {})
    return call("POST", f"{server.url}/oauth/token", None, body=form, **headers)


def bearer(server: ServerProcess, who: Credentials) -> str:
    return f"Bearer {asked(server, basic(who)).json['access_token']}"


def get(server: ServerProcess, authorization: str, path: str = "/KeyfactorAPI/Agents") -> Answer:
    return call("GET", server.url + path, None, Authorization=authorization)


def register(server: ServerProcess, authorization: str) -> Answer:
    url = f"{server.url}/KeyfactorAgents/Session/Register"
    body = json.dumps(REGISTER).encode()
    return call("POST", url, None, body=body, Content_Type="application/json", Authorization=authorization)


# --- the server's own tokens ------------------------------------------------------------------


def test_an_operator_signs_in_by_bearer(server):
    answer = asked(server, basic(OPERATOR))

    assert (answer.status, answer.json["token_type"], answer.json["expires_in"]) == (200, "Bearer", 300)
    assert answer.headers["Cache-Control"] == "no-store"
    assert get(server, "Bearer " + answer.json["access_token"]).status == 200
    assert get(server, "bearer   " + answer.json["access_token"]).status == 200


def test_an_agent_signs_in_by_bearer_and_is_the_same_agent_as_with_its_password(server):
    by_bearer = register(server, bearer(server, AGENT))
    by_password = register(server, basic(AGENT))

    assert (by_bearer.status, by_bearer.json["Result"]["Status"]) == (200, 1)
    assert by_bearer.json["Session"]["AgentId"] == by_password.json["Session"]["AgentId"]


def test_an_agents_token_manages_nothing(server):
    answer = get(server, bearer(server, AGENT))

    assert (answer.status, answer.json["ErrorCode"]) == (403, "0xA0140002")
    assert get(server, bearer(server, AGENT), "/KeyfactorAPI/Status/Endpoints").json == ["GET /Status/Endpoints"]


@pytest.mark.parametrize("who", [OPERATOR, AGENT])
def test_every_way_to_say_who_one_is(server, who):
    encoded = Credentials(quote_plus(who.username), quote_plus(who.password))  # RFC 6749, 2.3.1

    answers = [
        asked(server, basic(who)),
        asked(server, basic(encoded)),
        asked(server, client_id=who.username, client_secret=who.password),
        asked(server, basic(who), client_id=who.username, audience="agent-sim"),
    ]

    assert [answer.status for answer in answers] == [200] * 4
    assert asked(server, basic(who), scope="a b").json["scope"] == "a b"


@pytest.mark.parametrize(
    ("header", "fields", "status", "error"),
    [
        (None, {}, 401, "invalid_client"),
        ("", {}, 401, "invalid_client"),
        (basic(Credentials("operator", "guess")), {}, 401, "invalid_client"),
        (basic(Credentials("nobody", "guess")), {}, 401, "invalid_client"),
        ("Basic !!!", {}, 401, "invalid_client"),
        ("Bearer x.y.z", {}, 401, "invalid_client"),
        (None, {"client_id": "operator", "client_secret": "guess"}, 401, "invalid_client"),
        (None, {"client_id": "operator", "client_secret": ""}, 401, "invalid_client"),
        (basic(OPERATOR), {"client_secret": OPERATOR.password}, 400, "invalid_request"),
        (basic(OPERATOR), {"client_id": "agent"}, 400, "invalid_request"),
        (basic(OPERATOR), {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (basic(OPERATOR), {"grant_type": ""}, 400, "unsupported_grant_type"),
        (basic(OPERATOR), {"audience": "somebody-else"}, 400, "invalid_target"),
    ],
)
def test_no_token(server, header, fields, status, error):
    answer = asked(server, header, **fields)

    assert (answer.status, answer.json["error"]) == (status, error)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert not any(secret in answer.body.decode() for secret in (OPERATOR.password, "guess"))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM),
        (b"grant_type=client_credentials&client_secret=%ff&client_id=operator", FORM),
        (b"\xff\xfe", FORM),
        (b"a=1&" * 1000, FORM),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "multipart/form-data; boundary=x"),
    ],
)
def test_forms_that_are_none(server, body, kind):
    headers = {"Content_Type": kind, "Authorization": basic(OPERATOR)}

    answer = call("POST", f"{server.url}/oauth/token", None, body=body, **headers)

    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_paths_and_methods_of_the_token_endpoint(server):
    assert call("GET", f"{server.url}/oauth/token", None).status == 405
    assert call("POST", f"{server.url}/oauth/authorize", None, body=b"").status == 404
    assert call("POST", f"{server.url}/.well-known/jwks.json", None, body=b"").status == 405
    assert call("GET", f"{server.url}/.well-known/x", None).status == 404
    assert call("POST", f"{server.url}/oauth/token", None, body=b"x" * 100_000, Content_Type=FORM).status == 413


def test_any_client_can_discover_the_key_and_check_a_token(server):
    found = call("GET", f"{server.url}/.well-known/openid-configuration", None).json
    token = asked(server, basic(OPERATOR)).json["access_token"]

    assert (found["issuer"], found["token_endpoint"]) == (server.url, f"{server.url}/oauth/token")
    key = jwt.PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key.key, ["ES256"], audience="agent-sim", issuer=server.url)
    assert (claims["sub"], claims["roles"], claims["exp"] - claims["iat"]) == ("operator", ["Administrator"], 300)


def test_tokens_expire(start_server, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text('{"oauth_token_lifetime": 1000000000}')
    server = start_server("--oauth", "--settings", str(settings))
    token = bearer(server, OPERATOR)
    deadline = time.monotonic() + 10

    while (answer := get(server, token)).status == 200 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert (answer.status, answer.json["Message"]) == (401, "The token has expired.")


def test_a_token_of_one_server_is_no_good_at_another(server, start_server):
    other = start_server("--oauth")

    assert get(other, bearer(server, OPERATOR)).status == 401


def test_a_server_that_was_not_told_to_gives_and_takes_no_tokens(lasting_server, server):
    answer = get(lasting_server, bearer(server, OPERATOR))

    assert (answer.status, "--oauth" in answer.json["Message"]) == (401, True)
    assert "Bearer" not in answer.headers["WWW-Authenticate"]
    assert asked(lasting_server, basic(OPERATOR)).status == 404
    assert call("GET", f"{lasting_server.url}/.well-known/jwks.json", None).status == 404


# --- hostile headers --------------------------------------------------------------------------


def raw(server: ServerProcess, *headers: bytes, path: bytes = b"/KeyfactorAPI/Agents") -> bytes:
    """The answer to a GET with these header lines and no others."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        lines = [b"GET " + path + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers]
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
        return data


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_both_ways_to_sign_in_are_offered(server):
    answer = raw(server)

    challenges = [line for line in answer.split(b"\r\n") if line.lower().startswith(b"www-authenticate:")]
    assert status(answer) == 401
    assert [line.split(b": ")[1].split(b" ")[0] for line in challenges] == [b"Basic", b"Bearer"]
    agents = call("POST", f"{server.url}/KeyfactorAgents/Session/Register", None, body=b"{}")
    assert (agents.status, agents.body) == (401, b"")
    assert "WWW-Authenticate" in agents.headers


def test_what_was_wrong_with_a_token_is_said(server):
    answer = get(server, "Bearer x.y.z")

    challenges = raw(server, b"Authorization: Bearer x.y.z")
    assert (answer.status, answer.json["ErrorCode"]) == (401, "0xA0140001")
    assert b'error="invalid_token"' in challenges


def test_two_authorization_headers_are_one_too_many(server):
    good = basic(OPERATOR).encode()
    token = bearer(server, OPERATOR).encode()

    for first, second in ((good, good), (good, b"Basic x"), (b"Basic x", good), (good, token), (token, b"Bearer x")):
        assert status(raw(server, b"Authorization: " + first, b"authorization: " + second)) == 400


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic !!!not base64!!!",
        b"Basic " + base64.b64encode(b"no colon"),
        b"Basic " + base64.b64encode(b"\xff\xfe:\x00"),
        b"Basic " + base64.b64encode(b"operator:" + b"x" * 20_000),
        b"Basic " + b"=" * 1000,
        b"Digest username=operator",
        b"Bearer",
        b"Bearer ",
        b"Bearer " + b"." * 10_000,
        b"Bearer " + b"a" * 30_000,
        b"Bearer \xff\xfe\xfd",
        b"Bearer a.b.c, Basic xyz",
        b"\xff\xfe",
        b"Basic\t" + base64.b64encode(b"operator:guess"),
    ],
)
def test_headers_that_prove_nobody(server, value):
    assert status(raw(server, b"Authorization: " + value)) == 401


def test_headers_that_are_too_large(server):
    assert status(raw(server, b"Authorization: Basic " + b"A" * 100_000)) == 400
    assert get(server, basic(OPERATOR)).status == 200


def hmac_token(server: ServerProcess, algorithm: str, secret: bytes) -> str:
    """A token like the server's own, signed with what anybody can know."""
    good = asked(server, basic(AGENT)).json["access_token"]
    claims = jwt.decode(good, options={"verify_signature": False}) | {"roles": ["Administrator"]}
    header = jwt.get_unverified_header(good) | {"alg": algorithm}
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    signature = hmac.digest(secret, head + b"." + body, hashlib.sha256)
    return b".".join((head, body, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "RS256", "ES256", ""])
def test_nobody_becomes_administrator_by_a_signature_of_their_own(server, algorithm):
    jwks = call("GET", f"{server.url}/.well-known/jwks.json", None).body

    for secret in (b"\x00", jwks, json.dumps(json.loads(jwks)["keys"][0]).encode()):
        assert get(server, "Bearer " + hmac_token(server, algorithm, secret)).status == 401


# --- another issuer ---------------------------------------------------------------------------


class Issuer(ThreadingHTTPServer):
    """An OpenID provider: discovery, keys, and a count of how often it is asked for them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.key = rsa.generate_private_key(65537, 2048)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def token(self, kid: str = "k1", **changes: object) -> str:
        now = int(time.time())
        claims: dict[str, object] = {"iss": self.url, "aud": "sim", "sub": "runner", "iat": now, "exp": now + 300}
        return "Bearer " + jwt.encode(claims | changes, self.key, "RS256", headers={"kid": kid})

    def document(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return {"keys": [RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "k1", "use": "sig"}]}


class _Answers(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = json.dumps(self.server.document(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base class calls it that
        pass


@contextmanager
def issuing() -> Iterator[Issuer]:
    with Issuer() as issuer:
        thread = threading.Thread(target=issuer.serve_forever, name="issuer")
        thread.start()
        yield issuer
        issuer.shutdown()
        thread.join()


def trusting(start_server: Start, tmp_path: Any, issuer: Issuer, *options: str, **more: Any) -> ServerProcess:
    settings = tmp_path / "settings.json"
    roles = [["sub", "runner", "Operator"], ["groups", "fleet", "Agent"]]
    given = {"oauth_issuer": issuer.url, "oauth_audience": "sim", "oauth_roles": roles}
    settings.write_text(json.dumps(given))
    return start_server("--settings", str(settings), *options, **more)


def test_tokens_of_another_issuer_by_its_published_keys(start_server, tmp_path):
    with issuing() as issuer:
        server = trusting(start_server, tmp_path, issuer)

        assert get(server, issuer.token()).status == 200
        assert get(server, issuer.token(jti="2")).status == 200
        assert get(server, issuer.token(sub="somebody")).status == 403
        assert register(server, issuer.token(sub="web-1", groups=["fleet"])).status == 200
        assert register(server, issuer.token()).status == 403
        now = int(time.time())
        for changes in ({"exp": now - 300}, {"aud": "x"}, {"nbf": now + 300}, {"iss": "http://127.0.0.1:1"}):
            assert get(server, issuer.token(**changes)).status == 401
        for number in range(50):  # a flood of keys that do not exist
            assert get(server, issuer.token(kid=f"k{number + 2}")).status == 401
        assert get(server, issuer.token()).status == 200
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def test_an_issuer_that_is_down_leaves_passwords_alone(start_server, tmp_path):
    with issuing() as issuer:
        token = issuer.token()
    server = trusting(start_server, tmp_path, issuer)

    assert get(server, token).status == 503
    assert get(server, basic(OPERATOR)).status == 200


# --- nothing is told --------------------------------------------------------------------------


def test_no_credential_and_no_token_is_in_any_log_or_answer(start_server, tmp_path):
    log = tmp_path / "log"
    with issuing() as issuer, log.open("w") as stream:
        server = trusting(start_server, tmp_path, issuer, "--oauth", "--log-level", "debug", stderr=stream.fileno())
        own = bearer(server, OPERATOR)
        tokens = [own, own + "x", issuer.token(), issuer.token(aud="x"), issuer.token(kid="y"), "Bearer hush.hush.hush"]
        guess = Credentials("operator", "my other password")
        headers = [*tokens, basic(OPERATOR), basic(AGENT), basic(guess), "Basic aHVzaCBodXNoIGh1c2g"]
        answers = [get(server, header) for header in headers]
        answers += [register(server, header) for header in headers]
        answers += [asked(server, basic(guess)), asked(server, client_id="operator", client_secret=guess.password)]
        answers.append(asked(server, basic(OPERATOR), client_secret=OPERATOR.password))
        raw_answers = [raw(server, *(b"Authorization: " + header.encode() for header in headers[:2]))]
        code, out, _ = server.stop()

    said = log.read_text() + out
    said += "".join(f"{answer.headers}{answer.body!r}" for answer in answers) + repr(raw_answers)
    secrets = [OPERATOR.password, AGENT.password, guess.password, "aHVzaCBodXNoIGh1c2g", "hush.hush"]
    secrets += [basic(each).split(" ")[1] for each in (OPERATOR, AGENT, guess)]
    secrets += [part for token in tokens[:5] for part in token.removeprefix("Bearer ").split(".")[1:]]
    assert code == 0
    assert "token refused" in said  # the log is at debug level, and is about what was done here
    assert "token given to operator" in said
    assert [secret for secret in secrets if secret in said] == []
