import base64

import pytest

from agent_sim.protocol import command, store_commands
from agent_sim.protocol.agent import (
    DiscoveryJob,
    InventoryItem,
    InventoryJob,
    UpdateInventory,
    UpdateLocations,
)
from agent_sim.protocol.command import Page, Secret, StoreEntry
from agent_sim.protocol.enums import AgentStatus, ItemStatus, Result
from agent_sim.protocol.schedule import ExactlyOnce, Immediate, Interval, Off
from agent_sim.server.callers import Caller
from tests.server.bench import START, Bench

NOBODY = "ffffffff-0000-4000-8000-000000000000"
PEM = (
    "CertStores.PEM.Inventory",
    "CertStores.PEM.Management",
    "CertStores.PEM.Reenrollment",
    "CertStores.PEM.Discovery",
)


def bench_with_store(**more: object) -> tuple[Bench, command.StoreRecord]:
    bench = Bench()
    bench.register(abilities=PEM)
    return bench, bench.new_store(**more)


def one(bench: Bench, store_id: str) -> command.StoreRecord:
    return bench.ask(store_commands.GetStore(store_id)).body


# --- read and changed -------------------------------------------------------------------------


def test_a_store_is_read_by_its_id_in_any_case_and_says_that_it_can_re_enrol():
    bench, store = bench_with_store()

    found = bench.ask(store_commands.GetStore(f"{{{store.id.upper()}}}"))

    assert (found.status, found.body) == (200, store)
    assert (found.body.reenrollment_status.data, found.body.reenrollment_status.agent_id) == (True, bench.agent_id())


@pytest.mark.parametrize("store_id", [NOBODY, "nonsense", "x" * 10_000])
def test_a_store_that_is_not_there_is_not_found(store_id):
    for operation in (store_commands.GetStore, store_commands.DeleteStore, store_commands.ListInventory):
        status, error = Bench().refused(operation(store_id))
        assert (status, error.error_code) == (404, "0xA0110002")


def test_an_update_changes_what_is_given_and_keeps_the_rest():
    bench, store = bench_with_store(properties='{"a":"b"}', inventory_schedule=Interval(5))
    bench.new_containers(1)

    changed = bench.ask(store_commands.UpdateStore(store.id, container_id=1, create_if_missing=True)).body

    assert (changed.container_id, changed.create_if_missing, changed.properties) == (1, True, '{"a":"b"}')
    assert (changed.inventory_schedule, changed.cert_store_inventory_job_id) == (
        Interval(5),
        store.cert_store_inventory_job_id,
    )
    assert one(bench, store.id) == changed


def test_an_update_can_give_a_store_a_schedule_change_it_and_end_it():
    bench, store = bench_with_store()

    for when, shown in ((Interval(60), Interval(60)), (Interval(5), Interval(5)), (Off(), None)):
        assert bench.ask(store_commands.UpdateStore(store.id, inventory_schedule=when)).body.inventory_schedule == shown

    assert bench.kinds() == ["queued", "unscheduled", "queued", "unscheduled"]


def test_a_store_that_moves_to_another_orchestrator_leaves_its_jobs_and_takes_its_schedule():
    bench, store = bench_with_store(inventory_schedule=Interval(5))
    bench.register("m2", abilities=PEM)
    bench.add_certificate(store.id)

    moved = bench.ask(store_commands.UpdateStore(store.id, agent_id=bench.agent_id("m2"))).body

    assert (moved.agent_id, moved.inventory_schedule) == (bench.agent_id("m2"), Interval(5))
    assert [(job.job_type, job.client_machine) for job in bench.scheduled()] == [("PEMInventory", "m2")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": NOBODY}, "0xA0110006"),
        ({"container_id": 99}, "0xA0110006"),
        ({"agent_id": NOBODY}, "0xA0110006"),
        ({"agent_id": "nonsense"}, "0xA0110006"),
        ({"inventory_schedule": ExactlyOnce(2**64)}, "0xA0110008"),
    ],
)
def test_an_update_that_cannot_be_is_refused(change, code):
    bench, store = bench_with_store()

    status, error = bench.refused(store_commands.UpdateStore(**{"id": store.id, **change}))
    assert (status, error.error_code) == (400, code)


