"""What is said of storms made in turn on two targets."""

from itertools import count

import pytest

from agent_sim.errors import UsageError
from agent_sim.results.paired import Disturbed
from agent_sim.results.storm import read_storm
from agent_sim.results.storm_pairs import StormRun, judge, read_run, turns
from tests.results.journals import latencies, storm_result

MACHINE = {"cores": "2", "locust": "2.46.0"}
CLOCK = count()


def run(milliseconds=20.0, *, foreign=0.0, machine=MACHINE, at=None, null=10.0, **changes):
    """A run of 300 requests that took so long, made after all others."""
    moment = next(CLOCK) if at is None else at
    begun = f"2026-01-02T{moment // 60 % 24:02}:{moment % 60:02}:00Z"
    response = dict(latencies(milliseconds, times=300).to_json())
    storm = read_storm(storm_result(**{"started_at": begun, "response": response, "service": response, **changes}))
    return StormRun(f"run-{moment}", storm, machine, null, foreign)


def turn(a=None, b=None, pairs=4):
    made = [(run(**(a or {})), run(**(b or {}))) for _ in range(pairs)]
    return [one for one, _ in made], [other for _, other in made]


def test_a_slower_median_is_a_regression_and_is_told_as_times_the_null_server():
    judged = judge(*turn(b={"milliseconds": 30.0}))

    assert (judged.answer, judged.exit_code, judged.deciding) == ("worse", 1, "p50")
    assert judged.words.startswith("regression: B takes 1.5")
    assert judged.figures["p50"].a_calibrated == pytest.approx(2000, rel=0.01)
    assert judged.remarks == ()


@pytest.mark.parametrize(
    ("b", "answer", "code"),
    [({"milliseconds": 10.0}, "better", 0), ({}, "same", 0), ({"milliseconds": 20.5}, "same", 0)],
)
def test_what_is_no_worse_passes(b, answer, code):
    judged = judge(*turn(b=b))

    assert (judged.answer, judged.exit_code) == (answer, code)


def test_a_closed_loop_is_judged_by_what_it_gets_done():
    judged = judge(*turn({"model": "closed", "achieved_rate": 100.0}, {"model": "closed", "achieved_rate": 80.0}))

    assert (judged.answer, judged.deciding, judged.figures["rate"].ratio) == ("worse", "rate", pytest.approx(1.25))


def test_a_long_tail_is_worse_though_the_median_is_not():
    tail = dict(latencies(*[20.0] * 18, 90.0, 90.0, times=20).to_json())

    judged = judge(*turn(b={"response": tail}))

    assert (judged.figures["p50"].answer, judged.answer) == ("same", "worse")
    assert judged.words.startswith("regression: latency p95: B takes")


def test_fast_errors_are_no_improvement():
    failing = {"milliseconds": 2.0, "errors": {"http_5xx": 30}}

    assert judge(*turn(b=failing)).words == ("regression: 10.0 % of B's requests failed or were dropped, 0.0 % of A's")
    assert judge(*turn(a=failing)).answer == "unsure"


def test_a_generator_that_was_saturated_says_nothing_about_the_targets():
    saturated = {"generator": {"cpu_percent_max": 99.0, "late_p99_ms": 50.0, "saturated": True}}

    judged = judge(*turn(b={"milliseconds": 40.0, **saturated}))

    assert (judged.answer, judged.exit_code) == ("unsure", 3)
    assert "the generator itself was saturated in 4 of 8 runs" in judged.words


def test_a_broken_rule_is_the_verdict_whatever_the_figures_are():
    judged = judge(*turn(b={"reconciliation__violations": {"lost_update": 3}}))

    assert judged.exit_code == 1
    assert "3 lost_update" in judged.words


def test_a_storm_that_stopped_itself_is_no_measurement():
    judged = judge(*turn(b={"milliseconds": 2.0, "stopped": "first 401/403"}))

    assert judged.exit_code == 1
    assert judged.words.endswith("it stopped itself: first 401/403")


def test_a_busy_machine_is_not_judged_unless_asked_for():
    a, b = turn(b={"foreign": 0.4})

    with pytest.raises(Disturbed, match=r"cannot tell: something else used 0\.40 cores"):
        judge(a, b)
    assert judge(a, b, anyway=True).answer == "same"


@pytest.mark.parametrize(
    ("b", "problem"),
    [
        ({"machine": {**MACHINE, "locust": "2.47.0"}}, r"locust: 2\.46\.0 against 2\.47\.0"),
        ({"batch": 1}, "ids a request: 50 in run-"),
        ({"operation": "acknowledge"}, "storm: reschedule by ids in run-"),
        ({"model": "closed"}, "model: open in"),
        ({"users": 20}, "users: not told in run-"),
        ({"stopped": "interrupted"}, "end: as planned in"),
    ],
)
def test_unlike_machines_and_storms_are_refused(b, problem):
    with pytest.raises(UsageError, match=problem):
        judge(*turn(b=b))


def test_a_figure_without_its_samples_is_refused():
    with pytest.raises(UsageError, match="p99 needs more samples than the 300 of a run"):
        judge(*turn(), "p99")


def test_runs_of_two_days_are_compared_with_a_remark():
    judged = judge([run(at=n) for n in range(3)], [run(at=n) for n in range(10, 13)])

    assert "not made in turn" in judged.remarks[0]


def test_no_runs_and_odd_runs_are_refused():
    with pytest.raises(UsageError, match="there is no run"):
        judge([], [])
    with pytest.raises(UsageError, match="2 runs of A and 1 of B"):
        judge([run(), run()], [run()])


def test_each_side_is_first_as_often_as_the_other():
    for seed in range(20):
        firsts = turns(8, seed)
        assert [sorted(firsts[n : n + 2]) for n in range(0, 8, 2)] == [["a", "b"]] * 4
    assert len({turns(8, seed) for seed in range(20)}) > 4


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "must be an object"),
        ({"schema": "other"}, "its schema is 'other'"),
        ({"schema": "agent-sim/result/1", "storms": []}, "must be of one storm, has 0"),
        ({"schema": "agent-sim/result/1", "storms": [{"result": {}}], "environment": {}}, "lacks name"),
    ],
)
def test_what_is_no_run_of_a_storm_is_refused_by_name(document, problem):
    with pytest.raises(UsageError, match=f"^kept: .*{problem}"):
        read_run(document, {}, "kept")
