"""Operands as values: numbers and names, dates and tokens, GUIDs, schedules."""

import pytest

from agent_sim.instants import DAY, MILLISECOND, from_iso
from agent_sim.query.fields import AGENTS, CERTIFICATE_STORES, JOB_HISTORY, Collection
from agent_sim.query.nodes import Operator
from agent_sim.query.values import Context, Moment, ScheduleClass, Value, read

NOW = from_iso("2026-02-23T16:41:04.603Z")
CONTEXT = Context(NOW, me="CORP\\ada")
GUID = "0d8cf0c8-56ca-4b8a-b16a-c062018e170d"


def value(collection: Collection, name: str, text: str, context: Context = CONTEXT) -> Value:
    return read(collection.fields[name], Operator.EQ, text, context)


def complaint(collection: Collection, name: str, text: str, context: Context = CONTEXT) -> str:
    with pytest.raises(ValueError) as caught:
        value(collection, name, text, context)
    return str(caught.value)


@pytest.mark.parametrize("text", ["4", "+4", " 4 ", "04", "Failure", "failure", "FAILED"])
def test_an_enum_is_read_by_number_name_or_alias(text: str):
    assert value(JOB_HISTORY, "Result", text) == 4


def test_a_name_may_be_written_with_blanks():
    assert value(JOB_HISTORY, "Status", "Completed Will Retry") == 5
    assert value(AGENTS, "Platform", "Universal Orchestrator") == 7
    assert value(AGENTS, "AgentPlatform", ".NET") == 1


def test_one_name_is_another_number_in_another_collection():
    assert value(AGENTS, "Status", "Approved") == 2
    assert complaint(JOB_HISTORY, "Status", "Approved").startswith("this is neither, expected one of Unknown, ")


def test_a_number_without_a_name_is_let_through():
    assert value(AGENTS, "Status", "4") == 4


def test_a_misspelt_name_is_answered_with_the_one_meant():
    assert complaint(JOB_HISTORY, "Result", "Failur") == "this is neither, did you mean Failure?"


@pytest.mark.parametrize("text", ["", "four", "4.0", "0x4", "1_000", "٤", "9" * 19, "9" * 5000])
def test_what_is_no_whole_number_of_64_bits_is_refused(text: str):
    assert complaint(JOB_HISTORY, "JobHistoryId", text) == "expected a whole number (of at most 64 bits)"


def test_whole_numbers_reach_to_64_bits():
    assert value(JOB_HISTORY, "JobHistoryId", str(2**63 - 1)) == 2**63 - 1
    assert value(JOB_HISTORY, "JobHistoryId", str(-(2**63))) == -(2**63)


@pytest.mark.parametrize(("text", "number"), [("true", 1), ("FALSE", 0), ("1", 1), ("0", 0)])
def test_booleans_are_stored_as_0_and_1(text: str, number: int):
    assert value(CERTIFICATE_STORES, "Approved", text) == number
    assert complaint(CERTIFICATE_STORES, "Approved", f"{text}x") == "expected true or false"


@pytest.mark.parametrize("text", [GUID, GUID.upper(), "{" + GUID + "}", GUID.replace("-", ""), f" {GUID} "])
def test_a_guid_is_read_in_any_spelling(text: str):
    assert value(JOB_HISTORY, "JobId", text) == GUID


@pytest.mark.parametrize("text", ["", "275b…", GUID[:-1], GUID + "0", GUID.replace("c", "g")])
def test_what_is_no_guid_is_refused(text: str):
    assert complaint(JOB_HISTORY, "JobId", text).startswith("expected a GUID such as ")


def test_part_of_a_guid_is_a_text():
    assert read(JOB_HISTORY.fields["JobId"], Operator.STARTSWITH, "275b", CONTEXT) == "275b"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-02-23T16:41", "2026-02-23T16:41:00Z"),
        ("2026-02-23T16:41:04", "2026-02-23T16:41:04Z"),
        ("2026-02-23T16:41:04Z", "2026-02-23T16:41:04Z"),
        ("2026-02-23t16:41:04z", "2026-02-23T16:41:04Z"),
        ("2026-02-23 16:41:04", "2026-02-23T16:41:04Z"),
        ("2026-02-23T16:41:04.6Z", "2026-02-23T16:41:04.600Z"),
        ("2026-02-23T16:41:04.603Z", "2026-02-23T16:41:04.603Z"),
        ("2026-02-23T16:41:04+02:00", "2026-02-23T14:41:04Z"),
        ("2026-02-23T16:41:04-0130", "2026-02-23T18:11:04Z"),
        ("02/23/2026 16:41", "2026-02-23T16:41:00Z"),
    ],
)
def test_a_time_is_read_as_utc_and_lasts_a_millisecond(text: str, start: str):
    at = from_iso(start)

    assert value(JOB_HISTORY, "OperationStart", text) == Moment(at, at + MILLISECOND, at + MILLISECOND)


