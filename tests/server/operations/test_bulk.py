"""Reschedule, Acknowledge and Unschedule over the whole server: who, which, all or nothing, and once."""

import time

import pytest

from agent_sim.protocol import command
from agent_sim.protocol.command import ACKNOWLEDGEABLE_QUERY, RESCHEDULABLE_QUERY, UNSCHEDULABLE_QUERY
from agent_sim.protocol.endpoints import MODIFY_AGENTS, READ_AGENTS, SCHEDULE_STORES
from agent_sim.protocol.enums import Result, Status
from agent_sim.protocol.schedule import Interval, Monthly, Weekly
from agent_sim.server.callers import Caller
from tests.server.bench import START, Bench

NO_STORES = Caller("clerk", frozenset({MODIFY_AGENTS, READ_AGENTS}))
ONE_CONTAINER = Caller("clerk", frozenset({MODIFY_AGENTS, READ_AGENTS, f"{SCHEDULE_STORES}3/"}))

BULK = (command.Reschedule, command.Acknowledge, command.Unschedule)


def failing(**settings: object) -> tuple[Bench, int]:
    """A bench with one failed management run, and its audit id."""
    bench = Bench(**{"retries": 0, **settings})
    session = bench.register()
    [audit_id] = bench.failed_management(session, bench.new_store().id)
    return bench, audit_id


def waits(bench: Bench) -> int:
    return len(bench.scheduled())


# --- ids or a query ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BULK)
@pytest.mark.parametrize("ids", [None, ()])
@pytest.mark.parametrize("query", [None, "", "  "])
def test_neither_ids_nor_a_query_is_refused(kind, ids, query):
    status, error = Bench().refused(kind(ids, query))

    assert (status, error.error_code) == (400, "0xA0110004")
    assert "neither is given" in error.message


@pytest.mark.parametrize("kind", BULK)
def test_both_ids_and_a_query_are_refused(kind):
    status, error = Bench().refused(kind(("1",) if kind is command.Unschedule else (1,), "Result -eq 4"))

    assert (status, error.error_code) == (400, "0xA0110004")
    assert "both are given" in error.message


@pytest.mark.parametrize("kind", BULK)
def test_a_query_that_cannot_be_read_is_refused_with_its_place(kind):
    status, error = Bench().refused(kind(None, "JobType -eq"))

    assert (status, error.error_code) == (400, "0xA0110003")
    assert "position" in error.message or "end of the query" in error.message


@pytest.mark.parametrize("kind", BULK)
def test_too_many_ids_are_refused(kind):
    ids = ("a", "b", "c") if kind is command.Unschedule else (1, 2, 3)
    status, error = Bench(max_ids=2).refused(kind(ids))

    assert (status, error.error_code) == (400, "0xA011000A")


@pytest.mark.parametrize("kind", BULK)
def test_ids_that_nobody_has_are_refused_by_name(kind):
    ids = ("x", "y") if kind is command.Unschedule else (7, 10**30)
    status, error = Bench().refused(kind(ids))

    assert (status, error.error_code) == (400, "0xA0110006")
    what = "Job" if kind is command.Unschedule else "Job audit"
    assert [item.reason for item in error.failed_operations] == [f"{what} {id_}: does not exist" for id_ in ids]


@pytest.mark.parametrize("query", [RESCHEDULABLE_QUERY, ACKNOWLEDGEABLE_QUERY])
@pytest.mark.parametrize("kind", [command.Reschedule, command.Acknowledge])
def test_a_query_that_finds_nothing_is_done(kind, query):
    assert Bench().ask(kind(None, query)).status == 204


# --- reschedule -------------------------------------------------------------------------------


