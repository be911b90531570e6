"""What a server process answers to nonsense, from outside and from the command line; and that it goes on."""

import socket
import sqlite3
import subprocess

import pytest

from tests.end_to_end.by_hand import Agent, call
from tests.end_to_end.conftest import ACCOUNTS, COMMAND, PATIENCE, environment

pytestmark = pytest.mark.slow

GUID = "11111111-2222-4333-8444-555555555555"


def is_error(answer, status: int, code: str = "") -> bool:
    """A JSON error object of the management API."""
    assert answer.status == status, answer
    assert answer.json["Message"]
    assert answer.json["ErrorCode"].startswith(code or "0xA01"), answer
    return True


def is_alive(server) -> bool:
    return server.operator.get("/Agents").status == 200


# --- over HTTP --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"JobAuditIds": "all"}',
        b'{"JobAuditIds": [1.5]}',
        b'{"Query": ["Result -eq 4"]}',
        b'{"JobAuditIds": [' + b"9" * 60 + b"]}",  # no 64-bit number
        b'{"Query": "\\ud800"}',  # half a character
        b'{"Query": "Result -eq \\u0000"}',
        b'{"JobAuditIds": [1], "JobAuditIds": ["x"]}',
    ],
)
def test_malformed_bodies(lasting_server, body):
    for operation in ("Reschedule", "Acknowledge"):
        assert is_error(lasting_server.operator.post(f"/OrchestratorJobs/{operation}", body), 400)
    assert is_alive(lasting_server)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"JobAuditIds": [1], "Query": "Result -eq 4"},
        {"JobAuditIds": [], "Query": " "},
        {"JobAuditIds": None, "Query": None},
    ],
)
def test_both_and_neither_of_ids_and_query(lasting_server, body):
    for operation in ("Reschedule", "Acknowledge"):
        answer = lasting_server.operator.post(f"/OrchestratorJobs/{operation}", body)
        assert is_error(answer, 400, "0xA0110004")


def test_both_and_neither_for_unschedule(lasting_server):
    for body in ({}, {"JobIds": [GUID], "Query": 'JobType -eq "FetchLogs"'}):
        assert is_error(lasting_server.operator.post("/OrchestratorJobs/Unschedule", body), 400, "0xA0110004")


def test_queries_that_do_not_parse_say_where(lasting_server):
    answer = lasting_server.operator.post("/OrchestratorJobs/Acknowledge", {"Query": "Result -foo 4"})

    assert is_error(answer, 400, "0xA0110003")
    assert "position" in answer.json["Message"]
    assert is_error(lasting_server.operator.get("/Agents?QueryString=Status%20-eq"), 400, "0xA0110003")


def test_unknown_ids(lasting_server):
    operator = lasting_server.operator

    answer = operator.post("/OrchestratorJobs/Reschedule", {"JobAuditIds": [4711]})
    assert is_error(answer, 400)
    assert "4711" in answer.json["FailedOperations"][0]["Reason"]
    assert is_error(operator.post("/OrchestratorJobs/Unschedule", {"JobIds": [GUID]}), 400)
    assert is_error(operator.post("/OrchestratorJobs/Unschedule", {"JobIds": ["no guid"]}), 400)
    assert is_error(operator.post("/Agents/Approve", [GUID]), 400)
    assert is_error(operator.post("/OrchestratorJobs/Custom", {"AgentId": GUID, "JobTypeName": "FetchLogs"}), 400)
    assert is_error(operator.get(f"/Agents/{GUID}"), 404)
    assert is_error(operator.get("/Agents/no-guid"), 404)
    assert is_error(operator.get("/OrchestratorJobs/JobStatus/Data?jobHistoryId=4711"), 404)
    assert is_error(operator.get("/OrchestratorJobs/JobStatus/Data"), 400)
    assert is_alive(lasting_server)


def test_ineligible_jobs(lasting_server):
    operator, agent = lasting_server.operator, Agent(lasting_server.wire, "web-1")
    agent.register()
    operator.post("/OrchestratorJobs/Custom", {"AgentId": agent.id, "JobTypeName": "FetchLogs"})
    [job] = agent.register()
    audit_id = agent.run(job, Log="")

    for operation in ("Reschedule", "Acknowledge"):  # it succeeded
        answer = operator.post(f"/OrchestratorJobs/{operation}", {"JobAuditIds": [audit_id]})
        assert is_error(answer, 400, "0xA0110005")
        assert str(audit_id) in answer.json["FailedOperations"][0]["Reason"]


def test_oversized_bodies(lasting_server):
    large = b" " * (3 * 1024 * 1024)
    larger = b" " * (17 * 1024 * 1024)

    assert is_error(lasting_server.operator.post("/OrchestratorJobs/Reschedule", large), 413)
    answer = lasting_server.wire.post("/Session/Register", larger)
    assert (answer.status, answer.body) == (413, b"")
    assert is_alive(lasting_server)