def test_a_password_goes_to_the_agent_and_nowhere_else():
    bench = Bench()
    session = bench.register(abilities=PEM)
    created = bench.new_store("/a.pem", password=Secret("hush-1"), inventory_schedule=Immediate())
    told = bench.configure(session, created.cert_store_inventory_job_id).job
    changed = bench.ask(store_commands.UpdateStore(created.id, password=Secret("hush-2"))).body
    [job] = bench.add_certificate(created.id)

    assert isinstance(told, InventoryJob)
    assert told.store_password == "hush-1"
    assert bench.configure(session, job, "Management").job.store_password == "hush-2"
    shown = repr(
        (
            created,
            changed,
            bench.ask(command.ListStores()),
            command.CreateStore("m", "/p", 2, "a", password=Secret("hush-3")),
        )
    )
    assert "hush" not in shown


# --- deleted ----------------------------------------------------------------------------------


def test_a_deleted_store_takes_its_jobs_with_it_and_leaves_their_history():
    bench, store = bench_with_store(inventory_schedule=Interval(5))
    session = bench.register(abilities=PEM)
    [failed] = bench.add_certificate(store.id)
    audit_id = bench.run(session, failed, Result.FAILURE)

    assert bench.ask(store_commands.DeleteStore(store.id)).status == 204

    assert bench.scheduled() == []
    assert [(run.job_history_id, run.store_path) for run in bench.history()] == [(audit_id, "/a.pem")]
    assert bench.ask(command.ListStores()).body == ()
    assert bench.refused(store_commands.DeleteStore(store.id))[0] == 404


def test_a_job_whose_store_is_gone_cannot_be_rescheduled():
    bench = Bench(retries=0)
    session = bench.register(abilities=PEM)
    store = bench.new_store()
    [audit_id] = bench.failed_management(session, store.id)
    bench.ask(store_commands.DeleteStores((store.id,)))

    status, error = bench.refused(command.Reschedule((audit_id,)))
    assert (status, error.error_code) == (400, "0xA0110005")
    assert "store does not exist any more" in error.message
    assert bench.ask(command.Acknowledge((audit_id,))).status == 204


def test_what_an_agent_still_sends_about_a_deleted_store_changes_nothing():
    bench, store = bench_with_store(inventory_schedule=Immediate())
    session = bench.register(abilities=PEM)
    job_id = session.jobs[0].job_id
    audit_id = bench.configure(session, job_id).audit_id
    bench.ask(store_commands.DeleteStore(store.id))

    body = UpdateInventory(session.token, job_id, (InventoryItem("a"),))
    assert bench.send("KeyfactorAgents/Inventory/Update", body).body.result.is_refusal
    assert not bench.complete(session, job_id, audit_id).result.is_refusal
    assert bench.scheduled() == []


def test_several_stores_are_deleted_all_or_none():
    bench, store = bench_with_store()
    other = bench.new_store("/b.pem")

    status, error = bench.refused(store_commands.DeleteStores((store.id, NOBODY)))
    assert (status, error.error_code) == (400, "0xA0110006")
    assert bench.ask(store_commands.DeleteStores((store.id, store.id, other.id))).status == 204
    assert bench.ask(command.ListStores()).total == 0


@pytest.mark.parametrize(("ids", "code"), [((), "0xA011000C"), (("a", "b", "c"), "0xA011000A")])
def test_no_stores_and_too_many_are_not_deleted(ids, code):
    assert Bench(max_ids=2).refused(store_commands.DeleteStores(ids))[1].error_code == code


# --- what was found in them -------------------------------------------------------------------


def inventoried() -> tuple[Bench, command.StoreRecord]:
    bench, store = bench_with_store(inventory_schedule=Immediate())
    session = bench.register(abilities=PEM)
    job_id = session.jobs[0].job_id
    audit_id = bench.configure(session, job_id).audit_id
    sample = bench.ask(store_commands.GetCertificate(1)).body.content_bytes
    broken = base64.b64encode(b"not a certificate").decode()
    items = (
        InventoryItem("one", (sample, broken), item_status=ItemStatus.ADDED),
        InventoryItem("two", (broken,), item_status=ItemStatus.ADDED),
        InventoryItem("none", (), item_status=ItemStatus.ADDED),
    )
    bench.send("KeyfactorAgents/Inventory/Update", UpdateInventory(session.token, job_id, items))
    bench.complete(session, job_id, audit_id)
    return bench, store


def test_an_inventory_is_read_back_with_its_certificates():
    bench, store = inventoried()

    found = bench.ask(store_commands.ListInventory(store.id))

    assert [(entry.name, len(entry.certificates)) for entry in found.body] == [("none", 0), ("one", 2), ("two", 1)]
    assert found.total == 3
    leaf, chained = found.body[1].certificates
    assert (leaf.id, leaf.issued_dn, leaf.serial_number) == (1, "CN=agent-sim sample certificate", "01")
    assert (chained.issued_dn, chained.not_after, len(chained.thumbprint)) == ("", None, 40)
    assert leaf.cert_store_inventory_item_id == chained.cert_store_inventory_item_id


