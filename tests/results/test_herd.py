"""Agents' polls before a storm and while it lasted."""

import pytest

from agent_sim.instants import SECOND, from_iso
from agent_sim.results.checks import Threshold
from agent_sim.results.figures import Herd
from agent_sim.results.herd import HerdFold, herd_of
from agent_sim.results.render.rows import herd_words
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.thresholds import judge_threshold
from tests.results.journals import ended, latencies, started, storm, traffic


def polls(fold: HerdFold, *seconds: int, milliseconds: float = 1.0) -> None:
    for second in seconds:
        fold.traffic(traffic("heartbeat", t=second + 1.0, ok=10), latencies(milliseconds, times=10))


def counts(herd: Herd) -> tuple[int, int]:
    return herd.before.count, herd.meanwhile.count


def test_polls_of_the_minute_before_are_compared_with_those_meanwhile():
    fold = HerdFold()
    polls(fold, *range(100))
    fold.begin("mass", 98.0)
    polls(fold, *range(100, 115), milliseconds=5.0)

    herd = fold.end("mass", 100.0, 110.0)
    assert counts(herd) == (600, 100)
    assert (herd.before.max_us, herd.meanwhile.min_us) == (1000, 5000)


def test_the_time_of_another_storm_is_no_calm():
    fold = HerdFold()
    fold.begin("first", 10.0)
    polls(fold, *range(50))
    fold.end("first", 12.0, 30.0)
    fold.begin("second", 50.0)
    polls(fold, *range(50, 60))

    assert counts(fold.end("second", 50.0, 60.0)) == (200, 100)


def test_a_long_storm_is_kept_by_tens_of_seconds_and_loses_no_poll():
    fold = HerdFold()
    polls(fold, *range(50))
    fold.begin("mass", 50.0)
    polls(fold, *range(50, 1050))

    assert len(fold._polls) < 50 + 121 + 90
    assert counts(fold.end("mass", 50.0, 1050.0)) == (500, 10_000)


def test_a_storm_beside_the_run_reads_its_journal():
    lines = [started(), *[traffic("heartbeat", t=second + 1.0, ok=2, milliseconds=3.0) for second in range(100)]]
    start = from_iso(started().started_at)

    herd = herd_of(lines, start + 80 * SECOND, start + 90 * SECOND)
    assert herd is not None
    assert counts(herd) == (120, 20)
    assert herd_of(lines[1:], start, start + SECOND) is None


def run(kind: str = "herd", meanwhile: float = 3.0) -> Summary:
    calm = [traffic("heartbeat", t=second + 1.0, ok=30, milliseconds=2.0) for second in range(30)]
    after = [traffic("heartbeat", t=second + 1.0, ok=30, milliseconds=meanwhile) for second in range(30, 45)]
    begin, end = storm(kind=kind)
    return summarise([started(), *calm, begin, *after, end, ended(50.0)])


SLOWER = "1.50 times of 450 polls, beside 900 polls before"


@pytest.mark.parametrize(
    ("metric", "bound", "said"),
    [
        ("poll_latency", {"maximum": 0.004}, ("held", "p95 3.00 ms of 450 polls")),
        ("poll_slowdown", {"maximum": 2}, ("held", f"p95 {SLOWER}")),
        ("poll_slowdown", {"maximum": 1.2}, ("broken", f"p95 {SLOWER}")),
    ],
)
def test_thresholds_name_it(metric, bound, said):
    verdict = judge_threshold(run(), Threshold(metric, stat="p95", **bound))

    assert (verdict.answer, verdict.detail) == said


def test_what_no_agents_are_known_of_is_not_measured():
    plain = judge_threshold(run("plain"), Threshold("poll_slowdown", stat="p95", maximum=2))
    few = judge_threshold(run(), Threshold("poll_slowdown", stat="p99.9", maximum=2))

    assert (plain.answer, plain.detail) == ("not_measured", "no herd storm ran whose agents' polls are known")
    assert (few.answer, few.detail) == ("not_measured", "before the storm: p99.9 needs 10,000 polls, there were 900")


def test_it_is_told_at_a_percentile_that_both_have():
    few = Herd(latencies(1.0, times=9), latencies(2.0, times=900))

    assert herd_words(Herd(latencies(2.0, times=900), latencies(3.0, times=450))) == (
        "agents' polls at p95 2.00 ms before, 3.00 ms meanwhile: 1.50 times as long (900 polls before, 450 meanwhile)"
    )
    assert herd_words(few) == "too few polls to compare: 9 polls before, 900 meanwhile"
