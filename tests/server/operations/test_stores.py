import pytest

from agent_sim.protocol import command
from agent_sim.protocol.command import Page, ReenrollmentStatus, StoreEntry, StoreRecord
from agent_sim.protocol.enums import Result
from agent_sim.protocol.schedule import ExactlyOnce, Immediate, Interval, Off
from tests.server.bench import START, Bench


def jobs(bench: Bench) -> list[tuple[str, object]]:
    return [(job.job_type, job.schedule) for job in bench.scheduled()]


def test_a_new_store_is_answered_and_listed():
    bench = Bench()
    bench.register()
    wanted = command.CreateStore(
        "web01", "/a.pem", 2, bench.agent_id(), display_name="A", container_id=3, properties="{}"
    )
    bench.new_containers(3)

    made = bench.ask(wanted).body

    assert made == StoreRecord(
        made.id,
        "web01",
        "/a.pem",
        2,
        bench.agent_id(),
        display_name="A",
        container_id=3,
        container_name=made.container_name,
        properties="{}",
        reenrollment_status=ReenrollmentStatus(False, bench.agent_id(), "the orchestrator cannot re-enrol"),
    )
    reply = bench.ask(command.ListStores(Page('ClientMachine -startswith "WEB" AND ContainerId -eq 3')))
    assert (reply.body, reply.total) == ((made,), 1)
    assert bench.ask(command.ListStores(Page("Approved -eq false"))).body == ()


def test_a_store_with_a_schedule_gets_an_inventory_job():
    bench = Bench()
    bench.register()

    store = bench.new_store(inventory_schedule=Interval(60))

    assert store.inventory_schedule == Interval(60)
    assert [job.id for job in bench.scheduled()] == [store.cert_store_inventory_job_id]
    assert jobs(bench) == [("PEMInventory", Interval(60))]


def test_a_store_with_its_schedule_off_gets_none():
    bench = Bench()
    bench.register()

    assert bench.new_store(inventory_schedule=Off()).inventory_schedule is None
    assert jobs(bench) == []


def test_stores_of_every_known_type_can_be_made():
    bench = Bench()
    bench.register()

    for kind in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100, 101):
        assert bench.ask(command.CreateStore("web01", "/a", kind, bench.agent_id())).status == 200, kind


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"agent_id": "nobody"}, "0xA0110006"),
        ({"cert_store_type": 102}, "0xA011000C"),
        ({"store_path": " "}, "0xA011000C"),
        ({"client_machine": ""}, "0xA011000C"),
        ({"inventory_schedule": ExactlyOnce(2**64)}, "0xA0110008"),
        ({"cert_store_type": 0, "inventory_schedule": Interval(1)}, "0xA0110005"),  # the agent cannot do JKS
        ({"store_path": "/taken.pem"}, "0xA011000B"),
    ],
)
def test_a_store_that_cannot_be_is_refused(change, code):
    bench = Bench()
    bench.register()
    bench.ask(command.CreateStore("web01", "/taken.pem", 2, bench.agent_id()))
    given = {"client_machine": "web01", "store_path": "/a", "cert_store_type": 2, "agent_id": bench.agent_id()}

    status, error = bench.refused(command.CreateStore(**{**given, **change}))
    assert (status, error.error_code) == (400, code)


# --- inventory --------------------------------------------------------------------------------


def test_a_new_schedule_replaces_the_old_one_and_off_ends_it():
    bench = Bench()
    bench.register()
    store = bench.new_store(inventory_schedule=Interval(60))
    session = bench.register()

    bench.ask(command.ScheduleInventory((store.id,), Interval(5)))
    assert jobs(bench) == [("PEMInventory", Interval(5))]
    assert bench.configure(session, store.cert_store_inventory_job_id).job_cancelled
    assert not bench.holds(session)

    bench.ask(command.ScheduleInventory((store.id,), Off()))
    assert jobs(bench) == []
    [listed] = bench.ask(command.ListStores()).body
    assert (listed.inventory_schedule, listed.cert_store_inventory_job_id) == (None, None)
    assert bench.kinds() == ["queued", "unscheduled", "queued", "unscheduled"]


@pytest.mark.parametrize("schedule", [Interval(60), Immediate()])
def test_the_same_schedule_again_keeps_the_job_that_waits(schedule):
    bench = Bench()
    bench.register()
    store = bench.new_store()
    bench.ask(command.ScheduleInventory((store.id,), schedule))
    before = bench.everything()

    assert bench.ask(command.ScheduleInventory((store.id,), schedule)).status == 204
    assert bench.everything() == before