def test_an_inventory_is_paged_and_sorted():
    bench, store = inventoried()

    page = Page(number=2, limit=2, sort_field="Name", descending=True)
    found = bench.ask(store_commands.ListInventory(store.id, page))
    assert ([entry.name for entry in found.body], found.total) == (["none"], 3)
    assert bench.refused(store_commands.ListInventory(store.id, Page(sort_field="x")))[1].error_code == "0xA011004A"


def test_certificates_are_listed_searched_and_read_with_the_places_where_they_are():
    bench, store = inventoried()

    assert bench.ask(store_commands.ListCertificates()).total == 2
    found = bench.ask(store_commands.ListCertificates(Page('IssuedCN -contains "SAMPLE"'))).body
    assert [record.id for record in found] == [1]
    record = bench.ask(store_commands.GetCertificate(1)).body
    assert record.locations == (store_commands.CertificateLocation("m1", "/a.pem", 2, "one", 0, store.id),)
    assert record.not_before < START < record.not_after
    assert bench.refused(store_commands.GetCertificate(99))[0] == 404


# --- re-enrolment -----------------------------------------------------------------------------


def test_a_re_enrolment_is_a_job_at_once_with_what_the_key_is_to_be():
    bench, store = bench_with_store()
    session = bench.register(abilities=PEM)
    wanted = store_commands.ReenrollStore(
        store.id, " CN=web01 ", bench.agent_id().upper(), "web", {"keyType": "ECC", "keySize": 256}
    )

    assert bench.ask(wanted).status == 204

    [job] = bench.scheduled()
    assert (job.job_type, job.schedule, job.target) == ("PEMReenrollment", None, "/a.pem")
    told = bench.configure(session, job.id, "Reenrollment")
    assert (told.subject, told.key_type, told.key_size) == ("CN=web01", "ECC", "256")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keystore_id": NOBODY}, "0xA0110006"),
        ({"agent_guid": NOBODY}, "0xA0110006"),
        ({"subject_name": " "}, "0xA011000C"),
    ],
)
def test_a_re_enrolment_that_cannot_be_is_refused(change, code):
    bench, store = bench_with_store()

    given = {"keystore_id": store.id, "subject_name": "CN=a"}
    status, error = bench.refused(store_commands.ReenrollStore(**{**given, **change}))
    assert (status, error.error_code) == (400, code)


def test_there_is_no_re_enrolment_where_the_type_or_the_orchestrator_has_none():
    bench = Bench()
    bench.register()  # no re-enrolment among its capabilities
    pem = bench.new_store()
    ftp = bench.ask(command.CreateStore("m1", "/f", 101, bench.agent_id())).body

    assert "lacks the capability" in bench.refused(store_commands.ReenrollStore(pem.id, "CN=a"))[1].message
    assert "no Reenrollment jobs" in bench.refused(store_commands.ReenrollStore(ftp.id, "CN=a"))[1].message
    assert not ftp.reenrollment_status.data


# --- discovery and approval -------------------------------------------------------------------


def discovered(*paths: str) -> tuple[Bench, list[command.StoreRecord]]:
    bench = Bench()
    session = bench.register(abilities=PEM)
    wanted = store_commands.ScheduleDiscovery(
        bench.agent_id(), 2, dirs="/opt,/etc", extensions="pem", server_password=Secret("hush")
    )
    assert bench.ask(wanted).status == 204
    [job] = bench.scheduled()
    told = bench.configure(session, job.id, "Discovery")
    assert isinstance(told.job, DiscoveryJob)
    assert (job.job_type, told.job.dirs, told.job.extensions) == ("PEMDiscovery", "/opt,/etc", "pem")
    bench.send("KeyfactorAgents/Discovery/Locations", UpdateLocations(session.token, job.id, paths))
    bench.complete(session, job.id, told.audit_id)
    return bench, list(bench.ask(command.ListStores()).body)


def test_what_a_discovery_finds_waits_for_approval():
    bench, stores = discovered("/opt/a.pem", "/opt/b.pem", "/opt/a.pem")

    assert sorted((store.store_path, store.approved, store.cert_store_type) for store in stores) == [
        ("/opt/a.pem", False, 2),
        ("/opt/b.pem", False, 2),
    ]
    for operation in (
        command.ScheduleInventory((stores[0].id,), Immediate()),
        command.AddCertificate(1, (StoreEntry(stores[0].id),)),
        store_commands.ReenrollStore(stores[0].id, "CN=a"),
    ):
        assert bench.refused(operation)[1].message.endswith("is not approved yet")


