from dataclasses import replace

from agent_sim.results.checks import Threshold
from agent_sim.results.summary import summarise
from agent_sim.results.thresholds import judge_threshold
from tests.results.journals import ended, phase, started, traffic


def struck(*faults, **changes):
    return replace(traffic(**changes), faults=faults)


LINES = [
    started(),
    phase("all", 0.0, 60.0),
    traffic(t=1.0, ok=9, milliseconds=10.0),
    struck("cut", t=1.0, ok=0, errors={"read_timeout": 1}, milliseconds=5_000.0),
    struck("cut", "slow", operation="complete", t=2.0, ok=5, milliseconds=900.0),
    ended(),
]


def test_requests_that_met_a_fault_count_with_all_others_and_apart_from_them():
    summary = summarise(LINES)

    for window in (summary.whole, *summary.phases):
        assert (window.operations["heartbeat"].ended, window.calm["heartbeat"].ended) == (10, 9)
        assert window.operations["complete"].ok == 5
        assert "complete" not in window.calm


def test_a_threshold_may_leave_them_out():
    summary = summarise(LINES)
    errors = Threshold("error_rate", maximum=0.0)
    slowest = Threshold("latency", {}, "max", maximum=0.05, during=("all",))

    assert judge_threshold(summary, errors).answer == "broken"
    assert judge_threshold(summary, replace(errors, exclude_faults=True)).answer == "held"
    assert judge_threshold(summary, slowest).answer == "broken"
    assert judge_threshold(summary, replace(slowest, exclude_faults=True)).answer == "held"


def test_a_threshold_of_which_nothing_is_left_is_not_measured():
    only = Threshold("latency", {"op": "complete"}, "max", maximum=0.05, exclude_faults=True)

    assert judge_threshold(summarise(LINES), only).answer == "not_measured"


def test_without_faults_both_are_the_same():
    window = summarise([*LINES[:3], ended()]).whole

    assert window.calm == window.operations
