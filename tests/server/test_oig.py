from dataclasses import replace

import pytest

from agent_sim.instants import DAY, HOUR, MILLISECOND, MINUTE, NEVER, SECOND
from agent_sim.protocol import oig
from agent_sim.protocol.oig import JobChanges, JobDetails, JobStatus, Page, Parameter, RunStatus, Trigger, TriggerType
from agent_sim.server.callers import AGENT_SESSION, Caller
from agent_sim.server.oig_tasks import Course, Outcome, TaskRun
from agent_sim.server.store import SqliteStore
from tests.server.oig_bench import START, OigBench, create_all, failing, seeds_job

HANG = Course(Outcome.HANG)
HOURLY = Trigger(TriggerType.PERIODIC, "HOURS", ("1",), START)

# --- jobs -------------------------------------------------------------------------------------


def test_a_job_is_created_in_the_seeds_words_and_shown_as_it_was_given():
    bench = OigBench()

    assert bench.done(oig.CreateJob(seeds_job())) == "Job Create successfull"

    assert bench.job("Test Job") == seeds_job()


def test_a_job_is_stopped_at_first_whatever_status_it_was_sent_with():
    bench = OigBench()

    bench.done(oig.CreateJob(replace(seeds_job(), status=JobStatus.RUNNING)))

    assert bench.job("Test Job").status is JobStatus.STOPPED


def test_the_same_name_twice_is_refused_and_the_first_job_stays():
    bench = OigBench()
    bench.create("A", retry_count=3)

    assert bench.refused(oig.CreateJob(JobDetails("A", "Other", 0))) == (400, "a job 'A' exists already")

    assert bench.job("A").retry_count == 3


