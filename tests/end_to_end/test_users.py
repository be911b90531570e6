"""Users with roles, made on the command line, and what a server lets them do: globally and in one container."""

import json
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.by_hand import Agent, Operator, call
from tests.end_to_end.conftest import COMMAND, PATIENCE, ServerProcess, environment, starting

pytestmark = pytest.mark.slow

PASSWORD = "correct horse: ü"
ROLES = """\
[roles]
"First container" = [
  "AgentManagement: Modify",
  "/agents/management/read/",
  "/certificate_stores/read/1/",
  "/certificate_stores/schedule/1/",
]
Modifier = ["/agents/management/modify/"]
"""


def add_user(file: Path, name: str, *roles: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    options = [part for role in roles for part in ("--role", role)]
    return subprocess.run(
        [sys.executable, "-m", "agent_sim.cli.users", "users", "add", name, *options, "--file", str(file)],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass
class Site:
    """A server with three stores, in containers 1 and 2 and in none, and a failed management job for each."""

    server: ServerProcess
    stores: list[str]
    audits: list[int]

    def as_(self, name: str) -> Operator:
        return Operator(self.server.url, name, PASSWORD)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    file, settings = folder / "users.toml", folder / "settings.json"
    file.write_text(ROLES)
    file.chmod(0o600)
    settings.write_text('{"retries": 0}')
    for name, role in (
        ("first", "First container"),
        ("modifier", "Modifier"),
        ("reader", "Reader"),
        ("op", "Operator"),
    ):
        assert add_user(file, name, role).returncode == 0
    with starting() as start:
        server = start("--users", str(file), "--settings", str(settings))
        yield prepared(server)


def prepared(server: ServerProcess) -> Site:
    operator, agent = server.operator, Agent(server.wire, "web-1")
    agent.register()
    containers = [operator.post("/CertificateStoreContainers", {"Name": name}).json["Id"] for name in ("one", "two")]
    assert containers == [1, 2]
    stores = [new_store(operator, agent, container) for container in (1, 2, None)]
    return Site(server, stores, [failed_job(operator, agent, store) for store in stores])


def new_store(operator: Operator, agent: Agent, container: int | None) -> str:
    path = f"/etc/certs/{container}.pem"
    store = {"ClientMachine": "web-1", "Storepath": path, "CertStoreType": 2, "AgentId": agent.id}
    answer = operator.post("/CertificateStores", store | ({"ContainerId": container} if container else {}))
    assert answer.status == 200, answer
    return str(answer.json["Id"])


def failed_job(operator: Operator, agent: Agent, store: str) -> int:
    assert add_certificate(operator, store).status == 200
    [job] = agent.register()
    return agent.run(job, 4)


def add_certificate(operator: Operator, *stores: str):
    entries = [{"CertificateStoreId": store, "Alias": "a", "Overwrite": True} for store in stores]
    body = {"CertificateId": 1, "CertificateStores": entries, "Schedule": {"Immediate": True}}
    return operator.post("/CertificateStores/Certificates/Add", body)


def scheduled(site: Site) -> list[str]:
    return sorted(job["Target"] for job in site.server.operator.get("/OrchestratorJobs/ScheduledJobs").json)


def unscheduled(site: Site) -> None:
    assert site.server.operator.post("/OrchestratorJobs/Unschedule", {"Query": "JobType -ne NULL"}).status == 204


# --- narrowing --------------------------------------------------------------------------------


def test_a_query_narrows_silently_to_the_containers_that_the_caller_may_touch(site):
    for operation, after in (("Reschedule", ["/etc/certs/1.pem"]), ("Unschedule", [])):
        answer = site.as_("first").post(f"/OrchestratorJobs/{operation}", {"Query": "JobType -contains Management"})

        assert (answer.status, answer.body, scheduled(site)) == (204, b"", after)


def test_a_query_of_the_first_does_not_unschedule_jobs_of_the_others(site):
    site.server.operator.post("/OrchestratorJobs/Reschedule", {"JobAuditIds": site.audits})

    site.as_("first").post("/OrchestratorJobs/Unschedule", {"Query": "JobType -ne NULL OR JobType -eq NULL"})

    assert scheduled(site) == ["/etc/certs/2.pem", "/etc/certs/None.pem"]
    unscheduled(site)


def test_an_id_that_is_not_permitted_refuses_the_whole_request(site):
    first = site.as_("first")
    one, two, none = site.audits

    for ids in ([two], [none], [one, two], [one, two, none]):
        answer = first.post("/OrchestratorJobs/Reschedule", {"JobAuditIds": ids})
        assert (answer.status, answer.json["ErrorCode"]) == (403, "0xA0140002")
    assert scheduled(site) == []
    assert first.post("/OrchestratorJobs/Reschedule", {"JobAuditIds": [one]}).status == 204
    assert scheduled(site) == ["/etc/certs/1.pem"]
    unscheduled(site)


def test_modify_alone_is_not_enough_for_jobs_of_stores_but_to_acknowledge(site):
    modifier = site.as_("modifier")

    refused = [modifier.post("/OrchestratorJobs/Reschedule", {"JobAuditIds": [audit]}).status for audit in site.audits]
    nothing = modifier.post("/OrchestratorJobs/Reschedule", {"Query": "Result -eq 4"})

    assert (refused, nothing.status, scheduled(site)) == ([403] * 3, 204, [])
    assert modifier.post("/OrchestratorJobs/Acknowledge", {"JobAuditIds": site.audits}).status == 204


def test_a_list_of_stores_shows_the_readable_ones_and_counts_them(site):
    first = site.as_("first").get("/CertificateStores")
    all_ = site.as_("reader").get("/CertificateStores")
    either = site.as_("first").get("/CertificateStores?QueryString=Approved%20-eq%20true%20OR%20Approved%20-eq%20false")

    assert ([store["Id"] for store in first.json], first.headers["X-Total-Count"]) == (site.stores[:1], "1")
    assert [store["Id"] for store in either.json] == site.stores[:1]
    assert (sorted(store["Id"] for store in all_.json), all_.headers["X-Total-Count"]) == (sorted(site.stores), "3")
    assert [each["Id"] for each in site.as_("first").get("/CertificateStoreContainers").json] == [1]


def test_stores_by_id_are_those_of_the_container_only(site):
    first = site.as_("first")

    assert [first.get(f"/CertificateStores/{store}").status for store in site.stores] == [200, 403, 403]
    assert [first.get(f"/CertificateStores/{store}/Inventory").status for store in site.stores] == [200, 403, 403]
    assert [first.get(f"/CertificateStoreContainers/{number}").status for number in (1, 2)] == [200, 403]
    assert first.get("/CertificateStores/11111111-2222-4333-8444-555555555555").status == 404
    shouted = site.stores[1].upper()
    assert first.get(f"/CertificateStores/{shouted}").status == 403


def test_scheduling_in_the_container_only(site):
    first = site.as_("first")
    schedule = {"Interval": {"Minutes": 60}}

    for stores in (site.stores[1:2], site.stores[2:], site.stores):
        asked = first.post("/CertificateStores/Schedule", {"StoreIds": stores, "Schedule": schedule})
        added = add_certificate(first, *stores)
        assert (asked.status, added.status) == (403, 403)
    assert scheduled(site) == []
    mine = first.post("/CertificateStores/Schedule", {"StoreIds": site.stores[:1], "Schedule": schedule})
    assert (mine.status, scheduled(site)) == (204, ["/etc/certs/1.pem"])
    assert (
        first.post("/CertificateStores/Schedule", {"StoreIds": site.stores[:1], "Schedule": {"Off": True}}).status
        == 204
    )


def test_reading_and_scheduling_are_not_changing(site):
    first = site.as_("first")
    headers: dict[str, Any] = {"Content_Type": "application/json", "x_keyfactor_requested_with": "APIClient"}
    url = f"{site.server.url}/KeyfactorAPI/CertificateStores"

    body = json.dumps(site.stores[:1]).encode()
    assert call("DELETE", url, first.username, first.password, body, **headers).status == 403
    assert call("DELETE", f"{url}/{site.stores[0]}", first.username, first.password, **headers).status == 403
    assert first.post("/CertificateStores", {}).status in (400, 403)
    assert site.as_("reader").get(f"/CertificateStores/{site.stores[0]}").status == 200


# --- endpoints --------------------------------------------------------------------------------


def test_status_endpoints_lists_what_the_caller_may_use_and_no_more(site):
    listed = {name: set(site.as_(name).get("/Status/Endpoints").json) for name in ("first", "modifier", "reader", "op")}

    assert "GET /CertificateStores" in listed["first"]
    assert "POST /CertificateStores/Schedule" in listed["first"]
    assert "POST /CertificateStores" not in listed["first"]
    assert "GET /Agents" not in listed["modifier"]
    assert "POST /OrchestratorJobs/Acknowledge" in listed["modifier"]
    assert not any(name.startswith(("POST /Orch", "PUT", "DELETE")) for name in listed["reader"])
    assert listed["reader"] < listed["op"]


def test_endpoints_that_are_not_permitted_are_refused(site):
    assert site.as_("modifier").get("/Agents").status == 403
    assert site.as_("modifier").get("/OrchestratorJobs/JobHistory").status == 403
    assert site.as_("reader").post("/OrchestratorJobs/Acknowledge", {"Query": "Result -eq 4"}).status == 403
    assert site.as_("nobody").get("/Agents").status == 401


def test_users_that_are_not_agents_may_not_act_as_one(site):
    answer = call("POST", f"{site.server.url}/KeyfactorAgents/Session/Register", "op", PASSWORD, b"{}")

    assert (answer.status, answer.body) == (403, b"")


# --- the command line -------------------------------------------------------------------------


def test_adding_a_user_makes_the_file_and_shows_no_password(tmp_path):
    path = tmp_path / "users.toml"

    done = add_user(path, "DOMAIN\\alice", "Operator", "Agent")

    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(PASSWORD in text for text in (done.stderr, path.read_text()))
    assert "$scrypt$ln=14,r=8,p=1$" in path.read_text()


@pytest.mark.parametrize(
    ("name", "role", "password", "words"),
    [
        ("alice", "Oprator", PASSWORD, "unknown role 'Oprator': did you mean Operator?"),
        ("a:b", "Operator", PASSWORD, "must be printable, without a colon"),
        ("alice", "Operator", "", "no password"),
        ("alice", "Operator", "x" * 2000, "at most 1024"),
        ("alice", "Operator", "a\tb", "must be printable"),
    ],
)
def test_users_that_cannot_be_added(tmp_path, name, role, password, words):
    done = add_user(tmp_path / "users.toml", name, role, password=password)

    [line] = done.stderr.splitlines()
    assert (done.returncode, line.startswith("error: "), words in line) == (2, True, True), line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("", 0o644, "has mode 0644, must be 0600: chmod 600"),
        ("[users", 0o600, "not TOML"),
        ('[users.a]\nroles = ["x"]\npassword = "hunter2"', 0o600, "user 'a': unknown role 'x'"),
        ('[users.a]\nroles = ["Agent"]\npassword = "hunter2"', 0o600, "must look like $scrypt$"),
        ("[users.a]\n[users.a]\n", 0o600, "line 2"),
    ],
)
def test_a_server_does_not_start_with_a_users_file_that_cannot_be_used(tmp_path, text, mode, words):
    path = tmp_path / "users.toml"
    path.write_text(text)
    path.chmod(mode)
    accounts = {
        f"AGENT_SIM_{which}{what}": f"x{which}" for which in ("", "AGENT_") for what in ("USERNAME", "PASSWORD")
    }

    ended = subprocess.run(
        [*COMMAND, "--port", "0", "--users", str(path)],
        env=environment(**accounts),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    [line] = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout, words in line, str(path) in line) == (2, "", True, True), line
    assert "hunter2" not in line
