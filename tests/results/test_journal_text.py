import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.errors import UsageError
from agent_sim.histogram import LAST_BUCKET, HistogramJson
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.results.journal import EVENTS, Line, RunEnded, ServerRun, Steps, StormEnded
from agent_sim.results.journal_text import decode, encode, read
from agent_sim.results.plain import Counts, Json, JsonObject
from tests.results.journals import completed, done_job, ended, in_process, posted, started, storm, traffic

# Times are kept to the microsecond, so only such times come back as they went.
moments = st.integers(-(10**12), 10**12).map(lambda micros: micros / 10**6)
counts = st.dictionaries(st.text(max_size=5), st.integers(0, 10**9), max_size=3)
histograms = st.fixed_dictionaries(
    {
        "count": st.integers(0, 2**63 - 1),
        "total_us": st.integers(0, 2**63 - 1),
        "min_us": st.integers(0, 2**63 - 1),
        "max_us": st.integers(0, 2**63 - 1),
        "buckets": st.dictionaries(st.integers(0, LAST_BUCKET).map(str), st.integers(1, 2**63 - 1), max_size=3),
    }
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
BY_TYPE = {
    str: st.text(),
    str | None: st.none() | st.text(),
    int: st.integers(),
    int | None: st.none() | st.integers(),
    float: moments,
    float | None: st.none() | moments,
    bool: st.booleans(),
    tuple[str, ...]: st.lists(st.text(), max_size=3).map(tuple),
    Counts: counts,
    HistogramJson: histograms,
    JsonObject: st.dictionaries(st.text(), plain, max_size=3),
    Result: st.sampled_from(Result),
    Status: st.sampled_from(Status),
    AgentStatus: st.sampled_from(AgentStatus),
    Steps: st.lists(st.tuples(st.text(), moments, st.none() | st.integers()), max_size=3).map(tuple),
}


def events() -> st.SearchStrategy[Line]:
    def of(kind):
        fields = kind.__dataclass_fields__.values()
        return st.builds(kind, **{field.name: BY_TYPE[field.type] for field in fields})

    return st.one_of([of(kind) for kind in EVENTS.values()])


@given(events())
def test_every_event_comes_back_as_it_went(line):
    assert decode(encode(line)) == line


@given(events())
def test_a_line_is_one_line_of_ascii_and_what_json_makes_of_it(line):
    text = encode(line)

    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.dumps(json.loads(text), separators=(",", ":")) == text


@given(st.lists(events(), max_size=4))
def test_a_journal_comes_back_in_order(lines):
    assert list(read(map(encode, lines))) == lines


def test_the_text_is_compact_and_in_the_order_of_the_fields():
    text = encode(completed(t=4.0000004, seconds=2.0, outcome=Result.FAILURE))

    assert text == (
        '{"t":4.0,"event":"job_completed","fleet":"lab","agent":"agent-1","job":"job-1","audit":1,"type":"LOGS",'
        '"store":"","occurrence":1,"attempt":1,"outcome":"failure","accepted":true,"seconds":2.0}'
    )


def test_equal_values_give_equal_text_whatever_the_order_of_their_members():
    one: dict[str, Json]
    other: dict[str, Json]
    one, other = {"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, "a": 1}

    assert encode(StormEnded(1.0, "again", one)) == encode(StormEnded(1.0, "again", other))


def test_a_number_that_json_does_not_have_cannot_be_written():
    with pytest.raises(ValueError):
        encode(completed(seconds=float("nan")))


def test_a_run_still_in_process_has_words_and_nulls():
    assert json.loads(encode(in_process())) == {
        "t": 60.0,
        "event": "server_run",
        "audit": 1,
        "job": "job-1",
        "type": "FetchLogs",
        "machine": "agent-1",
        "result": "unknown",
        "status": "in_process",
        "start": 2.0,
        "end": None,
        "schedule": None,
    }


# --- reading ----------------------------------------------------------------------------------


def test_an_unknown_event_is_refused_with_its_line():
    with pytest.raises(UsageError, match=r"journal line 2: unknown event 'job_teleported'"):
        list(read([encode(started()), '{"t":1,"event":"job_teleported"}', encode(ended())]))


BROKEN = [
    ('{"t":1,"event":"job_cancelled","fleet":"a","agent":"b"}', ": job_cancelled lacks job"),
    ('{"t":1,"event":"storm_started","storm":7,"operation":"x"}', "storm_started: storm must be text, is 7"),
    ('{"t":"1","event":"session_lost","fleet":"a","agent":"b"}', "session_lost: t must be a number, is '1'"),
    ('{"t":NaN,"event":"session_lost","fleet":"a","agent":"b"}', "NaN is not a number of JSON"),
    ('{"t":true,"event":"session_lost","fleet":"a","agent":"b"}', "t must be a number, is True"),
    ('{"t":1,"event":"run_ended","reason":"x","drained":1,"offline":[]}', "drained must be true or false, is 1"),
    ('{"t":1,"event":"run_ended","reason":"x","drained":true,"offline":"a"}', "offline must be a list, is 'a'"),
    ("[]", "must be a JSON object"),
    ('{"t":1}', "unknown event None"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_line_that_is_not_what_it_says_is_refused_with_the_reason(text, said):
    with pytest.raises(UsageError) as caught:
        decode(text, 7)

    assert str(caught.value).startswith("journal line 7: ")
    assert said in str(caught.value)


def test_a_word_that_is_no_outcome_is_refused_with_those_that_are():
    text = encode(completed()).replace('"success"', '"splendid"')

    with pytest.raises(UsageError, match="outcome must be one of unknown, in_process, success, warning, failure"):
        decode(text)


def test_a_histogram_with_odd_buckets_is_refused():
    text = encode(traffic()).replace('"buckets":{', '"buckets":{"many":1,')

    with pytest.raises(UsageError, match="latency has a bucket whose name is no number"):
        decode(text)


def test_members_of_a_newer_version_do_not_matter():
    text = encode(ended()).replace('"reason"', '"mood":"calm","reason"')

    assert decode(text) == ended()


def test_a_torn_last_line_is_left_out_with_a_remark():
    remarks: list[str] = []
    torn = encode(completed())[:50]

    lines = list(read([encode(started()), encode(posted()), torn], remarks.append))

    assert lines == [started(), posted()]
    assert remarks == ["journal line 3: left out, it is torn off after 50 characters"]


def test_a_torn_line_before_the_last_is_an_error():
    with pytest.raises(UsageError, match="journal line 2: "):
        list(read([encode(started()), encode(completed())[:50], encode(ended())]))


def test_a_whole_journal_needs_no_remark():
    remarks: list[str] = []
    lines = [started(), *done_job(), *storm(), ended()]

    assert list(read([*map(encode, lines), "\n"], remarks.append)) == lines
    assert remarks == []


def test_an_empty_journal_has_no_events():
    assert list(read([])) == []


def test_a_line_without_an_end_may_still_be_whole():
    assert list(read([encode(ended()) + "\n", encode(RunEnded(61.0, "interrupted", False, ("a",)))])) == [
        ended(),
        RunEnded(61.0, "interrupted", False, ("a",)),
    ]


def test_times_before_the_run_are_times_too():
    line = ServerRun(60.0, 1, "job", "FetchLogs", "a", Result.SUCCESS, Status.COMPLETED, -3.5, -1.25, "I_15")

    assert decode(encode(line)) == line