@pytest.mark.parametrize("row", oig.ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_every_endpoint_of_a_job_that_does_not_exist_says_404_or_by_setting_400(row):
    if "{name}" not in row.path:
        return
    more = {"changes": JobChanges(), "trigger": HOURLY, "id": 1}
    given = {name: more[name] for name in row.operation.__dataclass_fields__ if name in more}
    operation = row.operation(name="nobody", **given)

    assert OigBench().refused(operation) == (404, "there is no job 'nobody'")
    assert OigBench(oig_unknown_job=400).refused(operation) == (400, "there is no job 'nobody'")


def test_an_update_changes_what_it_says_and_merges_parameters_by_name():
    bench = OigBench()
    bench.done(oig.CreateJob(seeds_job()))

    wanted = JobChanges(retry_count=7, parameters=(Parameter("Purge Criteria", "2"), Parameter("New", "x")))
    assert bench.done(oig.UpdateJob("Test Job", wanted)) == "Job Update successfull"

    values = {each.name: each.value for each in bench.job("Test Job").parameters}
    assert values == {
        "Cert Campaigns for Purge": "11",
        "Purge Retention Period(in days)": "5",
        "Purge Criteria": "2",
        "Maximum Purge Run Duration(in Mins)": "6",
        "New": "x",
    }
    assert bench.job("Test Job").retry_count == 7


def test_a_job_cannot_be_renamed():
    bench = OigBench()
    bench.create()

    status, message = bench.refused(oig.UpdateJob("A", JobChanges(job_name="B")))

    assert (status, message) == (400, "a job cannot be renamed: jobName is 'B', the path says 'A'")


def test_a_deleted_job_is_gone_with_its_history():
    bench = OigBench()
    bench.create()
    bench.done(oig.RunJob("A"))
    bench.wait(SECOND)

    assert bench.done(oig.DeleteJob("A")) == "Job Deleted"
    bench.create()

    assert bench.history() == []


def test_a_running_job_is_not_deleted_until_it_is_stopped():
    bench = OigBench(HANG)
    bench.create()
    bench.done(oig.RunJob("A"))

    assert bench.refused(oig.DeleteJob("A")) == (400, "job 'A' is running: stop it first")
    bench.done(oig.StopJob("A"))

    assert bench.done(oig.DeleteJob("A")) == "Job Deleted"


def test_a_running_job_can_be_updated_and_the_run_keeps_what_it_began_with():
    bench = OigBench(Course(duration=MINUTE))
    bench.create(parameters=(Parameter("Mode", "old"),))
    bench.done(oig.RunJob("A"))

    bench.done(oig.UpdateJob("A", JobChanges(parameters=(Parameter("Mode", "new"),))))
    bench.wait(MINUTE)
    bench.done(oig.RunJob("A"))

    assert [run.params for run in bench.history()] == [(("Mode", "old"),), (("Mode", "new"),)]


def test_a_notification_is_kept_and_shown():
    bench = OigBench()
    bench.create(notification='{"beneficiaryType": "User Login", "sendTo": "XELSYSADM"}')

    assert bench.job().notification == '{"beneficiaryType": "User Login", "sendTo": "XELSYSADM"}'


def test_only_who_may_write_writes_and_agents_may_nothing():
    bench = OigBench()
    bench.create()
    reader, agent = Caller("reader", frozenset({oig.READ})), Caller("agent", frozenset({AGENT_SESSION}))

    answers = [
        bench.ask(operation, caller).status
        for caller in (reader, agent)
        for operation in (oig.GetJob("A"), oig.ListJobs(), oig.RunJob("A"), oig.DeleteJob("A"))
    ]

    assert answers == [200, 200, 403, 403, 403, 403, 403, 403]


# --- searching --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Apple", "Big Tree", "a_b", "axb"]),
        ("Job::Name eq A*", ["Apple", "a_b", "axb"]),  # in any case
        ("Job::Name eq Big::Tree", ["Big Tree"]),  # a blank
        ("Job::Name eq a_b", ["a_b"]),  # the signs of SQL are none
        ("Job::Name eq a%", []),
        ("Job::Name eq Apple and Job::Name eq axb", ["Apple", "axb"]),  # alternatives
        ("Job::Status eq 5", ["Apple"]),
        ("Job::Status eq RUNNING", ["Apple"]),
        ("Job::Status eq 5 and Job::Status eq 2 and Job::Name eq A*", ["Apple", "a_b", "axb"]),  # the documents'
        ("Status eq stopped and Task::Name eq Task", ["Big Tree", "a_b", "axb"]),
        ("Task::Name eq other*", []),
    ],
)
def test_jobs_are_searched_by_name_task_and_status(query, found):
    bench = OigBench(HANG)
    create_all(bench, ["axb", "Big Tree", "Apple", "a_b"])
    bench.done(oig.RunJob("Apple"))

    assert bench.names(query) == found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("Job::Name", "q must be terms such as Job::Name eq A*, joined by and; 'Job::Name' is none"),
        ("Job::Nam eq A", "q: there is no field 'Job::Nam'; there are Job::Name, Task::Name and Status"),
        ("Status eq 99", "q: '99' is no status; there are STOPPED, RUNNING, INTERRUPTED, 2, 5, 6, 7"),
        ("x and y", "q must be terms such as Job::Name eq A*, joined by and; 'x' is none"),
    ],
)
def test_a_search_that_is_none_is_refused_with_the_reason(query, message):
    assert OigBench().refused(oig.ListJobs(query)) == (400, message)


def test_pages_and_orders_of_jobs():
    bench = OigBench()
    create_all(bench, ["c", "a", "d", "b"])

    assert bench.names(limit=2) == ["a", "b"]
    assert bench.names(limit=2, offset=2) == ["c", "d"]
    assert bench.names(limit=2, offset=3, order=("jobName", True)) == ["a"]
    assert bench.names(order=("status", True)) == ["a", "b", "c", "d"]
    assert bench.names(limit=0) == []
    status, message = bench.refused(oig.ListJobs("", Page(order=("retryCount", False))))
    assert (status, message) == (400, "orderBy must be one of jobName, taskName, status, is 'retryCount'")


