"""A server process that an agent and an operator, driven by hand, really work with."""

import base64
import http.client
import os
import re
import signal
import socket
import stat
import time

import pytest

from tests.end_to_end.by_hand import Agent, Operator, Wire
from tests.end_to_end.conftest import ACCOUNTS, PATIENCE

pytestmark = pytest.mark.slow

GUID = "11111111-2222-4333-8444-555555555555"


def schedule_logs(operator, agent) -> str:
    answer = operator.post("/OrchestratorJobs/Custom", {"AgentId": agent.id, "JobTypeName": "FetchLogs"})
    assert answer.status == 200, answer
    return answer.json["JobId"]


def test_one_line_says_where_it_is_and_that_it_is_ready(server_process):
    assert re.fullmatch(r"agent-sim server ready at http://127\.0\.0\.1:\d+\n", server_process.ready_line)
    assert server_process.operator.get("", base="/healthz").json == {"status": "ok"}


def test_a_logs_job_from_the_operator_to_the_agent_and_back(server_process):
    operator, agent = server_process.operator, Agent(server_process.wire, "web-1")
    assert agent.register() == []
    assert agent.heartbeat()

    job_id = schedule_logs(operator, agent)
    assert not agent.heartbeat()  # the only way an agent learns that there is work
    [job] = agent.register()
    assert job["JobId"] == job_id
    configuration = agent.configure(job)
    assert configuration["MaxCharactersToReturn"] > 0
    [running] = operator.history()
    assert (running["Status"], "OperationEnd" in running) == (2, False)
    reply = agent.complete(job, configuration["AuditId"], 2, Log="line 1\nline 2")

    assert reply["Result"]["Status"] == 1
    [run] = operator.history()
    assert (run["JobHistoryId"], run["JobId"], run["AgentMachine"], run["Result"], run["Status"]) == (
        configuration["AuditId"],
        job_id,
        "web-1",
        2,
        3,
    )
    data = operator.get(f"/OrchestratorJobs/JobStatus/Data?jobHistoryId={run['JobHistoryId']}")
    assert data.json == {"JobHistoryId": run["JobHistoryId"], "Data": "line 1\nline 2"}


def test_a_list_tells_how_many_there_are_in_all(server_process):
    for machine in ("web-1", "web-2", "web-3"):
        Agent(server_process.wire, machine).register()

    answer = server_process.operator.get("/Agents?ReturnLimit=2")

    assert (len(answer.json), answer.headers["X-Total-Count"]) == (2, "3")


def test_unknown_agents_wait_for_approval_if_told_so(start_server):
    server = start_server("--no-auto-approve")
    agent = Agent(server.wire, "web-1")

    answer = server.wire.post(
        "/Session/Register",
        {
            "AgentPlatform": 5,
            "AgentVersion": 1,
            "TenantId": GUID,
            "ClientMachine": "web-1",
            "CSR": None,
            "AgentId": "",
            "Capabilities": [],
            "ClientParameters": {},
        },
    )
    assert (answer.status, answer.json["Result"]["Status"]) == (200, 3)
    assert server.operator.post("/Agents/Approve", [server.operator.agent_id("web-1")]).status == 204

    assert agent.register() == []


def test_the_transitions_are_served_on_request(start_server):
    server = start_server("--sim-api")
    agent = Agent(server.wire, "web-1")
    agent.register()
    schedule_logs(server.operator, agent)
    [job] = agent.register()
    agent.run(job, 4, Log="")

    kinds = [entry["Kind"] for entry in server.operator.get("/transitions", base="/sim").json["Transitions"]]

    assert kinds == ["queued", "configured", "completed", "queued"]  # it will be tried again


def test_a_host_that_others_can_reach_is_warned_of(start_server):
    server = start_server("--host", "0.0.0.0")

    assert server.ready_line.startswith("agent-sim server ready at http://0.0.0.0:")
    code, _, err = server.stop()
    assert (code, err) == (0, "warning: 0.0.0.0 can be reached from outside, and passwords travel in clear over HTTP\n")


