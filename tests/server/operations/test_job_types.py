from dataclasses import replace

import pytest

from agent_sim.protocol import command, job_commands
from agent_sim.protocol.command import JobTypeField, JobTypeRecord, Page
from agent_sim.protocol.enums import Result
from agent_sim.protocol.job_commands import DeleteJobType, GetJobType, UpdateJobType
from agent_sim.protocol.schedule import Interval, Off, Weekly
from tests.server.bench import START, Bench


def test_a_new_type_gets_an_id_and_is_listed():
    bench = Bench()

    made = bench.ask(command.CreateJobType("Rotate", "turns", (JobTypeField("Depth", "Int", 3, True),))).body

    assert made == JobTypeRecord(made.id, "Rotate", "turns", (JobTypeField("Depth", 2, "3", True),))
    reply = bench.ask(command.ListJobTypes())
    assert (reply.body, reply.total) == ((made,), 1)


def test_types_are_listed_by_name_and_searched():
    bench = Bench()
    for name in ("b", "A", "c"):
        bench.new_type(name)

    assert [kind.job_type_name for kind in bench.ask(command.ListJobTypes()).body] == ["A", "b", "c"]
    page = Page('JobTypeName -eq "B"')
    assert [kind.job_type_name for kind in bench.ask(command.ListJobTypes(page)).body] == ["b"]


@pytest.mark.parametrize("name", ["", "two words", "tab\t", "\u2003wide"])
def test_a_name_has_no_blanks(name):
    assert Bench().refused(command.CreateJobType(name))[1].error_code == "0xA011000C"


@pytest.mark.parametrize("name", ["rotate", "ROTATE", "fetchlogs"])
def test_a_name_is_given_once_in_any_case(name):
    bench = Bench()
    bench.new_type("Rotate")

    status, error = bench.refused(command.CreateJobType(name))
    assert (status, error.error_code) == (400, "0xA011000B")


def test_a_field_is_named_once_in_any_case():
    fields = (JobTypeField("A"), JobTypeField("a"))

    assert Bench().refused(command.CreateJobType("X", None, fields))[1].message == "JobTypeFields has 'a' twice"


def test_a_bad_field_is_refused():
    assert Bench().refused(command.CreateJobType("X", None, (JobTypeField("A", 9),)))[0] == 400


NOBODY = "ffffffff-0000-4000-8000-000000000000"


def test_a_type_is_read_by_its_id():
    bench = Bench()
    made = bench.new_type()

    assert bench.ask(GetJobType(made.id.upper())).body == made


def test_a_type_is_changed_whole():
    bench = Bench()
    made = bench.new_type("Rotate", JobTypeField("Depth", 2))

    changed = bench.ask(UpdateJobType(made.id, "Turn", "now", (JobTypeField("When", "DateTime"),))).body

    assert changed == JobTypeRecord(made.id, "Turn", "now", (JobTypeField("When", 3),))
    assert bench.ask(GetJobType(made.id)).body == changed
    assert bench.ask(UpdateJobType(made.id, "TURN")).status == 200  # its own name in another case


def test_a_type_with_scheduled_jobs_keeps_its_name_and_stays():
    bench = Bench()
    made = bench.new_type("Rotate")
    session = bench.register()
    job = bench.schedule("Rotate", Interval(5))

    for operation in (UpdateJobType(made.id, "Turn"), DeleteJobType(made.id)):
        status, error = bench.refused(operation)
        assert (status, error.error_code) == (400, "0xA0110005")
    assert bench.ask(UpdateJobType(made.id, "Rotate", "described")).status == 200
    bench.run(session, job)
    bench.ask(command.Unschedule((job,)))
    assert bench.ask(DeleteJobType(made.id)).status == 204
    assert [run.job_type for run in bench.history()] == ["Rotate"]
    assert bench.ask(GetJobType(made.id)).status == 404


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (GetJobType("nonsense"), 404, "0xA0110002"),
        (DeleteJobType(NOBODY), 404, "0xA0110002"),
        (UpdateJobType(NOBODY, "X"), 400, "0xA0110006"),
        (UpdateJobType("{id}", "two words"), 400, "0xA011000C"),
        (UpdateJobType("{id}", "other"), 400, "0xA011000B"),
        (UpdateJobType("{id}", "FetchLogs"), 400, "0xA011000B"),
        (UpdateJobType("{id}", "X", None, (JobTypeField("A", 9),)), 400, "0xA0110009"),
    ],
)
def test_what_cannot_be_is_refused(operation, status, code):
    bench = Bench()
    made = bench.new_type("Rotate")
    bench.new_type("Other")
    if operation.id == "{id}":
        operation = replace(operation, id=made.id)

    refused, error = bench.refused(operation)
    assert (refused, error.error_code) == (status, code)


