import pytest

from agent_sim.protocol import command
from agent_sim.protocol.command import JobTypeField, JobTypeRecord, Page
from tests.server.bench import Bench


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
