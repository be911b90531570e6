"""Jobs over the management API: history, schedule, data, and new custom jobs."""

import pytest

from agent_sim.instants import HOUR, SECOND, from_iso
from agent_sim.protocol import command
from agent_sim.protocol.command import JobField, JobTypeField, Page
from agent_sim.protocol.enums import Result
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval, Monthly, Off, Weekly
from agent_sim.query import fields
from agent_sim.server.operations.listing import condition
from agent_sim.server.statements import statements
from tests.server.bench import OPERATOR, Bench

NOON = from_iso("2030-01-02T12:34:56.789Z")


def custom_bench(*fields: JobTypeField) -> Bench:
    bench = Bench()
    bench.register()
    bench.new_type("Rotate", *fields)
    return bench


def wanted(bench: Bench, name: str = "Rotate", when=None, **fields) -> command.ScheduleJob:
    return command.ScheduleJob(bench.agent_id(), name, when, fields)


# --- a new custom job -------------------------------------------------------------------------


def test_a_custom_job_is_answered_with_its_id_schedule_and_fields():
    bench = custom_bench(JobTypeField("Depth", 2, 3), JobTypeField("Target", 1, None, True))

    reply = bench.ask(wanted(bench, target="x"))

    [waiting] = bench.scheduled()
    fields = (JobField("Depth", "3"), JobField("Target", "x"))
    expected = command.ScheduledJob(waiting.id, bench.agent_id(), "Rotate", Immediate(), fields, waiting.requested)
    assert (reply.status, reply.body) == (200, expected)


def test_log_fetching_is_a_custom_job_that_needs_no_type():
    bench = Bench()
    bench.register()

    reply = bench.ask(wanted(bench, "fetchlogs"))

    assert (reply.body.job_type_name, reply.body.job_fields) == ("FetchLogs", ())


def test_the_agent_is_named_in_any_case_and_with_braces():
    bench = Bench()
    bench.register()
    bench.ask(command.ScheduleJob(f"{{{bench.agent_id().upper()}}}", "FetchLogs"))

    assert len(bench.scheduled()) == 1


def test_what_is_wrong_first_is_told_first():
    bench = Bench(auto_approve=False)
    bench.registration(abilities=("Custom.Other",))
    agent_id = bench.agent_id()
    late = ExactlyOnce(2**63)
    bench.new_type("Rotate", JobTypeField("Depth", 2, None, True))

    def error(agent=agent_id, name="Rotate", **fields):
        _, refused = bench.refused(command.ScheduleJob(agent, name, late, fields))
        return refused.error_code, refused.message

    assert error(agent="nobody", name="?") == ("0xA0110006", "Orchestrator 'nobody' does not exist")
    assert error(name="?") == ("0xA0110005", "Orchestrator m1 has status New, not Approved")
    bench.ask(command.ApproveAgents((agent_id,)))
    assert error(name="?") == ("0xA0110006", "Custom job type '?' does not exist")
    assert error() == ("0xA0110005", "Orchestrator m1 lacks the capability Rotate for Rotate jobs")
    bench.registration(abilities=("Custom.Rotate",))
    assert error(Foo="1") == ("0xA0110009", "JobFields lacks Depth, which is required and has no default")
    assert error(Foo="1", Depth="x") == (
        "0xA0110009",
        "JobFields has 'Foo', which this job type does not; it has Depth",
    )
    assert error(Depth="x") == ("0xA0110009", "field Depth must be a whole number, is 'x'")
    assert error(Depth="1") == ("0xA0110008", "ExactlyOnce.Time must lie between the years 1678 and 2262")


def test_log_fetching_needs_the_capability():
    bench = Bench()
    bench.register(abilities=("Custom.Rotate",))

    assert bench.refused(wanted(bench, "FetchLogs"))[1].message == (
        "Orchestrator m1 lacks the capability LOGS for FetchLogs jobs"
    )


def test_a_custom_job_cannot_be_off():
    bench = custom_bench()

    assert bench.refused(wanted(bench, when=Off()))[1].error_code == "0xA0110008"


def test_half_a_character_is_refused():
    bench = custom_bench(JobTypeField("Text"))

    for operation in (
        wanted(bench, Text="\ud800"),
        command.CreateJobType("half\ud800"),
        command.CreateJobType("Whole", None, (JobTypeField("half\ud800"),)),
        command.Unschedule(("half\ud800",)),
    ):
        assert bench.refused(operation)[1].message == "A text holds half a character (a lone surrogate); write it whole"


@pytest.mark.parametrize(
    "schedule", [Interval(5), Daily(NOON), Weekly((0, 3, 6), NOON), Monthly(31, NOON), ExactlyOnce(NOON)]
)
def test_a_schedule_is_shown_exactly_as_it_was_given(schedule):
    bench = custom_bench()
    bench.schedule("Rotate", schedule)
    [waiting] = bench.scheduled()
    bench.run(bench.register(), waiting.id)

    assert waiting.schedule == schedule
    assert bench.history()[0].schedule == schedule


