"""Benches judge what they measured by gate and aim, and nothing on a machine that was not theirs."""

import json
import subprocess
import sys

import pytest

from tests.bench.figures import Bound, Figure, as_json, table
from tests.bench.quiet import Reading, Watch, is_quiet, others, read

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


def test_a_table_shows_the_spread_and_who_was_in_the_way() -> None:
    figures = [Figure("ratio", (1.0, 9.0, 100.0), "x", Bound(8, 15)), Figure("bytes", (123456.0,))]

    assert table(figures, LOUD).splitlines() == [
        "           median       least        most                     gate → aim",
        "ratio           9           1         100 x                     ≥ 8 → 15 not judged",
        "bytes     123,456     123,456     123,456",
        "other processes took 11 % of a core, more than 10 %: nothing is judged; run it again on a quiet machine",
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
    assert kept == {"figures": {"ratio": row}, "others": QUIET, "quiet": True, "machine": {"cores": "2"}}


def test_what_is_no_matter_of_time_is_judged_beside_whatever_else_runs():
    always = Figure("alike", [1, 1], bound=Bound(1, 1))

    assert always.verdict(None) == "aim reached"
    assert "other processes" not in table([always], None)
    assert json.loads(as_json([always], None, {}))["others"] is None