def test_an_immediate_inventory_is_wanted_anew_while_the_last_one_runs():
    bench = Bench()
    bench.register()
    store = bench.new_store(inventory_schedule=Immediate())
    session = bench.register()
    audit_id = bench.configure(session, session.jobs[0].job_id).audit_id

    bench.ask(command.ScheduleInventory((store.id,), Immediate()))
    assert len(bench.scheduled()) == 1
    assert not bench.complete(session, session.jobs[0].job_id, audit_id).result.is_refusal
    assert len(bench.scheduled()) == 1


def test_one_unknown_store_spoils_the_whole_list():
    bench = Bench()
    bench.register()
    store = bench.new_store()

    status, error = bench.refused(command.ScheduleInventory((store.id, "x"), Immediate()))
    assert (status, error.error_code) == (400, "0xA0110006")
    assert [item.reason for item in error.failed_operations] == ["Certificate store 'x' does not exist"]


@pytest.mark.parametrize(("stores", "code"), [((), "0xA011000C"), (("a", "b", "c"), "0xA011000A")])
def test_no_stores_and_too_many_are_refused(stores, code):
    assert Bench(max_ids=2).refused(command.ScheduleInventory(stores, Immediate()))[1].error_code == code


# --- management -------------------------------------------------------------------------------


def test_adding_a_certificate_makes_one_job_per_store():
    bench = Bench()
    bench.register()
    stores = [bench.new_store(f"/{name}.pem").id for name in "ab"]

    made = bench.add_certificate(*stores, when=ExactlyOnce(START))

    assert [job.id for job in bench.scheduled()] == made
    assert jobs(bench) == [("PEMManagement", ExactlyOnce(START))] * 2
    assert [job.target for job in bench.scheduled()] == ["/a.pem", "/b.pem"]


def test_a_certificate_without_an_alias_is_added_under_its_thumbprint():
    bench = Bench()
    session = bench.register()
    [job_id] = bench.ask(command.AddCertificate(1, (StoreEntry(bench.new_store().id),))).body

    job = bench.configure(session, job_id).job
    assert job.alias == job.thumbprint


def test_a_store_can_be_named_twice_and_gets_two_jobs():
    bench = Bench()
    bench.register()
    store = bench.new_store().id

    assert len(set(bench.add_certificate(store, store))) == 2


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (lambda store: command.AddCertificate(7, (StoreEntry(store),)), "0xA0110006"),
        (lambda store: command.AddCertificate(10**30, (StoreEntry(store),)), "0xA011000C"),
        (lambda store: command.AddCertificate(1, (StoreEntry("x"),)), "0xA0110006"),
        (lambda store: command.AddCertificate(1, ()), "0xA011000C"),
        (lambda store: command.AddCertificate(1, (StoreEntry(store),), Off()), "0xA0110008"),
        (lambda store: command.RemoveCertificate((StoreEntry(store),)), "0xA011000C"),
        (lambda store: command.RemoveCertificate((StoreEntry("x", alias="a"),)), "0xA0110006"),
    ],
)
def test_what_cannot_be_added_or_removed_is_refused(operation, code):
    bench = Bench()
    bench.register()

    status, error = bench.refused(operation(bench.new_store().id))
    assert (status, error.error_code) == (400, code)


def test_an_agent_that_may_not_or_cannot_do_it_is_given_no_management_job():
    bench = Bench()
    bench.register(abilities=("CertStores.PEM.Inventory",))
    wanted = command.AddCertificate(1, (StoreEntry(bench.new_store().id),))

    assert bench.refused(wanted)[1].message == "Orchestrator m1 lacks the capability PEM for PEMManagement jobs"
    bench.ask(command.DisapproveAgents((bench.agent_id(),)))
    assert bench.refused(wanted)[1].message == "Orchestrator m1 has status Disapproved, not Approved"


def test_a_failed_management_job_is_retried_and_then_given_up():
    bench = Bench(retries=2)
    session = bench.register()
    [job_id] = bench.add_certificate(bench.new_store().id)

    for _ in range(3):
        bench.run(session, job_id, Result.FAILURE)

    assert [run.status for run in bench.history()] == [5, 5, 3]
    assert jobs(bench) == []
