import pytest

from agent_sim.protocol.enums import Result
from agent_sim.results.checks import Threshold
from agent_sim.results.journal import POOL_WAIT
from agent_sim.results.metrics import METRICS, quantile
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.thresholds import judge_threshold, name_of
from tests.results.journals import completed, ended, phase, started, storm, traffic

SATURATED = {"cpu_percent_max": 99.0, "late_p99_ms": 90.0, "saturated": True}


def run(**storm_changes) -> Summary:
    """Two phases of 10 s, then 40 s; 500 fast completes, 500 slow ones; a storm in the second phase."""
    return summarise(
        [
            started(),
            phase("ramp", 0.0, 10.0),
            traffic("complete", t=5.0, ok=500, milliseconds=10.0),
            phase("steady", 10.0, 40.0),
            traffic("complete", t=20.0, ok=490, errors={"http_5xx": 10}, milliseconds=100.0),
            traffic("heartbeat", t=21.0, ok=30, milliseconds=1.0),
            *[completed(audit=each, t=15.0) for each in range(3)],
            completed(audit=9, t=5.0, outcome=Result.FAILURE, kind="Inventory"),
            *storm(**storm_changes),
            ended(50.0),
        ]
    )


def judged(metric: str, summary: Summary | None = None, **threshold):
    verdict = judge_threshold(summary or run(), Threshold(metric, **threshold))
    return verdict.answer, verdict.detail


COMPLETE = {"op": "complete"}
STORM = {"storm": "again"}

HELD = [
    ("latency", {"labels": COMPLETE, "stat": "p95", "maximum": 0.101}, "p95 100 ms of 1,000 requests"),
    (
        "latency",
        {"labels": COMPLETE, "stat": "p95", "maximum": 0.02, "during": ("ramp",)},
        "p95 10.0 ms of 500 requests",
    ),
    ("latency", {"labels": COMPLETE, "stat": "mean", "maximum": 0.06}, "mean 55.0 ms of 1,000 requests"),
    ("latency", {"labels": STORM, "stat": "max", "maximum": 0.05}, "max 40.0 ms of 300 requests"),
    ("latency", {"labels": {"op": "reschedule"}, "stat": "p50", "maximum": 0.03}, "p50 25.0 ms of 300 requests"),
    ("throughput", {"labels": COMPLETE, "minimum": 19.8}, "19.8/s over 50.0 s"),
    ("throughput", {"labels": COMPLETE, "minimum": 50, "during": ("ramp",)}, "50.0/s over 10.0 s"),
    ("throughput", {"labels": {"op": "reschedule"}, "minimum": 20, "during": ("steady",)}, "20.0/s over 15.0 s"),
    ("error_rate", {"labels": COMPLETE, "maximum": 0.01}, "1.00 % of 1,000 requests"),
    ("error_rate", {"labels": COMPLETE, "maximum": 0.0, "during": ("ramp",)}, "0 % of 500 requests"),
    ("error_rate", {"maximum": 0.0076}, "0.752 % of 1,330 requests"),  # all there is: agents' and the storm's
    ("ids_per_second", {"labels": STORM, "minimum": 1000}, "1,000/s over 15.0 s"),
    ("jobs", {"labels": {"outcome": "success"}, "minimum": 3, "maximum": 3}, "3 of 4 runs"),
    ("jobs", {"labels": {"type": "Inventory"}, "maximum": 1}, "1 of 4 runs"),
    ("jobs", {"labels": {"outcome": "failure"}, "maximum": 0, "during": ("steady",)}, "0 of 3 runs"),
]


@pytest.mark.parametrize(("metric", "threshold", "said"), HELD)
def test_a_threshold_holds_on_its_bound(metric, threshold, said):
    assert judged(metric, **threshold) == ("held", said)


BROKEN = [
    ("latency", {"labels": COMPLETE, "stat": "p95", "maximum": 0.099}),
    ("throughput", {"labels": COMPLETE, "minimum": 19.9}),
    ("error_rate", {"labels": COMPLETE, "maximum": 0.0099}),
    ("ids_per_second", {"labels": STORM, "minimum": 1001}),
    ("jobs", {"labels": {"outcome": "success"}, "minimum": 4}),
    ("jobs", {"labels": {"outcome": "success"}, "maximum": 2}),
]


@pytest.mark.parametrize(("metric", "threshold"), BROKEN)
def test_a_threshold_breaks_beyond_it(metric, threshold):
    assert judged(metric, **threshold)[0] == "broken"