def test_a_failed_job_is_queued_again_under_its_id_and_runs_as_a_new_run():
    bench, audit_id = failing()
    [old] = bench.history()

    assert bench.ask(command.Reschedule((audit_id,))).status == 204
    [waiting] = bench.scheduled()
    assert (waiting.id, waiting.schedule, waiting.job_type) == (old.job_id, None, "PEMManagement")
    session = bench.register()
    assert [(job.job_id, job.schedule) for job in session.jobs] == [(old.job_id, None)]
    bench.run(session, old.job_id)

    assert [(run.job_history_id, run.result, run.status) for run in bench.history()] == [(1, 4, 3), (2, 2, 3)]
    assert bench.history()[0] == old


def test_rescheduling_a_job_that_waits_or_runs_already_is_done_and_changes_nothing():
    bench, audit_id = failing()
    bench.ask(command.Reschedule((audit_id,)))
    waiting = bench.everything()

    assert bench.ask(command.Reschedule((audit_id,))).status == 204
    assert bench.everything() == waiting
    session = bench.register()
    bench.configure(session, session.jobs[0].job_id)
    running = bench.everything()
    assert bench.ask(command.Reschedule(None, RESCHEDULABLE_QUERY)).status == 204
    assert bench.everything() == running


def test_one_job_with_several_failed_runs_is_queued_once_for_the_newest():
    bench, first = failing()
    bench.ask(command.Reschedule((first,)))
    session = bench.register()
    second = bench.run(session, session.jobs[0].job_id, Result.FAILURE)

    assert bench.ask(command.Reschedule((second, first, first))).status == 204
    assert waits(bench) == 1
    rescheduled = [row.audit_id for row in bench.transitions() if row.kind == "rescheduled"]
    assert rescheduled == [first, second]


def test_the_agent_of_a_rescheduled_job_is_told_by_its_heartbeat():
    bench, audit_id = failing()
    session, other = bench.register(), bench.register("m2")

    bench.ask(command.Reschedule((audit_id,)))

    assert not bench.holds(session)
    assert bench.holds(other)


def test_a_rescheduled_job_has_its_retries_anew():
    bench, _ = failing(retries=1)
    session = bench.register()
    job_id = session.jobs[0].job_id
    last = bench.run(session, job_id, Result.FAILURE)

    bench.ask(command.Reschedule((last,)))
    session = bench.register()
    for _ in range(2):
        bench.run(session, job_id, Result.FAILURE)
    assert [run.status for run in bench.history()] == [5, 3, 5, 3]


@pytest.mark.parametrize("schedule", [Weekly((1,), START), Monthly(4, START)])
def test_a_weekly_or_monthly_custom_job_that_failed_runs_at_once_and_then_as_before(schedule):
    bench = Bench(retries=0)
    bench.register()
    bench.new_type()
    job_id = bench.schedule("Rotate", schedule)
    session = bench.register()
    text = session.jobs[0].schedule
    audit_id = bench.run(session, job_id, Result.FAILURE)

    assert bench.ask(command.Reschedule((audit_id,))).status == 204
    assert [job.schedule for job in bench.register().jobs] == [None]
    assert [job.schedule for job in bench.scheduled()] == [None]
    bench.run(bench.register(), job_id)
    assert [job.schedule for job in bench.register().jobs] == [text]
    assert [run.schedule for run in bench.history()] == [schedule, schedule]


@pytest.mark.parametrize("schedule", [None, Interval(5)])
def test_other_custom_jobs_are_refused(schedule):
    bench = Bench(retries=0)
    session = bench.register()
    bench.new_type()
    audit_id = bench.run(session, bench.schedule("Rotate", schedule), Result.FAILURE)

    status, error = bench.refused(command.Reschedule((audit_id,)))
    assert (status, error.error_code) == (400, "0xA0110005")
    assert error.failed_operations[0].reason.startswith("Job audit 1: ")


def test_log_fetching_and_inventory_are_refused():
    bench = Bench(retries=0)
    bench.register()
    bench.new_store(inventory_schedule=Interval(5))
    inventory = bench.scheduled()[0].id
    session = bench.register()
    audits = [bench.run(session, job, Result.FAILURE) for job in (inventory, bench.schedule())]

    for audit_id in audits:
        assert bench.refused(command.Reschedule((audit_id,)))[0] == 400


