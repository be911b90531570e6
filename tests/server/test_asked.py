import pytest

from agent_sim.protocol import agent_commands, command, store_commands
from agent_sim.protocol.schedule import Interval
from tests.server.bench import Bench

DONE, ASKED = "unscheduled", "unschedule_asked"


def ready(**settings: object) -> tuple[Bench, str, list[str]]:
    """A bench with two jobs on one store, and the store's id."""
    bench = Bench(**settings)
    bench.register()
    store = bench.new_store().id
    bench.add_certificate(store)
    bench.add_certificate(store)
    return bench, store, [job.id for job in bench.scheduled()]


def noted(bench: Bench) -> list[tuple[str, str]]:
    return [(each.kind, each.job_id) for each in bench.transitions() if each.kind in (DONE, ASKED)]


def test_what_is_unscheduled_by_id_was_asked_for():
    bench, _, [first, _] = ready()

    bench.ask(command.Unschedule((f"{{{first.upper()}}}",)))

    assert noted(bench) == [(DONE, first), (ASKED, first)]


def test_so_was_all_that_a_query_found():
    bench, _, jobs = ready()

    bench.ask(command.Unschedule(query=command.UNSCHEDULABLE_QUERY))

    assert noted(bench) == [*((DONE, job) for job in jobs), *((ASKED, job) for job in jobs)]


def test_of_a_list_that_was_refused_only_what_was_done_all_the_same():
    for policy, expected in (("atomic", []), ("best_effort", [DONE, ASKED])):
        bench, _, [first, _] = ready(partial_policy=policy)

        bench.ask(command.Unschedule((first, "00000000-0000-4000-8000-00000000ffff")))

        assert [kind for kind, _ in noted(bench)] == expected


def test_an_inventory_that_another_schedule_replaces_was_asked_for():
    bench, store, _ = ready()

    for minutes in (5, 7):
        bench.ask(command.ScheduleInventory((store,), Interval(minutes)))

    assert [kind for kind, _ in noted(bench)] == [DONE, ASKED]


@pytest.mark.parametrize(
    "removal",
    [
        lambda bench, store: store_commands.DeleteStore(store),
        lambda bench, store: store_commands.DeleteStores((store,)),
        lambda bench, store: agent_commands.ResetAgent(bench.agent_id()),
        lambda bench, store: agent_commands.ResetAgents((bench.agent_id(),)),
    ],
)
def test_the_jobs_of_what_is_removed_were_asked_for(removal):
    bench, store, jobs = ready()

    assert bench.ask(removal(bench, store)).status == 204

    assert noted(bench) == [*((DONE, job) for job in jobs), *((ASKED, job) for job in jobs)]
