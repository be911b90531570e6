import pytest

from agent_sim.protocol.command import CommandReply, JobTypeField
from agent_sim.server.operations.job_fields import normal, text_of, values


def message(reply: object) -> str:
    assert isinstance(reply, CommandReply)
    assert (reply.status, reply.body.error_code) == (400, "0xA0110009")
    return reply.body.message


@pytest.mark.parametrize(
    ("given", "number"),
    [("String", 1), ("int", 2), ("DATETIME", 3), (" Bool ", 4), (1, 1), (5, 5)],
)
def test_a_type_is_a_number_or_its_name_in_any_case(given, number):
    assert normal(JobTypeField("F", given)) == JobTypeField("F", number)


@pytest.mark.parametrize("given", [0, 6, "Float", ""])
def test_other_types_are_refused(given):
    assert message(normal(JobTypeField("F", given))) == (
        f"field F has type {given!r}, expected String, Int, DateTime or Bool"
    )


def test_a_default_must_fit_the_type():
    assert message(normal(JobTypeField("F", 2, "many"))) == ("the default of field F must be a whole number, is 'many'")


def test_a_field_needs_a_name():
    assert message(normal(JobTypeField(" "))) == "a field has no name"


@pytest.mark.parametrize(("scalar", "text"), [(True, "true"), (False, "false"), (3, "3"), (1.5, "1.5"), ("x", "x")])
def test_values_are_kept_as_texts(scalar, text):
    assert text_of(scalar) == text


@pytest.mark.parametrize(
    ("number", "good", "bad"),
    [
        (2, ["3", "-3", 7], ["", "3.5", "x", True]),
        (3, ["2026-01-02", "2026-01-02T23:30:00Z"], ["today", "2026-13-01", 5]),
        (4, ["true", "FALSE", True], ["yes", "", 1]),
        (1, ["", "anything"], []),
        (5, ["anything"], []),
    ],
)
def test_a_value_must_fit_the_type(number, good, bad):
    fields = (JobTypeField("F", number),)

    for value in good:
        assert values(fields, {"f": value}) == {"F": text_of(value)}
    for value in bad:
        assert message(values(fields, {"f": value})).startswith("field F must be ")


def test_defaults_fill_in_what_is_not_given_and_are_overridden():
    fields = (JobTypeField("A", 1, "x", True), JobTypeField("B", 2, 7), JobTypeField("C"))

    assert values(fields, {}) == {"A": "x", "B": "7"}
    assert values(fields, {"B": 8, "C": "c"}) == {"A": "x", "B": "8", "C": "c"}


def test_a_type_without_fields_takes_none():
    assert message(values((), {"A": 1})) == "JobFields has 'A', which this job type does not; it has no fields"