# --- running and stopping ---------------------------------------------------------------------


def test_a_run_shows_as_running_until_its_time_is_up():
    bench = OigBench(Course(duration=3 * SECOND))
    bench.create()

    assert bench.done(oig.RunJob("A")) == "run successfull"
    assert (bench.job().status, bench.statuses()) == (JobStatus.RUNNING, [RunStatus.RUNNING])
    bench.wait(3 * SECOND)

    [run] = bench.history()
    assert (run.start, run.end, run.status) == (START, START + 3 * SECOND, RunStatus.STOPPED)
    assert bench.job().status is JobStatus.STOPPED


def test_a_second_run_of_one_that_is_not_concurrent_is_refused_and_nothing_runs_twice():
    bench = OigBench(HANG)
    bench.create()
    bench.done(oig.RunJob("A"))

    assert bench.refused(oig.RunJob("A")) == (400, "job 'A' is running already, and it is not concurrent")

    assert bench.statuses() == [RunStatus.RUNNING]


def test_a_concurrent_job_runs_as_often_as_it_is_asked_to_and_is_running_until_the_last_ends():
    bench = OigBench(Course(duration=SECOND), Course(duration=3 * SECOND), Course(duration=2 * SECOND))
    bench.create(concurrent=True)
    for _ in range(3):
        bench.done(oig.RunJob("A"))

    bench.wait(2 * SECOND)
    assert bench.job().status is JobStatus.RUNNING
    bench.wait(SECOND)

    assert bench.job().status is JobStatus.STOPPED
    assert bench.statuses() == [RunStatus.STOPPED] * 3


def test_stopping_interrupts_every_run_and_what_hangs_too():
    bench = OigBench(HANG, Course(duration=HOUR))
    bench.create(concurrent=True)
    bench.done(oig.RunJob("A"))
    bench.done(oig.RunJob("A"))
    bench.now += SECOND

    assert bench.done(oig.StopJob("A")) == "stop successfull"

    assert bench.job().status is JobStatus.INTERRUPTED
    assert [(run.status, run.end, run.error_message) for run in bench.history()] == [
        (RunStatus.INTERRUPTED, START + SECOND, "The job was stopped")
    ] * 2
    assert bench.server.next_wake() == NEVER


def test_what_does_not_run_cannot_be_stopped():
    bench = OigBench()
    bench.create()

    assert bench.refused(oig.StopJob("A")) == (400, "job 'A' is not running")


def test_a_hanging_run_lasts_until_somebody_stops_it():
    bench = OigBench(HANG)
    bench.create()
    bench.done(oig.RunJob("A"))

    bench.wait(365 * DAY)

    assert bench.statuses() == [RunStatus.RUNNING]


def test_a_disabled_job_is_not_run_unless_the_setting_says_so():
    strict, lenient = OigBench(), OigBench(oig_run_disabled="run")
    for bench in (strict, lenient):
        bench.create(is_enabled=False)

    assert strict.refused(oig.RunJob("A")) == (400, "job 'A' is disabled: enable it first")
    assert lenient.done(oig.RunJob("A")) == "run successfull"


def test_the_runner_is_told_which_occurrence_and_attempt_it_is():
    bench = OigBench(*failing(1))
    bench.create(retry_count=1)
    bench.done(oig.RunJob("A"))
    bench.wait(HOUR)
    bench.done(oig.RunJob("A"))

    assert bench.tasks.asked == [
        TaskRun("Task", "A", 1, 1, 1),
        TaskRun("Task", "A", 1, 2, 2),
        TaskRun("Task", "A", 2, 1, 3),
    ]


# --- retries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_count", [0, 1, 2, 5])
def test_a_job_fails_until_its_retries_are_exhausted_and_is_disabled_then(retry_count):
    bench = OigBench(*failing(100))
    bench.create(retry_count=retry_count)
    bench.done(oig.RunJob("A"))

    bench.wait(DAY)

    assert bench.statuses() == [RunStatus.FAILED] * (retry_count + 1)
    assert not bench.job().is_enabled
    assert bench.server.next_wake() == NEVER


