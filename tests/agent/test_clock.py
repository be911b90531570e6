"""An agent's clock that may be wrong."""

import pytest

from agent_sim.agent.clock import RIGHT, Clock
from agent_sim.agent.events import Answered, ClockSet, Woken
from agent_sim.instants import DAY, HOUR, MINUTE, NEVER, SECOND, from_iso
from agent_sim.protocol.schedule import Daily, Immediate, Interval
from tests.agent.worlds import START, beat, listed, online_agent

MIDNIGHT = from_iso("2026-01-01T00:00:00Z")
AHEAD, BEHIND = Clock(2 * HOUR, 0.0, MIDNIGHT), Clock(-2 * HOUR, 0.0, MIDNIGHT)
FAST = Clock(0, 0.25, MIDNIGHT)


def test_a_clock_shows_its_offset_and_what_it_has_gained():
    assert AHEAD.shows(MIDNIGHT + MINUTE) == MIDNIGHT + MINUTE + 2 * HOUR
    assert FAST.shows(MIDNIGHT + HOUR) == MIDNIGHT + HOUR + 15 * MINUTE
    assert RIGHT.shows(MIDNIGHT) == MIDNIGHT


@pytest.mark.parametrize("clock", [RIGHT, AHEAD, BEHIND, FAST, Clock(5 * SECOND, -0.5, MIDNIGHT)])
def test_when_it_shows_a_time_is_the_inverse(clock):
    for span in (0, SECOND, 3 * HOUR + 7):
        assert abs(clock.when(clock.shows(MIDNIGHT + span)) - (MIDNIGHT + span)) <= SECOND // 1_000_000
    assert clock.when(clock.shows(NEVER)) == NEVER


@pytest.mark.parametrize(
    ("clock", "after"),
    [(RIGHT, 3 * HOUR), (AHEAD, HOUR), (BEHIND, 5 * HOUR)],  # when each of them shows three o'clock
)
def test_a_schedule_is_due_when_the_clock_shows_its_time(clock, after):
    three = MIDNIGHT - DAY + 3 * HOUR  # a time of day is that of any day

    assert clock.next_run(Daily(three), MIDNIGHT) == MIDNIGHT + after


@pytest.mark.parametrize("clock", [RIGHT, AHEAD, BEHIND, FAST])
def test_what_is_to_be_done_at_once_is_due_at_once(clock):
    assert clock.next_run(Immediate(), MIDNIGHT) == MIDNIGHT


def test_intervals_are_shorter_by_a_fast_clock():
    assert FAST.next_run(Interval(5), MIDNIGHT) == MIDNIGHT + 4 * MINUTE
    assert (FAST.lasts(5 * MINUTE), RIGHT.lasts(5 * MINUTE)) == (4 * MINUTE, 5 * MINUTE)


# START is 00:16:40; the job is due at 03:00, and again the next day.
def waiting_agent():
    agent, requests = online_agent(listed("job-1", schedule="D_03:00"))
    assert requests == []
    return agent


def due(agent):
    return next(iter(agent.worker.listed.items.values())).due


def test_setting_the_clock_moves_what_waits_for_its_time():
    agent = waiting_agent()
    right = due(agent)

    agent.handle(ClockSet(HOUR), START + SECOND)
    ahead = due(agent)
    agent.handle(ClockSet(0), START + 2 * SECOND)

    assert (right - ahead, due(agent)) == (HOUR, right)


def test_a_clock_that_jumps_past_the_time_makes_the_job_due_at_once():
    agent = waiting_agent()

    [configure] = agent.handle(ClockSet(5 * HOUR), START + SECOND)

    assert configure.body.job_id == "job-1"


def test_a_heartbeat_by_a_fast_clock_comes_sooner():
    agent = waiting_agent()
    agent.handle(ClockSet(0, drift=1.0), START)
    [sent] = agent.handle(Woken(), agent.heartbeat_at)
    now = agent.heartbeat_at
    agent.handle(Answered(sent, beat(minutes=1)), START + MINUTE)

    assert now == NEVER
    assert 30 * SECOND <= agent.heartbeat_at - (START + MINUTE) <= 33 * SECOND  # jitter only ever adds