@pytest.mark.parametrize("result", [Result.SUCCESS, Result.WARNING])
def test_a_run_that_did_not_fail_is_refused(result):
    bench = Bench()
    session = bench.register()
    [job_id] = bench.add_certificate(bench.new_store().id)
    audit_id = bench.run(session, job_id, result)

    assert bench.refused(command.Reschedule((audit_id,)))[1].error_code == "0xA0110005"


def test_a_run_in_process_and_one_that_retries_by_itself_are_refused():
    bench = Bench(retries=1)
    session = bench.register()
    [job_id] = bench.add_certificate(bench.new_store().id)
    audit_id = bench.configure(session, job_id).audit_id

    assert "status InProcess" in bench.refused(command.Reschedule((audit_id,)))[1].message
    bench.complete(session, job_id, audit_id, Result.FAILURE)
    assert "status CompletedWillRetry" in bench.refused(command.Reschedule((audit_id,)))[1].message


def test_an_acknowledged_failure_can_be_rescheduled():
    bench, audit_id = failing()
    bench.ask(command.Acknowledge((audit_id,)))

    assert bench.ask(command.Reschedule((audit_id,))).status == 204
    assert waits(bench) == 1


def test_by_setting_rescheduling_marks_the_failure_as_acknowledged():
    bench, audit_id = failing(reschedule_marks_acknowledged=True)
    bench.ask(command.Reschedule((audit_id,)))

    assert bench.history()[0].status is Status.ACKNOWLEDGED
    assert bench.kinds()[-2:] == ["rescheduled", "acknowledged"]
    bench.ask(command.Unschedule((bench.scheduled()[0].id,)))
    bench.ask(command.Reschedule((audit_id,)))
    assert bench.kinds()[-2:] == ["unscheduled", "rescheduled"]


def test_a_job_that_was_unscheduled_while_it_runs_is_not_queued_beside_its_run():
    bench = Bench(retries=0)
    bench.register()
    bench.new_type()
    job_id = bench.schedule("Rotate", Weekly((1,), START))
    session = bench.register()
    failed_run = bench.run(session, job_id, Result.FAILURE)
    running = bench.configure(session, job_id).audit_id
    bench.ask(command.Unschedule((job_id,)))

    assert bench.ask(command.Reschedule((failed_run,))).status == 204
    assert waits(bench) == 0
    bench.complete(session, job_id, running, Result.FAILURE)
    bench.ask(command.Reschedule((running,)))
    assert waits(bench) == 1


# --- all or nothing ---------------------------------------------------------------------------


def mixed(**settings: object) -> tuple[Bench, int, int]:
    """A bench with one reschedulable run and one that is not."""
    bench, good = failing(**settings)
    bad = bench.run(bench.register(), bench.schedule(), Result.FAILURE)
    return bench, good, bad


def test_one_bad_id_spoils_the_whole_list():
    bench, good, bad = mixed()

    status, error = bench.refused(command.Reschedule((good, bad, 99)))

    assert (status, error.error_code) == (400, "0xA0110006")
    assert error.message == "2 cannot be rescheduled, nothing was changed: Job audit 99: does not exist"
    assert [item.reason.split(":")[0] for item in error.failed_operations] == ["Job audit 99", f"Job audit {bad}"]


def test_by_setting_the_good_ids_are_done_and_the_bad_ones_reported():
    bench, good, bad = mixed(partial_policy="best_effort")

    reply = bench.ask(command.Reschedule((good, bad)))

    assert (reply.status, reply.body.error_code) == (400, "0xA0110005")
    assert reply.body.message.startswith("1 cannot be rescheduled, the other 1 done: Job audit")
    assert waits(bench) == 1


def test_a_query_skips_what_is_not_eligible():
    bench, _, _ = mixed()

    assert bench.ask(command.Reschedule(None, RESCHEDULABLE_QUERY)).status == 204
    assert [job.job_type for job in bench.scheduled()] == ["PEMManagement"]