def test_a_retry_comes_after_the_delay():
    bench = OigBench(*failing(1, SECOND), oig_retry_delay=10 * SECOND)
    bench.create(retry_count=1)
    bench.done(oig.RunJob("A"))

    bench.wait(MINUTE)

    first, second = bench.history()
    assert (first.end, second.start) == (START + SECOND, START + 11 * SECOND)
    assert (first.error_message, second.error_message) == ("purge failed", None)


def test_a_success_starts_the_count_again():
    bench = OigBench(*failing(1), Course(duration=MILLISECOND), *failing(1), Course(duration=MILLISECOND))
    bench.create(retry_count=1)
    for _ in range(2):
        bench.done(oig.RunJob("A"))
        bench.wait(HOUR)

    assert bench.statuses() == [RunStatus.FAILED, RunStatus.STOPPED] * 2
    assert bench.job().is_enabled


def test_a_job_that_was_disabled_runs_again_once_it_is_enabled():
    bench = OigBench(*failing(2))
    bench.create(retry_count=0)
    bench.done(oig.RunJob("A"))
    bench.wait(MINUTE)
    assert not bench.job().is_enabled

    assert bench.done(oig.EnableJob("A")) == "enable successfull"
    bench.done(oig.RunJob("A"))
    bench.wait(MINUTE)

    assert bench.statuses() == [RunStatus.FAILED] * 2
    assert not bench.job().is_enabled


def test_by_setting_only_the_trigger_tries_again():
    bench = OigBench(*failing(100), oig_retries="next_fire")
    bench.create(retry_count=2)
    bench.trigger("A", HOURLY)

    bench.wait(DAY)

    assert [run.start for run in bench.history()] == [START, START + HOUR, START + 2 * HOUR]
    assert not bench.job().is_enabled


def test_a_crash_interrupts_leaves_an_exception_and_counts_as_a_failure():
    bench = OigBench(Course(Outcome.CRASH, SECOND, "heap space"))
    bench.create(retry_count=0)
    bench.done(oig.RunJob("A"))

    bench.wait(MINUTE)

    [run] = bench.history()
    assert (run.status, run.error_message) == (RunStatus.INTERRUPTED, "heap space")
    assert run.exception_object == "org.quartz.JobExecutionException: heap space"
    assert (bench.job().status, bench.job().is_enabled) == (JobStatus.INTERRUPTED, False)


@pytest.mark.parametrize("ending", [oig.StopJob("A"), oig.DisableJob("A"), oig.DeleteJob("A")])
def test_nothing_is_tried_again_after_a_stop_a_disable_or_a_delete(ending):
    bench = OigBench(*failing(1))
    bench.create(retry_count=5)
    bench.done(oig.RunJob("A"))
    bench.wait(SECOND)

    bench.done(ending)

    assert bench.server.next_wake() == NEVER


def test_a_run_that_is_asked_for_takes_the_place_of_the_retry():
    bench = OigBench(*failing(1), Course(duration=HOUR))
    bench.create(retry_count=5)
    bench.done(oig.RunJob("A"))
    bench.wait(SECOND)
    bench.done(oig.RunJob("A"))

    bench.wait(DAY)

    assert bench.statuses() == [RunStatus.FAILED, RunStatus.STOPPED]


# --- triggers ---------------------------------------------------------------------------------


