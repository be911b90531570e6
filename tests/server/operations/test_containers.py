import pytest

from agent_sim.protocol import command, store_commands
from agent_sim.protocol.command import Page
from agent_sim.protocol.schedule import ExactlyOnce, Immediate, Interval, Off
from agent_sim.protocol.store_commands import Container, CreateContainer, DeleteContainer, UpdateContainer
from tests.server.bench import Bench


def test_a_container_is_made_listed_read_changed_and_deleted():
    bench = Bench()

    made = bench.ask(CreateContainer("Web", False, Interval(60), 2)).body
    assert made == Container(1, "Web", False, 0, "I_60", 2)
    assert bench.ask(store_commands.GetContainer(1)).body == made
    changed = bench.ask(UpdateContainer(1, "Sites", True, Immediate())).body
    assert changed == Container(1, "Sites", True, 0, "Immediate", None)
    found = bench.ask(store_commands.ListContainers(Page('Name -startswith "s" AND OverwriteSchedules -eq true')))
    assert (found.body, found.total) == ((changed,), 1)
    assert bench.ask(DeleteContainer(1)).status == 204
    assert bench.ask(store_commands.ListContainers()).body == ()


def test_a_container_that_overwrites_schedules_gives_its_stores_its_own():
    bench = Bench()
    bench.register()
    bench.ask(CreateContainer("Web", True, Interval(30)))

    store = bench.new_store(container_id=1, inventory_schedule=Interval(5))
    assert (store.inventory_schedule, store.container_name) == (Interval(30), "Web")
    bench.ask(UpdateContainer(1, "Web", True, Interval(10)))
    [listed] = bench.ask(command.ListStores()).body
    assert listed.inventory_schedule == Interval(10)
    assert bench.ask(store_commands.GetContainer(1)).body.store_count == 1


def test_a_container_that_does_not_overwrite_leaves_its_stores_alone():
    bench = Bench()
    bench.register()
    bench.ask(CreateContainer("Web", False, Interval(30)))

    assert bench.new_store(container_id=1, inventory_schedule=Interval(5)).inventory_schedule == Interval(5)
    bench.ask(UpdateContainer(1, "Web", True, Off()))  # no schedule: nothing to overwrite with
    assert [job.schedule for job in bench.scheduled()] == [Interval(5)]


def test_the_stores_of_a_deleted_container_are_in_none():
    bench = Bench()
    bench.register()
    store = bench.new_store(container_id=1)

    bench.ask(DeleteContainer(1))
    assert bench.ask(store_commands.GetStore(store.id)).body.container_id is None
    assert bench.ask(CreateContainer("new")).body.id == 2  # a number is not given twice: permissions are held for it


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (CreateContainer(" "), 400, "0xA011000C"),
        (CreateContainer("WEB"), 400, "0xA011000B"),
        (CreateContainer("x", cert_store_type=999), 400, "0xA011000C"),
        (CreateContainer("x", schedule=ExactlyOnce(2**64)), 400, "0xA0110008"),
        (UpdateContainer(9, "x"), 400, "0xA0110006"),
        (UpdateContainer(2, "web"), 400, "0xA011000B"),
        (UpdateContainer(1, "Web", cert_store_type=0), 400, "0xA011000C"),  # it has a store of another type
        (UpdateContainer(10**30, "x"), 400, "0xA011000C"),
        (DeleteContainer(9), 404, "0xA0110002"),
        (store_commands.GetContainer(9), 404, "0xA0110002"),
    ],
)
def test_what_cannot_be_is_refused(operation, status, code):
    bench = Bench()
    bench.register()
    bench.ask(CreateContainer("Web"))
    bench.ask(CreateContainer("Other"))
    bench.ask(command.CreateStore("m1", "/a", 2, bench.agent_id(), container_id=1))

    refused, error = bench.refused(operation)
    assert (refused, error.error_code) == (status, code)


def test_a_store_of_another_type_is_not_let_in():
    bench = Bench()
    bench.register()
    bench.ask(CreateContainer("JKS only", cert_store_type=0))

    wanted = command.CreateStore("m1", "/a", 2, bench.agent_id(), container_id=1)
    assert bench.refused(wanted)[1].error_code == "0xA011000C"