def test_wrong_passwords(lasting_server):
    url, user = lasting_server.url, ACCOUNTS["AGENT_SIM_USERNAME"]

    answers = [
        call("GET", f"{url}/KeyfactorAPI/Agents", user, "guess"),
        call("GET", f"{url}/KeyfactorAPI/Agents", None),
        call("GET", f"{url}/KeyfactorAPI/Agents", "nobody", ACCOUNTS["AGENT_SIM_PASSWORD"]),
    ]
    agents = call("POST", f"{url}/KeyfactorAgents/Session/Register", user, "guess", b"{}")

    assert all(is_error(answer, 401) for answer in answers)
    assert (agents.status, agents.body) == (401, b"")


def test_the_agents_account_may_not_manage(lasting_server):
    wire = lasting_server.wire

    answer = call("GET", f"{lasting_server.url}/KeyfactorAPI/Agents", wire.username, wire.password)

    assert is_error(answer, 403, "0xA0140002")


def test_agents_get_empty_bodies_with_every_refusal(lasting_server):
    for body in (b"", b"{", b"null", b'{"ClientMachine": 5}'):
        answer = lasting_server.wire.post("/Session/Register", body)
        assert (answer.status, answer.body) == (400, b"")
    answer = lasting_server.wire.post("/No/Such/Endpoint", b"{}")
    assert (answer.status in (400, 404), answer.body) == (True, b"")
    assert is_alive(lasting_server)


GARBAGE = (
    b"\x00\xff garbage \r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS on a plain port
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /KeyfactorAgents/Session/Register HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
    b"POST /KeyfactorAgents/Session/Register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
)


def test_garbage_on_the_socket(server_process):
    host, port = server_process.url.removeprefix("http://").split(":")
    for data in GARBAGE:
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)

        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
        assert is_alive(server_process)
    assert server_process.stop() == (0, "", "")  # and not a word about it


def test_a_client_that_leaves_in_the_middle_of_a_body(server_process):
    host, port = server_process.url.removeprefix("http://").split(":")
    start = b"POST /KeyfactorAgents/Session/Register HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(start)

    assert is_alive(server_process)
    assert server_process.stop() == (0, "", "")


# --- on the command line ----------------------------------------------------------------------


def test_a_port_that_is_taken(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert f"port {port} on 127.0.0.1 is taken" in refused("--port", str(port), **ACCOUNTS)


def test_an_address_that_is_not_ours(refused):
    assert "cannot listen on 192.0.2.1" in refused("--host", "192.0.2.1", **ACCOUNTS)


def test_a_database_from_a_newer_version(refused, tmp_path):
    path = tmp_path / "sim.db"
    start = [*COMMAND, "--port", "0", "--exit-with-parent", "--db", str(path)]
    subprocess.run(
        start, env=environment(**ACCOUNTS), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True
    )
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()

    line = refused("--db", str(path), **ACCOUNTS)

    assert str(path) in line
    assert "9999" in line


def test_a_file_that_is_no_database(refused, tmp_path):
    path = tmp_path / "sim.db"
    path.write_bytes(b"certainly no database " * 100)

    assert str(path) in refused("--db", str(path), **ACCOUNTS)


def test_a_database_that_another_server_holds(refused, start_server, tmp_path):
    path = str(tmp_path / "sim.db")
    start_server("--db", path)

    assert path in refused("--db", path, **ACCOUNTS)


def test_a_folder_that_does_not_exist(refused, tmp_path):
    path = str(tmp_path / "nowhere" / "sim.db")

    assert path in refused("--db", path, **ACCOUNTS)


def test_no_credentials_and_no_terminal(refused):
    assert "--credentials FILE" in refused()


def test_half_a_pair_of_credentials(refused):
    assert "AGENT_SIM_PASSWORD" in refused(AGENT_SIM_USERNAME="operator")


def test_a_credential_file_that_others_can_read(refused, tmp_path):
    path = tmp_path / "credentials"
    path.write_text("")
    path.chmod(0o644)

    assert f"chmod 600 {path}" in refused("--credentials", str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "one JSON object"),
        ('{"retry": 0}', "unknown name 'retry': did you mean retries?"),
        ('{"retries": "none"}', "unusable retries"),
        ('{"durability": "maybe"}', "unusable durability"),
    ],
)
def test_settings_that_cannot_be_used(refused, tmp_path, text, words):
    path = tmp_path / "settings.json"
    path.write_text(text)

    line = refused("--settings", str(path), **ACCOUNTS)

    assert str(path) in line
    assert words in line


def test_settings_that_are_missing(refused, tmp_path):
    assert "nowhere.json" in refused("--settings", str(tmp_path / "nowhere.json"), **ACCOUNTS)
