"""The vendor's agent, played step by step, registers over TLS, runs all its kinds of jobs and completes them."""

import hashlib
from base64 import b64decode, b64encode

import pytest

from tests.end_to_end.secured import Secured
from tests.end_to_end.vendor_agent import Store
from tests.server.csrs import csr, tampered

pytestmark = pytest.mark.slow


@pytest.fixture
def server(start_server, tmp_path):
    return Secured(start_server, tmp_path, "--client-ca", "own")


def enrolled(server, name="cagent-1", **more):
    agent = server.agent(name, **more)
    assert agent.run() == []
    return agent


def new_store(server, agent, path="/store.pem", **more):
    agent.stores[path] = Store()
    wanted = {"ClientMachine": agent.name, "Storepath": path, "CertStoreType": 2, "AgentId": agent.agent_id, **more}
    return server.ask("POST", "/CertificateStores", wanted)["Id"]


def entries(server, store_id):
    return {entry["Name"]: entry for entry in server.ask("GET", f"/CertificateStores/{store_id}/Inventory")}


def test_a_first_start_enrols_and_registers_again_with_the_certificate(server):
    agent = server.agent()

    assert agent.run() == []

    assert agent.sent == ["Session/Register", "Session/Register"]
    record = server.record()
    der = b64decode("".join(agent.certificate.splitlines()[1:-1]))
    thumbprint = hashlib.sha1(der).hexdigest()
    assert (record["AgentId"], record["Status"]) == (agent.agent_id, 2)
    assert (record["Thumbprint"], record["LastThumbprintUsed"], record["LegacyThumbprint"]) == (
        thumbprint,
        thumbprint,
        "",
    )


def test_later_starts_need_no_password(server):
    agent = enrolled(server)
    agent.username = None

    assert agent.run() == []

    assert len(server.ask("GET", "/Agents")) == 1


def test_all_its_kinds_of_jobs_are_run_and_completed(server):
    agent = enrolled(server)
    agent.username = None
    store_id = new_store(server, agent, InventorySchedule={"Interval": {"Minutes": 60}})
    [add] = server.ask(
        "POST", "/CertificateStores/Certificates/Add",
        {"CertificateId": 1, "CertificateStores": [{"CertificateStoreId": store_id, "Alias": "a"}]},
    )  # fmt: skip
    server.ask("POST", f"/Agents/{agent.agent_id}/FetchLogs")

    assert len(agent.run()) == 3

    history = server.history()
    assert [(run["JobType"], run["Result"], run["Status"]) for run in history] == [
        ("PEMManagement", 2, 3),
        ("PEMInventory", 2, 3),
        ("FetchLogs", 2, 3),
    ]
    assert history[0]["JobId"] == add
    [alias] = agent.stores["/store.pem"].certificates
    assert list(entries(server, store_id)) == [alias]
    data = server.ask("GET", f"/OrchestratorJobs/JobStatus/Data?jobHistoryId={history[2]['JobHistoryId']}")
    assert data["Data"] == "started\n"

    server.ask(
        "POST", "/CertificateStores/Certificates/Remove",
        {"CertificateStores": [{"CertificateStoreId": store_id, "Alias": alias}]},
    )  # fmt: skip
    assert len(agent.run()) == 2  # removal, and the inventory again
    assert agent.stores["/store.pem"].certificates == {}
    assert entries(server, store_id) == {}
    assert {run["Result"] for run in server.history()} == {2}


@pytest.mark.parametrize(("key_type", "size"), [("RSA", "2048"), ("ECC", "256")])
def test_a_store_is_re_enrolled_with_a_key_that_the_agent_makes(server, key_type, size):
    agent = enrolled(server)
    store_id = new_store(server, agent, Properties='{"separatePrivateKey":"true","privateKeyPath":"/k"}')
    properties = {"KeyType": key_type, "KeySize": size}
    wanted = {"KeystoreId": store_id, "SubjectName": "CN=web,O=Test", "JobProperties": properties}
    server.ask("POST", "/CertificateStores/Reenrollment", wanted)

    assert len(agent.run()) == 1

    [run] = server.history()
    assert (run["JobType"], run["Result"], run["Status"]) == ("PEMReenrollment", 2, 3)
    [(alias, der)] = agent.stores["/store.pem"].certificates.items()
    [entry] = entries(server, store_id).values()
    assert entry["Certificates"][0]["Thumbprint"].lower() == alias
    assert entry["Certificates"][0]["IssuedDN"] == "O=Test,CN=web"  # in the order that the agent's CSR has it
    listed = server.ask("GET", "/Certificates")
    assert b64encode(der).decode() in [one["ContentBytes"] for one in listed]


def test_an_agent_that_waits_for_approval_starts_again_and_is_enrolled(start_server, tmp_path):
    server = Secured(start_server, tmp_path, "--client-ca", "own", "--no-auto-approve")
    agent = server.agent()

    assert agent.session() is None
    assert (agent.agent_id, agent.enroll_on_startup) == ("", True)
    server.ask("POST", "/Agents/Approve", [server.record()["AgentId"]])

    assert agent.session()["AgentId"] == server.record()["AgentId"]
    assert not agent.enroll_on_startup


@pytest.mark.parametrize("status", ["Requested", "Required"])
def test_a_renewal_that_an_operator_asks_for(server, status):
    agent = enrolled(server)
    old = agent.certificate
    wanted = {"OrchestratorIds": [agent.agent_id], "Status": status}
    assert server.ask("POST", "/Agents/SetAuthCertificateReenrollment", wanted)["FailedOrchestratorIds"] == []
    assert server.record()["AuthCertificateReenrollment"] == status
    server.ask("POST", f"/Agents/{agent.agent_id}/FetchLogs")

    assert len(agent.run()) == 1  # in the session that came with the new certificate

    assert agent.certificate != old
    record = server.record()
    assert record["AuthCertificateReenrollment"] == "None"
    assert record["LegacyThumbprint"] != record["Thumbprint"]
    agent.username = None
    agent.run()
    assert server.record()["LastThumbprintUsed"] == record["Thumbprint"]


@pytest.mark.parametrize("request_text", ["garbage", tampered(csr())])
def test_a_bad_csr_is_answered_and_the_next_one_works(server, request_text):
    agent = server.agent()
    good = agent._csr
    agent._csr = lambda: request_text

    assert agent.session() is None
    agent._csr = good
    assert agent.session()


def test_a_csr_of_ten_megabytes_is_answered(server):
    agent = server.agent()
    agent._csr = lambda: "A" * 10_000_000  # with Expect: 100-continue, as curl does

    assert agent.session() is None
    assert "10000000 characters" in server.record()["LastErrorMessage"]


def test_an_inventory_of_ten_megabytes_is_taken_in(server):
    agent = enrolled(server)
    store_id = new_store(server, agent, InventorySchedule={"Immediate": True})
    large = [bytes([number]) * 1_000_000 for number in range(7)]
    agent.stores["/store.pem"].certificates = {hashlib.sha1(der).hexdigest(): der for der in large}

    assert len(agent.run()) == 1

    assert len(entries(server, store_id)) == 7


def test_another_agents_certificate_opens_no_session(server):
    agent, other = enrolled(server), enrolled(server, "cagent-2")
    agent.certificate, agent.key = other.certificate, other.key

    assert agent.session() is None
    agent.username = None
    assert agent.session() is None
    assert server.record()["LastThumbprintUsed"] == server.record()["Thumbprint"]
