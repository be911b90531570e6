import json
from contextlib import suppress
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.errors import MalformedMessage
from agent_sim.instants import MINUTE, SECOND, from_iso
from agent_sim.protocol import oig
from agent_sim.protocol.oig import (
    DataType,
    JobChanges,
    JobDetails,
    JobStatus,
    Page,
    Parameter,
    Reply,
    RunStatus,
    Trigger,
    TriggerType,
)
from agent_sim.protocol.oig_calls import call_of, read_reply
from agent_sim.protocol.oig_codec import body_of, read_operation
from agent_sim.server.http.oig import find, segments_of
from tests.server.oig_bench import SEEDS_BODY, seeds_job

NOON = from_iso("2026-01-15T12:00:00Z")
CREATE = oig.BY_OPERATION[oig.CreateJob]


def create(**members: object) -> oig.Operation:
    body = {"jobName": "A", "taskName": "T", "retryCount": 0} | members
    return read_operation(CREATE, {}, {}, json.dumps(body).encode())


def parameters(value: object) -> tuple[Parameter, ...]:
    operation = create(parameters=value)
    assert isinstance(operation, oig.CreateJob)
    return operation.job.parameters


def test_the_seeds_own_body_is_read():
    assert read_operation(CREATE, {}, {}, SEEDS_BODY) == oig.CreateJob(seeds_job())


def test_the_seeds_own_answer_is_written():
    body = body_of(Reply(200, oig.Success("Test Job", CREATE.done)))

    assert json.loads(body) == {"jobName": "Test Job", "status": "Job Create successfull"}


def test_parameters_are_an_object_or_an_array_with_names():
    whole = {"value": "1", "dataType": "Number", "helpText": "how many", "required": True}
    expected = (Parameter("P", "1", DataType.NUMBER, "how many", True),)

    assert parameters({"P": whole}) == parameters([{"name": "P", **whole}]) == expected


@pytest.mark.parametrize(
    ("value", "kept"), [("x", "x"), (11, "11"), (1.5, "1.5"), (True, "true"), ("", ""), (10**30, str(10**30))]
)
def test_scalars_are_kept_as_texts(value, kept):
    assert parameters({"P": {"value": value}}) == (Parameter("P", kept),)


@pytest.mark.parametrize("status", JobStatus)
def test_every_status_that_the_seed_allows_is_taken(status):
    operation = create(status=status.value, notification={"a": [1]}, unknown="ignored")

    assert operation == oig.CreateJob(JobDetails("A", "T", 0, status=status, notification='{"a": [1]}'))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"jobName": None}, "jobName"),
        ({"jobName": ""}, "jobName: string should have at least 1 character"),
        ({"jobName": "   "}, "jobName must not be blank"),
        ({"jobName": "x" * 201}, "jobName: string should have at most 200 characters"),
        ({"jobName": "a\x00b"}, "jobName"),
        ({"taskName": 5}, "taskName: input should be a valid string"),
        ({"retryCount": "1"}, "retryCount: input should be a valid integer"),
        ({"retryCount": 1.5}, "retryCount"),
        ({"retryCount": True}, "retryCount"),
        ({"retryCount": -1}, "retryCount: input should be greater than or equal to 0"),
        ({"retryCount": 2**31}, "retryCount: input should be less than or equal to 2147483647"),
        ({"retryCount": 10**40}, "retryCount"),
        ({"status": "FAILED"}, "status: input should be 'STOPPED', 'RUNNING' or 'INTERRUPTED'"),
        ({"concurrent": "yes"}, "concurrent: input should be a valid boolean"),
        ({"isEnabled": 1}, "isEnabled"),
        ({"notification": "mail"}, "notification: input should be an object"),
        ({"parameters": {"P": {}}}, "parameters.P.value is missing"),
        ({"parameters": {"P": {"value": None}}}, "parameters.P.value"),
        ({"parameters": {"P": {"value": [1]}}}, "parameters.P.value"),
        ({"parameters": {"P": {"value": 1, "dataType": "Date"}}}, "parameters.P.dataType"),
        ({"parameters": [{"value": 1}]}, "parameters"),
        ({"parameters": [{"name": "P", "value": 1}, {"name": "P", "value": 2}]}, "parameters has a name twice"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_with_its_place(members, words):
    with pytest.raises(MalformedMessage) as refused:
        create(**members)

    assert words in str(refused.value)


@pytest.mark.parametrize("member", ["jobName", "taskName", "retryCount"])
def test_what_the_seed_requires_is_required(member):
    body = {"jobName": "A", "taskName": "T", "retryCount": 0}
    del body[member]

    with pytest.raises(MalformedMessage, match=f"^{member} is missing$"):
        read_operation(CREATE, {}, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'"x"', b"\xff", b"[" * 100_000, b'{"jobName": "\\ud800"}']
)
def test_a_body_that_is_no_job_is_refused(body):
    with pytest.raises(MalformedMessage):
        read_operation(CREATE, {}, {}, body)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"offset": "-1"}, "offset must be a whole number"),
        ({"limit": "ten"}, "limit must be a whole number"),
        ({"limit": "99999999999"}, "limit must be a whole number"),
        ({"orderBy": "jobName:up"}, "orderBy must be field:asc or field:desc"),
    ],
)
def test_a_page_that_is_none_is_refused(query, words):
    with pytest.raises(MalformedMessage, match=words):
        read_operation(oig.BY_OPERATION[oig.ListJobs], {}, query, b"")