# --- history and schedule ---------------------------------------------------------------------


def test_a_run_of_a_stores_job_says_which_store_on_which_machine():
    bench = Bench()
    session = bench.register()
    reply = bench.ask(command.CreateStore("web01", "/etc/a.pem", 2, bench.agent_id()))
    [job_id] = bench.add_certificate(reply.body.id)
    [waiting] = bench.scheduled()
    bench.run(session, job_id)

    [run] = bench.history()
    assert (waiting.client_machine, waiting.target) == ("m1", "/etc/a.pem")
    assert (run.agent_machine, run.client_machine, run.store_path) == ("m1", "web01", "/etc/a.pem")


def test_history_does_not_change_when_an_agent_is_renamed():
    bench = Bench()
    session = bench.register()
    bench.run(session, bench.schedule())
    bench.register("renamed", agent_id=session.agent_id or "")

    assert [run.agent_machine for run in bench.history()] == ["m1"]


def test_a_one_time_job_leaves_the_schedule_when_its_agent_takes_it_and_a_recurring_one_stays():
    bench = Bench()
    bench.register()
    once, again = bench.schedule(), bench.schedule(when=Interval(5))
    session = bench.register()
    bench.configure(session, once)
    bench.configure(session, again)

    assert [(job.id, job.schedule) for job in bench.scheduled()] == [(again, Interval(5))]


def test_what_a_run_returned_can_be_read():
    bench = Bench()
    session = bench.register()
    bench.new_type()
    logs = bench.run(session, bench.schedule(), log="tail")
    rotate = bench.run(session, bench.schedule("Rotate"), data="done")
    silent = bench.run(session, bench.schedule())

    answers = [bench.ask(command.GetJobData(audit_id)) for audit_id in (logs, rotate, silent)]
    assert [answer.body.data for answer in answers] == ["tail", "done", None]
    assert bench.ask(command.GetJobData(99)).status == 404


def history_bench(**settings: object) -> Bench:
    bench = Bench(**{"retries": 0, **settings})
    for machine, result in (("b", Result.SUCCESS), ("a", Result.FAILURE), ("C", Result.WARNING)):
        session = bench.register(machine)
        job_id = bench.schedule(machine=machine)
        bench.run(session, job_id, result, message=f"on {machine}")
        bench.now += HOUR
    return bench


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3]),
        ("Result -eq 4", [2]),
        ('Result -eq "Failed" OR Result -eq 3', [2, 3]),
        ('Agent -eq "A"', [2]),
        ('JobType -eq "LOGS"', [1, 2, 3]),
        ('JobType -ne "FetchLogs"', []),
        ('Message -contains "ON c"', [3]),
        ("ScheduleType -eq NULL AND JobHistoryId -gt 1", [2, 3]),
        ('OperationStart -ge "%TODAY%" AND OperationEnd -lt "2026-03-04T06:00:00Z"', [1]),
        ("StorePath -eq NULL", [1, 2, 3]),
    ],
)
def test_history_is_searched_in_the_query_language(query, found):
    assert [run.job_history_id for run in history_bench().history(query)] == found


def test_me_in_a_query_is_the_caller():
    bench = Bench()
    bench.register()

    assert bench.ask(command.ListAgents(Page("Username -eq %ME%"))).body == ()
    agent = bench.ask(command.ListAgents()).body[0]
    assert bench.ask(command.ListAgents(Page(f"Username -eq {agent.username}"))).body == (agent,)


def ids(bench: Bench, **page: object) -> list[int]:
    return [run.job_history_id for run in bench.ask(command.ListJobHistory(Page(**page))).body]


def test_history_is_paged_and_a_page_past_the_end_is_empty():
    bench = history_bench()

    assert ids(bench, limit=2) == [1, 2]
    assert ids(bench, limit=2, number=2) == [3]
    assert ids(bench, limit=2, number=3) == []
    assert ids(bench, limit=10**15, number=10**15) == []
    assert ids(bench, skip=1) == [2, 3]


def test_the_total_counts_all_matches_on_every_page():
    bench = history_bench()

    for page in (Page(limit=1), Page(limit=1, number=9), Page("Result -ne 2", limit=1)):
        assert bench.ask(command.ListJobHistory(page)).total == (2 if page.query else 3)


