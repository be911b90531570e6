"""What time does to history: the count of failures ages out, and by setting old runs are forgotten."""

import json

from agent_sim.instants import DAY, SECOND
from agent_sim.protocol import command, job_commands
from agent_sim.protocol.enums import Result
from agent_sim.server.callers import Caller
from tests.server.bench import Bench


def counts(bench: Bench) -> tuple[int, int, int]:
    found = bench.ask(job_commands.GetCounts()).body
    return found.failures, found.warnings, found.count


def test_failures_and_warnings_are_counted_until_they_are_acknowledged_or_age_out():
    bench = Bench(retries=0, age_out_days=7)
    session = bench.register()
    failed = bench.run(session, bench.schedule(), Result.FAILURE)
    bench.run(session, bench.schedule(), Result.WARNING)
    bench.run(session, bench.schedule())
    assert counts(bench) == (1, 1, 2)

    bench.ask(command.Acknowledge((failed,)))
    assert counts(bench) == (0, 1, 1)

    bench.now += 7 * DAY
    found = bench.ask(job_commands.GetCounts()).body
    assert (found.count, found.age_out_days, found.since) == (0, 7, bench.now - 7 * DAY)


def test_a_failure_that_is_retried_counts_as_well():
    bench = Bench(retries=1)
    session = bench.register()
    bench.run(session, bench.schedule(), Result.FAILURE)

    assert counts(bench) == (1, 0, 1)


def test_counts_are_ours_and_served_only_when_asked_for():
    assert Bench(sim_api=False).refused(job_commands.GetCounts())[0] == 404
    assert Bench().refused(job_commands.GetCounts(), Caller("nobody", frozenset()))[0] == 403


def test_history_is_kept_for_ever_unless_a_setting_says_for_how_long():
    bench = Bench()
    session = bench.register()
    bench.run(session, bench.schedule(), log="the log")

    bench.server.sweep(bench.now + 10_000 * DAY)

    assert len(bench.history()) == 1


def test_old_runs_are_forgotten_with_what_they_returned_and_others_stay():
    bench = Bench(job_history_retention_days=30, job_timeout=100 * DAY)
    session = bench.register()
    old = bench.run(session, bench.schedule(), log="the log")
    running = bench.configure(session, bench.schedule()).audit_id
    bench.now += 29 * DAY
    session = bench.register()
    recent = bench.run(session, bench.schedule())
    bench.server.sweep(bench.now)
    assert len(bench.history()) == 3

    bench.now += DAY + 10 * SECOND
    bench.server.sweep(bench.now)

    assert [run.job_history_id for run in bench.history()] == [running, recent]
    assert bench.ask(command.GetJobData(old)).status == 404
    assert bench.store.rows("run_data", {"job_history_id": old}) == []


def test_the_oldest_runs_make_way_by_setting_with_their_jobs_and_what_is_under_way_stays():
    bench = Bench(job_history_most=2, retries=0, job_timeout=100 * DAY)
    session = bench.register()
    running = bench.configure(session, bench.schedule()).audit_id
    old = [bench.run(session, bench.schedule(), log="the log") for _ in range(3)]
    recent = [bench.run(session, bench.schedule()) for _ in range(2)]
    bench.server.sweep(bench.now)
    bench.server.sweep(bench.now)

    assert [run.job_history_id for run in bench.history()] == [running, *recent]
    assert bench.ask(command.GetJobData(old[0])).status == 404
    assert bench.store.rows("run_data", {"job_history_id": old[0]}) == []
    assert [row[0] for row in bench.store._connection.execute("SELECT count(*) FROM job")] == [3]
    assert [row[0] for row in bench.store._connection.execute("SELECT count(*) FROM transition")] <= [10]


def test_a_history_smaller_than_the_setting_is_left_alone():
    bench = Bench(job_history_most=5, retries=0)
    bench.server.sweep(bench.now)
    session = bench.register()
    kept = [bench.run(session, bench.schedule()) for _ in range(5)]
    bench.server.sweep(bench.now)

    assert [run.job_history_id for run in bench.history()] == kept


def test_much_is_forgotten_a_little_at_a_time():
    bench = Bench(job_history_most=1, retries=0)
    session = bench.register()
    for _ in range(1200):
        bench.run(session, bench.schedule())

    left = []
    for _ in range(3):
        bench.server.sweep(bench.now)
        left.append(bench.store.count("history_count", {"where": "TRUE"}, ()))
    assert left == [199, 1, 1]


def test_a_sweep_in_portions_forgets_and_times_out_so_many_at_once_and_asks_to_go_on_until_all_is_done():
    bench = Bench(job_history_retention_days=30, job_timeout=DAY, retries=0)
    session = bench.register()
    for _ in range(5):
        bench.run(session, bench.schedule(), log="the log")
    bench.now += 30 * DAY
    session = bench.register()
    taken = [bench.configure(session, bench.schedule()).audit_id for _ in range(5)]
    bench.now += 2 * DAY

    states = []
    while bench.server.sweep(bench.now, 2) == bench.now:
        bench.store.settle()
        query = "SELECT count(*), sum(timed_out), (SELECT count(*) FROM run_data) FROM run"
        states += bench.store._connection.execute(query).fetchall()
    assert states == [(8, 2, 3), (6, 4, 1)]
    assert [(run.job_history_id, run.message) for run in bench.history()] == [(one, "timed out") for one in taken]
    assert bench.server.sweep(bench.now, 2) == bench.now + DAY


def test_what_is_more_than_is_kept_is_forgotten_in_portions_too():
    bench = Bench(job_history_most=1, retries=0, job_timeout=100 * DAY)
    session = bench.register()
    for _ in range(6):
        bench.run(session, bench.schedule())

    left = []
    for _ in range(9):
        left.append((bench.server.sweep(bench.now, 2) == bench.now, len(bench.history())))
    assert left[0] == (True, 3)
    assert left[-1] == (False, 1)


def test_a_store_whose_inventory_is_done_for_keeps_its_job():
    bench = Bench(job_history_most=1, retries=0)
    session = bench.register()
    bench.new_store()
    first = bench.schedule()
    bench.run(session, first)
    bench.store._connection.execute("UPDATE certificate_store SET inventory_job_id = ?", (first,))
    last = bench.schedule()
    bench.run(session, last)
    bench.server.sweep(bench.now)

    assert [run.job_id for run in bench.history()] == [last]
    assert bench.store.rows("jobs_known", {"job_ids": json.dumps([first])}) == [(first,)]