def test_only_so_many_reasons_are_listed():
    bench = Bench()
    status, error = bench.refused(command.Acknowledge(tuple(range(1, 1001))))

    assert status == 400
    assert len(error.failed_operations) == 101
    assert error.failed_operations[-1].reason == "and 900 more"


# --- who may ----------------------------------------------------------------------------------


def test_rescheduling_a_stores_job_needs_a_permission_for_stores():
    bench, audit_id = failing()

    status, error = bench.refused(command.Reschedule((audit_id,)), NO_STORES)
    assert (status, error.error_code) == (403, "0xA0140002")
    assert bench.ask(command.Reschedule(None, RESCHEDULABLE_QUERY), NO_STORES).status == 204
    assert waits(bench) == 0


def test_a_permission_for_a_container_is_good_for_its_stores_only():
    bench = Bench(retries=0)
    session = bench.register()
    inside, outside = bench.new_store("/in.pem", container_id=3), bench.new_store("/out.pem", container_id=30)
    first, second = bench.failed_management(session, inside.id, outside.id)

    assert bench.refused(command.Reschedule((first, second)), ONE_CONTAINER)[0] == 403
    assert bench.ask(command.Reschedule(None, RESCHEDULABLE_QUERY), ONE_CONTAINER).status == 204
    assert [job.target for job in bench.scheduled()] == ["/in.pem"]
    assert bench.ask(command.Unschedule((bench.scheduled()[0].id,)), ONE_CONTAINER).status == 204


def test_custom_jobs_and_acknowledging_need_no_permission_for_stores():
    bench, audit_id = failing()
    job_id = bench.schedule()

    assert bench.ask(command.Acknowledge((audit_id,)), NO_STORES).status == 204
    assert bench.ask(command.Unschedule((job_id,)), NO_STORES).status == 204


# --- acknowledge ------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [Result.FAILURE, Result.WARNING])
def test_an_acknowledged_run_keeps_its_result(result):
    bench = Bench(retries=0)
    audit_id = bench.run(bench.register(), bench.schedule(), result)

    assert bench.ask(command.Acknowledge((audit_id,))).status == 204
    [run] = bench.history()
    assert (run.result, run.status) == (result, Status.ACKNOWLEDGED)


def test_acknowledging_a_run_that_will_be_retried_does_not_cancel_the_retry():
    bench = Bench(retries=1)
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.run(session, job_id, Result.FAILURE)

    assert bench.ask(command.Acknowledge(None, ACKNOWLEDGEABLE_QUERY)).status == 204
    bench.run(bench.register(), job_id)
    assert [(run.job_history_id, run.status) for run in bench.history()] == [(audit_id, 4), (audit_id + 1, 3)]


def test_a_success_and_a_run_in_process_are_refused():
    bench = Bench()
    session = bench.register()
    done = bench.run(session, bench.schedule())
    running = bench.configure(session, bench.schedule()).audit_id

    for audit_id in (done, running):
        assert bench.refused(command.Acknowledge((audit_id,)))[1].error_code == "0xA0110005"


def test_acknowledging_again_is_refused_or_by_setting_done():
    bench, audit_id = failing()
    bench.ask(command.Acknowledge((audit_id,)))
    assert bench.refused(command.Acknowledge((audit_id,)))[0] == 400

    bench, audit_id = failing(acknowledge_again="no_op")
    bench.ask(command.Acknowledge((audit_id,)))
    before = bench.everything()
    assert bench.ask(command.Acknowledge((audit_id,))).status == 204
    assert bench.everything() == before


def test_ids_given_twice_count_once():
    bench, audit_id = failing()

    assert bench.ask(command.Acknowledge((audit_id, audit_id))).status == 204
    assert bench.kinds().count("acknowledged") == 1


# --- unschedule -------------------------------------------------------------------------------


