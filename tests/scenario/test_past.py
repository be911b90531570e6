"""The past of a scenario: what takes a minute in the run took a day, and chance is drawn anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent_sim.agent.events import CameOnline, Crashed, WentOffline
from agent_sim.distributions import Constant, Discrete, Exponential, Lognormal, Mixture, Uniform
from agent_sim.faults.plan import Recurrence
from agent_sim.instants import DAY, HOUR, MINUTE, SECOND
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Interval
from agent_sim.results.checks import Checks
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.past import past
from agent_sim.scenario.plan import Plan, plan
from tests.scenario.files import loaded

END = 1_700_000_040 * SECOND  # a whole minute
BEGIN = END - 30 * DAY

TEXT = """\
version: 1
name: s
stop: {after: never}
fleets:
  - {name: lab, count: 10, capabilities: [PEM, LOGS], heartbeat: {every: 2s}}
  - {name: slow, count: 1, capabilities: [LOGS], heartbeat: {every: 3h}}
behaviours:
  - {name: default, rules: [{when: "time >= 100m and phase == 'day'", result: failure}]}
phases:
  - {name: night, duration: 2m, online: 50%, shape: step}
  - {name: day, duration: 5m, online: 100%, shape: step}
  - {name: evening, duration: 1m, online: 50%, shape: step}
schedules:
  - {name: logs, type: LOGS, every: 2m, spread: 1m, from: day}
  - {name: once, type: Management, at: day+30s}
  - {name: later, type: LOGS, at: 45m}
  - {name: hourly, type: LOGS, schedule: {interval: 1m}}
  - {name: nightly, type: LOGS, schedule: {daily: "02:00"}}
  - {name: single, type: LOGS, schedule: {exactly_once: day}}
faults:
  - {name: flap, every: {dist: exponential, mean: 2m}, for: 30s, do: {partition: both}}
  - {name: cut, at: day+1m, for: 1m, do: {latency: 1s}}
  - {name: after, at: 40m, for: 1m, do: {latency: 1s}}
storms:
  - {name: again, at: day+2m, op: reschedule, load: {rate: 2/s}, for: 5s}
  - {name: late, at: 50m, op: reschedule, load: {rate: 2/s}, for: 5s}
checks:
  invariants: {no_lost_jobs: true}
history: {backfill: 30d}
"""


def past_of(scenario: Scenario) -> Plan:
    assert scenario.history is not None
    return past(scenario, scenario.history, END)


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return loaded(TEXT, tmp_path)


def test_it_ends_as_the_run_begins_and_no_check_looks_at_it(scenario: Scenario):
    told = past_of(scenario)

    assert (told.start, told.stop, told.drain_until) == (BEGIN, END - 4 * HOUR, END)
    assert told.checks == Checks((), ())


def test_a_minute_of_the_scenario_is_a_day_of_it(scenario: Scenario):
    told = past_of(scenario)

    assert [(phase.name, (phase.start - BEGIN) // DAY) for phase in told.phases] == [
        ("night", 0),
        ("day", 2),
        ("evening", 7),
    ]
    assert told.members[9].online == BEGIN + 2 * DAY
    assert told.members[9].timetable == ((BEGIN + 7 * DAY, WentOffline()),)
    logs, once, *_ = told.operator.postings
    assert (logs.start, logs.every, logs.spread, logs.until) == (BEGIN + 2 * DAY, 2 * DAY, DAY, told.stop)
    assert once.start == BEGIN + 2 * DAY + 12 * HOUR


def test_what_comes_later_than_it_tells_does_not_happen_in_it(scenario: Scenario):
    told = past_of(scenario)

    assert {fault.name for fault in told.faults} == {"flap", "cut"}
    assert [storm.name for storm in told.storms] == ["again"]
    assert told.storms[0].start == BEGIN + 4 * DAY
    assert told.storms[0].span == plan(scenario, 0).storms[0].span
    later = next(posting for posting in told.operator.postings if posting.name == "later")
    assert later.start > later.until


def test_faults_come_as_often_in_the_story_and_last_as_much_of_it(scenario: Scenario):
    flap, cut = past_of(scenario).faults

    assert flap.recurrence == Recurrence(Exponential(2 * DAY), 12 * HOUR)
    assert cut.spans == ((BEGIN + 3 * DAY, BEGIN + 4 * DAY),)


def test_calendars_stay_calendars_and_intervals_are_stretched(scenario: Scenario):
    by_name = {posting.name: posting.handed_over for posting in past_of(scenario).operator.postings}

    assert by_name["hourly"] == Interval(1440)
    assert isinstance(by_name["nightly"], Daily)
    assert by_name["single"] == ExactlyOnce(BEGIN + 2 * DAY)


def test_agents_beat_more_rarely_but_not_for_ever_and_nobody_beats_more_often(scenario: Scenario):
    settings = past_of(scenario).server

    assert dict(settings.heartbeat_by_prefix) == {"agentsim-s-lab-": 48.0, "agentsim-s-slow-": 180.0}
    assert settings.heartbeat_minutes == 120.0


def test_rules_about_time_hold_in_the_same_parts_of_the_story(scenario: Scenario):
    clock = past_of(scenario).members[0].behaviour.clock

    assert clock.time(BEGIN + 3 * DAY) == 3 * MINUTE
    assert clock.phase(BEGIN + 3 * DAY) == "day"


def test_chance_is_drawn_anew_but_the_same_every_time(scenario: Scenario):
    told, run = past_of(scenario), plan(scenario, END)

    assert told == past_of(scenario)
    assert not {one.identity.key for one in told.members} & {one.identity.key for one in run.members}
    assert [one.stores for one in told.members] == [one.stores for one in run.members]


def test_who_is_restarted_is_away_as_long_as_in_the_run(tmp_path: Path):
    churn = TEXT.replace("duration: 5m,", "duration: 5m, churn: {restart: 20%/min, down: 7s},")
    turns = [turn for member in past_of(loaded(churn, tmp_path)).members for turn in member.timetable]

    crashes = [(at, turn) for at, turn in turns if isinstance(turn, Crashed)]
    assert crashes
    assert all(turn.restart_at - at == 7 * SECOND for at, turn in crashes)
    assert all(isinstance(turn, Crashed | WentOffline | CameOnline) for _, turn in turns)


@pytest.mark.parametrize(
    ("given", "stretched"),
    [
        (Constant(1), Constant(1440)),
        (Uniform(1, 2), Uniform(1440, 2880)),
        (Lognormal(1, 2, 3), Lognormal(1440, 2880, 4320)),
        (Discrete(((1, 0.5), (2, 0.5))), Discrete(((1440, 0.5), (2880, 0.5)))),
        (Mixture(((Constant(1), 1.0),)), Mixture(((Constant(1440), 1.0),))),
    ],
)
def test_pauses_between_faults_are_stretched_whatever_their_distribution(given, stretched, scenario: Scenario):
    from agent_sim.scenario import past as module

    assert module._stretched(given, 1440) == stretched
    flap = plan(scenario, BEGIN).faults[0]
    again = replace(flap, recurrence=Recurrence(given, None))
    assert module._fault(again, module._Stretch(BEGIN, MINUTE)).recurrence == Recurrence(stretched, None)
