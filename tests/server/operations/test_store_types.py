import pytest

from agent_sim.protocol import command, store_commands
from agent_sim.protocol.command import Page
from agent_sim.protocol.enums import BY_GUID, STORE_JOBS, STORE_TYPE_IDS, Category
from agent_sim.protocol.schedule import Immediate
from agent_sim.protocol.store_type_commands import (
    CreateStoreType,
    DeleteStoreType,
    DeleteStoreTypes,
    FindStoreType,
    GetStoreType,
    ListStoreTypes,
    SupportedOperations,
    UpdateStoreType,
)
from tests.server.bench import Bench

ALL = SupportedOperations(discovery=True, enrollment=True)


def test_the_built_in_types_are_those_of_the_protocol():
    found = Bench().ask(ListStoreTypes()).body

    assert [kind.store_type for kind in found] == [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100, 101]
    by_number = {kind.store_type: kind for kind in found}
    for capability, number in STORE_TYPE_IDS.items():
        kind = by_number[number]
        assert kind.capability == capability
        for category, guid in (
            (Category.INVENTORY, kind.inventory_job_type),
            (Category.MANAGEMENT, kind.management_job_type),
            (Category.DISCOVERY, kind.discovery_job_type),
            (Category.REENROLLMENT, kind.enrollment_job_type),
        ):
            known = STORE_JOBS.get((capability, category))
            assert guid == (known.guid if known else None)


def test_a_new_type_gets_a_number_and_guids_of_its_own():
    bench = Bench()

    first = bench.ask(
        CreateStoreType("Windows", "WinCert", supported_operations=ALL, properties=({"Name": "spn"},))
    ).body
    second = bench.ask(CreateStoreType("Kubernetes", "K8S", private_key_allowed="Required")).body

    assert (first.store_type, first.capability, first.properties) == (102, "WinCert", ({"Name": "spn"},))
    minted = {
        first.inventory_job_type, first.management_job_type, first.discovery_job_type, first.enrollment_job_type,
    }  # fmt: skip
    assert len(minted) == 4
    assert not minted & set(BY_GUID)
    assert (second.store_type, second.discovery_job_type, second.private_key_allowed) == (103, None, 2)
    assert bench.ask(GetStoreType(102)).body == first
    assert bench.ask(FindStoreType("wincert")).body == (first,)
    assert bench.ask(ListStoreTypes(Page('ShortName -eq "k8s"'))).body == (second,)


@pytest.mark.parametrize("spelling", ["name", "guid"])
def test_agents_get_the_jobs_of_a_new_type_by_guid_whichever_way_they_name_it(spelling):
    bench = Bench()
    kind = bench.ask(CreateStoreType("Windows", "WinCert")).body
    named = {"name": "CertStores.WinCert.Inventory", "guid": kind.inventory_job_type.upper()}[spelling]
    bench.register(abilities=(named,))
    wanted = command.CreateStore("web01", "My", 102, bench.agent_id())
    store = bench.ask(wanted).body

    bench.ask(command.ScheduleInventory((store.id,), Immediate()))

    session = bench.register(abilities=(named,))
    [job] = session.jobs
    assert job.job_type_id == kind.inventory_job_type
    bench.run(session, job.job_id)
    [run] = bench.history('JobType -eq "WinCertInventory"')
    assert [run] == bench.history('JobType -eq "Inventory"')
    [agent] = bench.ask(command.ListAgents(Page('Capabilities -contains "WinCert"'))).body
    assert agent.capabilities == ("WinCert",)
    assert [(kind.name, kind.job_type_id) for kind in agent.job_types] == [("WinCert Inventory", job.job_type_id)]


def test_a_type_can_be_changed_and_keeps_its_guids():
    bench = Bench()
    before = bench.ask(CreateStoreType("Windows", "WinCert")).body

    after = bench.ask(UpdateStoreType(102, "Windows 2", "Win2", "WinCert", supported_operations=ALL)).body

    assert (after.name, after.short_name, after.capability) == ("Windows 2", "Win2", "WinCert")
    assert (after.inventory_job_type, after.management_job_type) == (
        before.inventory_job_type,
        before.management_job_type,
    )
    assert after.discovery_job_type


def test_given_guids_are_kept():
    guid = "ABCDEF00-0000-4000-8000-000000000001"

    made = Bench().ask(CreateStoreType("W", "W", inventory_job_type_id=guid)).body
    assert made.inventory_job_type == guid.lower()


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (CreateStoreType("Windows", "Other"), 400, "0xA011000B"),
        (CreateStoreType("x", "pem"), 400, "0xA011000B"),
        (CreateStoreType("x", "two words"), 400, "0xA011000C"),
        (CreateStoreType("x", "a.b"), 400, "0xA011000C"),
        (CreateStoreType("", "x"), 400, "0xA011000C"),
        (CreateStoreType("x", "y", private_key_allowed=3), 400, "0xA011000C"),
        (CreateStoreType("x", "y", inventory_job_type_id="z"), 400, "0xA011000C"),
        (CreateStoreType("x", "y", inventory_job_type_id=next(iter(BY_GUID))), 400, "0xA011000C"),
        (UpdateStoreType(2, "PEM", "PEM"), 400, "0xA0110005"),
        (UpdateStoreType(999, "x", "x"), 400, "0xA0110006"),
        (UpdateStoreType(102, "Windows", "WinCert", "Other"), 400, "0xA0110005"),  # a store has it
        (DeleteStoreType(999), 404, "0xA0110002"),
        (DeleteStoreType(2), 400, "0xA0110005"),
        (DeleteStoreType(102), 400, "0xA0110005"),
        (DeleteStoreTypes((103, 999)), 400, "0xA0110006"),
        (GetStoreType(999), 404, "0xA0110002"),
        (FindStoreType("nothing"), 404, "0xA0110002"),
    ],
)
def test_what_cannot_be_is_refused(operation, status, code):
    bench = Bench()
    bench.register()
    bench.ask(CreateStoreType("Windows", "WinCert"))
    bench.ask(CreateStoreType("Free", "Free"))
    bench.ask(command.CreateStore("web01", "My", 102, bench.agent_id()))

    refused, error = bench.refused(operation)
    assert (refused, error.error_code) == (status, code)


def test_types_are_deleted_all_or_none():
    bench = Bench()
    bench.ask(CreateStoreType("A", "A"))
    bench.ask(CreateStoreType("B", "B"))

    assert bench.ask(DeleteStoreTypes((102, 103, 102))).status == 204
    assert bench.ask(GetStoreType(102)).status == 404
    assert bench.ask(ListStoreTypes()).total == 13


def test_a_discovery_for_a_new_type_finds_stores_of_it():
    bench = Bench()
    bench.ask(CreateStoreType("Windows", "WinCert", supported_operations=ALL))
    bench.register(abilities=("CertStores.WinCert.Discovery",))

    assert bench.ask(store_commands.ScheduleDiscovery(bench.agent_id(), 102)).status == 204
    assert [job.job_type for job in bench.scheduled()] == ["WinCertDiscovery"]
