"""What a server must honour for the vendor's agent: agent-protocol 8.1, one test or more per number."""

import json
from base64 import b64encode

import pytest

from agent_sim.instants import HOUR
from agent_sim.jobs.model import new_job
from agent_sim.protocol import command
from agent_sim.protocol.agent import (
    NO_TENANT,
    REGISTER,
    AgentReply,
    Complete,
    Configure,
    InventoryItem,
    Register,
    Session,
    UpdateInventory,
    UpdateLocations,
    pack_version,
)
from agent_sim.protocol.agent_commands import SetReenrollment
from agent_sim.protocol.codec import agent_body
from agent_sim.protocol.enums import STORE_JOBS, Category, ItemStatus, Platform, Result, Status
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval, Monthly, Off, Weekly
from agent_sim.protocol.store_commands import ReenrollStore, ScheduleDiscovery
from agent_sim.server.callers import Caller
from tests.server.bench import AGENT, START, Bench, failed
from tests.server.csrs import csr

VENDOR = pack_version(2, 19, 0, 0)
LOOP = pack_version(2, 17, 0, 0)
ABILITIES = (
    *("CertStores.PEM.Inventory", "CertStores.PEM.Management", "CertStores.PEM.Reenrollment"),
    "Custom.FetchLogs",
)
CERTIFICATE = b64encode(b"certificate").decode()


def vendor(bench, request=None, version=VENDOR, agent_id="", machine="m1", platform=Platform.NATIVE):
    """The answer to the vendor's agent, as the JSON that it is sent."""
    reply = bench.send(REGISTER, Register(platform, version, NO_TENANT, machine, request, agent_id, ABILITIES))
    return sent(reply)


def sent(reply):
    assert reply.status == 200
    return json.loads(agent_body(reply.body))


def enrolled(bench, **more):
    """The vendor's agent with a certificate; its session."""
    session = vendor(bench, csr(), **more)["Session"]
    assert session["Certificate"]
    return session


def configured(bench, session, job, area):
    return sent(bench.send(f"/{area}/Configure", Configure(session["Token"], job["JobId"])))


def completed(bench, session, job, audit_id, status=Result.SUCCESS):
    return sent(bench.send("/Custom/Complete", Complete(status, audit_id, job["JobId"], "", session["Token"])))


# --- 1 to 3: names, bodies, results -----------------------------------------------------------


def test_quirk_1_names_are_exact_pascal_case_with_their_exceptions():
    bench = Bench()
    enrolled(bench)
    store = bench.new_store("/a.pem", properties='{"separatePrivateKey":"true"}')
    bench.ask(ReenrollStore(store.id, "CN=x"))
    answer = vendor(bench)
    [job] = answer["Session"]["Jobs"]

    assert set(answer) == {"Session", "Result"}
    assert set(answer["Session"]) == {
        *("Token", "AgentId", "ClientMachine", "HeartbeatInterval", "Certificate", "Jobs", "ClientParameters")
    }
    assert set(job) == {
        *("JobId", "JobTypeId", "Schedule", "ConfigurationEndpoint", "CompletionEndpoint", "Priority", "Cron")
    }
    told = configured(bench, answer["Session"], job, "Reenrollment")
    assert set(told) == {
        *("AuditId", "JobCancelled", "Result", "EnrollEndpoint", "Entropy", "KeySize", "KeyType", "Subject"),
        *("ClientMachine", "StorePath", "Properties"),
    }
    assert set(told["Result"]["Error"]) == {"Code", "HResult", "CodeString", "Message"}


@pytest.mark.parametrize(
    ("endpoint", "body", "caller", "status"),
    [
        (REGISTER, Register(5, 0, NO_TENANT, "m1", None, "", ()), Caller("nobody", frozenset()), 403),
        ("/Nowhere/Configure", Configure("t", "j"), AGENT, 404),
        (REGISTER, Register(10**30, 0, NO_TENANT, "m1", None, "", ()), AGENT, 400),
        (REGISTER, Register(5, 0, NO_TENANT, "m\ud800", None, "", ()), AGENT, 400),
    ],
)
def test_quirk_2_what_is_not_answered_200_has_no_body(endpoint, body, caller, status):
    assert Bench().send(endpoint, body, caller) == AgentReply(status, None)