OPERATIONS = [
    oig.CreateJob(seeds_job()),
    oig.CreateJob(JobDetails("A", "T", 3, concurrent=True, is_enabled=False, notification='{"to": "x"}')),
    oig.ListJobs("Job::Name eq A* and Status eq 5", Page(10, 20, ("status", True))),
    oig.GetJob("a/b 試験"),
    oig.UpdateJob("A", JobChanges(retry_count=2, parameters=(Parameter("P", "1", DataType.BOOLEAN),), concurrent=True)),
    oig.DeleteJob("50%"),
    oig.RunJob("Test Job"),
    oig.StopJob(".."),
    oig.EnableJob("?x=1#y"),
    oig.DisableJob("A"),
    oig.GetTrigger("A"),
    oig.SetTrigger("A", Trigger(TriggerType.CRON, "MONTHLYWEEKDAYS", ("Fourth Monday",), NOON, NOON + MINUTE, "t")),
    oig.DeleteTrigger("A"),
    oig.ListHistory("A", Page(5, 1)),
    oig.LastHistory("A"),
    oig.GetHistory("A", 7),
    oig.ListExecutions(NOON, NOON + MINUTE, RunStatus.FAILED, Page(limit=3)),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: type(each).__name__)
def test_what_a_client_sends_is_what_the_server_reads(operation):

    call = call_of(operation)

    row, fields = find(call.method, segments_of(oig.BASE + call.path))
    assert read_operation(row, fields, dict(parse_qsl(call.query)), call.body or b"") == operation


RUN = oig.History(1, "A", NOON, NOON + SECOND, RunStatus.FAILED, "custom", "no", "Exception: no", (("P", "1"),))

REPLIES = [
    (oig.GetJob("Test Job"), seeds_job()),
    (oig.ListJobs(page=Page(1, 1)), oig.JobPage((seeds_job(),), Page(1, 1), 3)),
    (oig.GetTrigger("A"), oig.TriggerOf("A", Trigger(TriggerType.SINGLE, start_time=NOON, next_fire=NOON))),
    (oig.LastHistory("A"), RUN),
    (oig.ListHistory("A"), oig.HistoryPage((RUN,), Page(), 1)),
    (oig.RunJob("A"), oig.Success("A", "run successfull")),
]


@pytest.mark.parametrize(("operation", "body"), REPLIES, ids=lambda each: type(each).__name__)
def test_what_the_server_answers_is_what_a_client_reads(operation, body):
    assert read_reply(operation, 200, body_of(Reply(200, body), "http://host/x")) == Reply(200, body)


def test_a_refusal_is_read_with_its_words_whoever_wrote_it():
    asked = oig.GetJob("A")

    assert read_reply(asked, 404, body_of(Reply(404, oig.Failure("no")))) == Reply(404, oig.Failure("no"))
    assert read_reply(asked, 500, b"<html>").body == oig.Failure("<html>")
    assert read_reply(asked, 400, b"[1]").body == oig.Failure("")


def test_a_page_links_to_itself_the_first_and_the_next():
    shown = json.loads(body_of(Reply(200, oig.JobPage((), Page(10, 10, ("jobName", True)), 25)), "http://h/jobs"))

    assert {link["rel"]: link["href"].split("?")[1] for link in shown["links"]} == {
        "self": "orderBy=jobName%3Adesc&offset=10&limit=10",
        "first": "orderBy=jobName%3Adesc&offset=0&limit=10",
        "next": "orderBy=jobName%3Adesc&offset=20&limit=10",
    }


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body):
    for row in oig.ENDPOINTS:
        if row.carries is oig.Carries.BODY:
            with suppress(MalformedMessage):
                read_operation(row, {"name": "A"}, {}, body)
