"""Forecasts, held against what a replay of the same scenario really comes to."""

from pathlib import Path

import pytest

from agent_sim.scenario.forecast import Forecast, forecast
from agent_sim.scenario.load import load
from tests.fleet.replays import Played, play
from tests.scenario.files import LAB, loaded, written

HEAD = "version: 1\nname: s\nseed: 3\nchecks: {invariants: {no_lost_jobs: true, at_most_once: true}}\n"
LOGS = HEAD + "fleets: [{name: lab, count: 20, capabilities: [LOGS], heartbeat: {every: 5s}}]\n"
STORES = (
    HEAD + "fleets: [{name: lab, count: 12, capabilities: [PEM], heartbeat: {every: 4s},"
    " stores: {per_agent: {dist: discrete, values: {1: 50%, 3: 50%}}}}]\n"
)
HALF = "outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]"


def failing(kind: str) -> str:
    return f"behaviours: [{{name: default, jobs: [{{type: {kind}, duration: 700ms, {HALF}}}]}}]\n"


SCENARIOS = {
    "nothing to do": LOGS + "stop: {after: 2m}\n",
    "logs again and again": LOGS + "stop: {after: 2m}\nschedules: [{name: a, type: LOGS, every: 20s}]\n",
    "failures tried again": LOGS
    + failing("LOGS")
    + "server: {retries: 2}\nstop: {after: 3m}\nschedules: [{name: a, type: LOGS, every: 1m}]\n",
    "inventory of each store": STORES
    + failing("Inventory")
    + "stop: {after: 2m}\nschedules: [{name: a, type: Inventory, every: 30s, spread: 20s}]\n",
    "inventory posted faster than it is heard of": STORES
    + "stop: {after: 1m}\nschedules: [{name: a, type: Inventory, every: 1s}]\n",
    "kept by the server": LOGS + "stop: {after: 10m}\nschedules: [{name: a, type: LOGS, schedule: {interval: 2m}}]\n",
    "more work than time": LOGS
    + "behaviours: [{name: default, jobs: [{type: LOGS, duration: 50s}]}]\n"
    + "stop: {after: 2m, drain: 0s}\nschedules: [{name: a, type: LOGS, every: 20s}]\n",
    "rescheduled and acknowledged": STORES
    + failing("Management")
    + "server: {retries: 0}\nstop: {after: 2m}\nschedules: [{name: a, type: Management, every: 20s, until: 60s}]\n"
    + "storms:\n"
    + "  - {name: again, at: 70s, op: reschedule, target: {batch: 5}, load: {rate: 2/s}, for: 10s}\n"
    + "  - {name: seen, at: 95s, op: acknowledge, target: {batch: 5}, load: {rate: 1/s}, for: 4s}\n",
    "coming and going by phases": LOGS
    + "phases: [{name: ramp, duration: 1m, online: 50%}, {name: on, duration: 1m}]\n"
    + "schedules: [{name: a, type: LOGS, every: 30s, from: on}]\n",
}


def foreseen(text: str, folder: Path) -> Forecast:
    return forecast(load(written(text, folder), seed=1))


def came_to(played: Played) -> dict[str, dict[str, int]]:
    return {
        job.type: {result.name.lower(): count for result, count in job.outcomes.items()} for job in played.summary.jobs
    }


def assert_fits(told: Forecast, played: Played) -> None:
    """Jobs and outcomes within a few in a hundred, requests within a tenth."""
    actual = came_to(played)
    assert {job.type for job in told.jobs} == {kind for kind, ends in actual.items() if ends}
    for job in told.jobs:
        ends = actual[job.type]
        assert job.runs == pytest.approx(sum(ends.values()), rel=0.05, abs=2)
        for name in {*job.outcomes, *ends}:
            assert job.outcomes.get(name, 0) == pytest.approx(ends.get(name, 0), rel=0.05, abs=3)
    operations = played.summary.whole.operations
    sent = sum(one.ok + one.failed for name, one in operations.items() if name not in ("operator", *_STORMS))
    assert told.rate == pytest.approx(sent / played.summary.ended.t, rel=0.1)
    for storm in told.storms:
        [actual_storm] = [one for one in played.summary.storms if one.name == storm.name]
        assert storm.ids == pytest.approx(actual_storm.result.ledger.sent, rel=0.1, abs=2)


_STORMS = ("reschedule", "acknowledge")


@pytest.mark.parametrize("text", SCENARIOS.values(), ids=SCENARIOS)
def test_what_is_foreseen_is_what_happens(text: str, tmp_path: Path):
    told = foreseen(text, tmp_path)
    played = play(tmp_path, text)

    assert_fits(told, played)


def test_of_a_great_fleet_a_part_stands_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = SCENARIOS["failures tried again"].replace("count: 20", "count: 200")
    whole = foreseen(text, tmp_path)
    monkeypatch.setattr("agent_sim.scenario.forecast.MOST_RUNS", 100)
    part = foreseen(text, tmp_path)

    assert part.jobs[0].jobs == pytest.approx(whole.jobs[0].jobs, rel=0.01)
    assert part.jobs[0].runs == pytest.approx(whole.jobs[0].runs, rel=0.1)
    assert part.rate == pytest.approx(whole.rate, rel=0.05)


def test_a_run_without_an_end_is_foreseen_for_an_hour(tmp_path: Path):
    told = foreseen(LAB + "stop: {after: never}\nschedules: [{name: a, type: LOGS, every: 10m}]\n", tmp_path)

    assert told.seconds == 3600
    assert told.jobs[0].jobs == 60


def test_agents_that_have_more_work_than_time_are_told(tmp_path: Path):
    assert foreseen(SCENARIOS["more work than time"], tmp_path).busiest > 1
    assert foreseen(SCENARIOS["logs again and again"], tmp_path).busiest < 0.1


def test_runs_that_only_a_timeout_ends_are_foreseen_as_what_the_server_makes_of_them(tmp_path: Path):
    behaviours = """\
server: {retries: 0, job_timeout: 1m}
stop: {after: 10m, drain: 3m}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        sequence: {results: [hang, never_start, {result: late, by: 30s}, {result: late, by: 5m}, malformed], then: last}
schedules: [{name: a, type: LOGS, every: 1m, until: 5m}]
"""
    [logs] = forecast(loaded(LAB + behaviours, tmp_path)).jobs

    assert {name: round(count) for name, count in logs.outcomes.items()} == {"failure": 30, "success": 10}
