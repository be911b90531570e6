"""Schedules as postings: rounds, single posts, and what the server repeats by itself."""

from pathlib import Path

import pytest

from agent_sim.instants import DAY, MINUTE, SECOND, Instant, from_iso
from agent_sim.operator.rounds import rounds
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval, Monthly, Schedule, Weekly
from agent_sim.scenario.duties import Posting
from agent_sim.scenario.plan import plan
from tests.scenario.files import LAB, loaded

START = from_iso("2026-03-04T09:59:50Z")  # a Wednesday
TEXT = LAB + "phases: [{name: ramp, duration: 30s}, {name: work, duration: 2m}]\nschedules:\n"


def posting(schedule: str, tmp_path: Path) -> Posting:
    [one] = plan(loaded(f"{TEXT}  - {{name: it, {schedule}}}\n", tmp_path), START).operator.postings
    return one


def handed_over(schedule: str, tmp_path: Path) -> Schedule | None:
    return posting(f"type: LOGS, schedule: {{{schedule}}}", tmp_path).handed_over


def test_work_that_is_posted_again_and_again_has_a_begin_and_an_end(tmp_path: Path):
    found = posting("type: Management, every: 20s, from: work, until: work+1m, spread: 5s, operation: add", tmp_path)

    assert (found.name, found.type, found.operation) == ("it", "Management", "add")
    assert (found.start, found.until) == (START + 30 * SECOND, START + 90 * SECOND)
    assert (found.every, found.spread, found.handed_over) == (20 * SECOND, 5 * SECOND, None)
    assert found.machines[:2] == ("agentsim-s-lab-00000", "agentsim-s-lab-00001")


def test_without_begin_and_end_it_is_the_whole_run(tmp_path: Path):
    found = posting("type: LOGS, every: 20s", tmp_path)

    assert (found.start, found.until) == (START, START + 150 * SECOND)


def test_work_that_is_posted_once_has_no_interval(tmp_path: Path):
    found = posting("type: Inventory, at: work+10s", tmp_path)

    assert (found.start, found.every, found.handed_over) == (START + 40 * SECOND, None, None)


def test_what_the_server_repeats_is_handed_over_at_the_begin(tmp_path: Path):
    found = posting("type: LOGS, from: work, schedule: {interval: 15m}", tmp_path)

    assert (found.start, found.every, found.handed_over) == (START + 30 * SECOND, None, Interval(15))


def at(text: str) -> Instant:
    return from_iso(f"{text}Z")


@pytest.mark.parametrize(
    ("written", "schedule"),
    [
        ("immediate: true", Immediate()),
        ("interval: 2h", Interval(120)),
        ("daily: '02:00'", Daily(at("2026-03-04T02:00"))),
        ("weekly: {days: [friday, monday], time: '08:30'}", Weekly((1, 5), at("2026-03-04T08:30"))),
        ("monthly: {day: 31, time: '23:59'}", Monthly(31, at("2026-03-04T23:59"))),
        # points of the run: 09:59:50 and some, at the next whole minute
        ("daily: work", Daily(at("2026-03-04T10:01"))),
        ("daily: 5s", Daily(at("2026-03-04T10:00"))),
        ("daily: 10s", Daily(at("2026-03-04T10:00"))),
        ("weekly: {time: ramp}", Weekly((3,), at("2026-03-04T10:00"))),
        ("monthly: {time: work+1m}", Monthly(4, at("2026-03-04T10:02"))),
        ("exactly_once: work+1m", ExactlyOnce(at("2026-03-04T10:02"))),
    ],
)
def test_a_recurrence_becomes_the_value_of_the_wire(written: str, schedule: Schedule, tmp_path: Path):
    assert handed_over(written, tmp_path) == schedule


def test_a_point_after_midnight_falls_on_the_next_day(tmp_path: Path):
    late = START // DAY * DAY + DAY - MINUTE
    scenario = loaded(TEXT + "  - {name: it, type: LOGS, schedule: {weekly: {time: work+1m}}}\n", tmp_path)

    [found] = plan(scenario, late).operator.postings
    assert found.handed_over == Weekly((4,), at("2026-03-05T00:01"))


def test_who_is_not_sticky_is_drawn_anew_in_each_round(tmp_path):
    text = LAB.replace("count: 10", "count: 40") + "stop: {after: 10m}\nschedules:\n"
    share = "  - {name: a, type: LOGS, every: 1m, select: {percent: 25%, sticky: false}}\n"
    number = "  - {name: b, type: LOGS, every: 1m, select: {count: 3, sticky: false}}\n"
    a, b = plan(loaded(text + share + number, tmp_path), START).operator.postings

    rounds_of_a = [a.lottery.drawn(n) for n in range(10)]
    assert {len(one) for one in rounds_of_a} == {10}
    assert len(set(rounds_of_a)) > 5
    assert all(list(one) == sorted(one) for one in rounds_of_a)
    assert rounds_of_a == [a.lottery.drawn(n) for n in range(10)]
    assert {len(b.lottery.drawn(n)) for n in range(10)} == {3}
    assert [due.machine for due in rounds((a,))] == [machine for one in rounds_of_a for machine in one]