def test_quirk_3_every_answer_has_a_result_and_a_token_comes_with_a_string_agent_id_of_guid_length():
    bench = Bench()
    enrolled(bench)
    store = bench.new_store(inventory_schedule=Immediate())
    answer = vendor(bench)
    session = answer["Session"]
    [job] = session["Jobs"]
    told = configured(bench, session, job, "Inventory")
    upload = sent(bench.send("/Inventory/Update", UpdateInventory(session["Token"], job["JobId"], ())))
    end = completed(bench, session, job, told["AuditId"])

    assert [body["Result"]["Status"] for body in (answer, told, upload, end)] == [1, 1, 1, 1]
    assert (len(session["Token"]), len(session["AgentId"])) == (36, 36)
    assert store.agent_id == session["AgentId"]


# --- 4: certificates --------------------------------------------------------------------------


def test_quirk_4_certificates_are_base64_without_armour():
    bench = Bench()
    session = enrolled(bench)
    store = bench.new_store()
    bench.add_certificate(store.id)
    [job] = vendor(bench)["Session"]["Jobs"]
    told = configured(bench, vendor(bench)["Session"], job, "Management")

    for text in (session["Certificate"], told["Job"]["EntryContents"]):
        assert text.startswith("MI")
        assert "-" not in text
        assert "\n" not in text


# --- 5: approval ------------------------------------------------------------------------------


@pytest.mark.parametrize("pending_answer", ["error", "no_jobs"])
def test_quirk_5_pending_approval_of_an_enrolling_agent_is_an_error_without_token_and_agent_id(pending_answer):
    bench = Bench(auto_approve=False, pending_answer=pending_answer)

    answer = vendor(bench, csr())

    assert answer["Session"] is None
    assert answer["Result"]["Status"] == 3
    assert answer["Result"]["Error"]["CodeString"] not in ("A0100007", "A0100008")
    bench.ask(command.ApproveAgents((bench.agent_id(),)))
    assert enrolled(bench)["AgentId"] == bench.agent_id()


# --- 6 and 7: agents without a certificate ----------------------------------------------------


def test_quirk_6_no_management_jobs_for_a_vendors_agent_without_a_certificate():
    bench = Bench()
    vendor(bench)
    bench.add_certificate(bench.new_store(inventory_schedule=Interval(60)).id)

    assert [job["Schedule"] for job in vendor(bench)["Session"]["Jobs"]] == ["I_60"]
    [agent] = bench.ask(command.ListAgents()).body
    assert agent.last_error_message == "management jobs wait: this kind of agent needs a client certificate for them"
    assert [job["Priority"] for job in enrolled(bench)["Jobs"]] == [3, 5]
    assert len(vendor(bench)["Session"]["Jobs"]) == 2


def test_quirk_6_by_setting_or_for_other_platforms_management_needs_no_certificate():
    for settings, platform in (({"management_needs_certificate": False}, 5), ({}, 7)):
        bench = Bench(**settings)
        vendor(bench, platform=platform)
        bench.add_certificate(bench.new_store().id)

        assert len(vendor(bench, platform=platform)["Session"]["Jobs"]) == 1


def test_quirk_6_an_agent_that_starts_its_enrolment_every_time_is_given_its_jobs_every_time():
    bench = Bench()
    vendor(bench)
    bench.schedule(when=Interval(60))

    assert [len(vendor(bench)["Session"]["Jobs"]) for _ in range(3)] == [1, 1, 1]


def test_quirk_7_who_never_saves_its_id_is_known_by_account_and_client_machine():
    bench = Bench()

    first, again, other = vendor(bench), vendor(bench), vendor(bench, machine="m2")

    assert first["Session"]["AgentId"] == again["Session"]["AgentId"] != other["Session"]["AgentId"]