def test_a_count_that_goes_so_far_only_still_leads_to_the_last_page():
    bench = history_bench(count_most=1)
    pages = [bench.ask(command.ListJobHistory(Page("Result -ge 0", number=number, limit=1))) for number in range(1, 5)]

    # At least two, at least three, and there is no more; a page past the end knows what the first one does.
    assert [(len(page.body), page.total, page.is_least) for page in pages] == [
        (1, 2, True),
        (1, 3, True),
        (1, 3, False),
        (0, 2, True),
    ]
    [whole, few] = [bench.ask(command.ListJobHistory(Page(query))) for query in ("", "Result -eq 2")]
    assert (whole.total, whole.is_least, few.total, few.is_least) == (3, False, 1, False)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("Status -eq 3", "run_by_status (status=?)"),
        ("Result -eq 4", "run_by_result (result=?)"),
        ("Result -eq 4 AND Status -eq 3", "run_by_both (result=? AND status=?)"),
        ("Status -eq 3 AND Result -eq 4 AND JobId -eq 0d8cf0c8-56ca-4b8a-b16a-c062018e170a", "run_of_job (job_id=?)"),
        ("Status -eq InProcess", "run_due"),
    ],
)
def test_what_is_often_searched_for_is_looked_up(query, index):
    store, page = Bench().store, statements()["history_page"].sql
    where = condition(query, fields.JOB_HISTORY, OPERATOR, 0)
    sql = page.format(where=f"TRUE AND {where.where}", order="job_history_id ASC, job_history_id ASC")
    first, *others = store._connection.execute(f"EXPLAIN QUERY PLAN {sql}", (*where.params, 50, 0)).fetchall()

    assert first[3].endswith(index)
    assert not others or index == "run_due"  # which is short: only there may it sort


def test_a_page_is_cut_to_the_most_that_is_returned():
    bench = history_bench(max_return_limit=2)

    assert ids(bench, limit=1000) == [1, 2]
    assert ids(bench, limit=1000, number=2) == [3]


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("", [1, 2, 3]),
        ("AgentMachine", [2, 1, 3]),  # a, b, C: in any case
        ("agentmachine", [2, 1, 3]),
        ("Result", [1, 3, 2]),
        ("OperationStart", [1, 2, 3]),
        ("JobType", [1, 2, 3]),  # all alike: the older first
    ],
)
def test_history_is_sorted_either_way(field, order):
    bench = history_bench()

    assert ids(bench, sort_field=field) == order
    assert ids(bench, sort_field=field, descending=True) == order[::-1]


def test_a_sort_field_that_is_none_is_refused_in_the_vendors_words():
    status, error = Bench().refused(command.ListJobHistory(Page(sort_field="Colour")))

    assert (status, error.error_code, error.message) == (400, "0xA011004A", "Invalid sort field: Colour.")


def test_a_query_that_cannot_be_used_is_refused_with_its_place():
    status, error = Bench().refused(command.ListScheduledJobs(Page("Colour -eq red")))

    assert (status, error.error_code) == (400, "0xA0110003")
    assert "position 1" in error.message


def test_scheduled_jobs_are_listed_in_the_order_of_their_requests_and_searched():
    bench = custom_bench()
    first = bench.schedule("Rotate", Interval(5))
    second = bench.schedule()

    assert [job.id for job in bench.scheduled()] == [first, second]
    assert [job.id for job in bench.scheduled("ScheduleType -startswith I_")] == [first]
    assert [job.id for job in bench.scheduled("ScheduleType -eq Immediate")] == [second]
    assert [job.id for job in bench.scheduled('JobType -eq "custom"')] == [first]
    assert [job.id for job in bench.scheduled(f"JobId -eq {second}")] == [second]
    assert bench.scheduled()[0].requested + 2 * SECOND <= bench.now


# --- transitions ------------------------------------------------------------------------------


def test_every_change_of_state_is_written_down_in_order():
    bench = Bench(retries=0)
    session = bench.register()
    [job_id] = bench.add_certificate(bench.new_store().id)
    audit_id = bench.run(session, job_id, Result.FAILURE)
    bench.ask(command.Acknowledge((audit_id,)))
    bench.ask(command.Reschedule((audit_id,)))
    bench.ask(command.Unschedule((job_id,)))

    rows = bench.transitions()
    assert [(row.kind, row.audit_id) for row in rows] == [
        ("queued", None),
        ("configured", 1),
        ("completed", 1),
        ("acknowledged", 1),
        ("rescheduled", 1),
        ("unscheduled", None),
        ("unschedule_asked", None),
    ]
    assert {row.job_id for row in rows} == {job_id}
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6, 7]


def test_transitions_are_read_page_by_page():
    bench = Bench()
    bench.register()
    for _ in range(3):
        bench.schedule()

    page = bench.ask(command.ListTransitions(after=1, limit=1)).body
    assert ([row.seq for row in page.transitions], page.last_seq) == ([2], 3)
    assert bench.ask(command.ListTransitions(after=3)).body == command.Transitions(3, ())


def test_transitions_are_not_told_unless_asked_for():
    assert Bench(sim_api=False).ask(command.ListTransitions()).status == 404