def test_a_time_written_finer_than_milliseconds_is_as_short_as_it_is_written():
    at = from_iso("2026-02-23T16:41:04Z") + 603_123_400

    assert value(JOB_HISTORY, "OperationStart", "2026-02-23T16:41:04.6031234Z") == Moment(at, at + 100, at + 100)


@pytest.mark.parametrize("text", ["2026-02-23", "02/23/2026", "2/23/2026", "%TODAY%", "%today%", "%TODAY+0%"])
def test_a_date_is_its_midnight_in_order_and_its_day_in_equality(text: str):
    midnight = from_iso("2026-02-23T00:00:00Z")

    assert value(JOB_HISTORY, "OperationStart", text) == Moment(midnight, midnight + MILLISECOND, midnight + DAY)


@pytest.mark.parametrize(
    ("text", "day"),
    [("%TODAY-7%", "2026-02-16"), ("%TODAY+1%", "2026-02-24"), ("%Today - 23%", "2026-01-31")],
)
def test_today_counts_in_days(text: str, day: str):
    assert value(JOB_HISTORY, "OperationStart", text) == value(JOB_HISTORY, "OperationStart", day)


@pytest.mark.parametrize(
    "text",
    [
        *["", "yesterday", "2026-2", "20260223", "2026-W09-1", "23.02.2026", "٢٠٢٦-02-23", "2026-02-23Z"],
        *["2026-02-23T16", "2026-02-23T16:41:04+99:00", "2026-02-23 4:41 PM"],
        *["%TODAY", "%TODAY-%", "%TODAY-7d%", "%TODAY 7%", "%ME%"],
    ],
)
def test_what_is_no_date_is_refused_with_examples(text: str):
    assert complaint(JOB_HISTORY, "OperationStart", text) == (
        "expected a date such as 2026-02-23, 2026-02-23T16:41:04Z, 02/23/2026 or %TODAY-7%"
    )


@pytest.mark.parametrize("text", ["2026-02-30", "13/01/2026", "0000-01-01", "2026-02-23T24:00", "2026-02-23T16:41:60"])
def test_a_date_that_does_not_exist_is_refused(text: str):
    assert complaint(JOB_HISTORY, "OperationStart", text).startswith("no such date or time")


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "%TODAY-999999999%", "%TODAY+999999999%"])
def test_far_dates_stay_within_64_bits(text: str):
    moment = value(JOB_HISTORY, "OperationStart", text)

    assert isinstance(moment, Moment)
    assert all(-(2**63) <= at < 2**63 for at in (moment.start, moment.end, moment.equal_end))


@pytest.mark.parametrize(
    ("me", "account"),
    [("CORP\\ada", "ada"), ("ada@corp.example", "ada"), ("ada", "ada")],
)
def test_me_is_the_caller_and_me_an_the_account_name_alone(me: str, account: str):
    context = Context(NOW, me)

    assert value(AGENTS, "Identity", "%ME%", context) == me
    assert value(AGENTS, "Username", "%me-an%", context) == account
    assert read(AGENTS.fields["Identity"], Operator.CONTAINS, "%ME-AN%", context) == account


def test_me_without_a_caller_is_refused():
    message = complaint(AGENTS, "Identity", "%ME%", Context(NOW))

    assert message == "%ME% stands for the caller, who is not known here"


def test_an_unknown_variant_of_me_is_refused():
    assert complaint(AGENTS, "Identity", "%ME-AM%") == "did you mean %ME-AN%?"


def test_tokens_are_plain_text_where_they_mean_nothing():
    assert value(JOB_HISTORY, "Message", "%TODAY%") == "%TODAY%"
    assert value(JOB_HISTORY, "Message", "%ME%") == "%ME%"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("I_60", "I_60"),
        ("I_", ScheduleClass("I_")),
        ("interval", ScheduleClass("I_")),
        ("Weekly", ScheduleClass("W_")),
        ("O_", ScheduleClass("O_")),
        ("Immediate", ScheduleClass("")),
    ],
)
def test_a_schedule_is_a_stored_text_or_a_whole_class(text: str, meant: Value):
    assert value(JOB_HISTORY, "ScheduleType", text) == meant