# --- 8: re-enrolment --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        (None, None),
        ("", None),
        ("not JSON", None),
        ("[]", None),
        ("{}", None),
        ('{"privateKeyPath":"/k"}', None),
        ('{"other":"separatePrivateKey"}', None),
        ('{"separatePrivateKey":"true","privateKeyPath":"/k"}', {"separatePrivateKey": "true", "privateKeyPath": "/k"}),
        ('{"separatePrivateKey":true,"count":2}', {"separatePrivateKey": "true", "count": "2"}),
        ('{"separatePrivateKey":{"value":false}}', {"separatePrivateKey": "false"}),
        ('{"separatePrivateKey":{"value":null}}', None),
        ('{"separatePrivateKey":"true","list":[1]}', {"separatePrivateKey": "true"}),
    ],
)
def test_quirk_8_properties_of_a_re_enrolment_are_null_or_have_separate_private_key_as_a_text(properties, told):
    bench = Bench()
    enrolled(bench)
    store = bench.new_store(properties=properties)
    bench.ask(ReenrollStore(store.id, "CN=x"))
    session = vendor(bench)["Session"]

    given = configured(bench, session, session["Jobs"][0], "Reenrollment").get("Properties")

    assert (given if given is None else json.loads(given)) == told


def test_quirk_8_a_re_enrolments_configuration_is_answered_200_whatever_is_wrong():
    bench = Bench()
    enrolled(bench)
    kind = STORE_JOBS["PEM", Category.REENROLLMENT]
    # A job whose store is gone, as only a fault could leave it.
    bench.server._work.accept(new_job("j", bench.agent_id(), kind, Immediate(), bench.now))
    token = vendor(bench)["Session"]["Token"]

    for session, job in ((token, "j"), (token, "unknown"), ("unknown", "j"), ("", "")):
        reply = bench.send("/Reenrollment/Configure", Configure(session, job))
        assert reply.status == 200


# --- 9: completions ---------------------------------------------------------------------------


def inventory(bench):
    enrolled(bench)
    bench.new_store(inventory_schedule=Interval(60))
    session = vendor(bench)["Session"]
    return session, session["Jobs"][0]


def update(bench, session, job, *items):
    return bench.send("/Inventory/Update", UpdateInventory(session["Token"], job["JobId"], items)).body


def aliases(bench, session, job):
    told = configured(bench, session, job, "Inventory")
    return [item["Alias"] for item in told["Job"]["Inventory"]], told["AuditId"]


def test_quirk_9_an_inventory_that_succeeds_without_an_upload_changes_nothing_and_is_told_on_the_record():
    bench = Bench()
    session, job = inventory(bench)
    _, first = aliases(bench, session, job)
    update(bench, session, job, InventoryItem("a", (CERTIFICATE,)))
    completed(bench, session, job, first)
    _, second = aliases(bench, session, job)

    completed(bench, session, job, second)

    assert aliases(bench, session, job)[0] == ["a"]
    [agent] = bench.ask(command.ListAgents()).body
    assert agent.last_error_message == f"inventory {second} was completed without a whole upload"


def test_quirk_9_a_refused_part_makes_the_whole_inventory_no_reason_to_forget_anything():
    bench = Bench()
    session, job = inventory(bench)
    _, first = aliases(bench, session, job)
    update(bench, session, job, *(InventoryItem(name, (CERTIFICATE,)) for name in "ab"))
    completed(bench, session, job, first)
    _, second = aliases(bench, session, job)

    update(bench, session, job, InventoryItem("a", (CERTIFICATE,)))
    assert failed(update(bench, session, job, InventoryItem("b", ("-----BEGIN",))))
    completed(bench, session, job, second, Result.WARNING)

    assert aliases(bench, session, job)[0] == ["a", "b"]


def test_quirk_9_a_validation_failure_arrives_as_a_warning_and_what_never_completes_times_out():
    bench = Bench(job_timeout=HOUR)
    session, job = inventory(bench)
    _, first = aliases(bench, session, job)
    completed(bench, session, job, first, Result.WARNING)
    aliases(bench, session, job)
    bench.server.sweep(bench.now + HOUR)

    assert [(run.result, run.status) for run in bench.history()] == [(3, 3), (4, 3)]


# --- 10: loop builds --------------------------------------------------------------------------


def invalid(bench, session):
    return not bench.holds(Session(session["Token"], session["AgentId"]))