def test_a_store_that_is_known_is_not_found_again():
    bench, stores = discovered("/opt/a.pem")
    session = bench.register(abilities=PEM)
    bench.ask(store_commands.ApproveStores((store_commands.StoreApproval(stores[0].id),)))
    bench.ask(store_commands.ScheduleDiscovery(bench.agent_id(), 2))
    [job] = bench.scheduled()
    bench.configure(session, job.id, "Discovery")
    bench.send("KeyfactorAgents/Discovery/Locations", UpdateLocations(session.token, job.id, ("/opt/a.pem",)))

    [store] = bench.ask(command.ListStores()).body
    assert (store.id, store.approved) == (stores[0].id, True)


def test_approved_stores_are_managed_with_what_was_given():
    bench, stores = discovered("/opt/a.pem", "/opt/b.pem")
    bench.ask(store_commands.CreateContainer("Web", True, Interval(30), 2))
    approvals = [store_commands.StoreApproval(store.id, 1, 2, "{}", Secret("hush")) for store in stores]

    assert bench.ask(store_commands.ApproveStores(tuple(approvals))).status == 204

    found = bench.ask(command.ListStores(Page("Approved -eq true"))).body
    assert {(store.container_name, store.inventory_schedule, store.properties) for store in found} == {
        ("Web", Interval(30), "{}")
    }
    assert bench.ask(store_commands.ApproveStores(tuple(approvals))).status == 204  # again: nothing more happens
    assert len(bench.scheduled()) == 2


@pytest.mark.parametrize(
    ("approval", "code"),
    [
        ({"id": NOBODY}, "0xA0110006"),
        ({"container_id": 9}, "0xA0110006"),
        ({"cert_store_type": 0}, "0xA011000C"),
    ],
)
def test_one_store_that_cannot_be_approved_spoils_the_whole_list(approval, code):
    bench, stores = discovered("/opt/a.pem", "/opt/b.pem")
    good = store_commands.StoreApproval(stores[0].id)
    bad = store_commands.StoreApproval(**{"id": stores[1].id, **approval})

    status, error = bench.refused(store_commands.ApproveStores((good, bad)))
    assert (status, error.error_code) == (400, code)
    assert bench.refused(store_commands.ApproveStores(()))[1].error_code == "0xA011000C"


def test_a_discovery_can_be_for_later():
    bench = Bench()
    bench.register(abilities=PEM)

    bench.ask(store_commands.ScheduleDiscovery(bench.agent_id(), "2", job_execution_timestamp=START))
    assert [job.schedule for job in bench.scheduled()] == [ExactlyOnce(START)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"agent_id": NOBODY}, "0xA0110006"),
        ({"agent_id": ""}, "0xA0110006"),
        ({"type": 0}, "0xA0110005"),  # the orchestrator cannot do JKS
        ({"type": 101}, "0xA0110005"),  # nobody discovers FTP
        ({"type": 9999}, "0xA0110005"),
        ({"type": "PEM"}, "0xA011000C"),
        ({"job_execution_timestamp": 2**64}, "0xA0110008"),
    ],
)
def test_a_discovery_that_cannot_be_is_refused(change, code):
    bench = Bench()
    bench.register(abilities=PEM)

    given = {"agent_id": bench.agent_id(), "type": 2}
    status, error = bench.refused(store_commands.ScheduleDiscovery(**{**given, **change}))
    assert (status, error.error_code) == (400, code)


def test_an_orchestrator_that_is_not_approved_discovers_nothing():
    bench = Bench(auto_approve=False)
    bench.registration(abilities=PEM)

    assert "has status New" in bench.refused(store_commands.ScheduleDiscovery(bench.agent_id(), 2))[1].message
    assert bench.ask(command.ListAgents()).body[0].status is AgentStatus.NEW


def test_a_caller_with_one_container_reads_and_changes_its_stores_only():
    bench = Bench()
    bench.register(abilities=PEM)
    inside, outside = bench.new_store("/in.pem", container_id=1), bench.new_store("/out.pem")
    clerk = Caller("clerk", frozenset({"/certificate_stores/read/1/", "/certificate_stores/modify/1/"}))

    assert [store.id for store in bench.ask(command.ListStores(), clerk).body] == [inside.id]
    assert bench.ask(store_commands.GetStore(inside.id), clerk).status == 200
    for operation in (
        store_commands.GetStore(outside.id),
        store_commands.UpdateStore(outside.id, properties="{}"),
        store_commands.DeleteStores((inside.id, outside.id)),
    ):
        assert bench.refused(operation, clerk)[0] == 403
    assert bench.ask(store_commands.DeleteStore(inside.id), clerk).status == 204