# --- accounts ---------------------------------------------------------------------------------

NOBODY = dict.fromkeys(ACCOUNTS, "")


def test_a_credential_file_is_filled_once_and_used_from_then_on(start_server, tmp_path):
    path = tmp_path / "credentials"
    start_server("--credentials", str(path), **NOBODY).stop()
    mode, written = stat.S_IMODE(path.stat().st_mode), path.read_text()

    server = start_server("--credentials", str(path), **NOBODY)

    held = dict(line.split("=", 1) for line in written.splitlines())
    assert (mode, path.read_text(), set(held)) == (0o600, written, set(ACCOUNTS))
    operator = Operator(server.url, held["AGENT_SIM_USERNAME"], held["AGENT_SIM_PASSWORD"])
    assert operator.get("/Agents").json == []
    wire = Wire(server.url, held["AGENT_SIM_AGENT_USERNAME"], held["AGENT_SIM_AGENT_PASSWORD"])
    assert Agent(wire, "web-1").register() == []
    assert server.stop() == (0, "", "")  # and no password is shown


def test_generated_accounts_are_shown_on_a_terminal(start_server):
    terminal, other_end = os.openpty()
    server = start_server(**NOBODY, stderr=other_end)
    shown = os.read(terminal, 4096).decode()
    os.close(other_end)

    held = dict(line.strip().split("=", 1) for line in shown.splitlines() if "=" in line)
    assert set(held) == set(ACCOUNTS)
    operator = Operator(server.url, held["AGENT_SIM_USERNAME"], held["AGENT_SIM_PASSWORD"])
    assert operator.get("/Agents").status == 200
    os.close(terminal)


def test_a_changing_server_logs_changes_and_no_password(start_server):
    server = start_server("--log-level", "info")
    agent = Agent(server.wire, "web-1")
    agent.register()
    agent.heartbeat()
    schedule_logs(server.operator, agent)

    _, _, log = server.stop()

    assert [line.split(": ", 1)[1] for line in log.splitlines()] == [
        "agent: /Session/Register 200",
        "POST /OrchestratorJobs/Custom by operator: 200",
    ]


# --- stopping and starting again --------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_told_to(server_process, number):
    assert server_process.stop(number) == (0, "", "")


def test_a_stop_does_not_wait_for_connections_that_only_stay_open(server_process):
    connection = http.client.HTTPConnection(server_process.url.removeprefix("http://"))
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    started = time.monotonic()

    code, _, _ = server_process.stop()

    assert code == 0
    assert time.monotonic() - started < 30
    connection.close()


def test_a_stop_does_not_wait_long_for_a_body_that_does_not_come(server_process):
    host, port = server_process.url.removeprefix("http://").split(":")
    start = b"POST /KeyfactorAPI/Agents/Approve HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %b\r\n"
    start %= base64.b64encode(b"operator:operator's secret")
    start += b"x-keyfactor-requested-with: x\r\nContent-Length: 1000\r\n\r\n["
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(start)
        time.sleep(0.3)
        began = time.monotonic()

        ended = server_process.stop()

    assert ended == (0, "", "")
    assert time.monotonic() - began < 30


def test_history_survives_a_restart(start_server, tmp_path):
    database = str(tmp_path / "sim.db")
    first = start_server("--db", database)
    agent = Agent(first.wire, "web-1")
    agent.register()
    schedule_logs(first.operator, agent)
    [job] = agent.register()
    agent.run(job, Log="text")
    before = first.operator.history()
    assert first.stop()[0] == 0

    second = start_server("--db", database)

    assert len(before) == 1
    assert second.operator.history() == before


def test_it_stops_with_its_parent_if_told_so(start_server):
    server = start_server("--exit-with-parent")

    server.close_input()

    assert server.process.wait(timeout=PATIENCE) == 0


def test_without_that_the_end_of_standard_input_means_nothing(server_process):
    server_process.close_input()
    time.sleep(0.3)

    assert server_process.operator.get("", base="/healthz").status == 200
    assert server_process.stop()[0] == 0
