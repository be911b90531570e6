import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.errors import MalformedMessage
from agent_sim.protocol import at_once, codec, command
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Immediate, Interval

RECORDS = [
    command.JobHistoryRecord(
        7, "lab-1", "job-1", "FetchLogs", Result.SUCCESS, Status.COMPLETED, 1_700_000_000_000_000_000, None,
        Interval(5), "ü", None, "lab-1",
    ),
    command.ScheduledJobRecord("job-1", "lab-1", 1_700_000_000_000_000_000, "FetchLogs", None, Immediate()),
    command.AgentRecord(
        "id-1", "lab-1", "me", 7, "8.2", AgentStatus.APPROVED, ("LOGS",), 1_700_000_000_000_000_000,
        job_types=(command.AgentJobType("a", "b", "c", "d"),),
    ),
    command.ScheduledJob("job-1", "id-1", "Custom", Interval(5), (command.JobField("a", "1"),), 10**18),
    command.Transitions(9, (command.Transition(8, 10**18, "queued", "job-1"),)),
]  # fmt: skip  # a line for each would fill a screen
PLAIN = (None, True, False, 0, 1, 3, -1, 2**70, 1.0, "", "1", "Success", "in process", "2026-01-02T23:30:00Z")
NESTED = ([], {}, [1], ["a", None], [{"a": 1}], {"Immediate": True}, {"immediate": 1}, {"Interval": {"Minutes": "5"}})
ODDITIES = st.sampled_from((*PLAIN, *NESTED)).map(deepcopy)
CHANGES = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["put", "drop", "lower", "more", "inner"]), ODDITIES), max_size=3
)


def changed(value, changes):
    for place, how, oddity in changes:
        names = list(value)
        if not names:
            continue
        name = names[place % len(names)]
        match how:
            case "put":
                value[name] = oddity
            case "drop":
                del value[name]
            case "lower":
                value[name.lower()] = value.pop(name)
            case "more":
                value["Unheard"] = oddity
                value[name.upper()] = oddity
            case "inner" if isinstance(value[name], list) and value[name] and isinstance(value[name][0], dict):
                value[name][0] = changed(value[name][0], [(place, "put", oddity)])
    return value


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(RECORDS), CHANGES, st.booleans())
def test_what_is_read_at_once_is_what_the_liberal_way_reads(record, changes, omit_none):
    given_ = changed(codec.to_json(record, omit_none=omit_none), changes)
    try:
        found = at_once.reader(type(record))(json.loads(json.dumps(given_)))
    except at_once.Unusual:
        return

    assert found == codec.from_json(type(record), given_)
    assert type(found) is type(record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("omit_none", [True, False])
def test_what_our_own_server_says_is_read_at_once(record, omit_none):
    value = codec.to_json(record, omit_none=omit_none) | {"OfALaterVersion": 1}

    assert at_once.reader(type(record))(value) == record


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"LastSeq": NaN, "Transitions": []}', "LastSeq"),  # not JSON to everybody
        (b'{"LastSeq": "x", "Transitions": []}', "LastSeq"),
        (b'{"LastSeq": 1}', "Transitions"),
        (b"{", "not valid JSON"),
    ],
)
def test_what_cannot_be_read_is_told_as_before(body, said):
    with pytest.raises(MalformedMessage, match=said):
        codec.read_reply(command.ListTransitions(), 200, body, None)


def test_whole_numbers_that_no_machine_word_holds_are_read_all_the_same():
    body = b'{"LastSeq": 18446744073709551616, "Transitions": []}'

    assert codec.read_reply(command.ListTransitions(), 200, body, None).body == command.Transitions(2**64, ())


def test_every_kind_of_reply_can_be_asked_for_its_reader():
    kinds = {row.reply for row in BY_OPERATION.values() if row.reply is not None}
    plain = {kind for kind in kinds if at_once.reader(kind) is not None}

    assert {type(record) for record in RECORDS} <= plain
    assert command.JobTypeRecord not in plain  # what a field may hold by default is not of one type