@pytest.mark.parametrize(("setting", "reason"), [("suffix", "NightlySync"), ("type", None)])
def test_by_setting_a_type_counts_as_what_its_name_ends_in(setting, reason):
    bench = Bench(custom_category=setting, retries=0)
    bench.new_type("NightlySync")
    session = bench.register(abilities=("Custom.NightlySync",))
    job = bench.schedule("NightlySync", Weekly((1,), START))
    audit_id = bench.run(session, job, Result.FAILURE)

    by_category = bench.history('JobType -eq "Sync"')
    if reason is None:
        assert by_category == []
        assert bench.ask(command.Reschedule((audit_id,))).status == 204
        assert bench.ask(command.Unschedule((job,))).status == 204
    else:
        assert [run.job_type for run in by_category] == ["NightlySync"]
        assert bench.refused(command.Reschedule((audit_id,)))[1].error_code == "0xA0110005"
        assert bench.refused(command.Unschedule((job,)))[1].error_code == "0xA0110005"


@pytest.mark.parametrize("category", ["SslDiscovery", "Monitoring", "Sync", "SSHSync"])
def test_what_the_server_plans_itself_is_neither_rescheduled_nor_unscheduled(category):
    bench = Bench(retries=0)
    bench.new_type(f"My{category}")
    session = bench.register(abilities=(f"Custom.My{category}",))
    job = bench.schedule(f"My{category}", Weekly((1,), START))
    audit_id = bench.run(session, job, Result.FAILURE)

    assert bench.ask(command.Reschedule(None, "Result -eq 4")).status == 204  # a query skips it
    assert bench.ask(command.Unschedule(None, 'JobType -contains "My"')).status == 204
    assert [found.id for found in bench.scheduled()] == [job]
    assert "plans these itself" in bench.refused(command.Reschedule((audit_id,)))[1].message
    assert "plans these itself" in bench.refused(command.Unschedule((job,)))[1].message


# --- bulk -------------------------------------------------------------------------------------


def test_a_bulk_gives_each_orchestrator_a_job_and_names_those_that_cannot_have_one():
    bench = Bench()
    bench.new_type("Rotate", JobTypeField("Depth", 2, "3", True))
    for machine in ("m1", "m2", "out"):
        bench.register(machine)
    bench.register("bare", abilities=())
    bench.ask(command.DisapproveAgents((bench.agent_id("out"),)))
    able, unable = [bench.agent_id(m) for m in ("m1", "m2")], [bench.agent_id(m) for m in ("out", "bare")]

    wanted = job_commands.ScheduleBulkJob((*able, *unable, NOBODY, able[0].upper()), "rotate", Interval(5))
    reply = bench.ask(wanted)

    made = reply.body
    assert (reply.status, made.job_type_name, made.schedule) == (200, "Rotate", Interval(5))
    assert made.job_fields == (command.JobField("Depth", "3"),)
    assert [pair.orchestrator_id for pair in made.orchestrator_job_pairs] == able
    assert made.failed_orchestrator_ids == (*unable, NOBODY)
    assert {pair.job_id for pair in made.orchestrator_job_pairs} == {job.id for job in bench.scheduled()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"orchestrator_ids": ()}, "0xA011000C"),
        ({"orchestrator_ids": ("a", "b", "c")}, "0xA011000A"),
        ({"job_type_name": "Nothing"}, "0xA0110006"),
        ({"job_fields": {"Deepness": 1}}, "0xA0110009"),
        ({"job_fields": {"Depth": "deep"}}, "0xA0110009"),
        ({"schedule": Off()}, "0xA0110008"),
    ],
)
def test_a_bulk_that_cannot_be_is_refused_as_a_whole(change, code):
    bench = Bench(max_ids=2)
    bench.new_type("Rotate", JobTypeField("Depth", 2))
    bench.register()
    given = {"orchestrator_ids": (bench.agent_id(),), "job_type_name": "Rotate"}

    status, error = bench.refused(job_commands.ScheduleBulkJob(**{**given, **change}))
    assert (status, error.error_code) == (400, code)