def test_a_trigger_is_shown_with_its_next_time_and_the_job_with_its_kind():
    bench = OigBench()
    bench.create()
    fourth = Trigger(TriggerType.CRON, "MONTHLYWEEKDAYS", ("Fourth Monday",), START - 30 * DAY + 17 * HOUR)

    assert bench.done(oig.SetTrigger("A", fourth)) == "Trigger add successfull"

    reply = bench.ask(oig.GetTrigger("A"))
    assert reply.body == oig.TriggerOf("A", replace(fourth, trigger_name="A", next_fire=START + 25 * DAY + 17 * HOUR))
    assert (bench.job().job_schedule_type, bench.job().cron_schedule_type) == ("Cron", "MONTHLYWEEKDAYS")


def test_a_job_without_a_trigger_has_one_of_type_none_and_never_fires():
    bench = OigBench()
    bench.create()

    assert bench.ask(oig.GetTrigger("A")).body == oig.TriggerOf("A", Trigger(trigger_name="A"))
    assert bench.refused(oig.DeleteTrigger("A"))[0] == 404
    assert bench.server.next_wake() == NEVER


def test_a_deleted_trigger_fires_no_more():
    bench = OigBench()
    bench.create()
    bench.trigger("A", HOURLY)
    bench.wait(HOUR)

    assert bench.done(oig.DeleteTrigger("A")) == "Trigger Deleted"
    bench.wait(DAY)

    assert len(bench.history()) == 2
    assert bench.job().job_schedule_type is None


def test_a_single_trigger_fires_once():
    bench = OigBench()
    bench.create()
    bench.trigger("A", Trigger(TriggerType.SINGLE, start_time=START + HOUR))

    bench.wait(DAY)

    assert [run.start for run in bench.history()] == [START + HOUR]


def test_a_disabled_job_lets_its_times_pass_and_takes_the_next_one_when_enabled():
    bench = OigBench()
    bench.create()
    bench.trigger("A", HOURLY)
    bench.done(oig.DisableJob("A"))

    bench.wait(2 * HOUR + MINUTE)
    bench.done(oig.EnableJob("A"))
    bench.wait(HOUR)

    assert [run.start for run in bench.history()] == [START + 3 * HOUR]


def test_a_trigger_passes_by_a_job_that_still_runs_unless_it_is_concurrent():
    alone, many = OigBench(Course(duration=90 * MINUTE)), OigBench(Course(duration=90 * MINUTE))
    alone.create()
    many.create(concurrent=True)
    for bench in (alone, many):
        bench.trigger("A", HOURLY)
        bench.wait(3 * HOUR - 1)

    assert [run.start - START for run in alone.history()] == [0, 2 * HOUR]
    assert [run.start - START for run in many.history()] == [0, HOUR, 2 * HOUR]


