"""The scenarios that come with agent-sim, replayed: each has the verdict that it says, and comes to what is foretold.

Each is played in its `ci` profile, which is small; `x-expect` in the file is the verdict that it is held to.
"""

from functools import cache
from pathlib import Path
from typing import Final

import pytest

from agent_sim.cli.library import scenario_files
from agent_sim.cli.replay import opening, whole_backend
from agent_sim.cli.scenarios import description
from agent_sim.fleet.replay import Replay
from agent_sim.results.verdict import exit_code
from agent_sim.scenario.forecast import Forecast, forecast
from agent_sim.scenario.load import Overrides, load, profiles
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan
from agent_sim.scenario.tree import Leaf, read
from agent_sim.server.store import SqliteStore
from tests.fleet.replays import START, Played

ALL: Final = scenario_files()
VERDICTS: Final = {"pass": 0, "fail": 1, "inconclusive": 3}
UNTOUCHED: Final = {
    *("acknowledge-storm", "cause-cured", "certificate-renewal-day", "demo", "hello", "logs-sweep", "morning-herd"),
    *("reschedule-storm", "steady-fleet"),
}
"""Scenarios in which nothing goes wrong on the way, so that a forecast leaves nothing out."""

AGENTS: Final = ("register", "heartbeat", "configure", "upload", "complete")

each = pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)


@cache
def scenario(path: Path) -> Scenario:
    profile = "ci" if "ci" in profiles(path) else None
    return load(path, Overrides(profile), seed=1)


@cache
def played(path: Path) -> Played:
    planned = plan(scenario(path), START)
    lines = [opening(planned)]
    store = SqliteStore.open(":memory:")
    Replay(planned, whole_backend(store, planned), lines.append, scenario(path).stop.drain).run()
    store.close()
    return Played(lines, planned.checks)


@cache
def foreseen(path: Path) -> Forecast:
    return forecast(scenario(path))


def rate(run: Played) -> float:
    """Requests of agents per second."""
    operations = run.summary.whole.operations
    sent = sum(operations[name].ok + operations[name].failed for name in AGENTS if name in operations)
    return sent / run.summary.ended.t


def test_there_are_at_least_twelve_besides_the_first_two():
    names = {path.stem for path in ALL}

    assert len(names) >= 14
    assert {
        *("steady-fleet", "morning-herd", "outage-and-return", "reschedule-storm", "acknowledge-storm", "logs-sweep"),
        *("flapping-site", "slow-server", "lost-acknowledgements", "poison-job", "rolling-restart"),
        *("certificate-renewal-day", "cause-cured", "thirteen-paths"),
    } <= names


@each
def test_each_has_the_verdict_that_it_says(path: Path):
    expected = read(path).fields["x-expect"]
    assert isinstance(expected, Leaf)

    assert exit_code(played(path).verdicts) == VERDICTS[str(expected.value)], played(path).answers


@each
def test_each_is_listed_in_one_line(path: Path):
    assert 20 < len(description(path)) < 110
    assert "\n" not in description(path)


@each
def test_jobs_are_as_many_as_foretold(path: Path):
    posted = {job.type: job for job in played(path).summary.jobs if job.started or job.outcomes}
    told = {job.type: job for job in foreseen(path).jobs}

    assert told.keys() == posted.keys()
    if path.stem in UNTOUCHED:
        for name, job in told.items():
            actual = {result.name.lower(): count for result, count in posted[name].outcomes.items()}
            assert job.runs == pytest.approx(posted[name].started, rel=0.02, abs=2)
            for outcome in {*job.outcomes, *actual}:
                assert job.outcomes.get(outcome, 0) == pytest.approx(actual.get(outcome, 0), rel=0.05, abs=3)


@each
def test_the_rate_of_requests_is_as_foretold(path: Path):
    allowed = 0.05 if path.stem in UNTOUCHED else 0.25

    assert foreseen(path).rate == pytest.approx(rate(played(path)), rel=allowed)


@each
def test_storms_find_as_many_ids_as_foretold(path: Path):
    if path.stem not in UNTOUCHED:
        return
    found = {storm.name: storm.result.ledger.sent for storm in played(path).summary.storms}

    for storm in foreseen(path).storms:
        assert storm.ids == pytest.approx(found[storm.name], rel=0.05, abs=2)
