"""Benches judge what they measured by gate and aim, and nothing on a machine that was not theirs."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, nullcontext
from types import SimpleNamespace

import pytest

from tests.bench import by_ids, clocks, fleet, million, server
from tests.bench.figures import Bound, Figure, as_json, table, used_between
from tests.bench.quiet import AGAIN, Reading, Watch, is_quiet, measured, most, others, read

QUIET, LOUD = 0.1, 0.11


def test_what_others_took_is_the_machines_time_less_our_own() -> None:
    before, after = Reading(100.0, 50.0, 7.0), Reading(110.0, 60.0, 15.0)

    assert others(before, after) == pytest.approx(0.2)  # ten seconds busy, eight of them ours, in ten


def test_ticks_that_count_us_more_often_than_the_machine_are_nothing() -> None:
    assert others(Reading(0.0, 10.0, 0.0), Reading(1.0, 10.9, 1.0)) == 0.0


def test_two_readings_at_one_instant_are_no_measurement() -> None:
    with pytest.raises(ValueError, match="no time passed"):
        others(Reading(1.0, 0.0, 0.0), Reading(1.0, 0.0, 0.0))


def test_a_tenth_of_a_core_is_still_quiet() -> None:
    assert (is_quiet(QUIET), is_quiet(LOUD)) == (True, False)


def test_what_we_start_counts_as_ours_also_when_it_is_over() -> None:
    burning = "import time\nwhile time.process_time() < 0.3: pass"
    before = read()
    subprocess.run([sys.executable, "-c", burning], check=True)

    assert read().own - before.own >= 0.25  # in ticks of a hundredth


def test_a_watch_that_was_interrupted_says_nothing() -> None:
    watch = Watch()
    with pytest.raises(KeyboardInterrupt), watch:
        raise KeyboardInterrupt

    assert watch.share == 0.0


def test_a_burst_is_seen_in_its_window_and_the_last_window_is_never_a_short_one() -> None:
    start, calm = Reading(0.0, 0.0, 0.0), Reading(60.0, 30.0, 30.0)
    burst, end = Reading(120.0, 80.0, 60.0), Reading(121.0, 81.0, 60.0)  # others: twenty seconds, and one more

    assert most([start], end) == pytest.approx(21 / 121)
    assert most([start, calm, burst], end) == pytest.approx(21 / 61)
    assert most([start, calm], Reading(119.0, 59.0, 59.0)) == 0.0


def test_a_watch_looks_at_each_window_and_stops_looking() -> None:
    with Watch(0.01) as watch:
        while len(watch._readings) < 3:
            time.sleep(0.01)

    assert not watch._looking.is_alive()


@pytest.mark.parametrize(
    ("shares", "kept", "share", "spoilt"),
    [
        ([0.0, 0.0, 0.0], (0, 1, 2), 0.0, 0),
        ([0.02, LOUD, 0.0, 0.05], (0, 2, 3), 0.05, 1),  # one burst: a round more, and that one left out
        ([LOUD, LOUD, LOUD, 0.0, LOUD], (3,), 0.0, 4),  # the attempts are used up
        ([LOUD, 0.9, LOUD, LOUD, LOUD], (0, 1, 2, 3, 4), 0.9, 5),  # shown, and not judged
    ],
)
def test_rounds_that_others_spoilt_are_measured_again_or_left_out(shares, kept, share, spoilt) -> None:
    numbers, seen = iter(range(3 + AGAIN)), iter(shares)

    found = measured(3, lambda: next(numbers), lambda: nullcontext(SimpleNamespace(share=next(seen))))

    assert (found.found, found.share, found.spoilt) == (kept, share, spoilt)
    assert list(seen) == []


@pytest.mark.parametrize(
    ("bound", "value", "verdict"),
    [
        (Bound(8, 15), 15.0, "aim reached"),
        (Bound(8, 15), 8.0, "gate passed"),
        (Bound(8, 15), 7.9, "MISSED"),
        (Bound(15, 5), 5.0, "aim reached"),  # the smaller the better
        (Bound(15, 5), 15.0, "gate passed"),
        (Bound(15, 5), 15.1, "MISSED"),
    ],
)
def test_a_value_is_judged_by_gate_and_aim(bound: Bound, value: float, verdict: str) -> None:
    assert bound.verdict(value) == verdict


def test_it_is_the_median_that_is_judged_and_only_on_a_quiet_machine() -> None:
    figure = Figure("ratio", (1.0, 9.0, 100.0), bound=Bound(8, 15))

    assert figure.verdict(QUIET) == "gate passed"
    assert figure.verdict(LOUD) == "not judged"
    assert Figure("ratio", (1.0,)).verdict(QUIET) == ""


def test_a_row_about_something_else_than_its_bound_is_not_judged() -> None:
    values = [{"agents": 1000.0, "bytes per idle agent": 100.0}]

    assert [row.verdict(QUIET) for row in fleet.rows(values, full=False)] == ["", "not judged: a tenth of the fleet"]
    assert [row.verdict(QUIET) for row in fleet.rows(values, full=True)] == ["", "aim reached"]


def test_a_percentile_is_judged_by_enough_samples_only() -> None:
    name = "heartbeats' lag in reschedules"
    values = [{f"{name}, ms, p99": 3.0, f"{name}, n": n} for n in (5000.0, 999.0)]

    def told(values, *size):
        return server.rows(values, *size)[0].verdict(QUIET)

    assert told(values[:1], *server.AIMS) == "aim reached"
    assert told(values, *server.AIMS) == "not judged: 999 samples"
    assert told(values[:1], 1000, 10) == "not judged: 10 ids of 1,000 runs"


def test_each_way_of_rescheduling_has_ids_of_its_own(tmp_path) -> None:
    path = tmp_path / "small.db"
    million.make(path, 5000)
    ids = list(range(4001, 5001))

    costs = by_ids.costs(path, ids[: by_ids.needed(100)], 100)

    assert list(costs) == [f"reschedule, {way}" for way in (by_ids.ONE, by_ids.BULK, by_ids.BARE)]
    with closing(sqlite3.connect(path)) as database:
        [(noted,)] = database.execute("SELECT count(DISTINCT audit_id) FROM transition WHERE kind = 'rescheduled'")
        [(all_of_them,)] = database.execute("SELECT count(*) FROM transition")
    assert noted == all_of_them == by_ids.needed(100)


def test_the_clock_of_a_process_is_finer_than_its_ticks() -> None:
    before, spent = clocks.cpu_of(os.getpid()), time.process_time()

    assert clocks.cpu_of(os.getpid()) >= before > 0
    assert clocks.cpu_of(os.getpid()) == pytest.approx(spent, abs=0.5)


@pytest.mark.parametrize(
    ("late", "minutes", "code", "verdict"),
    [
        (1.0, 60, 0, "aim reached"),
        (1.11, 60, 1, "MISSED"),
        (1.0, 5, 0, "not judged: 5 minutes of 50,000 agents, not 60 of 50,000"),
        (1.11, 5, 1, "MISSED"),  # what grew grew
    ],
)
def test_a_soak_fails_where_memory_grew(late, minutes, code, verdict, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fleet, "soak", lambda *_: {"MB early": 50.0, fleet.GROWTH: late})

    assert fleet.soaked(minutes, 50_000) == code
    assert capsys.readouterr().out.splitlines()[-2].endswith(verdict)


def test_a_bench_whose_requests_failed_fails_and_names_the_first(monkeypatch) -> None:
    told = json.dumps({"us": 30.0, "failed": 2, "first_failure": "heartbeat: 503"})
    monkeypatch.setattr(fleet.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout=told))

    with pytest.raises(fleet.BenchError, match="2 requests of the client ours failed, first heartbeat: 503"):
        fleet.client("ours", "http://127.0.0.1:1")


def test_a_part_that_fails_keeps_no_other_from_telling(monkeypatch, capsys) -> None:
    def failing(*_: object) -> None:
        raise fleet.BenchError("3 requests failed")

    monkeypatch.setitem(fleet.PARTS, "million", failing)
    monkeypatch.setattr(fleet, "soaked", lambda *_: 0)
    monkeypatch.setattr(fleet, "_have_files", lambda: None)
    monkeypatch.setattr(sys, "argv", ["fleet", "--only", "million,soak"])

    assert fleet.main() == 1
    assert capsys.readouterr().err == "error: million: 3 requests failed\n"


def test_a_client_that_this_machine_cannot_hold_says_so_and_ends_the_bench(capfd) -> None:
    with pytest.raises(fleet.BenchError, match="the client tasks ended with 1"):
        fleet.client("tasks", "http://127.0.0.1:1", agents=10**10, connections=10**10)

    assert "open files and this process may have" in capfd.readouterr().err


def test_what_was_used_between_two_moments_is_read_off_straight_lines() -> None:
    readings = [(0.0, 0.0), (10.0, 5.0), (10.0, 5.0), (20.0, 5.0), (30.0, 6.0)]

    assert used_between(readings, 5.0, 25.0) == pytest.approx(3.0)
    assert used_between(readings, 0.0, 30.0) == 6.0
    with pytest.raises(ValueError, match=r"nothing was read around 30\.1"):
        used_between(readings, 5.0, 30.1)


def test_a_table_shows_the_spread_and_who_was_in_the_way() -> None:
    figures = [Figure("ratio", (1.0, 9.0, 100.0), "x", Bound(8, 15)), Figure("bytes", (123456.0,))]

    assert table(figures, LOUD).splitlines() == [
        "           median       least        most                     gate → aim",
        "ratio           9           1         100 x                     ≥ 8 → 15 not judged",
        "bytes     123,456     123,456     123,456",
        "other processes took 11 % of a core, more than 10 %: nothing is judged; run it again on a quiet machine",
    ]
    assert table(figures, QUIET, 1).splitlines()[-2:] == [
        "other processes took 10 % of a core",
        "left out: 1 rounds in which they took more than 10 %",
    ]


def test_what_is_kept_names_the_machine_and_every_round() -> None:
    kept = json.loads(as_json([Figure("ratio", (1.0, 9.0, 2.0), "x", Bound(8, 15))], QUIET, {"cores": "2"}))

    row = {
        "median": 2.0,
        "rounds": [1.0, 9.0, 2.0],
        "unit": "x",
        "bound": {"gate": 8, "aim": 15},
        "verdict": "MISSED",
    }
    assert kept == {"figures": {"ratio": row}, "others": QUIET, "spoilt": 0, "quiet": True, "machine": {"cores": "2"}}


def test_what_is_no_matter_of_time_is_judged_beside_whatever_else_runs():
    always = Figure("alike", [1, 1], bound=Bound(1, 1))

    assert always.verdict(None) == "aim reached"
    assert "other processes" not in table([always], None)
    assert json.loads(as_json([always], None, {}))["others"] is None