def test_a_run_that_ends_as_the_next_is_due_makes_way_for_it():
    bench = OigBench(*[Course(duration=HOUR)] * 3)
    bench.create()
    bench.trigger("A", HOURLY)

    bench.wait(2 * HOUR)

    assert [(run.start - START) // HOUR for run in bench.history()] == [0, 1, 2]


def test_what_was_missed_while_the_server_was_away_fires_once():
    bench = OigBench()
    bench.create()
    bench.trigger("A", HOURLY)

    bench.now += 5 * HOUR + MINUTE
    bench.server.wake(bench.now)

    assert [run.start for run in bench.history()] == [START + 5 * HOUR + MINUTE]
    bench.wait(HOUR)
    assert [run.start for run in bench.history()][1:] == [START + 6 * HOUR]


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Trigger(TriggerType.CRON, "FORTNIGHTLY"), "intervalType of a Cron trigger must be one of DAILY, WEEKLY,"),
        (Trigger(TriggerType.CRON, "HOURS", ("1",)), "intervalType of a Cron trigger"),
        (Trigger(TriggerType.PERIODIC, None, ("1",)), "SECONDS, MINUTES, HOURS, DAYS, WEEKS, is None"),
        (Trigger(TriggerType.PERIODIC, "HOURS", ("0",)), "intervalValues must be 1 to 100000, is 0"),
        (Trigger(TriggerType.PERIODIC, "HOURS", ()), "intervalValues must be one whole number"),
        (Trigger(TriggerType.CRON, "MONTHLYWEEKDAYS", ("Sixth Monday",)), "has 'Sixth', must be First to Fifth"),
        (Trigger(TriggerType.CRON, "MONTHLYDATES", ("32",)), "must be days of the month"),
        (Trigger(TriggerType.CRON, "WEEKLY", ("Moonday",)), "must be a day of the week"),
        (replace(HOURLY, end_time=START - DAY), "endTime is before startTime"),
        (replace(HOURLY, start_time=START - 9 * DAY, end_time=START - DAY), "never fires"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused_and_changes_nothing(trigger, words):
    bench = OigBench()
    bench.create()

    status, message = bench.refused(oig.SetTrigger("A", trigger))

    assert status == 400
    assert words in message
    assert bench.server.next_wake() == NEVER


# --- history and restarts ---------------------------------------------------------------------


def test_history_by_id_and_the_last_of_it():
    bench = OigBench(Course(duration=SECOND), *failing(1, SECOND))
    bench.create(retry_count=0)
    assert bench.refused(oig.LastHistory("A")) == (404, "job 'A' has not run yet")
    for _ in range(2):
        bench.done(oig.RunJob("A"))
        bench.wait(MINUTE)

    first, second = bench.history()

    assert bench.ask(oig.LastHistory("A")).body == second
    assert bench.ask(oig.GetHistory("A", first.id)).body == first
    assert bench.refused(oig.GetHistory("A", 999)) == (404, "job 'A' has no run 999")


def test_history_is_paged_and_ordered():
    bench = OigBench()
    bench.create()
    bench.trigger("A", HOURLY)
    bench.wait(9 * HOUR + MINUTE)

    reply = bench.ask(oig.ListHistory("A", Page(2, 3, ("startTime", True))))

    assert isinstance(reply.body, oig.HistoryPage)
    assert [(run.start - START) // HOUR for run in reply.body.history] == [7, 6, 5]
    assert reply.body.total == 10


def test_executions_of_all_jobs_within_a_time_range():
    bench = OigBench(*failing(1))
    for name in ("A", "B"):
        bench.create(name)
        bench.trigger(name, HOURLY)
    bench.wait(2 * HOUR + MINUTE)

    def found(**wanted):
        return [
            (run.job_name, (run.start - START) // HOUR) for run in bench.ask(oig.ListExecutions(**wanted)).body.history
        ]

    assert found() == [("A", 0), ("B", 0), ("B", 1), ("B", 2)]
    assert found(start=START + MINUTE, end=START + HOUR) == [("B", 1)]
    assert found(status=RunStatus.FAILED) == [("A", 0)]


def test_a_restart_interrupts_what_ran_and_triggers_go_on(tmp_path):
    store = SqliteStore.open(str(tmp_path / "sim.db"))
    before = OigBench(HANG, store=store)
    before.create()
    before.create("B")
    before.trigger("B", HOURLY)
    before.done(oig.RunJob("A"))
    store.close()

    after = OigBench(store=SqliteStore.open(str(tmp_path / "sim.db")))
    after.now += MINUTE
    after.server.wake(after.now)

    [run] = after.history()
    assert (run.status, run.error_message) == (RunStatus.INTERRUPTED, "The server was restarted while the task ran")
    assert after.job().status is JobStatus.INTERRUPTED
    after.wait(HOUR)
    assert after.statuses("B") == [RunStatus.STOPPED] * 2
    after.store.close()


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Test Job", "a/b//c", "50%", "Prüfung 試験 🧹", "'; DROP TABLE oig_job; --", "..", "x" * 200]
)
def test_any_name_names_a_job(name):
    bench = OigBench()
    bench.create(name)

    bench.done(oig.RunJob(name))
    bench.wait(SECOND)

    assert bench.statuses(name) == [RunStatus.STOPPED]
    assert bench.names(f"Job::Name eq {name.replace(' ', '::')}") == [name]
