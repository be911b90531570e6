import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.errors import MalformedMessage
from agent_sim.instants import DAY, HOUR, MINUTE, from_iso, to_iso
from agent_sim.protocol.schedule import (
    Daily,
    ExactlyOnce,
    Immediate,
    Interval,
    Monthly,
    Off,
    Weekly,
    from_rest,
    from_wire,
    next_run,
    recurs,
    to_rest,
    to_wire,
)

MONDAY = from_iso("2026-11-23T20:14:00Z")
times = st.integers(0, 60 * 24 - 1).map(lambda minutes: minutes * MINUTE)
schedules = st.one_of(
    st.just(Immediate()),
    st.integers(1, 10_000).map(Interval),
    times.map(Daily),
    st.builds(Weekly, st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))), times),
    st.builds(Monthly, st.integers(1, 31), times),
    st.integers(0, 10**6).map(lambda minutes: ExactlyOnce(minutes * MINUTE)),
)


@pytest.mark.parametrize(
    ("wire", "after", "then"),
    [
        # agent-protocol 5, observed
        ("I_60", "2026-11-23T20:14:00Z", "2026-11-23T21:14:00Z"),
        ("D_23:30", "2026-11-23T20:14:00Z", "2026-11-23T23:30:00Z"),
        ("D_20:14", "2026-11-23T20:14:00Z", "2026-11-24T20:14:00Z"),  # strictly later
        ("W_2_20:00", "2026-11-23T20:14:00Z", "2026-11-30T20:00:00Z"),  # Monday is 2
        ("W_2_21:00", "2026-11-23T20:14:00Z", "2026-11-23T21:00:00Z"),
        ("W_135_08:30", "2026-11-23T20:14:00Z", "2026-11-24T08:30:00Z"),
        ("M_1_03:00", "2026-11-23T20:14:00Z", "2026-12-01T03:00:00Z"),
        ("M_31_03:00", "2026-11-23T20:14:00Z", "2026-11-30T03:00:00Z"),  # the server clamps
        ("M_L_03:00", "2026-02-01T00:00:00Z", "2026-02-28T03:00:00Z"),
        ("O_2026-12-01T10:00", "2026-11-23T20:14:00Z", "2026-12-01T10:00:00Z"),
        ("O_2020-12-01T10:00:59Z", "2026-11-23T20:14:00Z", "2026-11-23T20:14:00Z"),  # past: due now
    ],
)
def test_the_wire_says_when_a_job_runs_next(wire, after, then):
    assert to_iso(next_run(from_wire(wire), from_iso(after))) == then


@pytest.mark.parametrize(
    "text", [None, "", "x", "Off", "I_0", "W_8_10:00", "D_25:00", "M_32_10:00", "O_2026-13-01T10:00"]
)
def test_what_an_agent_cannot_read_is_due_now(text):
    assert from_wire(text) == Immediate()


@given(schedules)
def test_both_spellings_are_read_back(schedule):
    assert from_wire(to_wire(schedule)) == schedule
    assert from_rest(to_rest(schedule)) == (schedule if schedule != Immediate() else Immediate())


@given(schedules.filter(recurs), st.integers(0, 10**7).map(lambda minutes: minutes * MINUTE))
def test_a_recurring_job_always_runs_again_later(schedule, after):
    assert after < next_run(schedule, after) <= after + max(366 * DAY, 10_000 * MINUTE)


def test_a_daily_schedule_does_not_start_before_its_first_day():
    first = MONDAY + 3 * DAY

    assert next_run(Daily(first), MONDAY) == first
    assert next_run(Daily(first), first) == first + DAY


def test_a_schedule_that_is_off_never_runs():
    with pytest.raises(ValueError, match="never runs"):
        next_run(Off(), MONDAY)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        ({}, None),
        ({"Immediate": False}, None),
        ({"immediate": True}, Immediate()),
        ({"Off": True, "Immediate": None}, Off()),
        ({"Weekly": {"Days": ["Monday", 0], "Time": "1970-01-01T01:00:00Z"}}, Weekly((0, 1), HOUR)),
        ({"interval": {"minutes": 5}}, Interval(5)),
        ({"Interval": {"Minutes": 5, "Seconds": 3}, "Hourly": {}}, Interval(5)),  # what we do not know is passed over
    ],
)
def test_the_management_spelling_is_read_leniently(value, read):
    assert from_rest(value) == read


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("now", "must be an object"),
        ({"Immediate": True, "Off": True}, "one member"),
        ({"Hourly": {}}, "no member 'hourly'"),
        ({"Interval": {"Minutes": 0}}, "Interval.Minutes"),
        ({"Interval": {"Minutes": True}}, "Interval.Minutes"),
        ({"Interval": {}}, "lacks Minutes"),
        ({"Interval": 5}, "must be an object"),
        ({"Daily": {"Time": "soon"}}, "Daily.Time"),
        ({"Daily": {"Time": 5}}, "Daily.Time"),
        ({"Weekly": {"Days": [7], "Time": "1970-01-01"}}, "Weekly.Days"),
        ({"Weekly": {"Days": [], "Time": "1970-01-01"}}, "Weekly.Days"),
        ({"Monthly": {"Day": 32, "Time": "1970-01-01"}}, "Monthly.Day"),
    ],
)
def test_a_wrong_schedule_is_refused_by_name(value, problem):
    with pytest.raises(MalformedMessage, match=problem):
        from_rest(value)
