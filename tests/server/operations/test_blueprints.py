import pytest

from agent_sim.protocol import command
from agent_sim.protocol.agent_commands import (
    ApplyBlueprint,
    DeleteBlueprint,
    GenerateBlueprint,
    GetBlueprint,
    ListBlueprintJobs,
    ListBlueprints,
    ListBlueprintStores,
)
from agent_sim.protocol.command import Page
from agent_sim.protocol.schedule import Daily, Interval
from tests.server.bench import START, Bench

NOBODY = "ffffffff-0000-4000-8000-000000000000"


def drawn() -> tuple[Bench, str]:
    """A bench with an orchestrator's blueprint: a store with its inventory, a management job, a custom job."""
    bench = Bench()
    bench.new_type("Rotate")
    bench.register()
    store = bench.new_store(inventory_schedule=Interval(60), properties="{}")
    bench.add_certificate(store.id)
    bench.schedule("Rotate", Daily(START))
    return bench, bench.ask(GenerateBlueprint(bench.agent_id(), "Web server")).body.agent_blueprint_id


def test_a_blueprint_shows_what_the_orchestrator_had():
    bench, made = drawn()

    [known] = bench.ask(ListBlueprints()).body
    assert (known.name, known.required_capabilities) == ("Web server", ("PEM", "Rotate"))
    assert bench.ask(GetBlueprint(made.upper())).body == known
    [store] = bench.ask(ListBlueprintStores(made)).body
    assert (store.store_path, store.cert_store_type, store.cert_store_type_name, store.properties) == (
        *("/a.pem", 2, "PEM", "{}"),
    )
    jobs = bench.ask(ListBlueprintJobs(made)).body
    assert [(job.job_type_name, job.schedule, job.operation_type) for job in jobs] == [
        ("PEMInventory", Interval(60), None),
        ("PEMManagement", None, 2),
        ("Rotate", Daily(START), None),
    ]
    assert [job.agent_blueprint_store_id for job in jobs] == [store.agent_blueprint_store_id] * 2 + [None]
    assert bench.ask(ListBlueprintJobs(made, Page(number=2, limit=2))).total == 3


def test_an_orchestrator_that_it_is_applied_to_gets_the_same_once():
    bench, made = drawn()
    bench.register("m2")

    for _ in range(2):
        assert bench.ask(ApplyBlueprint(made, (bench.agent_id("m2"),))).status == 204

    [store] = bench.ask(command.ListStores(Page('ClientMachine -eq "m2"'))).body
    assert (store.store_path, store.inventory_schedule, store.properties) == ("/a.pem", Interval(60), "{}")
    jobs = sorted(job.job_type for job in bench.scheduled(f'AgentId -eq "{bench.agent_id("m2")}"'))
    assert jobs == ["PEMInventory", "PEMManagement", "Rotate"]
    assert bench.ask(command.GetAgent(bench.agent_id("m2"))).body.blueprint == "Web server"
    assert len(bench.register("m2").jobs) == 3


def test_a_deleted_blueprint_leaves_what_it_made():
    bench, made = drawn()

    assert bench.ask(DeleteBlueprint(made)).status == 204
    assert bench.ask(ListBlueprints()).total == 0
    assert len(bench.scheduled()) == 3


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (lambda bench, made: GenerateBlueprint(NOBODY, "x"), 400, "0xA0110006"),
        (lambda bench, made: GenerateBlueprint(bench.agent_id(), " "), 400, "0xA011000C"),
        (lambda bench, made: GenerateBlueprint(bench.agent_id(), "WEB SERVER"), 400, "0xA011000B"),
        (lambda bench, made: ApplyBlueprint(NOBODY, ()), 400, "0xA0110006"),
        (lambda bench, made: ApplyBlueprint(made, (bench.agent_id(), NOBODY)), 400, "0xA0110006"),
        (lambda bench, made: ApplyBlueprint(made, (bench.agent_id("bare"),)), 400, "0xA0110005"),
        (lambda bench, made: ApplyBlueprint(made, ("x",) * 10_001), 400, "0xA011000A"),
        (lambda bench, made: GetBlueprint("nonsense"), 404, "0xA0110002"),
        (lambda bench, made: DeleteBlueprint(NOBODY), 404, "0xA0110002"),
        (lambda bench, made: ListBlueprintJobs(NOBODY), 404, "0xA0110002"),
        (lambda bench, made: ListBlueprintStores(NOBODY), 404, "0xA0110002"),
    ],
)
def test_what_cannot_be_is_refused(operation, status, code):
    bench, made = drawn()
    bench.register("bare", abilities=())

    refused, error = bench.refused(operation(bench, made))
    assert (refused, error.error_code) == (status, code)