def test_an_unscheduled_job_is_off_the_schedule_and_its_agent_told():
    bench = Bench()
    bench.register()
    job_id = bench.schedule()
    session = bench.register()

    assert bench.ask(command.Unschedule((f"{{{job_id.upper()}}}",))).status == 204
    assert waits(bench) == 0
    assert not bench.holds(session)
    assert bench.register().jobs == ()
    assert bench.kinds()[-1] == "unscheduled"


def test_the_seeds_query_unschedules_all_but_inventory():
    bench = Bench()
    bench.register()
    store = bench.new_store(inventory_schedule=Interval(5))
    bench.new_type()
    bench.add_certificate(store.id)
    bench.schedule()
    bench.schedule("Rotate", Interval(5))

    assert bench.ask(command.Unschedule(None, UNSCHEDULABLE_QUERY)).status == 204
    assert [job.job_type for job in bench.scheduled()] == ["PEMInventory"]


def test_inventory_cannot_be_unscheduled():
    bench = Bench()
    bench.register()
    bench.new_store(inventory_schedule=Interval(5))
    job_id = bench.scheduled()[0].id

    status, error = bench.refused(command.Unschedule((job_id,)))
    assert status == 400
    assert error.failed_operations[0].reason == (
        f"Job {job_id}: Inventory jobs cannot be unscheduled, use POST /CertificateStores/Schedule"
    )
    assert bench.ask(command.Unschedule(None, "JobType -contains Inventory")).status == 204
    assert waits(bench) == 1


def test_a_one_time_job_that_runs_or_ended_is_not_scheduled_any_more():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    bench.configure(session, job_id)

    status, error = bench.refused(command.Unschedule((job_id,)))
    assert (status, error.error_code) == (400, "0xA0110006")
    assert error.failed_operations[0].reason == f"Job {job_id}: is not scheduled any more"


def test_a_recurring_job_unscheduled_while_it_runs_ends_its_run_and_does_not_come_again():
    bench = Bench(retries=5)
    bench.register()
    job_id = bench.schedule(when=Interval(1))
    session = bench.register()
    audit_id = bench.configure(session, job_id).audit_id

    assert bench.ask(command.Unschedule((job_id,))).status == 204
    assert not bench.complete(session, job_id, audit_id, Result.FAILURE).result.is_refusal
    assert bench.history()[0].status is Status.COMPLETED
    assert bench.register().jobs == ()


# --- many -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["ids", "query"])
def test_ten_thousand_jobs_are_rescheduled_and_acknowledged_in_reasonable_time(mode):
    bench, _ = failing()
    connection = bench.store._connection
    numbers = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
    connection.execute(
        f"INSERT INTO job {numbers} SELECT i, printf('%08x-0000-4000-8000-00000000000f', i), agent_id, type_guid, "
        "job_type, job_category, type_category, NULL, NULL, requested, 'gone', 0, 0, store_id, details "
        "FROM n, job WHERE seq = 1"
    )
    connection.execute(
        f"INSERT INTO run {numbers} SELECT i, printf('%08x-0000-4000-8000-00000000000f', i), agent_id, agent_machine, "
        "job_type, job_category, NULL, NULL, store_path, client_machine, 4, 3, operation_start, operation_end, '', 0 "
        "FROM n, run WHERE job_history_id = 1"
    )
    chosen = (tuple(range(1, 10_001)), None) if mode == "ids" else (None, RESCHEDULABLE_QUERY)

    began = time.process_time()
    assert bench.ask(command.Reschedule(*chosen)).status == 204
    assert bench.ask(command.Acknowledge(*chosen)).status == 204
    spent = time.process_time() - began

    assert bench.ask(command.ListScheduledJobs()).total == 10_000
    assert {run.status for run in bench.history()} == {Status.ACKNOWLEDGED}
    assert bench.ask(command.ListTransitions(0, 50_000)).body.last_seq == 3 + 20_000
    assert spent < 5, spent  # about 0.3 s on the machine this was written on