def test_quirk_10_by_setting_a_loop_builds_session_is_not_ended_while_it_has_jobs_listed():
    for settings, version, ended in (
        ({"spare_loop_builds": True}, LOOP, False),
        ({"spare_loop_builds": True}, VENDOR, True),
        ({}, LOOP, True),
    ):
        bench = Bench(**settings)
        vendor(bench, version=version)
        job_id = bench.schedule()
        session = vendor(bench, version=version)["Session"]
        bench.schedule()

        assert invalid(bench, session) is ended
        bench.send("/FetchLogs/Configure", Configure(session["Token"], job_id))  # its list is empty now
        assert invalid(bench, session)


# --- 11 and 12: bodies ------------------------------------------------------------------------


def test_quirk_11_bodies_of_ten_megabytes_are_taken_in():
    bench = Bench()
    session, job = inventory(bench)
    _, audit_id = aliases(bench, session, job)
    large = b64encode(b"x" * 2_500_000).decode()

    for part in ("ab", "c"):  # several uploads of one run add up
        items = [InventoryItem(name, (large,), item_status=ItemStatus.UNKNOWN) for name in part]
        assert not failed(update(bench, session, job, *items))
    completed(bench, session, job, audit_id)

    assert aliases(bench, session, job)[0] == ["a", "b", "c"]


def test_quirk_11_endpoints_are_never_absolute_addresses():
    bench = Bench()
    enrolled(bench)
    store = bench.new_store(inventory_schedule=Immediate(), properties='{"separatePrivateKey":"true"}')
    bench.ask(ReenrollStore(store.id, "CN=x"))
    bench.schedule()
    session = vendor(bench)["Session"]

    told = [configured(bench, session, job, "Custom") for job in session["Jobs"]]
    endpoints = [value for body in (*session["Jobs"], *told) for name, value in body.items() if "Endpoint" in name]
    assert len(endpoints) == 8
    assert all(endpoint.startswith("KeyfactorAgents/") for endpoint in endpoints)


def test_quirk_12_the_answer_to_a_large_body_is_small():
    bench = Bench()
    session, job = inventory(bench)
    aliases(bench, session, job)

    reply = update(bench, session, job, InventoryItem("a", (b64encode(b"x" * 1_300_000).decode(),)))

    assert len(agent_body(reply)) < 200


# --- 13: names --------------------------------------------------------------------------------


def test_quirk_13_client_machine_is_the_agents_in_a_session_and_the_stores_in_a_configuration():
    bench = Bench()
    enrolled(bench)
    agent_id = bench.agent_id()
    bench.ask(command.CreateStore("store-host", "/a.pem", 2, agent_id, inventory_schedule=Immediate()))
    session = vendor(bench)["Session"]
    [job] = session["Jobs"]

    told = configured(bench, session, job, "Inventory")

    assert (session["ClientMachine"], told["Job"]["ClientMachine"]) == ("m1", "store-host")
    [run] = bench.history()
    assert (run.agent_machine, run.client_machine) == ("m1", "store-host")


# --- lists of jobs ----------------------------------------------------------------------------


def test_additions_come_first_with_priority_3_and_the_rest_in_the_order_of_creation():
    bench = Bench()
    enrolled(bench)
    store = bench.new_store()
    bench.schedule()
    bench.ask(command.RemoveCertificate((command.StoreEntry(store.id, alias="a"),)))
    bench.add_certificate(store.id)

    listed = vendor(bench)["Session"]["Jobs"]

    assert [(job["Priority"], job["ConfigurationEndpoint"].split("/")[1]) for job in listed] == [
        (3, "Management"),
        (5, "FetchLogs"),
        (5, "Management"),
    ]


def test_no_schedule_is_ever_off():
    bench = Bench()
    enrolled(bench)
    store = bench.new_store(inventory_schedule=Interval(60))
    for when in (Interval(1), Daily(START), Weekly((1, 3), START), Monthly(31, START), ExactlyOnce(START), None):
        bench.schedule(when=when)
    assert bench.ask(command.ScheduleInventory((store.id,), Off())).status == 204

    schedules = [job["Schedule"] for job in vendor(bench)["Session"]["Jobs"]]

    assert schedules == ["I_1", "D_05:06", "W_24_05:06", "M_31_05:06", "O_2026-03-04T05:06", None]


