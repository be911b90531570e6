"""A past that is made up: seeded, over when the run begins, and of no account to what the run comes to."""

import asyncio
import json

import pytest
import typer

from agent_sim.cli.backfill import main
from agent_sim.cli.past import with_past
from agent_sim.cli.replay import backfilled, replay
from agent_sim.errors import UsageError
from agent_sim.instants import DAY, SECOND
from agent_sim.results import journal, journal_text
from agent_sim.results.summary import summarise
from agent_sim.scenario.load import Overrides, load
from agent_sim.server.store import SqliteStore
from agent_sim.server.web.overview import Overview
from agent_sim.settings import DEFAULT_SETTINGS

END = 1_700_000_000 * SECOND

TEXT = """\
version: 1
name: h
seed: 5
stop: {after: 1m, drain: 10s}
server: {retries: 1, job_timeout: 5s}
fleets:
  - {name: lab, count: 4, capabilities: [PEM, LOGS], heartbeat: {every: 2s}}
behaviours:
  - name: default
    jobs:
      - {type: Management, duration: 1s, outcomes: [{result: failure, weight: 50%}, {result: success, weight: 50%}]}
      - {type: LOGS, duration: 1s, outcomes: [{result: hang, weight: 20%}, {result: success, weight: 80%}]}
schedules:
  - {name: fetch, type: LOGS, every: 20s}
  - {name: renew, type: Management, every: 20s}
  - {name: night, type: Inventory, schedule: {daily: "02:00"}}
storms:
  - {name: acknowledged, at: 35s, op: acknowledge, target: {batch: 10}, load: {rate: 2/s}, for: 2s}
checks: {invariants: {no_lost_jobs: true, at_most_once: true, status_agrees: true}}
history: {backfill: 2d, day: 30s}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "h.yaml"
    path.write_text(TEXT)
    return path


def made(file, seed=None):
    """The database with the past, and what was made up."""
    scenario = load(file, Overrides(seed=seed))
    store = SqliteStore.open(":memory:")
    return store, backfilled(store, scenario, scenario.history, END)


def rows(store, query):
    return store._connection.execute(query).fetchall()


def test_the_same_seed_has_the_same_past_and_another_seed_another(file):
    everything = "SELECT * FROM run ORDER BY job_history_id"
    (first, told), (again, _), (other, _) = made(file), made(file), made(file, seed=6)

    assert told.runs > 20
    assert rows(first, everything) == rows(again, everything)
    assert rows(first, everything) != rows(other, everything)


def test_it_is_over_when_the_run_begins(file):
    store, _ = made(file)

    assert rows(store, "SELECT count(*) FROM run WHERE status = 2") == [(0,)]
    assert rows(store, "SELECT count(*) FROM job WHERE state <> 'gone'") == [(0,)]
    [(first, last)] = rows(store, "SELECT min(operation_start), max(operation_end) FROM run")
    assert END - 2 * DAY < first < last <= END


def test_it_is_seen_in_the_counts_and_in_results_over_time(file):
    store, _ = made(file)
    overview = Overview(store, DEFAULT_SETTINGS, lambda: END)

    [(failed,)] = rows(store, "SELECT count(*) FROM run WHERE result = 4 AND status IN (3, 5)")
    [(acknowledged,)] = rows(store, "SELECT count(*) FROM run WHERE status = 4")
    assert overview.open_runs(END)["failures"] == failed > 0
    assert acknowledged > 0
    steps = overview.timeline("30d", END)
    [(ended,)] = rows(store, "SELECT count(*) FROM run")
    assert sum(step["success"] + step["failure"] + step["will_retry"] for step in steps) == ended
    assert sum(1 for step in steps if step["success"]) >= 3


def replayed(file, runs, *settings):
    """The journal and the digest of a replay."""
    with pytest.raises(typer.Exit):
        replay(str(file), set_=list(settings), runs=runs)
    [folder] = runs.iterdir()
    text = (folder / "journal.jsonl").read_text()
    lines = list(journal_text.read(text.splitlines()))
    return text, lines, summarise(lines).outcome_digest


def test_a_run_comes_to_the_same_with_a_past_and_without(file, tmp_path):
    text, lines, digest = replayed(file, tmp_path / "a")
    again, *_ = replayed(file, tmp_path / "b")
    _, alone, digest_alone = replayed(file, tmp_path / "c", "history=null")

    assert text == again
    assert digest == digest_alone
    of = [sum(isinstance(line, journal.ServerRun) for line in told) for told in (lines, alone)]
    assert of[0] == of[1] > 0


def test_a_database_with_a_past_of_its_own_keeps_it(file, tmp_path, capsys):
    db = str(tmp_path / "sim.db")
    main(file, db)
    [runs, seconds, used] = json.loads(capsys.readouterr().out)
    main(file, db)

    assert runs > 20
    assert used > 0
    assert seconds > 0
    assert json.loads(capsys.readouterr().out)[0] == -1


def test_what_the_database_refuses_is_one_line(file, tmp_path):
    (tmp_path / "sim.db").write_bytes(b"no database" * 100)

    with pytest.raises(UsageError, match=r"the past could not be made up: .*not a database") as caught:
        asyncio.run(with_past(load(file), tmp_path, str(tmp_path / "sim.db")))
    assert len(str(caught.value).splitlines()) == 1


def test_no_history_makes_nothing_up(file, tmp_path):
    plain = load(file, Overrides(settings=(("history", "null"),)))

    assert asyncio.run(with_past(plain, tmp_path, ":memory:")) is None
    assert not (tmp_path / "server.db").exists()


def test_how_far_it_is_is_told_on_the_way(file):
    scenario = load(file)
    store = SqliteStore.open(":memory:")
    told = []
    backfilled(store, scenario, scenario.history, END, tell=lambda days, runs: told.append((days, runs)))

    assert told == sorted(told)
    assert 0 < told[0][0] < told[-1][0] <= 2
    assert told[-1][1] > 20