NOT_MEASURED = [
    ({"stat": "p99.9", "maximum": 9, "labels": COMPLETE}, "p99.9 needs 10,000 requests, there were 1,000"),
    ({"stat": "p95", "maximum": 9, "labels": {"op": "upload"}}, "no request ended"),
    ({"stat": "p95", "maximum": 9, "labels": STORM, "during": ("ramp",)}, "no request ended"),  # began later
    ({"stat": "p95", "maximum": 9, "during": ("outage",)}, "phase 'outage' did not begin"),
    ({"stat": "typical", "maximum": 9}, "latency has no stat 'typical'; it takes p50, p95, p99.9, max, mean"),
    ({"stat": "p95", "maximum": 9, "labels": {"site": "fra"}}, "latency has no label 'site'; it takes op, storm"),
]


@pytest.mark.parametrize(("threshold", "said"), NOT_MEASURED)
def test_what_was_not_measured_never_holds(threshold, said):
    answer, detail = judged("latency", **threshold)

    assert answer == "not_measured"
    assert detail.startswith(said)


@pytest.mark.parametrize("metric", ["throughput", "error_rate", "ids_per_second"])
def test_a_rate_of_nothing_is_not_measured(metric):
    assert judged(metric, labels={"op": "upload"}, minimum=0.0)[0] == "not_measured"


def test_an_unknown_metric_is_not_measured_and_the_known_ones_are_named():
    answer, detail = judged("happiness")

    assert answer == "not_measured"
    assert all(metric in detail for metric in METRICS)


def test_requests_without_an_answer_are_requests_that_failed():
    """A storm's `completed` counts only what a status came back for."""
    silent = run(completed=0, errors={"read_timeout": 300})

    assert judged("error_rate", silent, labels=STORM, maximum=0.5) == ("broken", "100 % of 300 requests")
    assert judged("throughput", silent, labels=STORM, minimum=0.0) == ("held", "0/s over 15.0 s")


def test_waiting_for_a_connection_is_no_request_but_can_be_asked_for():
    waited = summarise([started(), traffic("complete", ok=30), traffic(POOL_WAIT, ok=90, milliseconds=2.0), ended()])

    assert judged("error_rate", waited, maximum=0.0) == ("held", "0 % of 30 requests")
    assert judged("latency", waited, labels={"op": POOL_WAIT}, stat="p50", maximum=0.002)[0] == "held"


# --- a saturated generator --------------------------------------------------------------------


def test_latencies_of_a_saturated_generator_are_not_measured():
    saturated = run(generator=SATURATED)

    answer, detail = judged("latency", saturated, labels=STORM, stat="p50", maximum=1.0)

    assert answer == "not_measured"
    assert "the load generator was saturated" in detail


def test_rates_of_a_saturated_generator_are_lower_bounds():
    saturated = run(generator=SATURATED)

    assert judged("ids_per_second", saturated, labels=STORM, minimum=900)[0] == "held"
    assert judged("ids_per_second", saturated, labels=STORM, minimum=1100)[0] == "not_measured"
    assert judged("throughput", saturated, labels=STORM, maximum=19)[0] == "broken"
    assert judged("throughput", saturated, labels=STORM, maximum=30)[0] == "not_measured"


def test_it_says_nothing_about_agents():
    assert judged("latency", run(generator=SATURATED), labels=COMPLETE, stat="p50", maximum=1.0)[0] == "held"


def test_errors_are_errors_even_then():
    saturated = run(generator=SATURATED, errors={"http_5xx": 30})

    assert judged("error_rate", saturated, labels=STORM, maximum=0.05)[0] == "broken"


# --- the rest ---------------------------------------------------------------------------------


def test_a_closed_storm_is_measured_from_sending():
    closed = run(response={"count": 0, "total_us": 0, "min_us": 0, "max_us": 0, "buckets": {}}, model="closed")

    assert judged("latency", closed, labels=STORM, stat="max", maximum=0.04) == ("held", "max 39.0 ms of 300 requests")


def test_a_threshold_that_only_warns_says_so():
    verdict = judge_threshold(run(), Threshold("error_rate", maximum=0.0, warn_only=True))

    assert (verdict.answer, verdict.warn_only) == ("broken", True)


def test_a_threshold_is_named_as_written_or_by_its_parts():
    assert name_of(Threshold("error_rate", maximum=0.001, text="error_rate <= 0.1%")) == "error_rate <= 0.1%"
    assert name_of(Threshold("latency", COMPLETE, "p95", 0.001, 0.25)) == "latency{op=complete} p95 >= 0.001 <= 0.25"


@pytest.mark.parametrize(
    ("stat", "q"), [("p50", 0.5), ("p99.9", 0.999), ("p0", None), ("p100", None), ("50", None), ("pnan", None)]
)
def test_a_percentile_names_a_share(stat, q):
    assert quantile(stat) == (pytest.approx(q) if q else None)