# --- an inventory after a change --------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "status", "asked"),
    [({}, Result.SUCCESS, True), ({}, Result.WARNING, True), ({}, Result.FAILURE, False),
     ({"inventory_after_change": False}, Result.SUCCESS, False)],
)  # fmt: skip  # a table
def test_the_answer_to_a_changed_stores_completion_names_its_listed_inventory(settings, status, asked):
    bench = Bench(retries=0, **settings)
    enrolled(bench)
    store = bench.new_store(inventory_schedule=Interval(60))
    [change] = bench.add_certificate(store.id)
    session = vendor(bench)["Session"]
    [job, inventory_job] = session["Jobs"]
    told = configured(bench, session, job, "Management")

    for _ in range(2):  # also when it is sent again
        answer = completed(bench, session, job, told["AuditId"], status)
        assert (answer["Result"]["Status"], change) == (1, job["JobId"])
        assert answer["InventoryJob"] == (inventory_job["JobId"] if asked else None)


def test_an_inventory_that_is_not_on_the_agents_list_is_not_named():
    bench = Bench()
    enrolled(bench)
    store = bench.new_store()
    bench.add_certificate(store.id)
    session = vendor(bench)["Session"]
    [job] = session["Jobs"]
    told = configured(bench, session, job, "Management")
    bench.ask(command.ScheduleInventory((store.id,), Interval(60)))

    assert completed(bench, session, job, told["AuditId"])["InventoryJob"] is None


# --- cancelled while it runs ------------------------------------------------------------------


def test_a_run_whose_job_was_unscheduled_goes_on_or_by_setting_is_cancelled():
    for cancelled in (False, True):
        bench = Bench(cancel_unscheduled=cancelled)
        session, job_id = bench.register(), bench.schedule(when=Interval(60))
        first = bench.configure(session, job_id)
        assert bench.ask(command.Unschedule(job_ids=(job_id,))).status == 204

        again = bench.configure(session, job_id)

        assert again.job_cancelled is cancelled
        [run] = bench.history()
        if cancelled:
            assert (run.result, run.status) == (Result.FAILURE, Status.COMPLETED)
            assert run.message == "cancelled: the job was unscheduled while it ran"
            assert failed(bench.complete(session, job_id, first.audit_id))
        else:
            assert again == first
            assert not failed(bench.complete(session, job_id, first.audit_id))


# --- full lists and stores that are empty -----------------------------------------------------


def test_an_empty_upload_is_an_empty_store():
    bench = Bench()
    session, job = inventory(bench)
    _, first = aliases(bench, session, job)
    update(bench, session, job, InventoryItem("a", (CERTIFICATE,)))
    completed(bench, session, job, first)
    _, second = aliases(bench, session, job)
    update(bench, session, job)
    completed(bench, session, job, second)

    assert aliases(bench, session, job)[0] == []


def test_what_a_discovery_found_waits_for_approval_as_stores():
    bench = Bench()
    enrolled(bench)
    bench.send(REGISTER, Register(7, 0, NO_TENANT, "m1", None, "", ("CertStores.PEM.Discovery",)))
    assert bench.ask(ScheduleDiscovery(bench.agent_id(), 2, "host", dirs="/etc")).status == 204
    session = bench.register(abilities=("CertStores.PEM.Discovery",))
    [job] = session.jobs
    bench.configure(session, job.job_id, "Discovery")
    found = UpdateLocations(session.token, job.job_id, ("/etc/a.pem", "", "/etc/b.pem", "/etc/a.pem"))

    for _ in range(2):
        assert not failed(bench.send("/Discovery/Locations", found).body)

    stores = bench.ask(command.ListStores()).body
    assert [(store.client_machine, store.store_path, store.approved) for store in stores] == [
        ("host", "/etc/a.pem", False),
        ("host", "/etc/b.pem", False),
    ]


def test_a_renewal_that_is_required_says_nothing_about_jobs():
    bench = Bench()
    enrolled(bench)
    bench.schedule()
    bench.ask(SetReenrollment(2, (bench.agent_id(),)))

    assert vendor(bench)["Session"] is None
    assert [job["Priority"] for job in enrolled(bench)["Jobs"]] == [5]
