from typing import Any

from agent_sim.instants import SECOND
from agent_sim.results.checks import Checks, Threshold
from agent_sim.results.judge import judge
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import exit_code
from agent_sim.results.watch import Watch
from tests.results.journals import completed, ended, phase, started, storm, traffic

ERRORS = Threshold("error_rate", maximum=0.1, text="error_rate <= 10%", abort_on_fail=True)


def failing(t: float, ok: int = 1, failed: int = 9):
    return traffic(t=t, ok=ok, errors={"http_5xx": failed})


def aborts(threshold: Threshold, *lines: Any) -> list[float]:
    """At the times of which lines the watch wants the run to end."""
    watch = Watch(Checks((threshold,), ()))
    return [line.t for line in lines if watch.see(line) is not None]


def test_an_upper_bound_ends_the_run_once_the_second_that_broke_it_is_over():
    watch = Watch(Checks((ERRORS,), ()))

    assert [watch.see(line) for line in (traffic(t=1.0), failing(2.0), failing(2.0))] == [None, None, None]
    assert watch.see(traffic(t=3.0)) == "aborted: threshold error_rate <= 10% is broken: 85.7 % of 21 requests"


def test_a_threshold_that_does_not_abort_is_not_watched():
    assert aborts(Threshold("error_rate", maximum=0.1), failing(1.0), failing(2.0), failing(3.0)) == []


def test_one_that_only_warns_ends_no_run():
    warning = Threshold("error_rate", maximum=0.1, warn_only=True, abort_on_fail=True)

    assert aborts(warning, failing(1.0), failing(2.0), failing(3.0)) == []


def test_not_before_its_delay_is_over():
    late = Threshold("error_rate", maximum=0.1, abort_on_fail=True, abort_delay=4 * SECOND)

    assert aborts(late, *[failing(float(t)) for t in range(1, 7)]) == [4.0, 5.0, 6.0]


def test_what_is_measured_during_phases_counts_from_their_begin():
    during = Threshold("error_rate", maximum=0.1, during=("work", "rest"), abort_on_fail=True, abort_delay=2 * SECOND)
    lines = [phase("ramp", 0.0, 5.0), failing(1.0), failing(2.0), phase("work", 5.0, 5.0), failing(6.0), failing(7.0)]

    assert aborts(during, *lines, failing(8.0)) == [7.0, 8.0]


def test_a_lower_bound_waits_until_its_phases_are_over():
    least = Threshold("throughput", minimum=10.0, during=("work",), abort_on_fail=True)
    lines = [phase("work", 0.0, 3.0), *[traffic(t=float(t)) for t in range(1, 6)]]

    assert aborts(least, *lines) == [4.0, 5.0]


def test_a_lower_bound_on_the_whole_run_ends_nothing():
    least = Threshold("throughput", minimum=10.0, abort_on_fail=True)

    assert aborts(least, *[traffic(t=float(t)) for t in range(1, 6)]) == []


def test_a_percentile_without_enough_samples_ends_nothing():
    slow = Threshold("latency", {}, "p99", maximum=0.001, abort_on_fail=True)

    assert aborts(slow, traffic(t=1.0, ok=900), traffic(t=2.0, ok=200), traffic(t=3.0), traffic(t=4.0)) == [3.0, 4.0]


def test_jobs_and_storms_are_watched_too():
    failures = Threshold("jobs", {"outcome": "success"}, maximum=1, abort_on_fail=True)
    assert aborts(failures, completed(audit=1), completed(audit=2), traffic(t=5.0)) == [5.0]

    storms = Threshold("error_rate", {"storm": "again"}, maximum=0.1, abort_on_fail=True)
    assert aborts(storms, *storm(errors={"http_5xx": 200}), traffic(t=50.0)) == [50.0]


def test_a_run_that_a_threshold_ended_has_failed_even_if_it_recovered_in_the_seconds_that_were_left():
    reason = "aborted: threshold error_rate <= 10% is broken: 85.7 % of 21 requests"
    verdicts = judge(summarise([started(), traffic(ok=1000), ended(reason=reason)]), Checks((ERRORS,), ()))

    assert [(verdict.name, verdict.answer) for verdict in verdicts] == [
        ("error_rate <= 10%", "held"),
        ("end of the run", "broken"),
    ]
    assert exit_code(verdicts) == 1
